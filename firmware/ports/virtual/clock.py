"""The virtual kiosk's clocks: the PC's, moved by an offset."""

from ports.clock import Clock as _Clock

try:
    from time import ticks_diff, ticks_ms
except ImportError:
    from ports.virtual.runtime_cpython import ticks_diff, ticks_ms


class Clock(_Clock):
    """`offset_s` moves the time of day; None makes a board that has no clock of its own for it."""

    def __init__(self, offset_s=0):
        super().__init__(ticks_ms, ticks_diff, offset_s)
