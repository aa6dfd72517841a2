"""One direction of a line: which bytes are on their way, and when they arrive.

Owns: the pace, and what becomes of bytes that nobody takes. Must not know where they come from or go to.
"""

import time
from collections.abc import Callable

BITS_A_BYTE = 10  # one start bit, eight, one stop bit
PATIENCE_S = 1.0  # how long a line waits for a reader before it loses bytes, as a real one does at once
SLICE_S = 0.001  # bytes go on in slices of this length, or as soon as the last one is due
UNPACED = 4096


class Way:
    """One direction: bytes that wait, and when the next of them arrives."""

    def __init__(self, baud: int | None):
        self.waiting = bytearray()
        self.stuck_since = 0.0
        self._byte_s = BITS_A_BYTE / baud if baud else 0.0
        self._slice = max(1, int(SLICE_S / self._byte_s)) if baud else UNPACED
        self._next_at = 0.0
        self._held_until = 0.0
        self._deaf = False  # nobody reads: bytes are lost without waiting, until somebody does

    def put(self, data: bytes) -> None:
        """More bytes set out."""
        if not self.waiting:
            self._next_at = max(self._next_at, time.monotonic() + self._byte_s)
        self.waiting += data

    def forget(self) -> None:
        """None is on its way any more."""
        self.waiting.clear()
        self.stuck_since = self._held_until = 0.0
        self._deaf = False

    def hold(self, until: float) -> None:
        """Nothing goes out before."""
        self._held_until = until

    def wait_s(self, now: float) -> float | None:
        """How long until bytes are to go out, or to be given up; None if there are none."""
        if not self.waiting:
            return None
        if self.stuck_since:
            return max(0.0, self.stuck_since + PATIENCE_S - now)
        last = min(len(self.waiting), self._slice) - 1
        return max(0.0, self._held_until - now, self._next_at + last * self._byte_s - now)

    def deliver(self, write: Callable[[bytes], int], at_once: bool = False) -> None:
        """Give `write` what is due; it returns how much it took."""
        now = time.monotonic()
        due = len(self.waiting) if at_once else self._due(now)
        if not due or now < self._held_until:
            return
        taken = write(bytes(self.waiting[:due]))
        if taken:
            self.stuck_since, self._deaf = 0.0, False
        held = now < self._held_until
        if taken < due and not held and (self._deaf or at_once or self._gives_up(now)):
            self._deaf, taken = True, due
        del self.waiting[:taken]
        self._next_at += taken * self._byte_s

    def _due(self, now: float) -> int:
        if not self.waiting or now < self._next_at:
            return 0
        if not self._byte_s:
            return len(self.waiting)
        return min(len(self.waiting), 1 + int((now - self._next_at) / self._byte_s))

    def _gives_up(self, now: float) -> bool:
        self.stuck_since = self.stuck_since or now
        if now - self.stuck_since < PATIENCE_S:
            return False
        self.stuck_since = 0.0
        return True
