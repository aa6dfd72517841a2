"""A device's journal as the site keeps it: verified, and continuous with all that was collected before.

Owns: what may be stored. The device signs its own story; heads seen earlier witness against a device (or whoever stole
its key) that tells another one later.
Rules: nothing is stored that contradicts what is there; a gap is stored as a gap, said to be one, and closed by what a
courier brings later. A page proves itself, so it does not matter by which road it came.
Must not know: how the records came here, and how they are shown.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from admit.journal_check import Checked, SeenHead, Story, Witness, check, check_order, places, signed_by
from admit.suite import HostSuite
from admit_protocol import cbor, journal, journal_reader
from admit_protocol.errors import Malformed, Unverified

if TYPE_CHECKING:  # who visits imports this for the pages' sake, and SQLAlchemy takes longer than all the rest
    from admit.registry import Registry

# GET /journal, and what is inside a sealed page
_FIRST, _HEAD_BEFORE, _RECORDS, _SIGNED_HEAD = 1, 2, 3, 4


@dataclass(frozen=True)
class Page:
    """Records from number `first` on, before which the head was `base`, and the head after them, `signed`."""

    first: int
    base: bytes
    records: list[bytes]
    signed: bytes


@dataclass(frozen=True)
class Collected:
    """What a page brought: `new` records of `device_id`; `gap` is (first, last) number of those before that are still
    missing, if there are some.
    """

    device_id: str
    new: list[journal_reader.Record]
    gap: tuple[int, int] | None


def parse_page(data: bytes) -> Page:
    """A page as a device encodes it. Raises Malformed journal-page, or what cbor raises."""
    body = cbor.expect(cbor.decode(data), dict, "journal-page")
    kinds = {_FIRST: int, _HEAD_BEFORE: bytes, _RECORDS: list, _SIGNED_HEAD: bytes}
    first, base, records, signed = [cbor.expect(body.get(key), kind, "journal-page") for key, kind in kinds.items()]
    if first < 0 or len(base) != 32 or not all(isinstance(each, bytes) for each in records):
        raise Malformed("journal-page")
    return Page(first, base, records, signed)


def position(registry: "Registry", device_id: str) -> tuple[int, bytes]:
    """(next record number, head before it): from where on to ask the device for its records."""
    last = registry.last_head(device_id)
    if last:
        return last.count, last.head
    return 0, journal.first_head(registry.device_keys(device_id)[0])


def collect(registry: "Registry", device_id: str, page: Page, now: int, witnesses: Iterable[Witness] = ()) -> Collected:
    """Keep what is new in a page that the device itself has just handed out: it must know all that it ever knew.

    Raises what `accept` does, and Unverified journal-rolled-back if the device knows less than it did before, or than
    `witnesses` saw of it.
    """
    end = journal_reader.parse_head(page.signed)
    signed_by(end, registry.device_keys(device_id), device_id)
    before = [(position(registry, device_id)[0], "was seen before")]
    for each in witnesses:
        if each.device_id == device_id:
            before.append((_believed(registry, each).count, f"{each.where} saw"))
    count, who = max(before)
    if end.count < count:
        raise Unverified("journal-rolled-back", f"{count} records {who}, now there are {end.count}")
    return store(registry, device_id, page, now, witnesses)


def accept(registry: "Registry", sealed: bytes, unseal: Callable[[bytes], bytes], now: int) -> Collected:
    """Keep what is new in a page that a courier brought, however late; `unseal` is the authority's.

    Raises what `unseal` does, NotFound registry-no-device, and what `store` does.
    """
    page = parse_page(unseal(sealed))
    return store(registry, journal_reader.parse_head(page.signed).device_id, page, now)


def store(registry: "Registry", device_id: str, page: Page, now: int, witnesses: Iterable[Witness] = ()) -> Collected:
    """Verify a page and keep what is new in it.

    Raises what journal_reader.verify does, and Unverified journal-rewritten if it tells the past otherwise than what is
    stored, or than `witnesses` saw.
    """
    from admit.registry_models import HeadRow, RecordRow

    keys, end = registry.device_keys(device_id), journal_reader.parse_head(page.signed)
    place, start = signed_by(end, keys, device_id), (page.first, page.base)
    if place + 1 < len(keys):  # brought by a courier, say, who took it before the key was exchanged
        check_order(end.count, place, places(_seen(registry, device_id), keys, device_id))
    parsed = journal_reader.verify(page.records, page.signed, keys[place], device_id, HostSuite(), start)
    chain = _heads(page)
    stored = dict(registry.record_bytes(device_id, page.first, end.count))
    _agree(registry, device_id, chain, keys[0])
    for each in witnesses:
        if each.device_id == device_id and chain.get((told := _believed(registry, each)).count, told.head) != told.head:
            raise Unverified("journal-rewritten", f"{each.where} saw another story of the first {told.count} records")
    for number, data in stored.items():
        if page.records[number - page.first] != data:
            raise Unverified("journal-rewritten", f"record {number} is not the one seen before")
    rows = [
        RecordRow(device_id=device_id, seq=record.seq, data=data)
        for record, data in zip(parsed, page.records, strict=True)
        if record.seq not in stored
    ]
    before = registry.stored_before(device_id, page.first)
    if rows or end.count > position(registry, device_id)[0]:
        seen = HeadRow(device_id=device_id, count=end.count, head=end.head, first=page.first, base=page.base)
        seen.signed, seen.seen_at = page.signed, now
        registry.add_records(rows, seen)
    gap = (before, page.first - 1) if rows and before < page.first else None
    new = [record for record in parsed if record.seq not in stored]
    if any(record.kind == journal.RELEASE for record in new):
        from admit import arrivals

        arrivals.learn(registry, device_id, new, now)
    return Collected(device_id, new, gap)


def verify(registry: "Registry", device_id: str, witnesses: Iterable[Witness] = ()) -> Checked:
    """Every stored record, verified anew against heads seen and `witnesses`. Raises what journal_check.check does."""
    return check(story(registry, device_id), witnesses)


def verify_stored(registry: "Registry", device_id: str) -> list[journal_reader.Record]:
    """The same, and the records themselves, from the first to the last."""
    told = story(registry, device_id)
    records = list(told.records)
    check(Story(told.device_id, told.public, records, told.heads, told.later))
    try:
        return [journal_reader.parse_record(data) for _, data in records]
    except Malformed as error:
        raise Unverified("journal-altered", f"what is stored of {device_id} cannot be read: {error.reason}") from None


def story(registry: "Registry", device_id: str) -> Story:
    """What is stored of a device. Raises NotFound registry-no-device."""
    first, *later = registry.device_keys(device_id)
    return Story(device_id, first, registry.record_bytes(device_id), _seen(registry, device_id), tuple(later))


def _seen(registry: "Registry", device_id: str) -> list[SeenHead]:
    return [
        SeenHead(row.count, row.head, row.first, row.base, row.signed, row.seen_at) for row in registry.heads(device_id)
    ]


def _believed(registry: "Registry", witness: Witness) -> journal_reader.Head:
    """What a witness saw, if the device signed it. Raises Unverified, Malformed."""
    end = journal_reader.parse_head(witness.signed)
    signed_by(end, registry.device_keys(witness.device_id), witness.device_id)
    return end


def _heads(page: Page) -> dict[int, bytes]:
    """The head at each count that the page covers."""
    heads = {page.first: page.base}
    for number, data in enumerate(page.records, page.first):
        heads[number + 1] = journal.chain(heads[number], data)
    return heads


def _agree(registry: "Registry", device_id: str, chain: dict[int, bytes], public: bytes) -> None:
    """Raise Unverified journal-rewritten if heads that were seen are others than those of a page."""
    known = {0: journal.first_head(public)}
    for row in registry.heads(device_id):
        known |= {row.count: row.head, row.first: row.base}
    for count in known.keys() & chain.keys():
        if known[count] != chain[count]:
            raise Unverified("journal-rewritten", f"the first {count} records are not those seen before")
