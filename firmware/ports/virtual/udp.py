"""The virtual kiosk's network port: CoAP over UDP on the loopback interface.

Owns: one socket, and a link for each peer's address. UDP has no connections: a link opens at a peer's first datagram
and, when all are taken, the one that has been silent longest makes room; sessions do not hang on links, so nothing is
lost by that. Must not know what a datagram says.
"""

import asyncio
import socket

from admit_protocol.const import const
from admit_protocol.errors import LocalError
from ports.faults import guarded
from ports.virtual.runtime import readable

_MAX_DATAGRAM = const(1280)


class Udp:
    """A link server of kind "udp" on `host`:`port`."""

    kind = "udp"
    max_links = 8

    def __init__(self, port, host="127.0.0.1"):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(socket.getaddrinfo(host, port)[0][-1])
        self._peers = []  # (link, address), the longest silent first
        self._last_link = 0
        self._listener = None
        self._task = None

    async def start(self, listener, name):
        """Tell `listener` of every peer from its first datagram on. A socket has no use for `name`."""
        self._listener = listener
        self._task = asyncio.create_task(self._run())

    def advertise(self, name):
        """A socket does not advertise."""

    def send(self, link, data):
        """Send one datagram; the network may lose it."""
        for number, address in self._peers:
            if number == link:
                try:
                    self._socket.sendto(data, address)
                except OSError:  # no buffer or no route: lost like any other datagram
                    pass
                return
        raise LocalError("udp-link-closed")

    def close(self, link):
        """Forget a peer; its next datagram opens a new link."""
        for peer in self._peers:
            if peer[0] == link:
                self._peers.remove(peer)
                self._listener.closed(link)
                return

    async def _run(self):
        while True:
            await readable(self._socket)
            try:
                datagram, address = self._socket.recvfrom(_MAX_DATAGRAM)
            except OSError:  # an ICMP error about an earlier datagram
                continue
            link = self._known(address)
            if link is None:
                link = self._new(address)
                guarded(self, link, self._listener.opened, link, 0)
            guarded(self, link, self._listener.received, link, datagram)

    def _known(self, address):
        for peer in self._peers:
            if peer[1] == address:
                self._peers.remove(peer)
                self._peers.append(peer)
                return peer[0]
        return None

    def _new(self, address):
        if len(self._peers) == self.max_links:
            self.close(self._peers[0][0])
        taken = [peer[0] for peer in self._peers]
        self._last_link = self._last_link % 255 + 1
        while self._last_link in taken:
            self._last_link = self._last_link % 255 + 1
        self._peers.append((self._last_link, address))
        return self._last_link
