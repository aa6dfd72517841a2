"""A virtual board: the unmodified firmware in a process of its own, with a PC's stand-ins for hardware around it.

Owns: the process and its environment, the radio on an air, the console's lines, and the power: a board has no other off
switch than losing it. What the process is depends on the body (chip.py, direct.py). Must not know what the firmware
does.
"""

import asyncio
import collections
import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from bumble.hci import Address

from admit.virtual.chip import FLASH_SIZE, Chip
from admit.virtual.direct import Direct
from admit.virtual.files import files as files
from admit.virtual.files import find_micropython as find_micropython
from admit.virtual.peripheral import Peripheral
from admit_protocol.errors import LocalError, TimedOut

CONSOLE_LINES = 2000
EXPECT_TIMEOUT_S = 10.0
_BUTTON = "button"
INHERITED = ("HOME", "LANG", "PATH", "TMPDIR")  # nothing else of ours, least of all a passphrase, reaches the firmware


class VirtualBoard:
    """One board, whose storage is the folder `storage`.

    air            bumble's name of the air (or of a real controller) that its radio is on; None: no radio
    micropython    its path; else ADMIT_MICROPYTHON or what tools/micropython finds
    heap           MicroPython's heap, such as "256k"
    udp_port       0: any free one
    cable          where to put a link to the pseudo-terminal; else `storage`/cable
    settings       more of the firmware's environment variables (firmware/ports/virtual/board.py), without "ADMIT_"
    fds            more descriptors for the firmware, which finds the number of NAME in ADMIT_NAME_FD
    on_line        called with each line of the console

    A board is either ready made, the firmware running from the PC's files:
    runtime        "micropython", or "cpython" for debugging
    firmware       folder of the firmware, as .py or compiled to .mpy; else the one that comes with admit
    program        another program to run on these ports instead of the firmware's main

    or begins `blank`, as `chip`: MicroPython, its REPL on the cable, and a flash that the firmware is installed on:
    modules        folders of modules that stand before the interpreter's own
    flash_size     bytes of flash for files
    baud, tcp, fifo   of the cable (line.py), which is `chip.line`
    """

    def __init__(
        self,
        storage: Path | str,
        *,
        air: str | None = None,
        micropython: Path | str | None = None,
        heap: str | None = None,
        udp_port: int = 0,
        cable: Path | str | None = None,
        settings: dict[str, str] | None = None,
        fds: dict[str, int] | None = None,
        on_line: Callable[[str], None] | None = None,
        runtime: str = "micropython",
        firmware: Path | str | None = None,
        program: Path | str | None = None,
        blank: bool = False,
        modules: Sequence[Path | str] = (),
        flash_size: int = FLASH_SIZE,
        baud: int | None = None,
        tcp: bool = False,
        fifo: int | None = None,
    ):
        self.storage = Path(storage).absolute()
        self.cable = Path(cable or self.storage / "cable").absolute()
        self.udp_port = udp_port or free_udp_port()
        self.console: collections.deque[str] = collections.deque(maxlen=CONSOLE_LINES)
        self.radio: Peripheral | None = None
        self._air = air
        self._address = Address.generate_static_address()
        self._micropython = micropython
        self._heap = heap
        self._settings = settings or {}
        self._fds = fds or {}
        self._on_line = on_line or (lambda line: None)
        self._body: Chip | Direct
        if blank:
            wiring = {"baud": baud, "tcp": tcp, "fifo": fifo}
            self._body = Chip(self.storage, self.cable, self._hear, modules, flash_size, wiring)
        else:
            self._body = Direct(self.storage, self.cable, runtime, firmware, program)
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task | None = None
        self._over = True  # nothing more will come from the console: it may be so later than the process ends
        self._lines = 0
        self._expected = 0
        self._news = asyncio.Event()
        self._powerless = True

    async def __aenter__(self) -> "VirtualBoard":
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_) -> None:
        await self.stop()

    @property
    def running(self) -> bool:
        """Has it power, and has the firmware not ended by itself?"""
        return self._process is not None and self._process.returncode is None

    @property
    def chip(self) -> Chip:
        """The chip of a board that began blank; no other has one."""
        if not isinstance(self._body, Chip):
            raise AttributeError("only a board that begins blank has a chip")
        return self._body

    async def start(self) -> None:
        """Switch the power on.

        Raises LocalError: "board-running", "board-dead", "micropython-missing", "radio-unavailable".
        """
        if self.running:
            raise LocalError("board-running")
        self.storage.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._loop = asyncio.get_running_loop()
        command = await asyncio.to_thread(self._body.command, self._interpreter)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        fds = {"RADIO": theirs.fileno(), **self._body.plug(), **self._fds}
        try:
            if self._air:
                self.radio = Peripheral(self._air, ours, self._address)
                await self.radio.start()
            self._process = await asyncio.create_subprocess_exec(
                *command,
                cwd=self._body.folder,
                env=self._environment(fds),
                pass_fds=list(fds.values()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except BaseException as error:
            await self._radio_off(ours)
            if isinstance(error, OSError):
                raise LocalError("board-dead", f"{command[0]} does not start: {error}") from error
            raise
        finally:
            theirs.close()
        self._over = self._powerless = False
        self._watcher = asyncio.create_task(self._watch(self._process, ours))

    async def kill(self) -> None:
        """Cut the power: whatever the firmware was doing ends in the middle."""
        if self._watcher is None:
            return
        self._lose_power()
        await self._watcher
        self._process = self._watcher = None

    async def restart(self) -> None:
        """Cut the power and switch it on again."""
        await self.kill()
        await self.start()

    async def stop(self) -> None:
        """Cut the power for good and unplug the cable."""
        await self.kill()
        self._body.close()

    def press(self) -> None:
        """Press the kiosk's button."""
        (self.storage / _BUTTON).touch()

    def unplug(self, power: bool = False) -> None:
        """Pull the cable of a board with a chip, and with it the `power` if that came over it."""
        self.chip.line.unplug()
        if power:
            self._lose_power()

    def cut_at(self, message: int, part: float = 0.5, power: bool = False) -> None:
        """Do so by itself in message number `message` of the line, after a `part` of its first bytes (line.py)."""
        self.chip.line.cut_at(message, part, self._lose_power if power else None)

    async def plug(self) -> None:
        """Put the cable back. A board that lost power then, or died, starts."""
        self.chip.line.plug()
        if self._powerless or not self.running:
            await self.restart()

    async def expect(self, text: str, timeout_s: float = EXPECT_TIMEOUT_S) -> str:
        """Wait for a console line that contains `text`, after the one that was expected last, and return it.

        Raises TimedOut("board-silent"), or LocalError("board-ended") if the firmware ended before.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while (line := self._find(text)) is None:
                    if self._over:
                        raise LocalError("board-ended", self._last_words())
                    self._news.clear()
                    await self._news.wait()
                return line
        except TimeoutError:
            raise TimedOut("board-silent", f"no line with {text!r}; {self._last_words()}") from None

    # -- the process --

    def _interpreter(self) -> list[str]:
        path = str(self._micropython or find_micropython())
        if not shutil.which(path):
            raise LocalError("board-dead", f"{path} does not start: there is no such program")
        return [path, "-X", f"heapsize={self._heap}"] if self._heap else [path]

    def _environment(self, fds: dict[str, int]) -> dict[str, str]:
        settings = {f"{name}_FD": str(fd) for name, fd in fds.items()} | {"UDP_PORT": str(self.udp_port)}
        settings["BUTTON"] = str(self.storage / _BUTTON)
        return {
            **{name: os.environ[name] for name in INHERITED if name in os.environ},
            **self._body.environment(),
            **{f"ADMIT_{name}": value for name, value in {**settings, **self._settings}.items()},
        }

    def _lose_power(self) -> None:
        """All processes of the board end at once."""
        self._powerless = True
        process = self._process
        if process and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    async def _watch(self, process: asyncio.subprocess.Process, wire: socket.socket) -> None:
        """Collect the console's lines until the process ends; then the radio is off too."""
        assert process.stdout
        async for line in process.stdout:
            self._on_console(line.decode(errors="backslashreplace").rstrip("\r\n"))
        await process.wait()
        await self._radio_off(wire)
        self._over = True
        self._news.set()

    async def _radio_off(self, wire: socket.socket) -> None:
        radio, self.radio = self.radio, None
        if radio:
            await radio.stop()
        wire.close()

    # -- the console --

    def _hear(self, line: str) -> None:
        """A line from the chip's cable, in the cable's thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._on_console, line)

    def _on_console(self, line: str) -> None:
        self.console.append(line)
        self._lines += 1
        self._on_line(line)
        self._news.set()

    def _find(self, text: str) -> str | None:
        first = self._lines - len(self.console)
        for number in range(max(self._expected, first), self._lines):
            if text in self.console[number - first]:
                self._expected = number + 1
                return self.console[number - first]
        return None

    def _last_words(self) -> str:
        return "the console's last lines: " + " | ".join(list(self.console)[-5:]) if self.console else "it said nothing"


def free_udp_port() -> int:
    """A UDP port of the loopback interface that nobody holds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
