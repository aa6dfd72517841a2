"""The time that the device believes, and how sure it is of it.

A ladder: nothing ("unknown"); a floor, the latest time that the authority's signatures have told ("floor"); the
authority's answer to our own nonce, which grows less sure with every hour ("answer"); a clock of the board's own
("rtc"). The floor is kept in storage and only rises; a lower bound is all that it is. Whoever carries something here
moves nothing but the floor, and a board's clock never moves even that: if it is wrong by years, it is until an answer
says so, and not for ever.
"""

from admit_protocol import cbor
from admit_protocol.const import const
from admit_protocol.errors import Conflict, StorageError

_FLOOR = const("time-floor")
_STEP_S = const(3600)  # the floor is stored at most once an hour of progress: each store wears the flash
# Of every million milliseconds that we count. A chip's crystal is wrong by 10 to 50, a PC's count may be slewed by 500.
_DRIFT_PPM = const(500)
_BEHIND_S = const(60)  # a board's clock that falls so far behind our count stands still, or was set back


class Clock:
    """Time from the `clock` port and from answers, checked against a floor in `storage`.

    `floor`: unix seconds, 0 if there is none; None if what was stored is damaged: until an answer or a signature comes
    the time is then unknown, since the board's own clock can be held against nothing.
    """

    def __init__(self, port, storage):
        self._port = port
        self._storage = storage
        self.floor = _stored(storage)
        self._told = None  # an answer: (unix seconds, our count then, how many seconds later it may have been)
        self._shown = None  # by the board's clock: (the latest unix seconds, our count then)

    def monotonic_ms(self):
        """Milliseconds since some moment before start-up."""
        return self._port.monotonic_ms()

    @property
    def source(self):
        """What the time is known by: "unknown", "floor", "answer" or "rtc"."""
        return self._read()[0]

    def moment(self):
        """(earliest, latest) that it can be now, unix seconds; None where that is open."""
        return self._read()[1:3]

    def now(self):
        """The best estimate of the time, unix seconds, or None if there is no more than a floor."""
        return self._read()[3]

    def raise_floor(self, seconds):
        """It is at least this late, says a signature of the authority. Never lowers the floor."""
        if self.floor is None or seconds >= self.floor + _STEP_S:
            self._storage.write(_FLOOR, cbor.encode(seconds))
            self.floor = seconds

    def answer(self, seconds, asked_ms, note=None):
        """The authority answered what we asked at `asked_ms` of our count: it was `seconds` when it did. `note()` is
        called before that counts.

        Raises Conflict("time-before-floor") if that cannot be, StorageError if it cannot be stored.
        """
        now_ms = self.monotonic_ms()
        late_s = (now_ms - asked_ms) // 1000 + 2  # it may have been signed at once, at the end of that second
        if self.floor and seconds + late_s < self.floor:
            raise Conflict("time-before-floor", "the device was shown a time %d s later" % (self.floor - seconds))
        if note:
            note()
        self.raise_floor(seconds)
        self._told = seconds, now_ms, late_s

    def expire(self):
        """Let the floor follow the time that an answer told: a reset forgets the one and not the other."""
        if self._told:
            self.raise_floor(self._by_answer()[0])

    def _read(self):
        """(source, earliest, latest, best estimate)."""
        shown = self._by_board()
        if self._told:
            earliest, latest, estimate = self._by_answer()
            if shown is None or not earliest <= shown <= latest:
                return "answer", earliest, latest, estimate
        if shown is not None:
            return "rtc", shown, shown, shown
        return ("floor", self.floor, None, None) if self.floor else ("unknown", None, None, None)

    def _by_answer(self):
        """(earliest, latest, best estimate) by the latest answer and our own count since."""
        seconds, then_ms, late_s = self._told
        passed_ms = self.monotonic_ms() - then_ms
        drift_ms = passed_ms * _DRIFT_PPM // 1_000_000 + 1
        latest = seconds + late_s + (passed_ms + drift_ms) // 1000 + 1
        earliest = max(seconds + (passed_ms - drift_ms) // 1000, self.floor or 0)
        return earliest, max(latest, earliest), max(seconds + passed_ms // 1000, earliest)

    def _by_board(self):
        """What the board's own clock shows; None if there is none, or it is behind what we know."""
        shown, now_ms = self._port.now(), self.monotonic_ms()
        if shown is None or self.floor is None or shown < self.floor:
            return None
        if self._shown:
            expected = self._shown[0] + (now_ms - self._shown[1]) // 1000
            if shown < expected:
                return shown if shown >= expected - _BEHIND_S else None
        self._shown = shown, now_ms
        return shown


def _stored(storage):
    """The floor that was stored; 0 if there is none; None if it is damaged."""
    try:
        stored = storage.read(_FLOOR)
    except StorageError:
        return None
    return cbor.decode(stored) if stored else 0
