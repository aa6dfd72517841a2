"""A virtual kiosk's radio without an air: GATT values travel over TCP to and from a phone that is a Node.js script.

Owns: the links, each a TCP connection, and the order of values: one indication at a time, confirmed when it has left.
A value is two bytes of length, big-endian, and the value. `Bridge` takes the place of admit.virtual.peripheral's
Peripheral; `serve` puts a device of tests/rig.py behind the same port. Must not know what a value says.
"""

import asyncio
import contextlib

from admit.virtual import frames

MTU = 515


class Bridge:
    """The radio of one VirtualBoard. `mtu`: of links to come; `port`: where phones connect, also after a restart."""

    mtu = MTU
    ports = {}

    def __init__(self, name, wire, address):
        self.links = {}
        self.number = 0
        self._address = address  # of the board: a name for it
        self._wire = wire

    async def start(self):
        self._reader, self._firmware = await asyncio.open_unix_connection(sock=self._wire)
        self._server = await asyncio.start_server(self._visit, "127.0.0.1", self.ports.get(self._address, 0))
        self.port = self.ports[self._address] = self._server.sockets[0].getsockname()[1]
        self._task = asyncio.create_task(self._serve())

    async def stop(self):
        self._task.cancel()
        self._server.close()
        for phone in list(self.links.values()):
            phone.transport.abort()
        self._firmware.close()

    async def _serve(self):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, number, payload = await frames.read(self._reader)
                phone = self.links.get(number)
                if kind == frames.INDICATE and phone:
                    phone.write(len(payload).to_bytes(2, "big") + payload)
                    self._firmware.write(frames.encode(frames.CONFIRMED, number))
                elif kind == frames.DISCONNECT and phone:
                    phone.close()
        for phone in list(self.links.values()):
            phone.transport.abort()  # the firmware has ended: so has its radio

    async def _visit(self, reader, phone):
        self.number = number = self.number % 255 + 1
        self.links[number] = phone
        self._firmware.write(frames.encode(frames.OPENED, number, self.mtu.to_bytes(2, "big")))
        async for value in values(reader):
            self._firmware.write(frames.encode(frames.RECEIVED, number, value))
        del self.links[number]
        phone.close()
        if not self._firmware.is_closing():
            self._firmware.write(frames.encode(frames.CLOSED, number))


async def values(reader):
    """Each value that comes, until there are no more."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            yield await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))


@contextlib.asynccontextmanager
async def serve(rig):
    """The port at which a phone reaches a device of tests/rig.py, in this process."""

    async def visit(reader, phone):
        number, rig.next_link = rig.next_link, rig.next_link + 1
        rig.radio.listener.opened(number, MTU)
        async for value in values(reader):
            rig.radio.listener.received(number, value)
            while waiting := rig.radio.sent.pop(number, []):
                for each in waiting:
                    phone.write(len(each).to_bytes(2, "big") + each)
                    rig.radio.listener.confirmed(number)
        rig.radio.listener.closed(number)
        phone.close()

    server = await asyncio.start_server(visit, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
