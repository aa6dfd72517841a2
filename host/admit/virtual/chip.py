"""A virtual board's body with a chip: MicroPython as a board has it after flashing, littlefs on an image file.

Owns: what must be there before the power is switched on (the image, the chip's id, the line) and the command that does
so. What runs then is boards/virtual/chip. Must not know what gets onto the flash.
"""

import contextlib
import os
import signal
import termios
from collections.abc import Callable, Sequence
from pathlib import Path

from admit.virtual.console import Console
from admit.virtual.files import files
from admit.virtual.interrupt import interrupt
from admit.virtual.line import INTERRUPTS, RAW_REPL, Line

FLASH_SIZE = 2 * 1024 * 1024  # what a board with 4 MB has for files
BLOCK = 4096
ID_LENGTH = 6  # as a MAC


class Chip:
    """The chip whose flash and id are in the folder `storage`.

    line      the cable; a new one after the board was stopped for good and started again
    say       called with each line that the program prints, in the line's thread
    modules   folders of modules that stand before the interpreter's own
    wiring    baud, tcp and fifo of the line (line.py)
    """

    line: Line

    def __init__(
        self,
        storage: Path,
        cable: Path,
        say: Callable[[str], None],
        modules: Sequence[Path | str],
        flash_size: int,
        wiring: dict,
    ):
        self.folder = files() / "boards/virtual/chip"
        self.flash = storage / "flash.img"
        self._id = storage / "chip-id"
        self._pid = storage / "pid"
        self._cable = cable
        self._say = say
        self._modules = [str(Path(folder).absolute()) for folder in modules]
        self._flash_size = flash_size // BLOCK * BLOCK
        self._wiring = wiring
        self._plugged_in = False

    @property
    def id(self) -> bytes:
        """What machine.unique_id() says."""
        return self._id.read_bytes()

    def command(self, interpreter: Callable[[], list[str]]) -> list[str]:
        """What to start; `interpreter()` is MicroPython with its options."""
        return ["/bin/sh", str(self.folder / "chip.sh"), *interpreter(), str(self.folder / "main.py")]

    def plug(self) -> dict[str, int]:
        """Make what is not there: an erased flash, an id, the line. What the line held is lost: the power was off."""
        if not self.flash.exists():
            beside = self.flash.with_suffix(".new")
            beside.write_bytes(b"\xff" * self._flash_size)
            beside.rename(self.flash)
        if not self._id.exists():
            self._id.write_bytes(os.urandom(ID_LENGTH))
        if not self._plugged_in:
            self.line = Line(self._cable, on_output=self._hear, on_interrupt=self._interrupt, **self._wiring)
            self.line.start()
            self._plugged_in = True
        self._console = Console()
        self.line.begin()
        return {}

    def environment(self) -> dict[str, str]:
        """What the chip's program is told of where things are; the firmware finds all that is its own on the flash."""
        return {
            "MICROPYPATH": ".frozen",
            "ADMIT_STORAGE": "",
            "ADMIT_CHIP_LINE": self.line.chip,
            "ADMIT_CHIP_COOKED": str(termios.OPOST | termios.ONLCR),
            "ADMIT_CHIP_INTERRUPTS": str(INTERRUPTS),
            "ADMIT_CHIP_RAW_REPL": str(RAW_REPL),
            "ADMIT_CHIP_PID": str(self._pid),
            "ADMIT_CHIP_FLASH": str(self.flash),
            "ADMIT_CHIP_ID": self.id.hex(),
            "ADMIT_CHIP_MODULES": ":".join(self._modules),
        }

    def close(self) -> None:
        """Unplug the cable for good."""
        if self._plugged_in:
            self.line.stop()
            self._plugged_in = False

    def _interrupt(self) -> None:
        """Ctrl-C was sent to a program that runs."""
        otherwise = signal.SIGALRM if self.line.modes() & RAW_REPL else signal.SIGUSR2
        with contextlib.suppress(OSError, ValueError):  # it has just ended
            interrupt(int(self._pid.read_text()), lambda: bool(self.line.modes() & INTERRUPTS), otherwise)

    def _hear(self, data: bytes) -> None:
        for line in self._console.feed(data):
            self._say(line)
