"""A virtual board's body without a chip: the firmware runs from the PC's files, as a program of its own.

Owns: the command, what it is told, and the cable: a pseudo-terminal whose other end the firmware has.
"""

import os
import pty
import sys
import termios
import tty
from collections.abc import Callable
from pathlib import Path

from admit.virtual.files import files


class Direct:
    """The firmware (or another `program`) on the ports of a PC; `storage` is where it keeps what it must."""

    def __init__(
        self, storage: Path, cable: Path, runtime: str, firmware: Path | str | None, program: Path | str | None
    ):
        self.folder = Path(firmware or files() / "firmware").absolute()  # as on a board, where it lies at the root
        self._storage = storage
        self._cable = cable
        self._runtime = runtime
        self._program = Path(program).absolute() if program else None
        self._pty: tuple[int, int] | None = None

    def command(self, interpreter: Callable[[], list[str]]) -> list[str]:
        """What to start; `interpreter()` is MicroPython with its options."""
        main = [str(self._program or self.folder / "main.py")]
        if self._runtime == "cpython":
            return [sys.executable, "-u", *main]
        if not self._program and (self.folder / "main.mpy").exists():
            main = ["-m", "main"]
        return interpreter() + main

    def plug(self) -> dict[str, int]:
        """The firmware's end of the pseudo-terminal; the PC's end stays open here, or the line would hang up."""
        if self._pty is None:
            self._pty = pty.openpty()
            tty.setraw(self._pty[1])
            os.set_blocking(self._pty[0], False)
            self._cable.parent.mkdir(parents=True, exist_ok=True)
            self._cable.unlink(missing_ok=True)
            self._cable.symlink_to(os.ttyname(self._pty[1]))
        termios.tcflush(self._pty[1], termios.TCIOFLUSH)
        return {"CABLE": self._pty[0]}

    def environment(self) -> dict[str, str]:
        """What the firmware is told of where things are."""
        return {
            "MICROPYPATH": f"{self.folder}:.frozen",
            "PYTHONPATH": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "ADMIT_ROUTINES": str(files() / "boards/virtual/routines.py"),
            "ADMIT_STORAGE": str(self._storage),
        }

    def close(self) -> None:
        """Unplug the cable for good."""
        if self._pty:
            self._cable.unlink(missing_ok=True)
            for fd in self._pty:
                os.close(fd)
            self._pty = None
