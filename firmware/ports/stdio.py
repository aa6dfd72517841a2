"""The cable of a board whose console it is: the REPL has the line while the app does not run. On an ESP32 that is UART
0 or the chip's own USB.

Owns: the line while the app runs. Ctrl-C is a byte like any other, and what is printed goes out in frames of its own.
An ESP32 keeps 259 bytes that nobody has read yet and drops what follows; CoAP sends that again.
"""

import asyncio
import builtins
import sys
from select import POLLIN, poll

import micropython
from admit_protocol.const import const
from ports.cable import Cable

_AT_ONCE = const(256)


class Serial(Cable):
    """A link server of kind "serial" on standard input and output."""

    def __init__(self):
        super().__init__()
        self._in, self._out = sys.stdin.buffer, sys.stdout.buffer
        self._poll = poll()
        self._poll.register(self._in, POLLIN)
        self._byte = bytearray(1)
        self._buffer = bytearray(_AT_ONCE)

    async def start(self, listener, name):
        """Take the line, and tell `listener` of the peer from its first datagram on."""
        micropython.kbd_intr(-1)
        builtins.print = self.print
        await super().start(listener, name)

    def _write(self, data):
        self._out.write(data)

    async def _run(self):
        while True:
            await _readable(self._in)
            count = self._take()
            if count == 0:
                await asyncio.sleep_ms(20)  # a line that says it has something and has nothing must not take all time
            self._feed(bytes(memoryview(self._buffer)[:count]))

    def _take(self):
        """How many bytes came into the buffer. `read` waits for as many as it is asked for, so each is asked for."""
        count = 0
        while count < _AT_ONCE and self._ready():
            if not self._in.readinto(self._byte):
                break
            self._buffer[count] = self._byte[0]
            count += 1
        return count

    def _ready(self):
        for _ in self._poll.ipoll(0):
            return True
        return False


def _readable(stream):
    yield asyncio.core._io_queue.queue_read(stream)
