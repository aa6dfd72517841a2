"""What carries a chip's bytes: a pseudo-terminal, a TCP port, or RFC 2217, which has the reset lines too; and faults.

Rules: one client at a time. `receive` never waits; it gives None once when the client has left.
"""

import contextlib
import os
import pty
import select
import socket
import tty
from pathlib import Path
from types import SimpleNamespace

from serial import rfc2217

_CHUNK = 65536


class Faults:
    """What goes wrong on the way to the chip, once, counted in bytes that it received since `count` was last 0.

    drop: numbers of bytes that get lost. stall_at: after so many the chip says nothing more until it is reset.
    vanish_at: after so many the cable is pulled.
    """

    def __init__(self, drop=(), stall_at=None, vanish_at=None):
        self.drop, self.stall_at, self.vanish_at = set(drop), stall_at, vanish_at
        self.count = 0

    def pass_on(self, data):
        """(what arrives of these bytes, "stall", "vanish" or "" for what happens then)."""
        start, self.count = self.count, self.count + len(data)
        lost = {each for each in self.drop if start <= each < self.count}
        self.drop -= lost
        data = bytes(byte for number, byte in enumerate(data, start) if number not in lost) if lost else data
        for name in ("stall", "vanish"):
            limit = getattr(self, f"{name}_at")
            if limit is not None and self.count >= limit:
                setattr(self, f"{name}_at", None)
                return data[: limit - start], name
        return data, ""


class Pty:
    """A pseudo-terminal, to which `link` leads."""

    has_reset_lines = False

    def __init__(self, link):
        self.url = str(link)
        self._link = Path(link)
        self._ours = None

    def open(self):
        """Plug it in."""
        self._ours, theirs = pty.openpty()
        tty.setraw(theirs)
        os.set_blocking(self._ours, False)
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(os.ttyname(theirs))
        os.close(theirs)
        self._there = False

    def close(self):
        """Pull it out."""
        self._link.unlink(missing_ok=True)
        os.close(self._ours)
        self._ours = None

    def files(self):
        """What to wait for; nobody can wait for a pseudo-terminal to be opened."""
        return [self._ours] if self._there else []

    def receive(self):
        """What the client sent."""
        was_there, self._there = self._there, True
        try:
            return os.read(self._ours, _CHUNK)
        except BlockingIOError:
            return b""
        except OSError:  # nobody has it open
            self._there = False
            return None if was_there else b""

    def send(self, data):
        """To the client, if it is there and takes it."""
        while data and self._there:
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self._ours, data) :]
                continue
            if not select.select([], [self._ours], [], 0.5)[1]:
                return


class Tcp:
    """A TCP port of this machine: socket://127.0.0.1:PORT."""

    has_reset_lines = False

    def __init__(self, port=0):
        self._port, self._client = port, None

    @property
    def url(self):
        return f"socket://127.0.0.1:{self._port}"

    def open(self):
        """Plug it in."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._listener.setblocking(False)
        self._port = self._listener.getsockname()[1]

    def close(self):
        """Pull it out."""
        self._drop_client()
        self._listener.close()

    def files(self):
        return [self._client or self._listener]

    def receive(self):
        """What the client sent."""
        if self._client is None:
            return self._accept()
        try:
            data = self._client.recv(_CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._drop_client()
            return None
        return data

    def send(self, data):
        """To the client, if it is there and takes it."""
        while data and self._client:
            try:
                data = data[self._client.send(data) :]
            except BlockingIOError:
                if not select.select([], [self._client], [], 0.5)[1]:
                    return
            except OSError:
                return

    def _accept(self):
        with contextlib.suppress(BlockingIOError):
            self._client = self._listener.accept()[0]
            self._client.setblocking(False)
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return b""

    def _drop_client(self):
        if self._client:
            self._client.close()
        self._client = None


class Rfc2217(Tcp):
    """A TCP port with baud rate and reset lines: rfc2217://127.0.0.1:PORT. `on_lines(dtr, rts)` hears of those."""

    has_reset_lines = True

    def __init__(self, port=0, on_lines=lambda dtr, rts: None):
        super().__init__(port)
        self._on_lines = on_lines

    @property
    def url(self):
        return f"rfc2217://127.0.0.1:{self._port}"

    def receive(self):
        data = super().receive()
        return b"".join(self._manager.filter(data)) if data else data

    def send(self, data):
        super().send(b"".join(self._manager.escape(data)) if self._client else b"")

    def _accept(self):
        data = super()._accept()
        if self._client:
            self._manager = rfc2217.PortManager(_Settings(self._on_lines), SimpleNamespace(write=super().send))
        return data


class _Settings:
    """What an RFC 2217 client may set, as pyserial's server wants it."""

    baudrate, bytesize, parity, stopbits = 115200, 8, "N", 1
    xonxoff = rtscts = break_condition = cts = dsr = ri = cd = False
    _dtr = _rts = False

    def __init__(self, on_lines):
        self._on_lines = on_lines

    @property
    def dtr(self):
        return self._dtr

    @dtr.setter
    def dtr(self, value):
        self._dtr = value
        self._on_lines(self._dtr, self._rts)

    @property
    def rts(self):
        return self._rts

    @rts.setter
    def rts(self, value):
        self._rts = value
        self._on_lines(self._dtr, self._rts)

    def reset_input_buffer(self):
        """Nothing waits here."""

    def reset_output_buffer(self):
        """Nothing waits here."""
