"""An ESP32's clock: it counts, and does not know the time.

The chip's real-time clock goes on through a reset, but on an oscillator that is wrong by percents, and from 2000 after
a loss of power; so nothing is believed of it, and what somebody told is the device's to remember.
"""

from time import ticks_diff, ticks_ms

from ports.clock import Clock as _Clock


class Clock(_Clock):
    """Milliseconds since the start."""

    def __init__(self):
        super().__init__(ticks_ms, ticks_diff)
