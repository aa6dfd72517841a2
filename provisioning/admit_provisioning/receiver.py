"""The host's half of the windows: has steps run on a board, and sends it content, over a line that may lose bytes.

Owns: on_board.py's way to the board, made short on the way; the one compressed stream; windows, and asking again.
Rules: one window is on its way at a time, and no other before the board has written down what was in it, because a chip
that writes to flash reads nothing. A window is cut where a decoder that has it has used all of it.
Must not know: what the steps do.
"""

import functools
import zlib
from collections.abc import Callable
from pathlib import Path

from admit_protocol.errors import RemoteError, TimedOut
from admit_provisioning.repl import Repl
from admit_provisioning.shrink import Program

WINDOW = 4096  # as on_board.py has it, and the stream's dictionary too
WBITS = 15
ANSWER_S = 10.0  # for a step's work: flash is slow, and its file system may have to move what is there
AGAIN_S = 3.0  # for an answer to who asked again

PROGRAM = Path(__file__).with_name("on_board.py")
_ATTEMPTS = 5
_MOST = 0xFFFF  # bytes that a window may inflate to
_FILLER = b"\xff" * (WINDOW + 16)  # ends any window that lost bytes: as a head it asks for more than there is room for
_QUIET_S = 0.15
_BITS_A_BYTE = 10  # on the line


class Receiver:
    """on_board.py, running at the other end.

    If a step fails there, the board says so, its REPL is back, and the call raises RemoteError("repl-failed").
    """

    def __init__(self, repl: Repl):
        self._repl = repl
        self._number = 0  # of the next window
        self._known: set[str] = set()
        self._packer = zlib.compressobj(9, zlib.DEFLATED, -WBITS, 9)
        self._unpacker = zlib.decompressobj(-WBITS)
        self._pending = b""
        repl.start(_program().core)
        wanted, _ = self._answer(ANSWER_S)
        if wanted != 0:
            raise RemoteError("install-garbled", "the receiver does not start as it should")

    def run(
        self,
        step: str,
        *arguments: object,
        content: bytes = b"",
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> bytes:
        """Run a step with its content, and return its answer.

        `progress(done, total)` is told of bytes. Raises TimedOut("install-lost"), and what the step fails with.
        """
        self._pack(self._call(step, arguments) + content)
        answer, total = b"", len(self._pending)
        while size := self._window():
            frame, self._pending = self._frame(self._pending[:size]), self._pending[size:]
            answer = self._exchange(frame)
            progress(total - len(self._pending), total)
        progress(total, total)
        return answer

    def stop(self) -> None:
        """Have the REPL back."""
        self._pack(self._call("stop", ()))
        self._repl.write(self._frame(self._pending[: self._window()]))
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

    def _pack(self, data: bytes) -> None:
        self._pending += self._packer.compress(data) + self._packer.flush(zlib.Z_SYNC_FLUSH)

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

    def _frame(self, data: bytes) -> bytes:
        """The next window, as it is on the line."""
        body = data + len(self._unpacker.decompress(data)).to_bytes(2, "little")
        body += zlib.crc32(body, self._number).to_bytes(4, "little")
        return 2 * len(body).to_bytes(2, "little") + body

    def _exchange(self, frame: bytes) -> bytes:
        """Send one window until the board has it, and return what it then says."""
        message, timeout_s = frame, ANSWER_S
        for _ in range(_ATTEMPTS):
            self._repl.write(message)
            wanted, answer = self._answer(timeout_s + len(message) * _BITS_A_BYTE / self._repl.baud)
            timeout_s = AGAIN_S
            if wanted == self._number + 1:
                self._number += 1
                return answer
            message = frame if wanted == self._number else _FILLER
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
