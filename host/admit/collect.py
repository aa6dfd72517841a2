"""What is carried between a device and the site's registry: policy in, journal out."""

from admit.client import Session
from admit_protocol import bundle, cbor, coap, journal_reader
from admit_protocol.errors import Malformed

# GET /journal
_FIRST, _HEAD_BEFORE, _RECORDS, _SIGNED_HEAD = 1, 2, 3, 4
MAX_PAGES = 1000


async def deliver_bundle(session: Session, data: bytes) -> int:
    """Hand a policy bundle to the device; the epoch that it holds now. Raises what the device says against it."""
    await session.request(coap.POST, "/bundle", data)
    return bundle.parse(data).epoch


async def fetch_journal(session: Session, start: int) -> tuple[int, bytes, list[bytes], bytes]:
    """(number of the first record, head before it, records from there on, signed head), as the device tells it.

    `start` is the first record wanted; the device begins later if it has dropped that. Nothing is verified here.
    """
    page = await _page(session, start)
    first, head_before, records, signed = page
    for _ in range(MAX_PAGES):
        if first + len(records) >= journal_reader.parse_head(signed).count:
            return first, head_before, records, signed
        number, _, more, signed = await _page(session, first + len(records))
        if number != first + len(records) or not more:
            raise Malformed("journal-page", "the device's pages do not join")
        records += more
    raise Malformed("journal-page", "the journal grows faster than it is read")


async def _page(session: Session, start: int) -> tuple[int, bytes, list[bytes], bytes]:
    response = await session.request(coap.GET, "/journal", query=f"from={start}")
    body = cbor.expect(cbor.decode(response.payload), dict, "journal-page")
    first = cbor.expect(body.get(_FIRST), int, "journal-page")
    head_before = cbor.expect(body.get(_HEAD_BEFORE), bytes, "journal-page")
    records = [
        cbor.expect(each, bytes, "journal-page") for each in cbor.expect(body.get(_RECORDS), list, "journal-page")
    ]
    return first, head_before, records, cbor.expect(body.get(_SIGNED_HEAD), bytes, "journal-page")
