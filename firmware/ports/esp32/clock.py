"""An ESP32's clocks. Its real-time clock runs on through a reset, but begins anew when power has been away.

Owns: believing the real-time clock if it was set since. Must not know what the time is good for.
"""

import time

import machine

from admit_protocol.const import const
from ports.clock import Clock as _Clock

_SET_S = const(1_735_689_600)  # 2025: without being set it would take decades to get there


class Clock(_Clock):
    """The time is unknown from the moment power comes until somebody tells it."""

    def __init__(self):
        super().__init__(time.ticks_ms, time.ticks_diff)
        if self._machine_s() >= _SET_S:
            self._offset_s = 0

    def set(self, now):
        """It is `now` seconds after 1970: the real-time clock is told, too."""
        year, month, day, hour, minute, second, weekday, _ = time.gmtime(now - self._epoch_s)
        machine.RTC().datetime((year, month, day, weekday, hour, minute, second, 0))
        super().set(now)
