"""A board's REPL over a serial line: run code there and have what it prints.

Owns: the raw REPL's bytes, what they cost, and the words for a line where no REPL answers. mpremote's transport opens
and closes the port, since it knows the ports' quirks; the talking is done here, because mpremote sleeps between bytes.
Rules: no wait without an end; nothing is printed. A program longer than the board's input buffer crosses the line
compressed, and is read by the board as fast as it comes.
Must not know: what the code is for, firmware, identities.
"""

import contextlib
import dataclasses
import json
import re
import termios
import time
import zlib
from typing import Any

from serial import SerialException

from admit.transport.serial import open_port
from admit_protocol.errors import Busy, Conflict, RemoteError, TimedOut, Unsupported

BAUD_RATE = 115_200
MINIMUM_VERSION = (1, 23)

_LONGEST_NOISE_S = 10.0  # that a line may take to fall silent
_TICK_S = 0.1  # how long one read of the port may block
_WRITE_S = 10.0
_KNOCK_S = 0.7  # a board that runs anything else is interrupted and answers within this
_LONGEST_ID = 32  # bytes
_PATIENCE = 2  # who still talks after so many times the time for an answer, or has said so much, gives none
_MOST_SAID = 1 << 20  # bytes
_INPUT_BUFFER = 250  # an ESP32 keeps 259 bytes that nobody has read yet
_BANNER = b"raw REPL; CTRL-B to exit\r\n>"
_INTERRUPT, _RAW, _FRIENDLY, _RUN = b"\x03", b"\x01", b"\x02", b"\x04"
UNSTICK = _INTERRUPT * 4200  # more than a receiver of ours can still be waiting for (on_board.py)

_LOADER = """\
import sys,deflate,io,micropython as m
m.kbd_intr(-1)
sys.stdout.write('+')
_=deflate.DeflateIO(io.BytesIO(sys.stdin.buffer.read(%d))).read()
m.kbd_intr(3)
exec(_,{})"""
_DESCRIBE = """\
import sys,os,json
try:from machine import unique_id as u
except ImportError:u=bytes
i=sys.implementation
s=os.statvfs('/')
print(json.dumps((i[0],i[1][:3],getattr(i,'_mpy',0),sys.platform,list(u()),s[0]*s[3])))"""

_ARCHITECTURES = (
    *("", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp"),
    *("xtensa", "xtensawin", "rv32imc", "rv64imc"),
)


@dataclasses.dataclass(frozen=True)
class Runtime:
    """What runs on a board.

    version    of MicroPython: "1.25.0"
    mpy        version of the bytecode that it loads; arch: of native code, "" if it loads none
    platform   "esp32", "linux", …
    board_id   the chip's unique id, b"" if it has none
    free_bytes of its file system
    """

    version: str
    mpy: int
    arch: str
    platform: str
    board_id: bytes
    free_bytes: int


class Repl:
    """The raw REPL at a port, which is anything that pyserial opens. Use it as a context manager.

    `sent`, `received`: bytes so far; `turnarounds`: how often we waited for an answer before we went on.
    """

    def __init__(self, port: str, baud: int = BAUD_RATE):
        self.port, self.baud = port, baud
        self.sent = self.received = self.turnarounds = 0
        self._transport: Any = None
        self._heard = bytearray()
        self._waiting = False

    def __enter__(self) -> "Repl":
        self._transport = _open(self.port, self.baud)
        try:
            self.knock()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_) -> None:
        with contextlib.suppress(TimedOut):
            self.write(b"\r" + _FRIENDLY)
        self._close()

    def knock(self) -> None:
        """Interrupt whatever runs, and have the raw REPL. Raises what says why there is none."""
        self._heard.clear()
        for knock in (b"\r", UNSTICK, b"\r", UNSTICK, b"\r"):
            self.write(knock + _INTERRUPT + _INTERRUPT + _RAW)
            deadline = time.monotonic() + _KNOCK_S + len(knock) * 10 / self.baud
            while _BANNER not in self._heard and (left := deadline - time.monotonic()) > 0:
                self._listen(left)
            if _BANNER in self._heard:
                self._heard.clear()
                return
        raise _no_repl(self.port, bytes(self._heard))

    def exec(self, code: str, timeout_s: float = 10.0) -> bytes:
        """Run code and return what it printed. RemoteError("repl-failed") with the last line of a traceback."""
        self.start(code)
        return self.finish(timeout_s)

    def start(self, code: str) -> None:
        """Start code that will itself talk over the line. `finish` waits for its end."""
        if len(code) < _INPUT_BUFFER:
            self._submit(code)
            return
        packer = zlib.compressobj(9, zlib.DEFLATED, 11)  # a small window: the board makes room for it
        packed = packer.compress(code.encode()) + packer.flush()
        self._submit(_LOADER % len(packed))
        if (sign := self.read(1)) != b"+":
            self.unread(sign)
            raise self._not_loaded()
        self.write(packed)

    def finish(self, timeout_s: float = 10.0) -> bytes:
        """Wait for the end of the code that runs, and return what it printed since it was last read."""
        printed = self.read_until(_RUN, timeout_s)
        traceback = self.read_until(_RUN + b">", timeout_s)
        if traceback:
            raise RemoteError("repl-failed", _last_line(traceback))
        return printed

    def describe(self) -> Runtime:
        """Ask what runs there, in one round trip. Unsupported: "repl-not-micropython", "repl-old"."""
        told = self.exec(_DESCRIBE)
        try:
            name, version, mpy, platform, board_id, free_bytes = json.loads(told)
            text = ".".join(str(part) for part in version)
            is_old = tuple(version) < MINIMUM_VERSION
            if not isinstance(platform, str) or not isinstance(board_id, list) or len(board_id) > _LONGEST_ID:
                raise ValueError("no board says that")
            runtime = Runtime(text, mpy & 0xFF, _ARCHITECTURES[mpy >> 10 & 0xF], platform, bytes(board_id), free_bytes)
        except (ValueError, TypeError, IndexError, RecursionError):
            raise RemoteError("repl-garbled", f"it describes itself as {_readable(told)}") from None
        if name != "micropython":
            raise Unsupported("repl-not-micropython", f"{self.port} runs {name} {text}, which is not MicroPython")
        if is_old:
            raise Unsupported("repl-old", f"it runs MicroPython {text}; 1.23 is the oldest that will do")
        return runtime

    # -- bytes --

    def write(self, data: bytes) -> None:
        """Send bytes. TimedOut("link-dropped") if the line does not take them."""
        try:
            self._serial.write(data)
        except (OSError, SerialException) as error:
            raise self._dropped(error) from error
        self.sent += len(data)
        self._waiting = True

    def read(self, count: int, timeout_s: float = 5.0) -> bytes:
        """Exactly `count` bytes. TimedOut("repl-silent")."""
        return self._take(lambda: count if len(self._heard) >= count else -1, timeout_s)

    def read_until(self, ending: bytes, timeout_s: float) -> bytes:
        """What comes before `ending`, which is dropped. TimedOut("repl-silent")."""

        def end() -> int:
            return at + len(ending) if (at := self._heard.find(ending)) >= 0 else -1

        return self._take(end, timeout_s)[: -len(ending)]

    def unread(self, data: bytes) -> None:
        """Put back what was read too early."""
        self._heard[:0] = data

    def discard(self, quiet_s: float) -> None:
        """Forget what was said, until nothing more is said for so long."""
        self._heard.clear()
        give_up = time.monotonic() + _LONGEST_NOISE_S
        while self._listen(quiet_s):
            self._heard.clear()
            if time.monotonic() >= give_up:
                raise self._chatters()

    def _take(self, end, timeout_s: float) -> bytes:
        deadline = time.monotonic() + timeout_s
        while (count := end()) < 0:
            if time.monotonic() >= deadline + _PATIENCE * timeout_s or len(self._heard) > _MOST_SAID:
                raise self._chatters()
            if not self._listen(deadline - time.monotonic()):
                said = f"the last it said was {_readable(bytes(self._heard))}" if self._heard else "it says nothing"
                raise TimedOut("repl-silent", f"{self.port} does not go on: {said}")
        taken = bytes(self._heard[:count])
        del self._heard[:count]
        return taken

    def _listen(self, timeout_s: float) -> bool:
        """Take in what comes; False if nothing did in so long a time."""
        if self._waiting:
            self.turnarounds += 1
            self._waiting = False
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                data = self._serial.read(max(1, self._serial.in_waiting))
            except (OSError, SerialException, TypeError) as error:  # TypeError: pyserial, if closed meanwhile
                raise self._dropped(error) from error
            if data:
                self.received += len(data)
                self._heard += data
                return True
            if time.monotonic() >= deadline:
                return False

    def _chatters(self) -> RemoteError:
        return RemoteError("repl-garbled", f"{self.port} never stops talking: {_readable(bytes(self._heard[-100:]))}")

    def _dropped(self, error: Exception) -> TimedOut:
        return TimedOut("link-dropped", f"{self.port}: {error}")

    # -- the raw REPL --

    @property
    def _serial(self):
        if self._transport is None:
            raise TimedOut("link-dropped", f"{self.port} is closed")
        return self._transport.serial

    def _submit(self, code: str) -> None:
        """Hand the raw REPL code that fits the board's input buffer; it is running when this returns."""
        self.write(code.encode() + _RUN)
        self.read_until(b"OK", _KNOCK_S + 5)

    def _not_loaded(self) -> Exception:
        """Why the board does not load a program."""
        try:
            return RemoteError("repl-garbled", f"instead of loading a program it says {_readable(self.finish())}")
        except RemoteError as error:
            if error.detail.startswith("ImportError"):
                return Unsupported("repl-no-deflate", f"its MicroPython was built without deflate: {error.detail}")
            return error

    def _close(self) -> None:
        transport, self._transport = self._transport, None
        if transport:
            try:
                transport.close()
            except (OSError, SerialException):  # what is unplugged has no lines to let go of
                transport.serial.close()


def _open(port: str, baud: int) -> Any:
    """mpremote's transport. NotFound("serial-not-found"), LocalError("serial-no-access"), Busy("serial-in-use")."""
    from mpremote.transport import TransportError  # here, because it takes its time
    from mpremote.transport_serial import SerialTransport

    try:
        transport = SerialTransport(port, baud, timeout=_TICK_S)
    except (TransportError, OSError, ValueError, termios.error):
        open_port(port).close()  # mpremote does not say why: this does, and waits a moment
        try:
            transport = SerialTransport(port, baud, timeout=_TICK_S)
        except (TransportError, OSError, ValueError, termios.error):
            raise Busy("serial-in-use", f"{port} was held by another program until just now") from None
    with contextlib.suppress(NotImplementedError):  # pyserial's RFC 2217 has none
        transport.serial.write_timeout = _WRITE_S
    return transport


def _no_repl(port: str, heard: bytes) -> Exception:
    """Why no REPL answers, judged by what was heard instead."""
    text = heard.decode(errors="replace")
    if not heard:
        return TimedOut("repl-silent", f"nothing answers at {port}")
    if "waiting for download" in text:
        return Conflict("repl-rom-loader", f"the board at {port} is in its ROM loader and waits for a download")
    if len(re.findall(r"\brst:0x|\bets [A-Z][a-z]{2}\b", text)) >= 3:
        return RemoteError("repl-boot-loop", f"the board at {port} starts again and again: {_last_line(heard)}")
    if b"\xc0" in heard:
        return Conflict("repl-app-running", f"an app is running at {port}, and Ctrl-C does not stop it")
    return Unsupported("repl-not-micropython", f"what answers at {port} is no MicroPython: it says {_readable(heard)}")


def _readable(data: bytes) -> str:
    """The first line of what was said, fit for a terminal."""
    lines = [line for line in data.decode(errors="replace").splitlines() if line.strip()]
    line = "".join(each if each.isprintable() else "·" for each in lines[0].strip()) if lines else ""
    return f'"{line[:60]}"'


def _last_line(data: bytes) -> str:
    last = data.decode(errors="replace").strip().splitlines()[-1:] or [""]
    return "".join(each if each.isprintable() else "·" for each in last[0][:120])
