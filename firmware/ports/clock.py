"""A board's clocks, whatever its chip.

Owns: one monotonic count that never wraps, and Unix time whether the interpreter counts from 1970 or from 2000. Must
not know what the time is good for.
"""

import time

from admit_protocol.const import const

_FROM_1970_TO_2000_S = const(946_684_800)


class Clock:
    """`offset_s` moves the time of day; None makes a board that has no clock of its own for it.

    `ticks_ms` and `ticks_diff` are the interpreter's.
    """

    def __init__(self, ticks_ms, ticks_diff, offset_s=None):
        self._ticks_ms = ticks_ms
        self._ticks_diff = ticks_diff
        self._offset_s = offset_s
        self._epoch_s = _FROM_1970_TO_2000_S if time.gmtime(0)[0] == 2000 else 0
        self._last_ticks = ticks_ms()
        self._monotonic_ms = 0

    def monotonic_ms(self):
        """Milliseconds since start-up. Ask at least once in half a wrap of the ticks: six days on a 32-bit board."""
        ticks = self._ticks_ms()
        self._monotonic_ms += self._ticks_diff(ticks, self._last_ticks)
        self._last_ticks = ticks
        return self._monotonic_ms

    def now(self):
        """Seconds since 1970 in UTC, or None."""
        return None if self._offset_s is None else int(time.time()) + self._epoch_s + self._offset_s
