"""A file descriptor that never blocks the loop.

Owns: what to do when the other end is slow or gone. The descriptor must be in non-blocking mode already (MicroPython
cannot set it; whoever starts the firmware does). Must not know what the bytes mean.
"""

import asyncio

from admit_protocol.const import const
from ports.virtual.runtime import readable, writable

_WAITING_LIMIT = const(8192)  # bytes that may wait for a slow reader


class Wire:
    """A non-blocking descriptor, read by one task; writes wait their turn or are dropped whole, never in part."""

    def __init__(self, fd):
        self._stream = open(fd, "r+b", 0)
        self._waiting = b""
        self._flushing = None

    async def read(self, length):
        """Return 1 to `length` bytes as soon as there are any, or b"" when the other end is gone."""
        while True:
            await readable(self._stream)
            try:
                data = self._stream.read(length)
            except OSError:
                return b""
            if data is not None:
                return data

    def write(self, data):
        """Send `data` now or as soon as the other end reads; return False if too much waits already: all is dropped."""
        if self._waiting:
            if len(self._waiting) + len(data) > _WAITING_LIMIT:
                return False
            self._waiting += data
            return True
        self._waiting = data[self._push(data) :]
        if self._waiting:
            self._flushing = asyncio.create_task(self._flush())
        return True

    def _push(self, data):
        try:
            return self._stream.write(data) or 0
        except OSError:  # the other end is gone: the reader finds out and tells
            return len(data)

    async def _flush(self):
        while self._waiting:
            await writable(self._stream)
            self._waiting = self._waiting[self._push(self._waiting) :]
