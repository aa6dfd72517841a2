"""A device's journal as the site keeps it: verified, and continuous with all that was collected before.

Owns: what may follow what. The device signs its own story; heads seen earlier witness against a device (or whoever
stole its key) that tells another one later.
Rules: nothing is stored that does not continue what is there; a gap is stored as a gap, and said to be one.
Must not know: how the records came here, and how they are shown.
"""

from dataclasses import dataclass

from admit.registry import Registry
from admit.registry_models import HeadRow, RecordRow
from admit.suite import HostSuite
from admit_protocol import journal, journal_reader
from admit_protocol.errors import Malformed, Unverified


@dataclass(frozen=True)
class Collected:
    """What a collection brought: `new` records; `gap` is (first, last) number of those that the device had dropped."""

    new: list[journal_reader.Record]
    gap: tuple[int, int] | None


def position(registry: Registry, device_id: str) -> tuple[int, bytes]:
    """(next record number, head before it): from where on to ask the device for its records."""
    last = registry.last_head(device_id)
    if last:
        return last.count, last.head
    return 0, journal.first_head(registry.device(device_id).public)


def collect(
    registry: Registry, device_id: str, start: tuple[int, bytes], records: list[bytes], signed_head: bytes, now: int
) -> Collected:
    """Verify `records`, which begin after `start` = (number, head) as the device gave it, and keep what is new.

    Raises what journal_reader.verify does, and Unverified journal-rolled-back (the device knows less than it did
    before) or journal-rewritten (it tells the past otherwise).
    """
    device = registry.device(device_id)
    parsed = journal_reader.verify(records, signed_head, device.public, device_id, HostSuite(), start)
    count, head = position(registry, device_id)
    end = journal_reader.parse_head(signed_head)
    if end.count < count:
        raise Unverified("journal-rolled-back", f"{count} records were seen before, now there are {end.count}")
    if start[0] <= count and _head_at(start, records, count) != head:
        raise Unverified("journal-rewritten", f"the first {count} records are not those seen before")
    fresh = [record for record in parsed if record.seq >= count]
    if end.count > count:
        rows = [RecordRow(device_id=device_id, seq=r.seq, data=records[r.seq - start[0]]) for r in fresh]
        first = max(count, start[0])
        base = head if first == count else start[1]
        seen = HeadRow(device_id=device_id, count=end.count, head=end.head, first=first, base=base, signed=signed_head)
        seen.seen_at = now
        registry.add_records(rows, seen)
    return Collected(fresh, (count, start[0] - 1) if start[0] > count else None)


def verify_stored(registry: Registry, device_id: str) -> list[journal_reader.Record]:
    """Every stored record, verified anew against the heads seen, from the first to the last.

    Raises Unverified if the registry itself was tampered with.
    """
    try:
        return _verify_stored(registry, device_id)
    except Malformed as error:
        raise Unverified("journal-altered", f"what is stored of {device_id} cannot be read: {error.reason}") from None


def _verify_stored(registry: Registry, device_id: str) -> list[journal_reader.Record]:
    device = registry.device(device_id)
    stored = {row.seq: row.data for row in registry.records(device_id)}
    records: list[journal_reader.Record] = []
    count, head = 0, journal.first_head(device.public)
    for seen in registry.heads(device_id):
        if seen.first < count or (seen.first == count and seen.base != head):
            raise Unverified("journal-altered", f"the heads stored of {device_id} do not follow each other")
        part = [stored.pop(seq) for seq in range(seen.first, seen.count) if seq in stored]
        start = (seen.first, seen.base)
        records += journal_reader.verify(part, seen.signed, device.public, device_id, HostSuite(), start)
        count, head = seen.count, seen.head
    if stored:
        raise Unverified("journal-beyond-head", f"{len(stored)} records stored of {device_id} are under no head")
    return records


def _head_at(start: tuple[int, bytes], records: list[bytes], count: int) -> bytes:
    """The head after record `count` - 1."""
    head = start[1]
    for record in records[: count - start[0]]:
        head = journal.chain(head, record)
    return head
