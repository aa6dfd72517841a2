"""A gateway's kiosks, and the links to them: who has which, how many there may be, when they end.

By BLE and UDP each visitor has a link of their own, as a device keeps one handshake for each link. A cable is one link,
which all visitors share: whoever runs a handshake has a turn, and what a session protects needs none.
Must not know WebSockets, nor what a message means beyond what is written outside of any encryption.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Hashable

from admit.connection import Connection
from admit.gateway.answers import Crowded, link_lost, no_answer, no_link, too_large
from admit.gateway.limits import Limits, within
from admit.gateway.turns import Turns
from admit.transport import Transport
from admit_protocol import coap
from admit_protocol.errors import AdmitError, TimedOut

_FRAMING = 4  # bytes at most of a message on a link beside token and body: a datagram's head
_BUSY_S = 5  # what somebody is told to wait who finds no place

Tell = Callable[[coap.Message], Awaitable[None]]


class Link:
    """One open link to a kiosk; `users` are the visitors on it."""

    def __init__(self, connection: Connection):
        self.connection = connection
        self.users: set[Hashable] = set()
        self.outstanding = 0
        self.used_at = time.monotonic()

    @property
    def idle_s(self) -> float:
        """For how long nothing has happened on it; 0 while something is outstanding."""
        return 0.0 if self.outstanding else time.monotonic() - self.used_at

    async def forward(self, request: coap.Message, tell: Tell, limit_s: float) -> None:
        """Send a request, whose token is the gateway's own, and `tell` each response: one, or all of an observation.

        Raises TooLarge, TimedOut("gateway-no-answer"), Unreachable("gateway-link-lost").
        """
        self._check_size(request)
        observes = request.uint(coap.OBSERVE) == 0
        self.outstanding += 1
        try:
            async with contextlib.aclosing(self.connection.observe(request)) as answers:
                response = await _answer(answers, limit_s)
                await tell(response)
                while observes and _stands(response):
                    response = await _answer(answers, None)
                    await tell(response)
        finally:
            self.outstanding -= 1
            self.used_at = time.monotonic()

    def _check_size(self, request: coap.Message) -> None:
        length = _FRAMING + len(request.token) + len(coap.encode_body(request.options, request.payload))
        if length > self.connection.max_payload:
            raise too_large(length, self.connection.max_payload)


class Kiosk:
    """A kiosk that has a link for each visitor, at most `places` at once.

    `open_transport()` makes a new way to it; `opening`: a lock that is held while a link is being opened.
    """

    def __init__(self, name: str, open_transport: Callable[[], Transport], limits: Limits, places: int):
        self.name = name
        self.opening = asyncio.Lock()
        self._open_transport = open_transport
        self._limits = limits
        self._places = places
        self._links: dict[Hashable, Link] = {}
        self._coming = 0  # links that are being opened
        self._locks: dict[Hashable, asyncio.Lock] = {}

    async def forward(self, visitor: Hashable, request: coap.Message, tell: Tell) -> None:
        """Send a visitor's request on their link, which is opened for it if need be.

        Raises Crowded, Unreachable("gateway-no-link"), and what `Link.forward` raises.
        """
        link = await self._link(visitor)
        try:
            await link.forward(request, tell, self._limits.answer_s)
        except TimedOut:
            if not link.outstanding and self._links.get(visitor) is link:  # as good as lost
                await self._close(visitor)
            raise

    async def leave(self, visitor: Hashable) -> None:
        """A visitor is gone: a link that nobody else uses is closed."""
        key = self._key(visitor)
        link = self._links.get(key)
        self._locks.pop(visitor, None)
        if link is not None:
            link.users.discard(visitor)
            if not link.users:
                await self._close(key)

    async def sweep(self) -> None:
        """Close links that nobody has used for long."""
        for key, link in list(self._links.items()):
            if link.idle_s >= self._limits.link_idle_s or link.connection.broken and not link.outstanding:
                await self._close(key)

    async def close(self) -> None:
        """Close all links."""
        for key in list(self._links):
            await self._close(key)

    def _key(self, visitor: Hashable) -> Hashable:
        """Whose link this visitor uses."""
        return visitor

    async def _link(self, visitor: Hashable) -> Link:
        key = self._key(visitor)
        async with self._locks.setdefault(key, asyncio.Lock()):
            link = self._links.get(key)
            if link is not None and link.connection.broken:
                await self._close(key)
                link = None
            if link is None:
                await self._make_room()
                link = self._links[key] = Link(await self._open())
            link.users.add(visitor)
            link.used_at = time.monotonic()
            return link

    async def _open(self) -> Connection:
        connection = Connection(self._open_transport())
        self._coming += 1
        try:
            async with asyncio.timeout(self._limits.open_s), self.opening:
                return await connection.__aenter__()
        except TimeoutError:
            raise no_link(TimedOut("link-timeout")) from None
        except AdmitError as error:
            raise no_link(error) from error
        finally:
            self._coming -= 1

    async def _make_room(self) -> None:
        """Close the link that has been idle for longest if all places are taken. Raises Crowded."""
        if len(self._links) + self._coming < self._places:
            return
        idle = [key for key, link in self._links.items() if link.idle_s >= self._limits.yield_s]
        if not idle:
            raise Crowded("all places at this kiosk are taken", _BUSY_S)
        await self._close(max(idle, key=lambda key: self._links[key].idle_s))

    async def _close(self, key: Hashable) -> None:
        link = self._links.pop(key, None)
        if link is not None:
            await link.connection.__aexit__(None, None, None)


class SharedKiosk(Kiosk):
    """A kiosk on a cable: one link for all visitors.

    A device keeps one handshake for each link, and blocks of one unprotected body. So what no session protects, and the
    request that ends a handshake, need the turn on the line; OSCORE keeps sessions apart by itself.
    """

    def __init__(self, name: str, open_transport: Callable[[], Transport], limits: Limits):
        super().__init__(name, open_transport, limits, 1)
        self._turns = Turns(limits)

    async def forward(self, visitor: Hashable, request: coap.Message, tell: Tell) -> None:
        """As `Kiosk.forward`; raises Crowded too if somebody else's handshake takes too long."""
        link = await self._link(visitor)
        if link.outstanding >= self._limits.line_requests:
            raise Crowded("too much is going on at this kiosk", 1)
        ends = request.option(coap.EDHOC) is not None
        if request.option(coap.OSCORE) is not None and not ends:
            return await link.forward(request, tell, self._limits.answer_s)
        async with self._turns.turn(visitor, ends):
            await link.forward(request, tell, self._limits.answer_s)

    async def leave(self, visitor: Hashable) -> None:
        self._turns.over(visitor)
        await super().leave(visitor)

    def _key(self, visitor: Hashable) -> Hashable:
        return None


def new_token() -> bytes:
    """A token of the gateway's own, as long as a client's is mostly: a message does not grow by it."""
    return os.urandom(4)


def _stands(response: coap.Message) -> bool:
    """Does an observation go on after this? RFC 7641 section 3.2."""
    return response.code < 0x80 and response.option(coap.OBSERVE) is not None


async def _answer(answers, limit_s: float | None) -> coap.Message:
    """The next response. Raises TimedOut("gateway-no-answer"), Unreachable("gateway-link-lost")."""
    try:
        return await within(limit_s, anext(answers))
    except AdmitError as error:
        raise no_answer() if error.reason == "request-unanswered" else link_lost(error) from error
