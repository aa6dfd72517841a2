"""The client's end of a line: a pseudo-terminal with a link to it, and a TCP port if asked for.

Owns: what a client has in its hand, from plugging in to pulling out. Must not know of the chip.
"""

import os
import pty
import socket
import tty
from pathlib import Path

CHUNK = 4096


class Plug:
    """Plugged in at `path`, and with `tcp` at `url` too, or at a port of its own choice. One TCP client at a time."""

    def __init__(self, path: Path, tcp: bool, url: str | None):
        self._path = path
        self._listener: socket.socket | None = None
        self._connection: socket.socket | None = None
        self.url = url
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(os.ttyname(self._slave))
        if tcp:
            self._listener = socket.create_server(("127.0.0.1", int(url.rpartition(":")[2]) if url else 0))
            self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"

    def pull(self) -> None:
        """Out: who had it open reads its end and cannot write."""
        self._path.unlink(missing_ok=True)
        os.close(self._slave)
        os.close(self._master)
        for each in (self._connection, self._listener):
            if each:
                each.close()

    def readers(self) -> list[int]:
        """The descriptors that `read` takes."""
        return [self._master, *(each.fileno() for each in (self._connection, self._listener) if each)]

    def writer(self) -> int:
        """The descriptor that `write` writes to: the TCP client's if there is one."""
        return self._connection.fileno() if self._connection else self._master

    def read(self, fd: int) -> bytes:
        """What came in on `fd`: nothing if that was a caller or the end of a call."""
        if self._listener and fd == self._listener.fileno():
            caller, _ = self._listener.accept()
            if self._connection:
                self._connection.close()
            caller.setblocking(False)
            caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connection = caller
            return b""
        data = read(fd)
        if not data and self._connection and fd == self._connection.fileno():
            self._connection.close()
            self._connection = None
        return data

    def write(self, data: bytes) -> int:
        """How many bytes the client's end took."""
        return write(self.writer(), data)


def read(fd: int) -> bytes:
    """What is there; nothing if the other end is gone."""
    try:
        return os.read(fd, CHUNK)
    except OSError:
        return b""


def write(fd: int, data: bytes) -> int:
    """How many bytes were taken. To who is gone, all: they are lost."""
    try:
        return os.write(fd, data) if data else 0
    except BlockingIOError:
        return 0
    except OSError:
        return len(data)
