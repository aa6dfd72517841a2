"""The device's journal: what was decided and what changed, chained by hashes, kept in bounded storage.

The record format and the chain are admit_protocol.journal's; this file decides what is worth a record. When old records
are dropped the chain goes on, so that a reader who missed them sees a gap, never a forgery. Reading: journal_page.py.
"""

from admit_device.faults import note, print_exception, totals
from admit_device.segments import Segments
from admit_protocol import journal
from admit_protocol.const import const
from admit_protocol.errors import StorageError

_SEGMENT_RECORDS = const(256)
_SEGMENT_BYTES = const(16 * 1024)
_FAILURES_EVERY_MS = const(3600 * 1000)
_REPEAT_MS = const(10 * 1000)  # the same denial to the same person is counted, not written again, for this long
_DENIALS = const(32)  # of one person are written in _DENIALS_MS, however they differ; more are counted too
_DENIALS_MS = const(3600 * 1000)
_KEY = const(64)  # bytes of a login key
_PEOPLE = const(16)  # whose denials are counted apart
_NEWCOMER = const("grant-needed")  # whoever has no grant counts as one: a key costs nothing


class Journal:
    """Appends records. `count` and `head`: of all that there have been.

    `is_damaged`: storage does not give back what was written. Whatever must be journalled is then refused.
    """

    def __init__(self, storage, clock, first_head):
        self.clock = clock
        self._storage = storage
        self._segments = None
        self.count, self.head = 0, first_head
        try:
            self.kept()
        except StorageError as error:
            print_exception(error)
        self._failures = 0
        self._failures_due_ms = 0
        self._denial, self._denied_ms, self._repeated = None, 0, 0
        self.looks = ()  # (who, when) of those who look at the health: resources.py has the rule
        self._denied = []  # [who, since, how many were written], the latest last

    @property
    def is_damaged(self):
        return self._segments is None

    def kept(self):
        """The Segments that hold the records. Raises StorageError as long as they cannot be read."""
        if self._segments is None:
            segments = Segments(self._storage, "journal", _SEGMENT_RECORDS, self.head, _SEGMENT_BYTES)
            count, head, stream = segments.since(segments.count)
            for data in stream:
                count, head = count + 1, journal.chain(head, data)
            self._segments, self.count, self.head = segments, count, head
        return self._segments

    def record(self, kind, who, what, outcome, extra=None):
        """Append one record. `who`: somebody's login key (64 bytes), how a record names them (8), or None.

        Raises StorageError, and then nothing happened.
        """
        segments, fields = self.kept(), dict(extra or {})
        if who and len(who) == _KEY:
            who = journal.person(who)
        if self._repeated:
            fields[journal.REPEATED] = self._repeated
        earliest, latest = self.clock.moment()
        if earliest is not None and latest is None:
            fields[journal.FLOOR] = True
        elif latest != earliest:
            fields[journal.UNCERTAIN_S] = latest - earliest
        data = journal.encode_record(self.count, earliest, kind, who, what, outcome, fields)
        segments.append(data, self.head)
        self.count, self.head = self.count + 1, journal.chain(self.head, data)
        self._denial, self._repeated = None, 0

    def decision(self, who, what, decision, root=None):
        """Append a decision; a denial that repeats the one just written, or one of somebody who has had many, is only
        counted, into the next record: who has no rights here must not push out what others did.

        `root`: the key of whom the authority trusted, if that is not `who`: all that they made of it count as one.
        """
        fields = {} if decision.rule is None else {journal.RULE: decision.rule}
        if decision.by is not None:
            fields[journal.BY] = decision.by
        if decision.allowed:
            self.record(journal.DECISION, who, what, journal.ALLOWED, fields)
            return
        denial, now_ms = (who, what, decision.reason), self.clock.monotonic_ms()
        repeats = denial == self._denial and now_ms - self._denied_ms < _REPEAT_MS
        of_one = self._denials_of(None if decision.reason == _NEWCOMER else root or who, now_ms)
        if repeats or of_one[2] >= _DENIALS:
            self._repeated += 1
            return
        fields[journal.REASON] = decision.reason
        self.record(journal.DECISION, who, what, journal.DENIED, fields)
        of_one[2] += 1
        self._denial, self._denied_ms = denial, now_ms

    def _denials_of(self, who, now_ms):
        found = [each for each in self._denied if each[0] == who and now_ms - each[1] < _DENIALS_MS]
        of_one = found[0] if found else [who, now_ms, 0]
        self._denied = [each for each in self._denied if each[0] != who][1 - _PEOPLE :] + [of_one]
        return of_one

    def policy(self, who, epoch):
        """A policy bundle was applied; `who` carried it."""
        self.record(journal.POLICY, who, "", journal.DONE, {journal.EPOCH: epoch})

    def count_failure(self, reason):
        """A handshake failed. Counted in RAM: strangers who knock must not wear the flash."""
        self._failures += 1
        totals[5] += 1
        note("handshake: " + reason)

    def flush_failures(self):
        """Say in one record how many handshakes failed, if any did, and then nothing more of it for an hour."""
        now_ms = self.clock.monotonic_ms()
        if self._failures and now_ms >= self._failures_due_ms:
            self._failures_due_ms = now_ms + _FAILURES_EVERY_MS
            self.record(journal.HANDSHAKES_FAILED, None, "", journal.DENIED, {journal.COUNT: self._failures})
            self._failures = 0
