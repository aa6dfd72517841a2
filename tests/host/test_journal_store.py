"""Journals as the site keeps them: each must continue what was collected before."""

import sqlite3

import pytest

from admit import admin, journal_store
from admit import registry as registry_module
from admit.journal_check import Witness
from admit.journal_store import Page
from admit.registry import open_registry
from admit.suite import HostSuite
from admit_protocol import cbor, cose_encrypt, journal
from admit_protocol.errors import AdmitError, Malformed, Unverified
from sites import NOW, SEALED

suite = HostSuite()
DEVICE = suite.generate()


def reason(call, *arguments, **more):
    with pytest.raises(AdmitError) as caught:
        call(*arguments, **more)
    return caught.value.reason


HEAD_0 = journal.first_head(DEVICE.public)


def write(count, first=0, what=""):
    return [journal.encode_record(seq, NOW, journal.BOOT, None, what, journal.DONE, {}) for seq in range(first, count)]


def head_of(records, head=HEAD_0):
    for record in records:
        head = journal.chain(head, record)
    return head


def signed(records, count=None, key=DEVICE, head=HEAD_0):
    count = len(records) if count is None else count
    return journal.sign_head(key, "kiosk-1", count, head_of(records, head), NOW)


@pytest.fixture
def kiosk(site, signer):
    admin.commission(site, signer, "kiosk-1", DEVICE.public, SEALED, NOW)
    return site.registry


def collect(registry, records, start=(0, HEAD_0), head=None):
    return journal_store.collect(registry, "kiosk-1", Page(*start, records, head or signed(records)), NOW)


def stored(registry):
    return [record.seq for record in journal_store.verify_stored(registry, "kiosk-1")]


def test_a_journal_is_collected_bit_by_bit(kiosk):
    records = write(8)
    assert journal_store.position(kiosk, "kiosk-1") == (0, HEAD_0)
    assert [record.seq for record in collect(kiosk, records[:3]).new] == [0, 1, 2]
    assert journal_store.position(kiosk, "kiosk-1") == (3, head_of(records[:3]))
    rest = collect(kiosk, records[3:5], (3, head_of(records[:3])), signed(records[:5]))
    assert ([record.seq for record in rest.new], rest.gap) == ([3, 4], None)
    assert [record.seq for record in collect(kiosk, records).new] == [5, 6, 7]
    assert collect(kiosk, records).new == []
    assert stored(kiosk) == list(range(8))


def test_a_device_that_knows_less_than_before_was_rolled_back(kiosk):
    records = write(5)
    collect(kiosk, records)
    for count in range(5):
        assert reason(collect, kiosk, records[:count]) == "journal-rolled-back"
    assert stored(kiosk) == list(range(5))


def test_a_device_that_tells_the_past_otherwise_is_caught(kiosk):
    records = write(5)
    collect(kiosk, records[:3])
    other = write(3, what="other") + records[3:]
    assert reason(collect, kiosk, other) == "journal-rewritten"
    assert reason(collect, kiosk, write(3, what="other")) == "journal-rewritten"
    tail = records[3:]
    assert reason(collect, kiosk, tail, (3, bytes(32)), signed(tail, 5, head=bytes(32))) == "journal-rewritten"
    assert reason(collect, kiosk, [], (3, bytes(32)), signed([], 3, head=bytes(32))) == "journal-rewritten"
    assert stored(kiosk) == [0, 1, 2]


def test_a_device_that_begins_with_another_head_than_its_keys_is_caught(kiosk):
    records = write(2)
    assert reason(collect, kiosk, records, (0, bytes(32)), signed(records, head=bytes(32))) == "journal-rewritten"


def test_what_the_device_did_not_sign_is_not_stored(kiosk):
    records = write(4)
    assert reason(collect, kiosk, records, head=signed(records, key=suite.generate())) == "cose-signature"
    assert reason(collect, kiosk, records[:3], head=signed(records)) == "journal-truncated"
    assert reason(collect, kiosk, records[1:], head=signed(records)) == "journal-missing"
    assert stored(kiosk) == []


def test_records_that_the_device_had_dropped_are_a_gap(kiosk):
    records = write(9)
    collect(kiosk, records[:3])
    later = collect(kiosk, records[5:], (5, head_of(records[:5])), signed(records))
    assert (later.gap, [record.seq for record in later.new]) == ((3, 4), [5, 6, 7, 8])
    assert stored(kiosk) == [0, 1, 2, 5, 6, 7, 8]
    assert journal_store.verify(kiosk, "kiosk-1").gaps == [(3, 4)]
    repeated = collect(kiosk, records[5:], (5, head_of(records[:5])), signed(records))
    assert (repeated.new, repeated.gap) == ([], None)


def page_of(records, first, end, key=DEVICE):
    """A page as a courier brings it: its head is the one after it."""
    return Page(first, head_of(records[:first]), records[first:end], signed(records[:end], key=key))


def test_a_gap_is_closed_by_what_couriers_bring_later_in_any_order(kiosk):
    records = write(30)
    collect(kiosk, records[:3])
    collect(kiosk, records[20:], (20, head_of(records[:20])), signed(records))
    for first, end, left in ((10, 15, [(3, 9), (15, 19)]), (14, 24, [(3, 9)]), (2, 11, [])):
        told = journal_store.store(kiosk, "kiosk-1", page_of(records, first, end), NOW)
        assert told.new and journal_store.verify(kiosk, "kiosk-1").gaps == left
        assert journal_store.store(kiosk, "kiosk-1", page_of(records, first, end), NOW).new == []
    assert stored(kiosk) == list(range(30))


def test_an_old_page_that_comes_late_is_no_rollback_but_must_agree(kiosk):
    records = write(9)
    collect(kiosk, records)
    assert journal_store.store(kiosk, "kiosk-1", page_of(records, 0, 4), NOW).new == []
    other = write(9, what="other")
    for first, end in ((0, 4), (0, 9), (4, 9), (4, 6), (9, 9)):
        page = Page(first, head_of(other[:first]), other[first:end], signed(other[:end]))
        assert reason(journal_store.store, kiosk, "kiosk-1", page, NOW) == "journal-rewritten", (first, end)
    assert stored(kiosk) == list(range(9))


def test_a_page_into_a_gap_must_fit_both_its_ends(kiosk):
    records, other = write(9), write(9, what="other")
    collect(kiosk, records[:3])
    collect(kiosk, records[6:], (6, head_of(records[:6])), signed(records))
    for first, end in ((3, 6), (3, 5), (4, 6)):
        page = Page(first, head_of(other[:first]), other[first:end], signed(other[:end]))
        assert reason(journal_store.store, kiosk, "kiosk-1", page, NOW) == "journal-rewritten"
    assert journal_store.verify(kiosk, "kiosk-1").gaps == [(3, 5)]


def sealed(page, anchor):
    body = {1: page.first, 2: page.base, 3: page.records, 4: page.signed}
    return cose_encrypt.seal(suite, anchor.ecdh_public, cbor.encode(body))


def test_a_sealed_page_is_opened_by_the_authority_alone(kiosk, site, signer):
    records = write(5)
    data = sealed(page_of(records, 0, 5), site.anchor)
    told = journal_store.accept(kiosk, data, signer.unseal, NOW)
    assert (told.device_id, [record.seq for record in told.new]) == ("kiosk-1", [0, 1, 2, 3, 4])
    assert records[0] not in data
    for at in range(0, len(data), 9):
        wrong = bytearray(data)
        wrong[at] ^= 1
        with pytest.raises(AdmitError):
            journal_store.accept(kiosk, bytes(wrong), signer.unseal, NOW)
    for length in range(0, len(data), 9):
        with pytest.raises(AdmitError):
            journal_store.accept(kiosk, data[:length], signer.unseal, NOW)
    assert stored(kiosk) == [0, 1, 2, 3, 4]


def test_whoever_seals_a_page_of_their_own_making_is_found_out(kiosk, site, signer):
    """Anybody can seal to the authority: that proves nothing."""
    mallory = suite.generate()
    forged = Page(0, HEAD_0, write(3), signed(write(3), key=mallory))
    assert reason(journal_store.accept, kiosk, sealed(forged, site.anchor), signer.unseal, NOW) == "cose-signature"
    for body in (
        {},
        {1: -1, 2: bytes(32), 3: [], 4: b""},
        {1: 0, 2: b"", 3: [], 4: b""},
        {1: 0, 2: bytes(32), 3: [1], 4: b""},
    ):
        data = cose_encrypt.seal(suite, site.anchor.ecdh_public, cbor.encode(body))
        assert reason(journal_store.accept, kiosk, data, signer.unseal, NOW) == "journal-page"
    assert stored(kiosk) == []


def test_a_device_that_knows_less_than_a_phone_saw_was_rolled_back(kiosk):
    records = write(9)
    collect(kiosk, records[:3])
    seen = [Witness("kiosk-1", signed(records[:7]), "alice's wallet")]
    page = Page(0, HEAD_0, records[:5], signed(records[:5]))
    assert reason(journal_store.collect, kiosk, "kiosk-1", page, NOW, seen) == "journal-rolled-back"
    other = records[:3] + write(9, 3, "other")
    page = Page(0, HEAD_0, other, signed(other))
    assert reason(journal_store.collect, kiosk, "kiosk-1", page, NOW, seen) == "journal-rewritten"
    assert stored(kiosk) == [0, 1, 2]
    assert len(journal_store.collect(kiosk, "kiosk-1", Page(0, HEAD_0, records, signed(records)), NOW, seen).new) == 6
    elsewhere = [Witness("kiosk-2", b"", "bob's wallet")]
    assert journal_store.collect(kiosk, "kiosk-1", Page(0, HEAD_0, records, signed(records)), NOW, elsewhere).new == []


def test_a_first_visit_may_begin_with_a_gap(kiosk):
    records = write(5)
    assert collect(kiosk, records[2:], (2, head_of(records[:2])), signed(records)).gap == (0, 1)
    assert stored(kiosk) == [2, 3, 4]


def test_a_start_that_is_no_number_of_a_record_is_refused(kiosk):
    records = write(2)
    for start in ((-1, HEAD_0), (1, HEAD_0), (5, HEAD_0)):
        with pytest.raises((Unverified, Malformed)):
            collect(kiosk, records, start, signed(records))


@pytest.mark.parametrize(
    "statement, expected",
    [
        ("DELETE FROM records WHERE seq = 1", "journal-missing"),
        ("DELETE FROM records WHERE seq = 4", "journal-truncated"),
        ("UPDATE records SET data = (SELECT data FROM records WHERE seq = 0) WHERE seq = 1", "journal-reordered"),
        ("UPDATE records SET data = x'00' WHERE seq = 3", "journal-altered"),
        ("UPDATE heads SET head = x'00' WHERE count = 3", "journal-altered"),
        ("UPDATE heads SET signed = x'00' WHERE count = 3", "journal-altered"),
        ("UPDATE heads SET base = x'00' WHERE count = 5", "journal-altered"),
        ("UPDATE heads SET first = 4 WHERE count = 5", "journal-altered"),
        ("UPDATE heads SET first = 2 WHERE count = 5", "journal-altered"),
        ("UPDATE heads SET signed = (SELECT signed FROM heads WHERE count = 3) WHERE count = 5", "journal-altered"),
        ("DELETE FROM heads WHERE count = 5", "journal-beyond-head"),
    ],
)
def test_a_registry_that_was_tampered_with_shows(site, kiosk, statement, expected):
    records = write(5)
    collect(kiosk, records[:3])
    collect(kiosk, records)
    assert stored(kiosk) == list(range(5))
    with sqlite3.connect(site.folder / "registry.sqlite") as database:
        database.execute(statement)
    assert reason(stored, kiosk) == expected


def test_two_collectors_at_once(site, kiosk):
    records = write(3)
    original = registry_module.Registry.add_records

    def add_after_somebody_else(self, rows, head):
        registry_module.Registry.add_records = original
        collect(open_registry(f"sqlite:///{site.folder}/registry.sqlite"), records)
        original(self, rows, head)

    registry_module.Registry.add_records = add_after_somebody_else
    assert reason(collect, kiosk, records) == "registry-changed"
    assert stored(kiosk) == [0, 1, 2]
