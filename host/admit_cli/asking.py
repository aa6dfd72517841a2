"""One line from whoever sits at the terminal, or from standard input, while a session with a device is open.

Owns: waiting for it without standing in the way of the link. Off a terminal the line comes from standard input; its end
is an error, never an answer.
"""

import asyncio
import io
import os
import sys

from admit_cli.output import safe
from admit_protocol.errors import LocalError

_read = b""  # of standard input, and not asked for yet


async def ask_line(question: str) -> str:
    """The next line, without blanks around it; the question is put to people only. Raises LocalError answer-missing."""
    if sys.stdin.isatty():
        print(f"{safe(question)}: ", end="", file=sys.stderr, flush=True)
    line = await _line()
    if line is None:
        raise LocalError("answer-missing", f"an answer is needed, and there is none: {question}")
    return line.strip()


async def _line() -> str | None:
    """The next line of standard input, or None at its end."""
    global _read
    try:
        fd = sys.stdin.fileno()
    except (io.UnsupportedOperation, AttributeError):  # no file of the system's
        return sys.stdin.readline() or None
    while b"\n" not in _read:
        await _readable(fd)
        more = os.read(fd, 4096)
        _read += more
        if not more:
            break
    line, end, _read = _read.partition(b"\n")
    return line.decode(errors="replace") if line or end else None


async def _readable(fd: int) -> None:
    """Until there is something to read; a thread that waits for a line would outlive Ctrl-C."""
    ready, loop = asyncio.Event(), asyncio.get_running_loop()
    try:
        loop.add_reader(fd, ready.set)
    except PermissionError:
        return  # a file: it is always there
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)
