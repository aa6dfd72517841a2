"""The journal: chained, bounded, paged, and whole after every reset; denials and knocks do not fill it."""

from admit_device.clock import Clock
from admit_device.journal import Journal
from admit_device.journal_page import page, signed_head
from admit_protocol import cbor, journal_reader
from admit_protocol import journal as records
from admit_protocol.errors import StorageError, Unverified
from admit_protocol.kdf import sha256
from admit_protocol.rule import Decision
from folders import Folder
from limits import SEGMENT_RECORDS, TAIL
from memory_ports import WEDNESDAY, HandClock, Memory, PowerCut, copied
from ports.virtual.storage import Storage
from support import raises
from visitors import SITE

KEY = SITE.key
FIRST_HEAD = records.first_head(KEY.public)
ALICE, BOB = b"alices k", b"bobs key"
DENIED = Decision(False, "rule-none", None, "no rule", None, ())
OUTSIDE = Decision(False, "rule-outside-window", 2, "only on Mondays", b"grant id", ())
ALLOWED = Decision(True, "rule-allows", 1, "", b"grant id", ())
LOCKED = Decision(False, "rule-lockdown", None, "lifted by its admin", "night", ())
PAGE = 600  # bytes


class Identity:
    key = KEY
    device_id = "kiosk-1"


def new_journal(storage=None, clock=None):
    return Journal(storage or Memory(), Clock(clock or HandClock(), Memory()), FIRST_HEAD)


def fill(journal, count):
    for _ in range(count):
        journal.record(records.LOGIN, ALICE, "", records.DONE)


def read(journal, start=0):
    """(number of the first record, all records from there on, verified against the signed head)."""
    first, head, found = page(journal, start, PAGE)
    end = first + len(found)
    while end < journal.count:
        number, before, more = page(journal, end, PAGE)
        assert number == end and more and sum(len(each) for each in more) <= PAGE
        found += more
        end += len(more)
    signed = signed_head(journal, Identity())
    return first, journal_reader.verify(found, signed, KEY.public, "kiosk-1", SITE.suite, (first, head))


def told(journal):
    return [(each.what, journal_reader.OUTCOMES[each.outcome], each.extra) for each in read(journal)[1]]


def test_records_hang_together_from_the_first_head_on():
    journal = new_journal()
    assert (journal.count, journal.head) == (0, FIRST_HEAD)
    assert page(journal, 0, PAGE) == (0, FIRST_HEAD, [])
    journal.record(records.BOOT, None, "", records.DONE, {records.COUNT: 1})
    journal.policy(ALICE, 7)
    first, found = read(journal)
    assert first == 0
    assert [tuple(each)[2:] for each in found] == [
        (records.BOOT, None, "", records.DONE, {records.COUNT: 1}),
        (records.POLICY, ALICE, "", records.DONE, {records.EPOCH: 7}),
    ]


def test_it_goes_on_after_a_reset():
    storage = Memory()
    before = new_journal(storage)
    fill(before, 5)
    after = new_journal(storage)
    assert (after.count, after.head) == (before.count, before.head)
    fill(after, 5)
    assert [each.seq for each in read(after)[1]] == list(range(10))


def test_old_records_make_room_and_the_chain_goes_on():
    storage = Memory()
    journal = new_journal(storage)
    for total in (SEGMENT_RECORDS, 2 * SEGMENT_RECORDS, 2 * SEGMENT_RECORDS + 1, 4 * SEGMENT_RECORDS + 10):
        fill(journal, total - journal.count)
        for each in (journal, new_journal(storage)):
            first, found = read(each)
            assert first + len(found) == total
            assert len(found) >= min(total, SEGMENT_RECORDS)
            assert len(found) <= 2 * (SEGMENT_RECORDS + TAIL)
    assert first > 2 * SEGMENT_RECORDS


def test_a_reader_may_begin_anywhere():
    journal = new_journal()
    fill(journal, 3 * SEGMENT_RECORDS)
    oldest = read(journal, 3)[0]
    assert SEGMENT_RECORDS < oldest < 2 * SEGMENT_RECORDS
    for start in (oldest, oldest + 3, oldest + 255, oldest + SEGMENT_RECORDS, journal.count - TAIL, journal.count - 1):
        first, found = read(journal, start)
        assert first == start == found[0].seq
    for start in (journal.count, journal.count + 100):
        assert page(journal, start, PAGE) == (journal.count, journal.head, [])


def test_a_record_longer_than_a_page_still_comes():
    journal = new_journal()
    journal.record(records.DECISION, ALICE, "/" + "x" * PAGE, records.DENIED)
    fill(journal, 1)
    assert [len(page(journal, start, PAGE)[2]) for start in (0, 1)] == [1, 1]


def test_a_missing_or_altered_record_shows():
    journal = new_journal()
    fill(journal, 4)
    _, _, found = page(journal, 0, PAGE)
    signed = signed_head(journal, Identity())
    altered = found[:2] + [found[2].replace(ALICE, BOB)] + found[3:]
    for wrong, reason in ((found[:-1], "journal-truncated"), (altered, "journal-altered")):
        with raises(Unverified, reason):
            journal_reader.verify(wrong, signed, KEY.public, "kiosk-1", SITE.suite)


def test_a_decision_tells_its_rule_and_a_denial_its_reason():
    journal = new_journal()
    journal.decision(ALICE, "POST /r/open", ALLOWED)
    journal.decision(ALICE, "POST /r/open", OUTSIDE)
    journal.decision(BOB, "POST /r/open", LOCKED)
    assert told(journal) == [
        ("POST /r/open", "allowed", {records.RULE: 1, records.BY: b"grant id"}),
        ("POST /r/open", "denied", {records.RULE: 2, records.REASON: "rule-outside-window", records.BY: b"grant id"}),
        ("POST /r/open", "denied", {records.REASON: "rule-lockdown", records.BY: "night"}),
    ]


def test_people_are_named_by_their_key():
    journal = new_journal()
    journal.decision(KEY.public, "POST /r/open", ALLOWED)
    journal.record(records.PAIRED, ALICE, "", records.DONE, {records.KEY: records.person(KEY.public)})
    assert [each.who for each in read(journal)[1]] == [sha256(KEY.public)[:8], ALICE]


def test_the_same_denial_again_is_counted_into_the_next_record():
    journal = new_journal()
    for _ in range(50):
        journal.decision(ALICE, "GET /x", DENIED)
    assert journal.count == 1
    journal.decision(ALICE, "GET /x", OUTSIDE)  # another reason
    journal.decision(ALICE, "GET /y", OUTSIDE)  # another resource
    journal.decision(BOB, "GET /y", OUTSIDE)  # another person
    assert [each[2].get(records.REPEATED) for each in told(journal)] == [None, 49, None, None]


def test_what_is_allowed_is_never_only_counted():
    journal = new_journal()
    for _ in range(3):
        journal.decision(ALICE, "POST /r/open", ALLOWED)
    journal.decision(ALICE, "GET /x", DENIED)
    journal.decision(ALICE, "POST /r/open", ALLOWED)
    journal.decision(ALICE, "GET /x", DENIED)
    assert journal.count == 6


def test_a_denial_that_goes_on_is_written_again_every_ten_seconds():
    clock = HandClock()
    journal = new_journal(clock=clock)
    for _ in range(25):  # one a second
        journal.decision(ALICE, "GET /x", DENIED)
        clock.pass_s(1)
    assert [each[2].get(records.REPEATED) for each in told(journal)] == [None, 9, 9]


def test_one_persons_denials_do_not_fill_it_however_they_differ():
    clock = HandClock()
    journal = new_journal(clock=clock)
    for number in range(1000):
        journal.decision(ALICE, "GET /%d" % number, DENIED)
    written = journal.count
    assert written < SEGMENT_RECORDS // 4
    journal.decision(BOB, "GET /x", DENIED)
    assert told(journal)[-1][2][records.REPEATED] == 1000 - written
    clock.pass_s(3600)
    journal.decision(ALICE, "GET /x", DENIED)
    assert journal.count == written + 2


def test_newcomers_denials_do_not_fill_it_however_many_keys_they_make():
    journal = new_journal()
    for number in range(1000):
        journal.decision(b"%08d" % number, "GET /x", Decision(False, "grant-needed", None, "", None, ()))
    assert journal.count == 32
    journal.decision(BOB, "GET /x", DENIED)
    assert told(journal)[-1][2][records.REPEATED] == 1000 - 32


def test_failed_handshakes_make_one_record_at_once_and_then_one_an_hour():
    clock = HandClock()
    journal = new_journal(clock=clock)
    journal.flush_failures()
    assert journal.count == 0
    for _ in range(1000):
        journal.count_failure("ccm-tag")
        journal.flush_failures()
    clock.pass_s(3599)
    journal.flush_failures()
    assert journal.count == 1
    clock.pass_s(1)
    for _ in range(3):
        journal.flush_failures()
        clock.pass_s(3600)
    assert told(journal) == [("", "denied", {records.COUNT: 1}), ("", "denied", {records.COUNT: 999})]


def test_failures_that_could_not_be_written_are_told_an_hour_later():
    storage, clock = Memory(), HandClock()
    journal = new_journal(storage, clock)
    journal.count_failure("ccm-tag")
    storage.full = True
    with raises(StorageError, "storage-full"):
        journal.flush_failures()
    journal.flush_failures()
    storage.full = False
    journal.count_failure("ccm-tag")
    clock.pass_s(3600)
    journal.flush_failures()
    assert told(journal) == [("", "denied", {records.COUNT: 2})]


def test_time_that_is_unknown_is_written_as_such():
    journal = new_journal(clock=HandClock(None))
    fill(journal, 1)
    assert read(journal)[1][0].time is None
    assert journal_reader.parse_head(signed_head(journal, Identity())).time is None


def test_each_record_says_how_sure_its_time_is():
    hand = HandClock(None)
    clock = Clock(hand, Memory())
    journal = Journal(Memory(), clock, FIRST_HEAD)
    fill(journal, 1)
    clock.raise_floor(WEDNESDAY)
    fill(journal, 1)
    clock.answer(WEDNESDAY + 60, hand.monotonic_ms())
    fill(journal, 1)
    earliest, latest = clock.moment()
    assert [(each.time, each.extra) for each in read(journal)[1]] == [
        (None, {}),
        (WEDNESDAY, {records.FLOOR: True}),
        (earliest, {records.UNCERTAIN_S: latest - earliest}),
    ]
    assert earliest <= WEDNESDAY + 60 <= latest < WEDNESDAY + 70


def test_a_record_that_storage_refuses_never_happened():
    storage = Memory()
    journal = new_journal(storage)
    journal.decision(ALICE, "GET /x", DENIED)
    journal.decision(ALICE, "GET /x", DENIED)
    before = journal.count, journal.head
    storage.full = True
    with raises(StorageError, "storage-full"):
        fill(journal, 1)
    assert (journal.count, journal.head) == before
    storage.full = False
    fill(journal, 1)
    assert [each[2].get(records.REPEATED) for each in told(journal)] == [None, 1]


def test_a_power_cut_anywhere_leaves_a_journal_that_holds():
    at_rest = Memory()
    filled = new_journal(at_rest)
    for already, changes in (
        (0, 1),
        (3, 1),
        (TAIL, 2),
        (13 * TAIL, 3),
        (26 * TAIL, 4),
    ):  # the last two: a segment is full
        fill(filled, already - filled.count)
        cut, done = 0, False
        while not done:
            storage = Memory()
            storage.files = copied(at_rest.files)
            journal = new_journal(storage)
            storage.cut_after, storage.tears = cut, already % 2 == 0
            try:
                journal.record(records.LOGIN, BOB, "", records.DONE)
                done = True
            except PowerCut:
                pass
            storage.cut_after = None
            after = new_journal(storage)
            assert after.count == already + (1 if done else 0)
            fill(after, 1)
            first, found = read(after)
            assert first + len(found) == after.count
            cut += 1
        assert cut == changes + 1


def test_a_torn_last_record_is_dropped_and_its_number_used_again():
    with Folder() as folder:
        fill(new_journal(Storage(folder.path)), 3)
        folder.write("journal-2", folder.read("journal-2")[:-5])
        journal = new_journal(Storage(folder.path))
        assert journal.count == 2
        journal.record(records.LOGIN, BOB, "", records.DONE)
        assert [(each.seq, each.who) for each in read(journal)[1]] == [(0, ALICE), (1, ALICE), (2, BOB)]


def test_the_head_that_opens_a_segment_is_the_one_before_it():
    storage = Memory()
    journal = new_journal(storage)
    while "journal-b" not in storage.files:
        count, head = journal.count, journal.head
        fill(journal, 1)
    assert cbor.decode(next(storage.records("journal-b"))) == [count, head]
