"""The host's half of the windows: has steps run on a board, and sends it content, over a line that may lose bytes.

Owns: on_board.py's way to the board, made short on the way; the one compressed stream; windows, and asking again.
Rules: one window is on its way at a time, and no other before the board has written down what was in it, because a chip
that writes to flash reads nothing; but for as many bytes as it keeps unread, so that the line has something to do
meanwhile. A window is cut where a decoder that has it has used all of it.
Must not know: what the steps do.
"""

import contextlib
import functools
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from admit_protocol.errors import AdmitError, RemoteError, TimedOut
from admit_provisioning.repl import Repl
from admit_provisioning.shrink import Program

WINDOW = 4096  # as on_board.py has it, and the stream's dictionary too
AHEAD = 240  # bytes of the next window: an ESP32 keeps 259 that nobody has read yet, also while it writes to flash
WBITS = 15
ANSWER_S = 10.0  # for a step's work: flash is slow, and its file system may have to move what is there
AGAIN_S = 3.0  # for an answer to who asked again

PROGRAM = Path(__file__).with_name("on_board.py")
_ATTEMPTS = 5
_AT_ONCE = 8192  # bytes that are packed at once
_MOST = 0xFFFF  # bytes that a window may inflate to
_FILLER = b"\xff" * (WINDOW + 16)  # ends any window that lost bytes: as a head it asks for more than there is room for
_QUIET_S = 0.15
_BITS_A_BYTE = 10  # on the line


class Receiver:
    """on_board.py, running at the other end; it crosses the line while its user does something else.

    If a step fails there, the board says so, its REPL is back, and the call raises RemoteError("repl-failed"). As a
    context manager it gives the REPL back, unless it was made to restart the board.
    """

    def __init__(self, repl: Repl):
        self._repl = repl
        self._before = repl.sent, repl.received, repl.turnarounds
        self._number = self._made = 0  # windows that the board has; windows that were made
        self._known: set[str] = set()
        self._pending = b""  # packed, and on no line yet
        self._packer = zlib.compressobj(9, zlib.DEFLATED, -WBITS, 8)
        self._unpacker = zlib.decompressobj(-WBITS)
        self._is_ready = False
        repl.start(_program().core)
        self._runs = True

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(self, *_) -> None:
        if self._runs:
            with contextlib.suppress(AdmitError):
                self.stop()

    def run(
        self,
        step: str,
        *arguments: object,
        content: bytes = b"",
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> bytes:
        """Run a step with its content, and return its answer.

        `progress(done, total)` is told of bytes, as they are before they are packed. Raises TimedOut("install-lost"),
        and what the step fails with.
        """
        return self._bring(self._call(step, arguments) + content, progress)

    def restart(self, step: str | None = None, *arguments: object) -> None:
        """Run one more step, and have the board start anew, as by its reset button."""
        last = self._call(step, arguments) if step else b""
        self._bring(last + self._call("restart", ()), lambda done, total: None)
        self._runs = False

    def _await_start(self) -> None:
        if not self._is_ready:
            self._runs = False  # whatever is there now, it is not what answers to `stop`
            wanted, _ = self._answer(ANSWER_S)
            if wanted != 0:
                raise RemoteError("install-garbled", "the receiver does not start as it should")
            self._is_ready = self._runs = True

    def _bring(self, data: bytes, progress: Callable[[int, int], None]) -> bytes:
        self._await_start()
        self._runs = False  # unless all went well
        frames = self._frames(data)
        answer, done, sent = b"", 0, 0
        upcoming = next(frames, None)
        while upcoming:
            frame, inflated = upcoming
            self._repl.write(frame[sent:])
            upcoming = next(frames, None)  # made while that one is on the line, and its beginning right behind it
            ahead = upcoming[0][:AHEAD] if upcoming else b""
            self._repl.write(ahead)
            answer, at_once = self._exchange(frame)
            sent = len(ahead) if at_once else 0
            done += inflated
            progress(done, len(data))
        self._runs = True
        return answer

    def costs(self) -> tuple[int, int, int]:
        """Bytes to the board, bytes from it and turnarounds so far, its own start among them."""
        sent, received, turnarounds = self._before
        return self._repl.sent - sent, self._repl.received - received, self._repl.turnarounds - turnarounds

    def stop(self) -> None:
        """Have the REPL back."""
        self._await_start()
        self._runs = False
        ((frame, _),) = self._frames(self._call("stop", ()))
        self._repl.write(frame)
        try:
            self._repl.finish(ANSWER_S)
        except RemoteError:
            self._repl.knock()

    def _call(self, step: str, arguments: tuple) -> bytes:
        """The source that runs a step, behind its length: with the functions that the board does not have yet."""
        program = _program()
        new = [name for name in program.needs(step) if name not in self._known]
        self._known.update(new)
        text = "".join(map(program.text, new)) + f"{program.short(step)}{arguments!r}\n"
        return f"{len(text):5}{text}".encode()

    def _frames(self, data: bytes) -> Iterator[tuple[bytes, int]]:
        """The windows that bring `data`, each as it is on the line, and how many bytes come out of it.

        Packed as they are wanted: the first is on its way while the others are made.
        """
        pieces = self._packed(data)
        while True:
            while len(self._pending) < WINDOW and (piece := next(pieces, None)) is not None:
                self._pending += piece
            if not (size := self._window()):
                return
            packed, self._pending = self._pending[:size], self._pending[size:]
            yield self._frame(packed)

    def _packed(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), _AT_ONCE):
            yield self._packer.compress(data[at : at + _AT_ONCE])
        yield self._packer.flush(zlib.Z_SYNC_FLUSH)

    def _window(self) -> int:
        """How many of the pending bytes go into the next window: none, if nothing more comes out of them."""
        size = min(WINDOW, len(self._pending))
        while (inflated := self._inflated(size)) > _MOST:
            size //= 2
        while size and self._inflated(size - 1) == inflated:
            size -= 1
        return size

    def _inflated(self, size: int) -> int:
        """How many bytes come out of the next `size` pending ones."""
        return len(self._unpacker.copy().decompress(self._pending[:size]))

    def _frame(self, data: bytes) -> tuple[bytes, int]:
        """The next window, as it is on the line, and how many bytes come out of it."""
        inflated = len(self._unpacker.decompress(data))
        body = data + inflated.to_bytes(2, "little")
        body += zlib.crc32(body, self._made).to_bytes(4, "little")
        self._made += 1
        return 2 * len(body).to_bytes(2, "little") + body, inflated

    def _exchange(self, frame: bytes) -> tuple[bytes, bool]:
        """Wait until the board has the window that was sent, again if need be.

        (what it then says, whether it had it at once: if not, it has thrown away what came behind)
        """
        timeout_s = ANSWER_S
        for attempt in range(_ATTEMPTS):
            wanted, answer = self._answer(timeout_s + len(frame) * _BITS_A_BYTE / self._repl.baud)
            timeout_s = AGAIN_S
            if wanted == self._number + 1:
                self._number += 1
                return answer, not attempt
            self._repl.write(frame if wanted == self._number else _FILLER)
        raise TimedOut("install-lost", f"{self._repl.port} loses bytes: window {self._number} does not get through")

    def _answer(self, timeout_s: float) -> tuple[int | None, bytes]:
        """(the window that the board wants, what it says), or (None, b"") if that cannot be understood."""
        repl = self._repl
        try:
            head = repl.read(2, timeout_s)
            if head == b"\x04T":  # the end of a program, and the beginning of its traceback
                repl.unread(head)
                repl.finish()
            answer = repl.read(int.from_bytes(head, "little"), AGAIN_S)
            check = int.from_bytes(repl.read(4, AGAIN_S), "little")
        except TimedOut as error:
            if error.reason != "repl-silent":
                raise
            check, answer = -1, b""
        for wanted in (self._number, self._number + 1):
            if check == zlib.crc32(answer, wanted):
                return wanted, answer
        repl.discard(_QUIET_S)
        return None, b""


@functools.cache
def _program() -> Program:
    return Program(PROGRAM.read_text(encoding="utf-8"))
