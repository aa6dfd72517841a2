"""CoAP over UDP as a client.

Owns: one connected socket. Must not know what a datagram says.
"""

import asyncio
import os

from admit_protocol.coap_udp import UdpLayer
from admit_protocol.errors import NotFound, TimedOut

PORT = 5683  # RFC 7252 section 6.1


class UdpTransport(asyncio.DatagramProtocol):
    """Datagrams to and from `host`:`port`."""

    def __init__(self, host: str, port: int = PORT):
        self.description = f"udp://{f'[{host}]' if ':' in host else host}:{port}"
        self._address = (host, port)
        self._socket: asyncio.DatagramTransport | None = None
        self._datagrams: asyncio.Queue[bytes | TimedOut] = asyncio.Queue()
        self._heard = False

    async def open(self) -> None:
        """Make the socket. NotFound("udp-no-host") if the name has no address."""
        self.layer = UdpLayer(os.urandom)
        self._datagrams = asyncio.Queue()
        try:
            self._socket, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: self, remote_addr=self._address
            )
        except (OSError, UnicodeError) as error:
            raise NotFound("udp-no-host", f"{self._address[0]}: {error}") from error

    async def send(self, data: bytes) -> None:
        """Send one datagram; the network may lose it."""
        if self._socket is None or self._socket.is_closing():
            raise TimedOut("link-dropped", "the socket is closed")
        self._socket.sendto(data)

    async def receive(self) -> bytes:
        """The next datagram. TimedOut("link-dropped") if the other end says that nobody listens there; who was heard
        before may be starting again, which the retransmissions of CoAP outlast.
        """
        datagram = await self._datagrams.get()
        if isinstance(datagram, TimedOut):
            raise datagram
        return datagram

    async def close(self) -> None:
        """Close the socket."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def datagram_received(self, data, addr):
        self._heard = True
        self._datagrams.put_nowait(data)

    def error_received(self, exc):
        if self._heard:
            return
        self._datagrams.put_nowait(TimedOut("link-dropped", f"{self.description}: {exc.strerror or exc}"))
