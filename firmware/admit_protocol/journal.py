"""The journal's records, the hash chain through them, and the head that the device signs.

Owns: the bytes of a record, `chain` and the signed head. Reading and proving a journal is journal_reader.py's.
Rules: a record names people by their key, never by name.
Must not know: where records are kept, or what is worth one.
"""

from . import cbor
from .const import const
from .kdf import sha256

# Kinds of record. The numbers are for ever.
BOOT = const(1)
COMMISSIONED = const(2)
LOGIN = const(3)
LOGOUT = const(4)
DECISION = const(5)
INVOCATION = const(6)
POLICY = const(7)
TIME_SET = const(8)
HANDSHAKES_FAILED = const(9)
CHAIN = const(10)
ENROLLED = const(11)
PAIRED = const(12)
APPROVED = const(13)
PRESENCE = const(14)
RELEASE = const(15)
TAKEOVER = const(16)
AUTHORITY = const(17)

# outcomes
ALLOWED = const(1)
DENIED = const(2)
DONE = const(3)
FAILED = const(4)

# keys of a record's extra map
REASON = const(1)
RULE = const(2)
COUNT = const(3)
REPEATED = const(4)
EPOCH = const(5)
UNCERTAIN_S = const(6)
FLOOR = const(7)
BY = const(8)
KEY = const(9)
SITE = const(10)
KEYS = const(11)


def encode_record(seq, time, kind, who, what, outcome, extra):
    """The bytes of one record."""
    return cbor.encode([seq, time, kind, who, what, outcome, extra])


def person(public):
    """How a record names who holds the login key `public` (64 bytes): 8 bytes, a selector's "key:" in binary."""
    return sha256(public)[:8]


def first_head(device_public):
    """The head of a device's empty journal: 32 bytes."""
    return sha256(b"admit:journal", device_public)


def chain(head, record):
    """The head after `record` (its bytes), given the head before it."""
    return sha256(head, record)


def sign_head(key, device_id, count, head, time):
    """The head, signed with the device's `key`; `time` in unix seconds, or None if unknown."""
    from . import cose  # records are written all the time, heads are signed seldom

    return cose.sign1(key, cbor.encode([device_id, count, head, time]), cose.JOURNAL_HEAD)
