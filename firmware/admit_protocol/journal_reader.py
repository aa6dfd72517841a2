"""A journal that was carried out of its device: its records read, and the chain through them proven.

Owns: parsing of records and signed heads, the verification, and the names of kinds, outcomes and extras.
Rules: any byte changed, any record missing, moved or cut off shows, with a reason of its own.
Must not know: where records are kept. What writes them is journal.py.
"""

from collections import namedtuple

from . import cbor, cose, journal
from .cbor import expect
from .errors import Malformed, Unverified

# A reader shows a number that it does not know as that number.
KINDS = {
    journal.BOOT: "boot",
    journal.COMMISSIONED: "commissioned",
    journal.LOGIN: "login",
    journal.LOGOUT: "logout",
    journal.DECISION: "decision",
    journal.INVOCATION: "invocation",
    journal.POLICY: "policy",
    journal.TIME_SET: "time set",
    journal.HANDSHAKES_FAILED: "handshakes failed",
    journal.CHAIN: "grants handed in",
    journal.ENROLLED: "enrolled",
    journal.PAIRED: "paired",
    journal.APPROVED: "approved",
    journal.PRESENCE: "presence",
    journal.RELEASE: "release",
    journal.TAKEOVER: "takeover",
    journal.AUTHORITY: "authority",
}
OUTCOMES = {journal.ALLOWED: "allowed", journal.DENIED: "denied", journal.DONE: "done", journal.FAILED: "failed"}
EXTRAS = {
    journal.REASON: "reason",
    journal.RULE: "rule",
    journal.COUNT: "count",
    journal.REPEATED: "repeated",
    journal.EPOCH: "epoch",
    journal.UNCERTAIN_S: "uncertain",
    journal.FLOOR: "floor",
    journal.BY: "by",
    journal.KEY: "key",
    journal.SITE: "site",
    journal.KEYS: "keys",
}

_NONE = type(None)

# seq: counts from 0 for the device's whole life. time: unix seconds, or None if it was not known. who: 8 bytes or None.
Record = namedtuple("Record", ("seq", "time", "kind", "who", "what", "outcome", "extra"))

# count: how many records there have been; head: 32 bytes; sign1: not yet believed.
Head = namedtuple("Head", ("device_id", "count", "head", "time", "sign1"))


def parse_record(data):
    """The Record in `data`. Raises Malformed journal-record, or what cbor raises."""
    fields = expect(cbor.decode(data), list, "journal-record")
    if len(fields) != 7:
        raise Malformed("journal-record")
    kinds = (int, (int, _NONE), int, (bytes, _NONE), str, int, dict)
    for value, kind in zip(fields, kinds):
        expect(value, kind, "journal-record")
    record = Record(*fields)
    if min(record.seq, record.kind, record.outcome) < 0:
        raise Malformed("journal-record")
    return record


def parse_head(data):
    """The Head in `data`, not yet believed. Raises Malformed."""
    sign1 = cose.parse_sign1(data)
    fields = expect(cbor.decode(sign1.payload), list, "journal-head-shape")
    if len(fields) != 4:
        raise Malformed("journal-head-shape")
    for value, kind in zip(fields, (str, int, bytes, (int, _NONE))):
        expect(value, kind, "journal-head-shape")
    if fields[1] < 0 or len(fields[2]) != 32:
        raise Malformed("journal-head-shape")
    return Head(fields[0], fields[1], fields[2], fields[3], sign1)


def verify_head(head, device_public, device_id, suite):
    """Believe the head: this device signed it. Raises Unverified journal-other-device or cose-signature."""
    if head.device_id != device_id:
        raise Unverified("journal-other-device", "the head is %s's" % head.device_id)
    cose.verify_sign1(head.sign1, device_public, cose.JOURNAL_HEAD, suite)


def verify(records, signed_head, device_public, device_id, suite, start=None):
    """The list of Records in `records` (their bytes, in order), proven whole by `signed_head`.

    `start` is (seq, head) before the first of them, (0, journal.first_head) if None. The signature proves that the
    device says so of everything after `start`; that `start` is the end of what came before is for the caller to check.
    Raises Malformed; Unverified cose-signature, journal-other-device, journal-altered, journal-missing,
    journal-reordered, journal-truncated or journal-beyond-head.
    """
    end = parse_head(signed_head)
    verify_head(end, device_public, device_id, suite)
    first, head = start or (0, journal.first_head(device_public))
    for record in records:
        head = journal.chain(head, record)
    if first + len(records) != end.count or head != end.head:
        raise Unverified(_what_is_wrong(records, first, end.count))
    parsed = [parse_record(record) for record in records]
    if [record.seq for record in parsed] != list(range(first, end.count)):
        raise Malformed("journal-record", "the device's own numbers are wrong")
    return parsed


def _what_is_wrong(records, first, count):
    """The reason why the chain does not lead to the signed head, told from the records' own numbers."""
    try:
        numbers = [parse_record(record).seq for record in records]
    except Malformed:
        return "journal-altered"
    for i in range(1, len(numbers)):
        if numbers[i] <= numbers[i - 1]:
            return "journal-reordered"
    if numbers == list(range(first, first + len(numbers))):
        if len(numbers) == count - first:
            return "journal-altered"
        return "journal-truncated" if len(numbers) < count - first else "journal-beyond-head"
    return "journal-missing"
