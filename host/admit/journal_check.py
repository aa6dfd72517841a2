"""A device's journal as it is stored, proven again from its first byte to its last.

Owns: what must hold between records, the heads that the device signed, and what others saw of it.
Rules: every stored record is under a head that the device signed, in one chain with all others, except across a gap
that was told when it arose. Whatever is changed, missing, added or moved shows, with its reason and its place.
Must not know: where it is stored, and what a record says.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from admit.suite import HostSuite
from admit_protocol import journal, journal_reader
from admit_protocol.errors import Malformed, Unverified


@dataclass(frozen=True)
class SeenHead:
    """A head that was collected: `head` after `count` records, of which those from `first` on came with it, or before;
    `base` is the head before them. `signed`: the device's own bytes.
    """

    count: int
    head: bytes
    first: int
    base: bytes
    signed: bytes
    seen_at: int


@dataclass(frozen=True)
class Witness:
    """A signed head that somebody else keeps, and who that is."""

    device_id: str
    signed: bytes
    where: str


@dataclass(frozen=True)
class Story:
    """What is stored of a device: numbered records in order, and heads by their count. It began with the key `public`;
    `later` are the keys that followed it, in their order.
    """

    device_id: str
    public: bytes
    records: Iterable[tuple[int, bytes]]
    heads: list[SeenHead]
    later: tuple[bytes, ...] = ()

    @property
    def keys(self) -> list[bytes]:
        """All its keys, the oldest first."""
        return [self.public, *self.later]


@dataclass
class Checked:
    """What is proven: `records` of them, the last one numbered `end` - 1; `gaps`: (first, last) numbers of those that
    nobody has; `heads` how many signatures say so; `ahead` what witnesses have seen beyond the end: (count, where).
    """

    records: int = 0
    end: int = 0
    gaps: list[tuple[int, int]] = field(default_factory=list)
    heads: int = 0
    ahead: list[tuple[int, str]] = field(default_factory=list)


def check(story: Story, witnesses: Iterable[Witness] = ()) -> Checked:
    """Prove a story, and hold it against `witnesses`, who may be many devices'.

    Raises Unverified: cose-signature or journal-other-device for a head that the device did not sign; journal-old-key
    for one signed with a key that another had followed; journal-altered,
    -missing, -reordered, -truncated or -beyond-head for records; journal-rewritten if a witness saw another story.
    """
    try:
        signed = _believe(story)
        seen = [(_witnessed(each, story, signed), each) for each in witnesses if each.device_id == story.device_id]
    except Malformed as error:
        raise Unverified("journal-altered", f"a head of {story.device_id} cannot be read: {error.reason}") from None
    chain = _Chain(story, {end.count for end, _ in seen})
    done = chain.follow(story.records)
    for end, witness in seen:
        known = chain.heads.get(end.count)
        if known is not None and known != end.head:
            raise Unverified(
                "journal-rewritten",
                f"{witness.where} saw another story of the first {end.count} records than is stored",
            )
        if end.count > done.end:
            done.ahead.append((end.count, witness.where))
    return done


def signed_by(end: journal_reader.Head, keys: Sequence[bytes], device_id: str) -> int:
    """Which of a device's keys, by its place, signed a head. Raises Unverified cose-signature, journal-other-device."""
    for place in reversed(range(len(keys))):
        try:
            journal_reader.verify_head(end, keys[place], device_id, HostSuite())
            return place
        except Unverified as error:
            if error.reason != "cose-signature" or not place:
                raise
    raise Unverified("cose-signature")


def check_order(count: int, place: int, known: Iterable[tuple[int, int]]) -> None:
    """Raise Unverified journal-old-key if a key, by its place, signed a head after `count` records, and a later key had
    signed one before: somebody else has the old one. `known`: (count, place) of the other heads.
    """
    if any(earlier < count and later > place for earlier, later in known):
        raise Unverified(
            "journal-old-key", f"the head after {count} records is signed with a key that had been replaced"
        )


def places(seen: Iterable[SeenHead], keys: Sequence[bytes], device_id: str) -> list[tuple[int, int]]:
    """(count, place of the key that signed) of each head."""
    return [(each.count, signed_by(journal_reader.parse_head(each.signed), keys, device_id)) for each in seen]


def _believe(story: Story) -> list[tuple[int, int]]:
    """The heads say what the device signed; (count, place of the key) of each."""
    known = places(story.heads, story.keys, story.device_id)
    for count, place in known if story.later else ():
        check_order(count, place, known)
    for seen in story.heads:
        end = journal_reader.parse_head(seen.signed)
        if (end.count, end.head) != (seen.count, seen.head):
            raise Unverified("journal-altered", f"the head after {seen.count} records is not the one that was signed")
    return known


def _witnessed(witness: Witness, story: Story, known: list[tuple[int, int]]) -> journal_reader.Head:
    try:
        end = journal_reader.parse_head(witness.signed)
    except Malformed as error:
        raise Unverified("journal-witness", f"what {witness.where} keeps cannot be read: {error.reason}") from None
    check_order(end.count, signed_by(end, story.keys, story.device_id), known)
    return end


class _Chain:
    """Follows records from head to head. `heads`: those reached at a count that somebody knows a head of."""

    def __init__(self, story: Story, wanted: set[int]):
        self._story = story
        self._signed = {seen.count: seen.head for seen in story.heads}
        self._starts = {0: journal.first_head(story.public)}
        for seen in sorted(story.heads, key=lambda seen: seen.count):
            if self._starts.setdefault(seen.first, seen.base) != seen.base:
                raise self._wrong("journal-altered", f"what came before record {seen.first} is told in two ways")
        self._known = self._signed | self._starts  # a start that is reached must be as it was told
        self._marks = set(self._known) | wanted
        self.heads: dict[int, bytes] = {}

    def follow(self, records: Iterable[tuple[int, bytes]]) -> Checked:
        """Hash every record once."""
        done, chain, marks = Checked(heads=len(self._signed)), journal.chain, self._marks
        at, head = 0, self._starts[0]
        self._reach(at, head)
        for number, data in records:
            if number != at:
                self._end_run(at, "journal-missing")
                head = self._begin_run(number, at)
                done.gaps.append((at, number - 1))
                at = number
            if _own_number(data) != number:
                raise self._misplaced(number, data)
            head = chain(head, data)
            at += 1
            if at in marks:
                self._reach(at, head)
            done.records += 1
            done.end = at
        self._end_run(at, "journal-truncated")
        self._all_there(done)
        return done

    def _reach(self, at: int, head: bytes) -> None:
        """The head after record `at` - 1 is what everybody said that it is."""
        if self._known.get(at, head) != head or self._signed.get(at, head) != head:
            good = max((count for count in self.heads if count < at), default=0)
            raise self._wrong("journal-altered", f"one of the records {good} to {at - 1} is not what the device signed")
        self.heads[at] = head

    def _begin_run(self, number: int, at: int) -> bytes:
        """The head before a record that does not follow the one before."""
        if number not in self._starts:
            raise self._wrong("journal-missing", f"the records {at} to {number - 1} are not there")
        self._reach(number, self._starts[number])
        return self._starts[number]

    def _end_run(self, at: int, reason: str) -> None:
        """The last of some records that follow each other is under a head; `reason`: what it is if one is to come."""
        if not at or at in self._signed or at in self._starts:
            return
        later = min((count for count in self._signed if count > at), default=None)
        if later is not None:
            raise self._wrong(reason, f"the records from {at} on are not there, and the device signed {later}")
        raise self._wrong("journal-beyond-head", f"the records up to {at - 1} are under no head that was signed")

    def _all_there(self, done: Checked) -> None:
        """Nothing that came with a head has gone since."""
        for seen in self._story.heads:
            for first, last in [*done.gaps, (done.end, max(self._signed, default=0) - 1)]:
                if max(first, seen.first) <= min(last, seen.count - 1):
                    reason = "journal-truncated" if first == done.end else "journal-missing"
                    raise self._wrong(reason, f"records between {first} and {last} were collected, and are not there")
        last_told = max(self._signed, default=0)
        if last_told > done.end:  # the device had dropped what came before its head, and there was nothing after it
            done.gaps.append((done.end, last_told - 1))
            done.end = last_told

    def _misplaced(self, number: int, data: bytes) -> Unverified:
        try:
            own = journal_reader.parse_record(data).seq
        except Malformed as error:
            return self._wrong("journal-altered", f"record {number} cannot be read: {error.reason}")
        return self._wrong("journal-reordered", f"record {own} stands in the place of {number}")

    def _wrong(self, reason: str, detail: str) -> Unverified:
        return Unverified(reason, f"{self._story.device_id}: {detail}")


def _own_number(data: bytes) -> int:
    """The number that a record gives itself, without reading the rest of it; -1 if it is no record at all."""
    if len(data) < 2 or data[0] != 0x87 or data[1] > 0x1B:
        return -1
    if data[1] < 0x18:
        return data[1]
    return int.from_bytes(data[2 : 2 + (1 << data[1] - 0x18)], "big")
