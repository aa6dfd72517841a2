"""The virtual kiosk's cable: one slipmux peer at the other end of a pseudo-terminal.

Owns: bytes of the line to CoAP datagrams and back, by `admit_protocol.slip`. A line has no connections, so a link
opens at the first datagram. A line nobody reads loses bytes, as a real one does. Must not know what a datagram says.
"""

import asyncio

from admit_protocol import slip
from admit_protocol.const import const
from admit_protocol.errors import LocalError
from ports.virtual.runtime import guarded
from ports.virtual.wire import Wire

_LINK = const(1)
_MAX_DATAGRAM = const(1280)


class Cable:
    """A link server of kind "serial": one link, which carries datagrams of CoAP over UDP's format."""

    kind = "serial"
    max_links = 1

    def __init__(self, fd):
        self._wire = Wire(fd)
        self._open = False
        self._listener = None
        self._task = None

    async def start(self, listener, name):
        """Tell `listener` of the peer from its first datagram on. A cable has no use for `name`."""
        self._listener = listener
        self._task = asyncio.create_task(self._run())

    def advertise(self, name):
        """A cable does not advertise."""

    def send(self, link, data):
        """Send one datagram."""
        if not self._open or link != _LINK:
            raise LocalError("cable-link-closed")
        self._wire.write(slip.encode_coap(data))

    def close(self, link):
        """End the link; the next datagram opens it again."""
        if self._open and link == _LINK:
            self._open = False
            self._listener.closed(_LINK)

    async def _run(self):
        decoder = slip.Decoder(_MAX_DATAGRAM)
        while True:
            data = await self._wire.read(256)
            if not data:
                break
            for kind, datagram in decoder.feed(data):
                if kind == "coap":
                    guarded(self, _LINK, self._received, datagram)
        self.close(_LINK)

    def _received(self, datagram):
        if not self._open:
            self._open = True
            self._listener.opened(_LINK, 0)
        self._listener.received(_LINK, datagram)
