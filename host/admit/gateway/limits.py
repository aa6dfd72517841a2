"""What one visitor may take of a gateway, so that the others get theirs.

Owns the numbers, the count of connections, the pace of one connection, and patience. Must not know what is counted.
"""

import asyncio
import collections
import contextlib
import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from admit_protocol.errors import Busy, TimedOut


@dataclass(frozen=True)
class Limits:
    """All limits; seconds unless the name says otherwise."""

    connections: int = 64
    per_address: int = 8  # a v6 address counts by its /64
    opening_s: float = 10.0  # TLS and HTTP, and once more until the CSM
    outstanding: int = 8  # requests and observations of one visitor: the link below queues no more
    rate: float = 50.0  # messages a second of one visitor, on average; more are left unread
    burst: int = 100
    sending_s: float = 10.0  # how long a visitor may refuse to read
    silent_s: float = 60.0  # then a Ping asks whether anybody is there
    pong_s: float = 15.0
    idle_s: float = 600.0  # without request or response: released
    links: int = 2  # at once to one kiosk by BLE, which has three or four places in all
    datagram_links: int = 16  # at once to one kiosk over UDP
    line_requests: int = 12  # at once on a cable, of all visitors: its message layer remembers 16
    link_idle_s: float = 60.0  # a link that nobody uses is closed; a session outlives it
    yield_s: float = 5.0  # so long idle, a link gives way to somebody who waits for one
    open_s: float = 40.0
    answer_s: float = 40.0  # more than a client waits, so that its own words come first
    turn_s: float = 3.0  # silence that ends a handshake's turn on a shared line
    turn_limit_s: float = 10.0  # which is as long as a handshake may last
    turn_wait_s: float = 5.0
    sweep_s: float = 1.0


class Places:
    """Counts the connections there are, in all and of each address."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._taken: collections.Counter[str] = collections.Counter()

    @contextlib.contextmanager
    def place(self, address: str) -> Iterator[None]:
        """Take a place for as long as the block lasts. Raises Busy("gateway-full"), ("gateway-address")."""
        self.check(address)
        place = network_of(address)
        self._taken[place] += 1
        try:
            yield
        finally:
            self._taken[place] -= 1
            if not self._taken[place]:
                del self._taken[place]

    def check(self, address: str) -> None:
        """Raise unless there is a place for this address. From this machine itself, where a reverse proxy may stand for
        everybody, only the sum counts.
        """
        if self._taken.total() >= self._limits.connections:
            raise Busy("gateway-full", "too many visitors at once; try again in a minute")
        place = network_of(address)
        if place != LOCAL and self._taken[place] >= self._limits.per_address:
            raise Busy("gateway-address", "too many connections from your address; close some")


LOCAL = "this machine"


def network_of(address: str) -> str:
    """Who counts as one: a v4 address, the /64 of a v6 address, this machine."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    found = getattr(found, "ipv4_mapped", None) or found
    if found.is_loopback:
        return LOCAL
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))


class Pace:
    """A bucket of `burst` tokens that fills by `rate` a second."""

    def __init__(self, rate: float, burst: int, now: Callable[[], float]):
        self._rate = rate
        self._burst = burst
        self._now = now
        self._tokens = float(burst)
        self._at = now()

    def take(self) -> float:
        """Take a token; the seconds to wait until it would have been there."""
        now = self._now()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)

    def allows(self) -> bool:
        """Is a token there? It is taken then."""
        if self.take() == 0:
            return True
        self._tokens += 1
        return False


async def within(limit_s: float | None, work):
    """The result of `work`. Raises TimedOut("request-unanswered")."""
    try:
        async with asyncio.timeout(limit_s):
            return await work
    except TimeoutError:
        raise TimedOut("request-unanswered") from None
