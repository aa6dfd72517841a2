"""A stand-in ESP32 that runs a MicroPython program: its process, its flash folder, its cable, its resets.

Owns: the process on tests/chip's modules, its restarts (an exit code of 64 + cause starts it again, as the chip would;
64 alone is a power cut, after which it stays off) and its console. The cable is a pseudo-terminal on the program's
stdin and stdout, as UART0 is on the chip. Must not know what the program does.
"""

import asyncio
import collections
import contextlib
import os
import pty
import signal
import termios
import tty
from pathlib import Path

from admit.virtual.files import find_micropython
from chip_world import World

TESTS = Path(__file__).resolve().parent
FIRMWARE = TESTS.parent / "firmware"
CHIP = TESTS / "chip"
EXIT_CODE = 64
RESTARTS = (1, 2, 3, 5)
POWER_ON, HARD, WATCHDOG, SOFT = RESTARTS
PATIENCE_S = 15.0

# A program that does what `Chip.ask` says, one thing after another, and tells what came of it.
LISTENING = """
import board_wire, time
todo, told = [], globals()
board_wire.listen(b"p", lambda a, b, code: todo.append(code.decode()))
def answer(code):
    try:
        if code[0] == "\\n":
            return exec(code, told)
        return eval(code, told)
    except OSError as error:
        return "OSError %d" % error.errno
    except Exception as error:
        return ("%s %s" % (type(error).__name__, error)).strip()
print("listening")
while True:
    if todo:
        print("=", answer(todo.pop(0)))
    time.sleep_ms(1)
"""


class Chip:
    """A chip in `world`, whose flash is `folder`. `program`: a path, or the text of one.

    cable       a pseudo-terminal at `folder`/cable instead of a console of lines
    settings    environment: ADMIT_CHIP_ENTROPY, ADMIT_CHIP_CUT and the like, without "ADMIT_"
    path        where modules are looked for, after the stand-ins
    """

    def __init__(self, folder, world: World, program, *, cable=False, settings=None, path=(FIRMWARE,), heap=None):
        self.folder = Path(folder)
        self.world = world
        self.settings = settings or {}
        self.lines: list[str] = []
        self.causes: list[int] = []  # of each start
        self.exit_code: int | None = None
        self.cable = self.folder / "cable"
        self._program = program
        self._path = path
        self._heap = heap
        self._pty = pty.openpty() if cable else None
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task | None = None
        self._read = 0

    async def __aenter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._pty:
            tty.setraw(self._pty[1])
            self.cable.unlink(missing_ok=True)
            self.cable.symlink_to(os.ttyname(self._pty[1]))
        await self.start()
        return self

    async def __aexit__(self, *_):
        await self.kill()
        for fd in self._pty or ():
            os.close(fd)

    @property
    def running(self) -> bool:
        """Has it power?"""
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Switch the power on."""
        self.exit_code = None
        if self._pty:
            termios.tcflush(self._pty[1], termios.TCIOFLUSH)
        await self._boot(POWER_ON)
        self._task = asyncio.create_task(self._watch())

    async def kill(self) -> None:
        """Cut the power."""
        if self._task and not self._task.done():
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    async def ended(self) -> int:
        """Wait until the chip stays off; the program's exit code."""
        assert self._task
        async with asyncio.timeout(PATIENCE_S):
            await self._task
        assert self.exit_code is not None
        return self.exit_code

    async def restarted(self, cause: int) -> None:
        """Wait until the chip has started again because of `cause`."""
        await self.world.until(lambda: self.causes[1:] and self.causes[-1] == cause, PATIENCE_S)

    async def expect(self, text: str) -> str:
        """Wait for a console line that contains `text`, after the one that was expected last."""
        found = collections.deque[str](maxlen=1)

        def arrived():
            for number in range(self._read, len(self.lines)):
                if text in self.lines[number]:
                    self._read = number + 1
                    found.append(self.lines[number])
                    return True
            return False

        try:
            await self.world.until(lambda: arrived() or not self.running, PATIENCE_S)
            if not found and not arrived():
                raise AssertionError(f"the chip is off and never said {text!r}: {self.lines[-8:]}")
        except TimeoutError:
            raise AssertionError(f"never said {text!r}: {self.lines[-8:]}") from None
        return found[0]

    async def ask(self, code: str) -> str:
        """What an expression gives in a program that is LISTENING; statements begin with a new line."""
        await self.world.deliver(b"p", 0, 0, code.encode())
        answer = await self.expect("= ")
        await self.world.settled()
        return answer[2:]

    async def _watch(self) -> None:
        """Start again as often as the program asks."""
        while True:
            process = self._process
            if process.stdout:
                async for line in process.stdout:
                    self.lines.append(line.decode(errors="backslashreplace").rstrip())
            code = await process.wait()
            if code - EXIT_CODE not in RESTARTS:
                self.exit_code = code
                return
            await self._boot(code - EXIT_CODE)

    async def _boot(self, cause: int) -> None:
        self.causes.append(cause)
        heap = ["-X", f"heapsize={self._heap}"] if self._heap else []
        program = [str(self._program)] if isinstance(self._program, Path) else ["-c", self._program]
        fds = {"stdin": self._pty[0], "stdout": self._pty[0]} if self._pty else {"stdout": asyncio.subprocess.PIPE}
        self._process = await asyncio.create_subprocess_exec(
            find_micropython(),
            *heap,
            *program,
            cwd=self.folder,
            env=self._environment(cause),
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            **fds,
        )

    def _environment(self, cause: int) -> dict[str, str]:
        path = [str(CHIP), *map(str, self._path), ".frozen"]
        return {
            "PATH": os.environ["PATH"],
            "MICROPYPATH": ":".join(path),
            "ADMIT_CHIP": str(self.world.port),
            "ADMIT_CHIP_RESET_CAUSE": str(cause),
            **{f"ADMIT_{name}": value for name, value in self.settings.items()},
        }
