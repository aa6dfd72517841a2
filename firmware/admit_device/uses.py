"""How often rules were used here, for those that say how often they may be: counted in storage before the act.

Kept in buckets, one value of storage each. All links of a chain share the bucket of its root, so whatever a request
counts is one write, and a power cut leaves it counted or not. Loaded for that alone.
"""

from admit_protocol import cbor
from admit_protocol.const import const
from admit_protocol.errors import Busy, StorageError
from admit_protocol.rule import MAX_RATE

_BUCKETS = const(16)
_MAX_BUCKET = const(1536)  # bytes
_MAX_ROOT = const(512)  # of them for one root, however many grants its holders make of it
_LOST_S = const(7200)  # by so much may the clock of whoever issues grants be ahead of ours

# A bucket: [lost or null, [entry, ...]]. Lost: [when or null, moment, boot].
# An entry: [id, rule index, root id, the grant's end or null, uses or null, seconds of its RATE, boot, [moment, ...]].
# A moment is unix seconds, or -1 - seconds since that boot while the time was unknown, or 0: before that boot.
_ID = const(0)
_INDEX = const(1)
_ROOT = const(2)
_EXPIRES = const(3)
_TOTAL = const(4)
_SECONDS = const(5)
_BOOT = const(6)
_MOMENTS = const(7)


class Uses:
    """The bucket of one root: `root` is the id of the grant at the end of a chain, or of a policy's rule.

    `boots`: a number that no other start of the device has.
    """

    def __init__(self, storage, clock, boots, root):
        self._storage, self._clock, self._boots = storage, clock, boots
        root = root.encode() if isinstance(root, str) else root
        self._name = "uses-%x" % (root[-1] % _BUCKETS)
        self._lost, self._entries = self._stored()

    def used(self, key):
        """How often `key` = (id, rule index) was used."""
        entry = self._entry(key)
        return entry[_TOTAL] or 0 if entry else 0

    def recent(self, key, seconds):
        """How often it was used in the last so many seconds; if that cannot be known, as often as it may have been."""
        entry = self._entry(key)
        if self._lost and self._age_s(self._lost[1], self._lost[2]) < seconds:
            return MAX_RATE
        if entry is None:
            return 0
        return len([each for each in entry[_MOMENTS] if self._age_s(each, entry[_BOOT]) < seconds])

    def is_lost(self, issued_at):
        """Was the count lost of a grant that was issued then? Those that are newer than the loss begin at none; while
        the time is unknown, nobody knows which they are.
        """
        if not self._lost:
            return False
        if self._lost[0] is None:
            self._lost[0] = self._clock.now()  # which is later, so that no grant that was used seems new
            if self._lost[0] is not None:
                self._store()
        return self._lost[0] is None or issued_at <= self._lost[0] + _LOST_S

    def count(self, uses):
        """Count `uses`: tuples of (id, rule index, root id, when the grant ends or None, whether uses are limited,
        seconds of its RATE or 0).

        Raises Busy("uses-full"), StorageError; then nothing is counted.
        """
        for each in uses:
            self._add(*each)
        self._check_room(uses)
        self._store()

    def _add(self, identifier, index, root, expires, is_limited, seconds):
        entry = self._entry((identifier, index))
        if entry is None:
            entry = [identifier, index, root, expires, 0 if is_limited else None, seconds, self._boots, []]
            self._entries.append(entry)
        if entry[_TOTAL] is not None:
            entry[_TOTAL] += 1
        if entry[_BOOT] != self._boots:
            entry[_BOOT], entry[_MOMENTS] = self._boots, [max(each, 0) for each in entry[_MOMENTS]]
        if seconds:
            entry[_SECONDS] = seconds
            entry[_MOMENTS] = (entry[_MOMENTS] + [self._moment()])[-MAX_RATE:]

    def _entry(self, key):
        for entry in self._entries:
            if entry[_ID] == key[0] and entry[_INDEX] == key[1]:
                return entry
        return None

    def _moment(self):
        now = self._clock.now()
        return -1 - self._clock.monotonic_ms() // 1000 if now is None else now

    def _age_s(self, moment, boot):
        """How long ago that was: at least so long, and at most if it was before this start and the time is unknown.

        Before this start and nobody knows when: as if it had been at the start.
        """
        now, uptime_s = self._clock.now(), self._clock.monotonic_ms() // 1000
        is_ours = boot == self._boots and boot
        if moment > 0:
            return max(now - moment, 0) if now is not None else 0 if is_ours else uptime_s
        return uptime_s + 1 + moment if moment and is_ours else uptime_s

    def _check_room(self, uses):
        """Forget what can no longer count, if there is no room for all. Raises Busy("uses-full")."""
        if len(self._encoded()) > _MAX_BUCKET:
            self._entries = [each for each in self._entries if not self._is_over(each)]
        for root in {each[2] for each in uses}:
            of_root = [each for each in self._entries if each[_ROOT] == root]
            if len(cbor.encode(of_root)) > _MAX_ROOT or len(self._encoded()) > _MAX_BUCKET:
                raise Busy("uses-full", "more uses than the device can count")

    def _is_over(self, entry):
        """Has its grant ended for certain, or, where only a rate is limited, is it long ago?"""
        if entry[_EXPIRES] is not None and self._clock.floor and entry[_EXPIRES] <= self._clock.floor:
            return True
        ages = [self._age_s(each, entry[_BOOT]) for each in entry[_MOMENTS]]
        return entry[_TOTAL] is None and min(ages) >= entry[_SECONDS]

    def _stored(self):
        """What was stored. Where that is damaged nobody knows how often; from then on older grants do not count."""
        try:
            stored = self._storage.read(self._name)
        except StorageError as error:
            if error.reason != "storage-corrupt":
                raise
            self._lost, self._entries = [self._clock.now(), self._moment(), self._boots], []
            self._store()
            return self._lost, []
        return cbor.decode(stored) if stored else (None, [])

    def _encoded(self):
        return cbor.encode([self._lost, self._entries])

    def _store(self):
        self._storage.write(self._name, self._encoded())
