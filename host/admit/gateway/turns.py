"""The turn on a line that several visitors share, for what only one of them can do at a time.

Owns: whose turn it is, who waits for it, and when it ends. Must not know the line, nor what is said on it.
"""

import asyncio
import contextlib
import time
from collections.abc import Hashable

from admit.gateway.answers import Crowded
from admit.gateway.limits import Limits, within
from admit_protocol.errors import TimedOut


class Turns:
    """The turn on a shared line: one visitor's at a time, in the order in which they ask.

    It begins with a request and ends with the one that ends the handshake, or after `turn_s` of silence; after
    `turn_limit_s` it does not go on while somebody waits.
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self._turn: _Turn | None = None
        self._queue: dict[Hashable, asyncio.Event] = {}

    @contextlib.asynccontextmanager
    async def turn(self, visitor: Hashable, last: bool):
        """Have the turn for one request; `last`: it ends with this one. Raises Crowded."""
        turn = await self._take(visitor)
        turn.requests += 1
        try:
            yield
        finally:
            turn.requests -= 1
            if not turn.requests:
                self._end_after(turn, 0 if last else self._limits.turn_s)

    def over(self, visitor: Hashable) -> None:
        """The visitor is gone."""
        self._queue.pop(visitor, None)
        if self._turn and self._turn.visitor is visitor:
            self._pass_on(self._turn)

    async def _take(self, visitor: Hashable) -> "_Turn":
        turn = self._turn
        if turn and turn.visitor is visitor and self._queue and turn.is_over(self._limits.turn_limit_s):
            self._pass_on(turn)
        if self._turn is None:
            self._turn = _Turn(visitor)
        if self._turn.visitor is not visitor:
            await self._wait(visitor)
        self._turn.stop_timer()
        return self._turn

    async def _wait(self, visitor: Hashable) -> None:
        called = self._queue.setdefault(visitor, asyncio.Event())
        try:
            await within(self._limits.turn_wait_s, called.wait())
        except TimedOut:
            self._queue.pop(visitor, None)
            if self._turn is None or self._turn.visitor is not visitor:
                raise Crowded("somebody else is being let in", int(self._limits.turn_wait_s) or 1) from None

    def _end_after(self, turn: "_Turn", silence_s: float) -> None:
        if self._turn is not turn:
            return
        if silence_s:
            turn.stop_timer()
            turn.timer = asyncio.get_running_loop().call_later(silence_s, self._pass_on, turn)
        else:
            self._pass_on(turn)

    def _pass_on(self, turn: "_Turn") -> None:
        """The next one's turn. Who does not use it (they may have left) loses it again by silence."""
        if self._turn is not turn:
            return
        turn.stop_timer()
        self._turn = None
        if self._queue:
            visitor = next(iter(self._queue))
            self._turn = _Turn(visitor)
            self._end_after(self._turn, self._limits.turn_s)
            self._queue.pop(visitor).set()


class _Turn:
    """Whose turn it is, since when, and how many of their requests are under way."""

    def __init__(self, visitor: Hashable):
        self.visitor = visitor
        self.requests = 0
        self.timer: asyncio.TimerHandle | None = None
        self._since = time.monotonic()

    def is_over(self, limit_s: float) -> bool:
        return not self.requests and time.monotonic() - self._since > limit_s

    def stop_timer(self) -> None:
        if self.timer:
            self.timer.cancel()
            self.timer = None
