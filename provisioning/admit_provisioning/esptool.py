"""esptool and espefuse, run as programs: GPL code that is never imported.

Owns: their command lines, what their output means, and whose fault a failure is.
Rules: options go through in esptool's own words, in today's spelling or that before version 5. A failure becomes an
error of ours that says what is wrong with the port, the board, the chip or the image.
Must not know: what a board is, or what is written to it.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from admit.transport.serial import refusal
from admit_protocol.errors import AdmitError, Conflict, LocalError, Refused, TimedOut, TooLarge, Unverified

BEFORE = ("default-reset", "usb-reset", "no-reset", "no-reset-no-sync")
AFTER = ("hard-reset", "soft-reset", "no-reset", "no-reset-stub", "watchdog-reset")
BAUD = 460_800
ATTEMPTS = 3  # resets into the ROM loader, about 3 s each

_SILENCE_S = 240  # the longest that esptool itself waits for a chip, and then some
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s?%")
_ERRNO = re.compile(r"Errno (\d+)\]")

Progress = Callable[[int, int], None]  # (bytes done, of how many)
_PARTS = 1000


def unheard(_done: int, _of: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Link:
    """A port, and how esptool shall treat it. `before` and `after` are words of esptool's, old spelling or new.

    Raises LocalError("esptool-option") for other words.
    """

    port: str
    before: str = BEFORE[0]
    after: str = AFTER[0]
    baud: int = BAUD
    attempts: int = ATTEMPTS

    def __post_init__(self) -> None:
        for name, known in (("before", BEFORE), ("after", AFTER)):
            word = getattr(self, name).replace("_", "-")
            if word not in known:
                raise LocalError("esptool-option", f"--{name} is one of {', '.join(known)}, not {word}")
            object.__setattr__(self, name, word)

    def options(self, after: str | None = None) -> list[str]:
        """The options that esptool and espefuse share."""
        is_path = os.sep in self.port and "://" not in self.port
        port = os.path.abspath(self.port) if is_path else self.port
        return ["--port", port, "--before", self.before, "--after", after or self.after]


@dataclass(frozen=True)
class Chip:
    """What a chip says of itself in its ROM loader.

    name              as esptool calls it: "esp32s3"
    title             for people, with package and revision
    mac               6 bytes; none if its loader keeps silent about it, in secure download mode
    flash_size        in bytes; 0 if unknown
    secure_download   its loader writes flash, but reads and runs nothing any more
    download_mode_off this was its loader's last time, or never again after the next reset
    """

    name: str
    title: str = ""
    mac: bytes = b""
    flash_size: int = 0
    secure_boot: bool = False
    flash_encryption: bool = False
    secure_download: bool = False
    download_mode_off: bool = False

    @property
    def secured(self) -> list[str]:
        """What of it is locked, in words; such a chip is not to be flashed."""
        locked = {
            "secure boot": self.secure_boot,
            "flash encryption": self.flash_encryption,
            "secure download mode": self.secure_download,
            "download mode off": self.download_mode_off,
        }
        return [words for words, is_so in locked.items() if is_so]


def chip_info(link: Link) -> Chip:
    """Ask the ROM loader who it is. Raises TimedOut("flash-no-answer") or ("flash-boot-mode") if there is none."""
    output = run(["--no-stub", *_connect(link, "no-reset"), "flash-id"], may_fail="Secure Download Mode")
    name = _told(r"^Connected to (ESP32[\w-]*)", output).lower().replace("-", "")
    chip = Chip(name, _told(r"^Chip type: *(.+)", output))
    if "Secure Download Mode" in output:
        return replace(chip, secure_download=True)
    mac = _told(r"^BASE MAC: *([0-9a-f:]{17})$|^MAC: *([0-9a-f:]{17})$", output)
    size = re.search(r"^Detected flash size: *(\d+)MB", output, re.MULTILINE)
    known = replace(chip, mac=bytes.fromhex(mac.replace(":", "")), flash_size=int(size[1]) << 20 if size else 0)
    return _with_security(link, known)


def _with_security(link: Link, chip: Chip) -> Chip:
    """The same with what its eFuses lock. The ESP32 has no command that tells it: there the eFuses are read."""
    if chip.name == "esp32":
        words = _esp32_efuses(link)
        encrypted = bin(words[0] >> 20 & 0x7F).count("1") % 2 == 1
        boot, off = bool(words[6] >> 4 & 3), bool(words[0] >> 27 & 1)
        return replace(chip, secure_boot=boot, flash_encryption=encrypted, download_mode_off=off)
    output = run(["--no-stub", *_connect(link, "no-reset"), "get-security-info"])
    flags = int(_told(r"^Flags: (0x[0-9a-f]+)", output), 16)
    encrypted = _told(r"^Flash Encryption: (Enabled|Disabled)", output) == "Enabled"
    return replace(chip, secure_boot=bool(flags & 1), flash_encryption=encrypted, secure_download=bool(flags & 4))


def _esp32_efuses(link: Link) -> list[int]:
    """The seven words of block 0. ESP32 Technical Reference Manual, "eFuse Controller"."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "block0"
        run(["--no-stub", *_connect(link, "no-reset"), "dump-mem", "0x3ff5a000", "28", str(file)])
        data = file.read_bytes()
    if len(data) != 28:
        raise LocalError("flash-failed", f"esptool read {len(data)} bytes of the chip's eFuses, not 28")
    return [int.from_bytes(data[start : start + 4], "little") for start in range(0, 28, 4)]


def write(link: Link, chip: str, offset: int, image: Path, erase: bool, progress: Progress) -> bool:
    """Write `image` to flash at `offset`, verify it, reset; whether the port could reset the board.

    `erase` empties all of the flash before. Raises Unverified("flash-verify"), and what the port and the chip do.
    """
    command = ["write-flash", *(["--erase-all"] if erase else []), hex(offset), str(image.resolve())]
    size = image.stat().st_size
    output = run(
        ["--chip", chip, "--baud", str(link.baud), *_connect(link), *command],
        lambda done, of: progress(size * done // of, size),
    )
    if "Hash of data verified" not in output:
        raise Unverified("flash-verify", "esptool did not say that the flash holds what was written")
    return "Chip was NOT reset" not in output and "not possible to reset" not in output


def _connect(link: Link, after: str | None = None) -> list[str]:
    return [*link.options(after), "--connect-attempts", str(link.attempts)]


def run(arguments: list[str], progress: Progress = unheard, program: str = "esptool", may_fail: str = "") -> str:
    """Run esptool or espefuse; its output. `may_fail`: words that excuse a failure."""
    command = [sys.executable, "-P", "-m", program, *arguments]
    settings = os.environ | {"NO_COLOR": "1", "COLUMNS": "400", "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(
        command,
        cwd=os.path.dirname(sys.executable),  # whose esptool.cfg, setup.cfg, tox.ini count, and nobody else's
        env=settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        process_group=0,  # Ctrl-C at the terminal is ours alone: the factory finishes what was begun
    )
    with process:
        try:
            output = _listen(process, progress)
        except BaseException:
            process.kill()  # nobody would hear of it any more
            raise
    if process.returncode and not (may_fail and may_fail in output):
        raise failure(output, _port_in(arguments), program)
    return output


def _listen(process: subprocess.Popen, progress: Progress) -> str:
    """All that the program says until it ends, told as progress where it is that. Ends it if it falls silent."""
    lines: list[str] = []
    assert process.stdout is not None
    while True:
        watchdog = threading.Timer(_SILENCE_S, process.kill)
        watchdog.start()
        line = process.stdout.readline()
        watchdog.cancel()
        if not line:
            return "".join(lines)
        lines.append(line)
        if line.startswith(("Writing", "Reading")) and (found := _PERCENT.search(line)):
            progress(round(float(found[1]) * _PARTS / 100), _PARTS)


def failure(output: str, port: str, program: str = "esptool") -> AdmitError:
    """What esptool's last words mean."""
    if "No module named" in output:
        return LocalError("esptool-missing", f"{program} is not installed")
    said = _last_words(output)
    if "Lost connection" in output:
        return TimedOut("flash-interrupted", said)
    if "could not open" in said.lower() or "Could not exclusively lock" in said:
        found = _ERRNO.search(output)
        return refusal(port, OSError(int(found[1]) if found else 0, said))
    for pattern, kind, reason in _FAILURES:
        if re.search(pattern, said):
            return kind(reason, said)
    return LocalError("flash-failed", f"{program}: {said}")


# What is said → what it is. The first that fits counts.
_FAILURES: tuple[tuple[str, type[AdmitError], str], ...] = (
    (r"Wrong boot mode", TimedOut, "flash-boot-mode"),
    (r"TX path seems to be down", TimedOut, "flash-no-transmit"),
    (r"Failed to connect", TimedOut, "flash-no-answer"),
    (r"This chip is .*not", Conflict, "flash-other-chip"),
    (r"is not an? ESP.* image", Conflict, "image-other-chip"),
    (r"requires chip revision", Conflict, "flash-chip-revision"),
    (r"will not fit", TooLarge, "image-too-large"),
    (r"[Ss]ecurity features|Secure Boot|flash encryption|[Ss]ecure [Dd]ownload", Conflict, "flash-secured"),
    (r"MD5 of file does not match|written flash region is empty|digest mismatch", Unverified, "flash-verify"),
    (
        r"stopped|No serial data|disconnected|Errno 5\]|Errno 6\]|Errno 32\]|Errno 104\]|[Ww]rite timeout|No more data"
        r"|Invalid head of packet|Port is closed|socket|readiness|Input/output error",
        TimedOut,
        "flash-interrupted",
    ),
    (r"[Ff]ailed to|not supported in the current|doesn't match request", Refused, "flash-refused"),
)


def _last_words(output: str) -> str:
    """The error that a program ended with: what it calls one, else its last line."""
    *_, rest = re.split(r"error occurred:", output)
    lines = [line.strip() for line in rest.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("For troubleshooting", "Note:", "NOTE:", "Hint:"))]
    return " ".join(lines if rest != output else lines[-1:]) or "it ended without a word"


def _told(pattern: str, output: str) -> str:
    """What esptool says of a chip. Raises LocalError flash-failed if it does not: nothing is taken for granted."""
    found = re.search(pattern, output, re.MULTILINE)
    if not found:
        raise LocalError("flash-failed", f"esptool does not tell {pattern.split(':')[0].strip('^ ')!r} of the chip")
    return next(group for group in found.groups() if group).strip()


def _port_in(arguments: list[str]) -> str:
    return arguments[arguments.index("--port") + 1] if "--port" in arguments else ""
