"""The virtual chip's ROM: what MicroPython does on a chip before and after the program on its flash.

Owns: the order of things. Mount the flash, where the PC's own files were; run boot.py, then main.py; then the REPL; and
end with a status that tells chip.sh how to begin again. A soft reset is a new process too: nothing is left of the old
heap, while bytes that wait on the line go on waiting. Must not know what program is on the flash.
"""

import os
import sys

import flash
import line
import pyexec
import repl
import standins
import vfs

SOFT, SOFT_INTO_RAW = 81, 82  # exit statuses, for chip.sh

# Why it starts, from chip.sh → what the virtual port tells. "repl", "rawrepl": the program did not pause for Ctrl-C,
# so it was ended, and the REPL goes on without what it kept (host/admit/virtual/interrupt.py).
_CAUSES = {
    "power": "power",
    "hard": "hard",
    "crash": "watchdog",
    "soft": "soft",
    "raw": "soft",
    "repl": "soft",
    "rawrepl": "soft",
}
_INTERRUPTED = "Traceback (most recent call last):\nKeyboardInterrupt: \n"
_RESETS = ("power", "hard", "crash")
_OURS = ("rom", "line", "flash", "pyexec", "repl", "readline", "standins", "chip_sys", "chip_micropython")
_FIRST_BOOT_PY = "# This file is run at every start, before main.py.\n"


def run(scope):
    """Start, and never return. `scope` becomes the program's own __main__."""
    cause = sys.argv[1]
    raw, runs = cause.startswith("raw"), not cause.endswith("repl")
    scope.clear()
    scope["__name__"] = "__main__"
    _prepare(cause)
    if runs:
        pyexec.file("boot.py", scope)
    else:
        line.write("\x04" + _INTERRUPTED + "\x04" if raw else _INTERRUPTED)
    if raw or not runs or not pyexec.file("main.py", scope):
        raw = repl.run(scope, raw, runs)
    line.write("MPY: soft reboot\n")
    sys.exit(SOFT_INTO_RAW if raw else SOFT)


def _prepare(cause):
    """All that the program finds: its line, its modules, its flash, and nothing else."""
    line.begin()
    if cause in _RESETS:
        line.write(("" if cause == "power" else "\n") + "rst:" + cause + ", virtual chip\n")
    if not os.getenv("ADMIT_RESET_CAUSE"):
        os.putenv("ADMIT_RESET_CAUSE", _CAUSES[cause])
    standins.install(cause, os.getenv("ADMIT_CHIP_MODULES"))
    _radio_off()
    _mount(flash.Flash(os.getenv("ADMIT_CHIP_FLASH"), os.getenv("ADMIT_CHIP_DIES_AT")))
    sys.path[:] = ["", ".frozen", "/lib"]
    for name in _OURS:
        sys.modules.pop(name)


def _mount(device):
    """The flash is all that there is. One that was erased is formatted; one that holds something else is left alone."""
    vfs.umount("/")
    try:
        files = vfs.VfsLfs2(device)
    except OSError:
        if not device.erased():
            _corrupt()
        vfs.VfsLfs2.mkfs(device)
        files = vfs.VfsLfs2(device)
        vfs.mount(files, "/")
        with open("/boot.py", "w") as file:
            file.write(_FIRST_BOOT_PY)
    else:
        vfs.mount(files, "/")
    os.chdir("/")


def _corrupt():
    import time

    line.kbd_intr(3)
    while True:
        line.write("The flash holds no file system: it may be corrupt. Erase it to begin anew.\n")
        time.sleep(3)


def _radio_off():
    """Whatever links the last run had are gone, as a chip's are."""
    global _wire  # an object that nobody has would close its descriptor
    if os.getenv("ADMIT_RADIO_FD"):
        _wire = open(int(os.getenv("ADMIT_RADIO_FD")), "r+b", 0)
        _wire.write(b"Z\0\0\0")
        while _wire.read(512):
            pass
