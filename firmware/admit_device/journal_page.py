"""GET /journal: a page of the journal's records, and the head over all of them, signed. Loaded for that alone."""

from admit_protocol import cbor
from admit_protocol import journal as records
from admit_protocol.coap import CONTENT, CONTENT_CBOR, response
from admit_protocol.const import const

_LIMIT = const(3500)  # bytes of records: with their lengths and the signed head below the 4 KiB of a message

# The body: see docs/SPEC.md, "Resources".
_FIRST = const(1)
_HEAD_BEFORE = const(2)
_RECORDS = const(3)
_SIGNED_HEAD = const(4)


def answer(request, journal, identity):
    """The response to GET /journal?from=N."""
    first, head_before, found = page(journal, request.query("from", 0), _LIMIT)
    body = {_FIRST: first, _HEAD_BEFORE: head_before, _RECORDS: found, _SIGNED_HEAD: signed_head(journal, identity)}
    return response(CONTENT, cbor.encode(body), CONTENT_CBOR)


def page(journal, start, limit):
    """(first sequence number, head before it, [record bytes]): from `start` on, one or as many as fit `limit` bytes."""
    segments = journal.kept()
    first, head = segments.oldest()
    found, stream = [], segments.all()
    for data in stream:
        if first < start and not found:
            first, head = first + 1, records.chain(head, data)
        elif not found or len(data) <= limit:
            limit -= len(data)
            found.append(data)
        else:
            stream.close()
    return first, head, found


def signed_head(journal, identity):
    """The head over everything so far, signed with the device key (COSE_Sign1). Raises StorageError if unknown."""
    journal.kept()
    return records.sign_head(identity.key, identity.device_id, journal.count, journal.head, journal.clock.now())
