"""The journal's records, the hash chain through them, and the head that the device signs.

Owns: the bytes of a record, `chain`, the signed head, and the verification of a journal that was carried out.
Rules: a record names people by the kid of their grant, never by name. Any byte changed, any record missing, moved or
cut off shows, with a reason of its own.
Must not know: where records are kept, or what is worth one.
"""

from collections import namedtuple

from . import cbor, cose
from .cbor import expect
from .errors import Malformed, Unverified
from .kdf import sha256

# Kinds of record. The numbers are for ever; a reader shows one that it does not know as its number.
BOOT, COMMISSIONED, LOGIN, LOGOUT, DECISION = 1, 2, 3, 4, 5
INVOCATION, POLICY, TIME, HANDSHAKES_FAILED, GRANT = 6, 7, 8, 9, 10
KINDS = {
    BOOT: "boot",
    COMMISSIONED: "commissioned",
    LOGIN: "login",
    LOGOUT: "logout",
    DECISION: "decision",
    INVOCATION: "invocation",
    POLICY: "policy",
    TIME: "time",
    HANDSHAKES_FAILED: "handshakes failed",
    GRANT: "grant",
}

ALLOWED, DENIED, DONE, FAILED = 1, 2, 3, 4
OUTCOMES = {ALLOWED: "allowed", DENIED: "denied", DONE: "done", FAILED: "failed"}

# Keys of a record's extra map.
REASON, RULE, COUNT, REPEATED, EPOCH = 1, 2, 3, 4, 5
EXTRAS = {REASON: "reason", RULE: "rule", COUNT: "count", REPEATED: "repeated", EPOCH: "epoch"}

_NONE = type(None)

# seq: counts from 0 for the device's whole life. time: unix seconds, or None if it was not known. who: 8 bytes or None.
Record = namedtuple("Record", ("seq", "time", "kind", "who", "what", "outcome", "extra"))

# count: how many records there have been; head: 32 bytes; sign1: not yet believed.
Head = namedtuple("Head", ("device_id", "count", "head", "time", "sign1"))


def encode_record(seq, time, kind, who, what, outcome, extra):
    """The bytes of one record."""
    return cbor.encode([seq, time, kind, who, what, outcome, extra])


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


def first_head(device_public):
    """The head of a device's empty journal: 32 bytes."""
    return sha256(b"admit:journal", device_public)


def chain(head, record):
    """The head after `record` (its bytes), given the head before it."""
    return sha256(head, record)


def sign_head(key, device_id, count, head, time):
    """The head, signed with the device's `key`; `time` in unix seconds, or None if unknown."""
    return cose.sign1(key, cbor.encode([device_id, count, head, time]), cose.JOURNAL_HEAD)


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

    `start` is (seq, head) before the first of them, (0, first_head) if None. The signature proves that the device says
    so of everything after `start`; that `start` is the end of what came before is for the caller to check.
    Raises Malformed; Unverified cose-signature, journal-other-device, journal-altered, journal-missing,
    journal-reordered, journal-truncated or journal-beyond-head.
    """
    end = parse_head(signed_head)
    verify_head(end, device_public, device_id, suite)
    first, head = start or (0, first_head(device_public))
    for record in records:
        head = chain(head, record)
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
