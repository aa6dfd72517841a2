"""The journal's records, the hash chain through them, and the head that the device signs.

Owns: the bytes of a record, `chain` and the signed head. Reading and proving a journal is journal_reader.py's.
Rules: a record names people by the kid of their grant, never by name.
Must not know: where records are kept, or what is worth one.
"""

from . import cbor, cose
from .kdf import sha256

# Kinds of record. The numbers are for ever.
BOOT, COMMISSIONED, LOGIN, LOGOUT, DECISION = 1, 2, 3, 4, 5
INVOCATION, POLICY, TIME, HANDSHAKES_FAILED, GRANT = 6, 7, 8, 9, 10

ALLOWED, DENIED, DONE, FAILED = 1, 2, 3, 4  # outcomes

REASON, RULE, COUNT, REPEATED, EPOCH = 1, 2, 3, 4, 5  # keys of a record's extra map


def encode_record(seq, time, kind, who, what, outcome, extra):
    """The bytes of one record."""
    return cbor.encode([seq, time, kind, who, what, outcome, extra])


def first_head(device_public):
    """The head of a device's empty journal: 32 bytes."""
    return sha256(b"admit:journal", device_public)


def chain(head, record):
    """The head after `record` (its bytes), given the head before it."""
    return sha256(head, record)


def sign_head(key, device_id, count, head, time):
    """The head, signed with the device's `key`; `time` in unix seconds, or None if unknown."""
    return cose.sign1(key, cbor.encode([device_id, count, head, time]), cose.JOURNAL_HEAD)
