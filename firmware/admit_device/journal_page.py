"""A page of the journal's records, and the head over all of them, signed: for who may read it, and, sealed to the
authority, for whoever carries it there. Loaded for that alone.
"""

from admit_protocol import cbor
from admit_protocol import journal as records
from admit_protocol.coap import CONTENT, CONTENT_CBOR, response
from admit_protocol.const import const

_LIMIT = const(3500)  # bytes of records: with their lengths and the signed head below the 4 KiB of a message
_CARRIED = const(2400)  # the same for a page that is sealed, which takes twice its room in the heap

# The body: see docs/SPEC.md, "Resources".
_FIRST = const(1)
_HEAD_BEFORE = const(2)
_RECORDS = const(3)
_SIGNED_HEAD = const(4)


def answer(request, journal, identity):
    """The response to GET /journal?from=N."""
    body = _body(page(journal, request.query("from", 0), _LIMIT), signed_head(journal, identity))
    return response(CONTENT, body, CONTENT_CBOR)


def carried(journal, identity, suite, start):
    """What a courier is given: (sealed page of the records from `start` on, signed head over all, number after the
    page); None for a page of nothing.

    The head inside is that after the page, so that each page proves itself, in whatever order they arrive.
    """
    head = signed_head(journal, identity)
    if start >= journal.count:
        return None, head, journal.count
    first, head_before, found = page(journal, start, _CARRIED)
    end, head_after = first + len(found), head_before
    for data in found:
        head_after = records.chain(head_after, data)
    after = head if end == journal.count else _sign(journal, identity, end, head_after)
    from admit_protocol.cose_encrypt import seal

    body = _body((first, head_before, found), after)
    return seal(suite, identity.anchor.ecdh_public, body), head, end


def page(journal, start, limit):
    """(first sequence number, head before it, [record bytes]): from `start` on, one or as many as fit `limit` bytes."""
    first, head, stream = journal.kept().since(start)
    found = []
    for data in stream:
        if first < start and not found:
            first, head = first + 1, records.chain(head, data)
        elif not found or len(data) <= limit:
            limit -= len(data)
            found.append(data)
        else:
            stream.close()
            break
    return first, head, found


def signed_head(journal, identity):
    """The head over everything so far, signed with the device key (COSE_Sign1). Raises StorageError if unknown."""
    journal.kept()
    return _sign(journal, identity, journal.count, journal.head)


def _sign(journal, identity, count, head):
    return records.sign_head(identity.key, identity.device_id, count, head, journal.clock.now())


def _body(of_page, head):
    first, head_before, found = of_page
    return cbor.encode({_FIRST: first, _HEAD_BEFORE: head_before, _RECORDS: found, _SIGNED_HEAD: head})
