"""A virtual board: the unmodified firmware in a process of its own, with a PC's stand-ins for hardware around it.

Owns: the process and its environment, the cable (a pseudo-terminal), the radio on an air, the console's lines, and the
power: a board has no other off switch than losing it. Must not know what the firmware does.
"""

import asyncio
import collections
import contextlib
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import tty
from collections.abc import Callable
from pathlib import Path

from bumble.hci import Address

from admit.virtual.peripheral import Peripheral
from admit_protocol.errors import LocalError, TimedOut

CONSOLE_LINES = 2000
EXPECT_TIMEOUT_S = 10.0
INHERITED = ("HOME", "LANG", "PATH", "TMPDIR")  # nothing else of ours, least of all a passphrase, reaches the firmware


class VirtualBoard:
    """One board, whose storage is the folder `storage`.

    air            bumble's name of the air (or of a real controller) that its radio is on; None: no radio
    runtime        "micropython", or "cpython" for debugging
    micropython    its path; else ADMIT_MICROPYTHON or what tools/micropython finds
    firmware       folder of the firmware, as .py or compiled to .mpy; else the one that comes with admit
    program        another program to run on these ports instead of the firmware's main
    heap           MicroPython's heap, such as "256k"
    udp_port       0: any free one
    cable          where to put a link to the pseudo-terminal; else `storage`/cable
    settings       more of the firmware's environment variables (firmware/ports/virtual/board.py), without "ADMIT_"
    on_line        called with each line of the console
    """

    def __init__(
        self,
        storage: Path | str,
        *,
        air: str | None = None,
        runtime: str = "micropython",
        micropython: Path | str | None = None,
        firmware: Path | str | None = None,
        program: Path | str | None = None,
        heap: str | None = None,
        udp_port: int = 0,
        cable: Path | str | None = None,
        settings: dict[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
    ):
        self.storage = Path(storage).absolute()
        self.cable = Path(cable or self.storage / "cable").absolute()
        self.udp_port = udp_port or free_udp_port()
        self.console: collections.deque[str] = collections.deque(maxlen=CONSOLE_LINES)
        self.radio: Peripheral | None = None
        self._air = air
        self._address = Address.generate_static_address()
        self._runtime = runtime
        self._micropython = micropython
        self._firmware = Path(firmware or files() / "firmware").absolute()
        self._program = Path(program).absolute() if program else None
        self._heap = heap
        self._settings = settings or {}
        self._on_line = on_line or (lambda line: None)
        self._pty: tuple[int, int] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task | None = None
        self._over = True  # nothing more will come from the console: it may be so later than the process ends
        self._lines = 0
        self._expected = 0
        self._news = asyncio.Condition()

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

    async def start(self) -> None:
        """Switch the power on.

        Raises LocalError: "board-running", "board-dead", "micropython-missing", "radio-unavailable".
        """
        if self.running:
            raise LocalError("board-running")
        self.storage.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = await asyncio.to_thread(self._command)
        cable_fd = self._plug_cable()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        try:
            if self._air:
                self.radio = Peripheral(self._air, ours, self._address)
                await self.radio.start()
            self._process = await asyncio.create_subprocess_exec(
                *command,
                cwd=self._firmware,  # as on a board, where it lies at the root: each module's path takes heap
                env=self._environment(theirs.fileno(), cable_fd),
                pass_fds=(theirs.fileno(), cable_fd),
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
        self._over = False
        self._watcher = asyncio.create_task(self._watch(self._process, ours))

    async def kill(self) -> None:
        """Cut the power: whatever the firmware was doing ends in the middle."""
        if self._process is None or self._watcher is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        await self._watcher
        self._process = self._watcher = None

    async def restart(self) -> None:
        """Cut the power and switch it on again."""
        await self.kill()
        await self.start()

    async def stop(self) -> None:
        """Cut the power for good and unplug the cable."""
        await self.kill()
        if self._pty:
            self.cable.unlink(missing_ok=True)
            for fd in self._pty:
                os.close(fd)
            self._pty = None

    async def expect(self, text: str, timeout_s: float = EXPECT_TIMEOUT_S) -> str:
        """Wait for a console line that contains `text`, after the one that was expected last, and return it.

        Raises TimedOut("board-silent"), or LocalError("board-ended") if the firmware ended before.
        """
        try:
            async with asyncio.timeout(timeout_s), self._news:
                while (line := self._find(text)) is None:
                    if self._over:
                        raise LocalError("board-ended", self._last_words())
                    await self._news.wait()
                return line
        except TimeoutError:
            raise TimedOut("board-silent", f"no line with {text!r}; {self._last_words()}") from None

    # -- the process --

    def _command(self) -> list[str]:
        main = [str(self._program or self._firmware / "main.py")]
        if self._runtime == "cpython":
            return [sys.executable, "-u", *main]
        if not self._program and (self._firmware / "main.mpy").exists():
            main = ["-m", "main"]
        heap = ["-X", f"heapsize={self._heap}"] if self._heap else []
        return [str(self._micropython or find_micropython()), *heap, *main]

    def _environment(self, radio_fd: int, cable_fd: int) -> dict[str, str]:
        settings = {
            "ROUTINES": str(files() / "boards/virtual/routines.py"),
            "STORAGE": str(self.storage),
            "RADIO_FD": str(radio_fd),
            "CABLE_FD": str(cable_fd),
            "UDP_PORT": str(self.udp_port),
            **self._settings,
        }
        return {
            **{name: os.environ[name] for name in INHERITED if name in os.environ},
            "MICROPYPATH": f"{self._firmware}:.frozen",
            "PYTHONPATH": str(self._firmware),
            "PYTHONDONTWRITEBYTECODE": "1",
            **{f"ADMIT_{name}": value for name, value in settings.items()},
        }

    async def _watch(self, process: asyncio.subprocess.Process, wire: socket.socket) -> None:
        """Collect the console's lines until the process ends; then the radio is off too."""
        assert process.stdout
        async for line in process.stdout:
            await self._on_console(line.decode(errors="backslashreplace").rstrip("\r\n"))
        await process.wait()
        await self._radio_off(wire)
        async with self._news:
            self._over = True
            self._news.notify_all()

    async def _radio_off(self, wire: socket.socket) -> None:
        radio, self.radio = self.radio, None
        if radio:
            await radio.stop()
        wire.close()

    # -- the console --

    async def _on_console(self, line: str) -> None:
        self.console.append(line)
        self._lines += 1
        self._on_line(line)
        async with self._news:
            self._news.notify_all()

    def _find(self, text: str) -> str | None:
        first = self._lines - len(self.console)
        for number in range(max(self._expected, first), self._lines):
            if text in self.console[number - first]:
                self._expected = number + 1
                return self.console[number - first]
        return None

    def _last_words(self) -> str:
        return "the console's last lines: " + " | ".join(list(self.console)[-5:]) if self.console else "it said nothing"

    # -- the cable --

    def _plug_cable(self) -> int:
        """The firmware's end of the pseudo-terminal; the PC's end stays open here, or the line would hang up."""
        if self._pty is None:
            self._pty = pty.openpty()
            tty.setraw(self._pty[1])
            os.set_blocking(self._pty[0], False)
            self.cable.parent.mkdir(parents=True, exist_ok=True)
            self.cable.unlink(missing_ok=True)
            self.cable.symlink_to(os.ttyname(self._pty[1]))
        termios.tcflush(self._pty[1], termios.TCIOFLUSH)
        return self._pty[0]


def files() -> Path:
    """The folder that holds firmware/, boards/ and tools/: a checkout's root, or what an installed admit brought."""
    checkout = Path(__file__).resolve().parents[3]
    return checkout if (checkout / "firmware").is_dir() else Path(__file__).resolve().parents[1] / "_files"


def find_micropython() -> str:
    """The path of a MicroPython, fetched if need be. LocalError("micropython-missing")."""
    if path := os.environ.get("ADMIT_MICROPYTHON"):
        return path
    tool = subprocess.run([files() / "tools/micropython"], capture_output=True, text=True)
    if tool.returncode:
        raise LocalError("micropython-missing", tool.stderr.strip())
    return tool.stdout.strip()


def free_udp_port() -> int:
    """A UDP port of the loopback interface that nobody holds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
