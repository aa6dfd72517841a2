"""What the firmware's modules weigh on a board: compiled bytes, largest first."""

from figures import figure

from footprint import ALIVE_AFTER_BOOT_LIMIT, ROOT, alive_after_boot, compiled_sizes


def main():
    sizes = sorted(compiled_sizes(alive_after_boot()).items(), key=lambda item: -item[1])
    return [
        *(figure(str(path.relative_to(ROOT / "firmware")), size, unit="B") for path, size in sizes),
        figure("alive after boot", sum(size for _, size in sizes), ALIVE_AFTER_BOOT_LIMIT, "B"),
    ]
