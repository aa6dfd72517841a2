"""The time that the device believes: its clock, if that is not behind what it has already seen.

The floor is kept in storage and only rises. A clock behind the floor is wrong by an unknown amount, so the time is then
unknown, and rules with a window refuse; so it is after the stored floor was damaged, until the authority's next bundle.
"""

from admit_protocol import cbor
from admit_protocol.const import const
from admit_protocol.errors import StorageError

_FLOOR = const("time-floor")
_STEP_S = const(3600)  # the floor is stored at most once an hour of progress: each store wears the flash


class Clock:
    """Time from the `clock` port, checked against a floor in `storage`."""

    def __init__(self, port, storage):
        self._port = port
        self._storage = storage
        self.floor = _stored(storage)

    def monotonic_ms(self):
        """Milliseconds since some moment before start-up."""
        return self._port.monotonic_ms()

    def now(self):
        """Seconds since 1970, or None if the time is unknown."""
        now = self._port.now()
        return now if now is not None and self.floor is not None and now >= self.floor else None

    def raise_floor(self, seconds):
        """It is at least this late, says somebody whom we trust in that. Never lowers the floor."""
        if self.floor is None or seconds >= self.floor + _STEP_S:
            self._storage.write(_FLOOR, cbor.encode(seconds))
            self.floor = seconds


def _stored(storage):
    """The floor that was stored; 0 if there is none; None if it is damaged, and then the time is unknown."""
    try:
        stored = storage.read(_FLOOR)
    except StorageError:
        return None
    return cbor.decode(stored) if stored else 0
