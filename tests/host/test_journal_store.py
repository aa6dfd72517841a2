"""Journals as the site keeps them: each must continue what was collected before."""

import sqlite3

import pytest

from admit import admin, journal_store
from admit import registry as registry_module
from admit.registry import open_registry
from admit.suite import HostSuite
from admit_protocol import journal
from admit_protocol.errors import AdmitError, Malformed, Unverified
from sites import NOW

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
    admin.commission(site, signer, "kiosk-1", DEVICE.public, NOW)
    return site.registry


def collect(registry, records, start=(0, HEAD_0), head=None):
    return journal_store.collect(registry, "kiosk-1", start, records, head or signed(records), NOW)


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
    assert collect(kiosk, records).new == []


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
        ("UPDATE heads SET signed = (SELECT signed FROM heads WHERE count = 3) WHERE count = 5", "journal-beyond-head"),
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
