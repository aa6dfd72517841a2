"""The device's journal: what was decided and what changed, chained by hashes, kept in bounded storage.

The record format and the chain are admit_protocol.journal's; this file decides what is worth a record. When old records
are dropped the chain goes on, so that a reader who missed them sees a gap, never a forgery.
"""

from admit_device.segments import Segments
from admit_protocol import journal
from admit_protocol.const import const

SEGMENT_RECORDS = const(256)
_FAILURES_EVERY_MS = const(3600 * 1000)
_REPEAT_MS = const(10 * 1000)  # the same denial to the same person is counted, not written again, for this long
_DENIALS = const(32)  # of one person are written in _DENIALS_MS, however they differ; more are counted too
_DENIALS_MS = const(3600 * 1000)
_PEOPLE = const(16)  # whose denials are counted apart


class Journal:
    """Appends records, answers with pages of them, and signs the head."""

    def __init__(self, storage, clock, first_head):
        self._clock = clock
        self._segments = Segments(storage, "journal", SEGMENT_RECORDS, [0, first_head])
        self.count, self.head = self._segments.header
        for data in self._segments.current():
            self._follow(data)
        self._failures = 0
        self._failures_due_ms = 0
        self._denial, self._denied_ms, self._repeated = None, 0, 0
        self._denied = []  # [who, since, how many were written], the latest last

    def record(self, kind, who, what, outcome, extra=None):
        """Append one record. `who` is the 8-byte grant id or None; raises StorageError, and then nothing happened."""
        fields = dict(extra or {})
        if self._repeated:
            fields[journal.REPEATED] = self._repeated
        if self._segments.full():
            self._segments.rotate([self.count, self.head])
        data = journal.encode_record(self.count, self._clock.now(), kind, who, what, outcome, fields)
        self._segments.append(data)
        self._follow(data)
        self._denial, self._repeated = None, 0

    def decision(self, who, what, decision):
        """Append a decision; a denial that repeats the one just written, or one of somebody who has had many, is only
        counted, into the next record: who has no rights here must not push out what others did.
        """
        fields = {} if decision.rule is None else {journal.RULE: decision.rule}
        if decision.allowed:
            self.record(journal.DECISION, who, what, journal.ALLOWED, fields)
            return
        denial, now_ms = (who, what, decision.reason), self._clock.monotonic_ms()
        repeats = denial == self._denial and now_ms - self._denied_ms < _REPEAT_MS
        of_one = self._denials_of(who, now_ms)
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

    def count_failure(self):
        """A handshake failed. Counted in RAM: strangers who knock must not wear the flash."""
        self._failures += 1

    def flush_failures(self):
        """Say in one record how many handshakes failed, if any did, and then nothing more of it for an hour."""
        now_ms = self._clock.monotonic_ms()
        if self._failures and now_ms >= self._failures_due_ms:
            self._failures_due_ms = now_ms + _FAILURES_EVERY_MS
            self.record(journal.HANDSHAKES_FAILED, None, "", journal.DENIED, {journal.COUNT: self._failures})
            self._failures = 0

    def page(self, start, limit):
        """(first sequence number, head before it, [record bytes]): from `start` on, one or as many as fit."""
        older = self._segments.older()
        (first, head), records = older or (self._segments.header, [])
        records = records + self._segments.current()
        skip = min(max(start - first, 0), len(records))
        for data in records[:skip]:
            head = journal.chain(head, data)
        end = skip
        while end < len(records) and (end == skip or len(records[end]) <= limit):
            limit -= len(records[end])
            end += 1
        return first + skip, head, records[skip:end]

    def signed_head(self, identity):
        """The head over everything so far, signed with the device key (COSE_Sign1)."""
        return journal.sign_head(identity.key, identity.device_id, self.count, self.head, self._clock.now())

    def _follow(self, data):
        self.head = journal.chain(self.head, data)
        self.count += 1
