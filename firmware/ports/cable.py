"""A cable: one slipmux peer at the other end of a line.

Owns: bytes of the line to CoAP datagrams and back, by `admit_protocol.slip`. A line has no connections, so a link
opens at the first datagram. A line nobody reads loses bytes. Each board brings `_run`, which calls `_feed` with what
arrives, and `_write`. Must not know what a datagram says. A text from the other end is a screen's, which has just come
and asks how things are.
"""

import asyncio

from admit_protocol import slip
from admit_protocol.const import const
from admit_protocol.errors import LocalError
from ports.faults import guarded, print_exception

LINK = const(1)
_MAX_DATAGRAM = const(1280)


class Cable:
    """A link server of kind "serial": one link, which carries datagrams of CoAP over UDP's format."""

    kind = "serial"
    max_links = 1

    def __init__(self):
        self._decoder = slip.Decoder(_MAX_DATAGRAM)
        self._open = False
        self._listener = None
        self._task = None
        self.asked = None  # called at a screen's question, if a screen is served

    async def start(self, listener, name):
        """Tell `listener` of the peer from its first datagram on. A cable has no use for `name`."""
        self._listener = listener
        self._task = asyncio.create_task(self._run())

    def advertise(self, name):
        """A cable does not advertise."""

    def send(self, link, data):
        """Send one datagram."""
        if not self._open or link != LINK:
            raise LocalError("cable-link-closed")
        self._write(slip.encode_coap(data))

    def close(self, link):
        """End the link; the next datagram opens it again."""
        if self._open and link == LINK:
            self._open = False
            self._listener.closed(LINK)

    def print(self, *words, sep=" ", end="\n"):
        """Python's print, into a diagnostic frame."""
        self._write(slip.encode_diagnostic(sep.join([str(word) for word in words]) + end))

    def _feed(self, data):
        try:
            for kind, datagram in self._decoder.feed(data):
                if kind == "coap":
                    guarded(self, LINK, self._received, datagram)
                elif kind == "diagnostic" and self.asked:
                    self.asked()
        except Exception as error:  # no memory for a frame, or for dropping the link: the line is needed for the next
            print_exception(error)

    def _received(self, datagram):
        if not self._open:
            self._open = True
            self._listener.opened(LINK, 0)
        self._listener.received(LINK, datagram)
