"""/time: the authority's answer sets the clock, if it answers this question, in this session, at once; nothing else."""

from admit_protocol import cbor, coap, coap_numbers, issuing, journal, journal_reader
from memory_ports import WEDNESDAY
from newcomers import Newcomer
from rig import Site
from visitors import SITE, Visitor, new_kiosk, reason

HOUR = 3600
OTHER = Site("other", b"other")
EARLIEST, LATEST, SOURCE, NONCE = 1, 2, 3, 4


def timeless_kiosk():
    """A kiosk that knows no more than a floor."""
    rig = new_kiosk()
    rig.clock.seconds = None
    rig.boot()
    return rig


def ask(visitor):
    response = visitor.ask(coap.GET, "/time")
    assert response.code == coap.CONTENT
    return cbor.decode(response.payload)


def answered(nonce, now=WEDNESDAY, device_id="kiosk-1", site=SITE, key=None):
    return issuing.time_answer(key or site.key, site.anchor.site_id, device_id, nonce, now)


def take(visitor, answer):
    """None, or the reason why it was not taken."""
    response = visitor.ask(coap.POST, "/time", answer)
    return None if response.code == coap.CHANGED else reason(response)


def test_an_answer_sets_the_clock_and_is_written_down():
    rig = timeless_kiosk()
    alice = Visitor(rig)
    before = ask(alice)
    floor = rig.device.clock.floor
    assert (before[EARLIEST], before[LATEST], before[SOURCE]) == (floor, None, "floor")
    assert take(alice, answered(before[NONCE], WEDNESDAY + HOUR)) is None
    after = ask(alice)
    assert after[SOURCE] == "answer" and after[EARLIEST] <= WEDNESDAY + HOUR <= after[LATEST] <= WEDNESDAY + HOUR + 4
    assert after[NONCE] != before[NONCE]
    record = [journal_reader.parse_record(each) for each in rig.device.journal.kept().all()][-1]
    assert (record.kind, record.who) == (journal.TIME_SET, journal.person(alice.key.public))
    assert record.extra.get(journal.FLOOR) is True  # what was believed until then
    assert rig.device.clock.floor == WEDNESDAY + HOUR


def test_a_window_opens_as_soon_as_the_time_is_known_and_closes_with_a_reset():
    rig = timeless_kiosk()
    weekdays = [("/r/open", 3, {1: [[31, 0, 0]]})]
    alice = Visitor(rig, "alice", weekdays)
    assert reason(alice.invoke("open", b"11111111")) == "rule-time-unknown"
    assert take(alice, answered(ask(alice)[NONCE])) is None
    assert alice.invoke("open", b"22222222").code == coap.CHANGED
    rig.boot()
    alice = Visitor(rig, "alice", weekdays)
    assert reason(alice.invoke("open", b"33333333")) == "rule-time-unknown"
    assert ask(alice)[SOURCE] == "floor"


def test_a_question_is_good_for_one_answer_and_for_ten_seconds():
    rig = timeless_kiosk()
    alice = Visitor(rig)
    nonce = ask(alice)[NONCE]
    assert take(alice, answered(nonce, WEDNESDAY)) is None
    assert take(alice, answered(nonce, WEDNESDAY + HOUR)) == "time-late"  # answered already
    for waited_s, told in ((9.999, None), (10, "time-late")):
        nonce = ask(alice)[NONCE]
        rig.clock.pass_s(waited_s)
        assert take(alice, answered(nonce, WEDNESDAY + HOUR)) == told
        assert take(alice, answered(nonce, WEDNESDAY + HOUR)) == "time-late"
    assert rig.device.clock.now() < WEDNESDAY + HOUR + 20


def test_an_answer_held_back_until_it_is_old_sets_the_clock_back_by_nothing():
    """It can be late by ten seconds at most, and the uncertainty says so."""
    rig = timeless_kiosk()
    alice = Visitor(rig)
    nonce = ask(alice)[NONCE]
    answer = answered(nonce, WEDNESDAY)
    rig.clock.pass_s(9)
    assert take(alice, answer) is None
    told = ask(alice)
    assert told[EARLIEST] <= WEDNESDAY + 9 <= told[LATEST] <= WEDNESDAY + 13


def test_a_newer_question_takes_the_place_of_an_older_one():
    rig = timeless_kiosk()
    alice = Visitor(rig)
    first = ask(alice)[NONCE]
    second = ask(alice)[NONCE]
    assert take(alice, answered(first)) == "time-nonce"
    assert take(alice, answered(second)) == "time-late"  # one try
    assert rig.device.clock.source == "floor"


def test_another_sessions_question_is_not_answered_here():
    rig = timeless_kiosk()
    alice, bob = Visitor(rig), Visitor(rig, "bob")
    theirs = ask(bob)[NONCE]
    assert take(alice, answered(theirs)) == "time-late"
    ask(alice)
    assert take(alice, answered(theirs)) == "time-nonce"
    assert take(bob, answered(theirs)) is None


def test_what_is_no_answer_of_this_authority_to_this_device_sets_nothing():
    rig = timeless_kiosk()
    alice = Visitor(rig)
    for answer, why in (
        (lambda nonce: answered(nonce, key=OTHER.key), "cose-signature"),
        (lambda nonce: answered(nonce, site=OTHER), "paper-other-site"),
        (lambda nonce: answered(nonce, device_id="kiosk-2"), "paper-other-device"),
        (lambda nonce: answered(bytes(8)), "time-nonce"),
        (lambda nonce: answered(nonce)[:-1], "cbor-truncated"),
        (lambda nonce: answered(nonce, key=alice.key), "cose-signature"),
        (lambda nonce: b"", "cbor-truncated"),
    ):
        assert take(alice, answer(ask(alice)[NONCE])) == why
    assert rig.device.clock.source == "floor"


def test_a_time_that_cannot_be_is_refused_and_leaves_no_record():
    rig = timeless_kiosk()
    rig.device.clock.raise_floor(WEDNESDAY + HOUR)
    alice = Visitor(rig)
    alice.ask(coap.GET, "/r")
    count = rig.device.journal.count
    assert take(alice, answered(ask(alice)[NONCE], WEDNESDAY)) == "time-before-floor"
    assert (rig.device.journal.count, rig.device.clock.source) == (count, "floor")


def test_an_answer_that_cannot_be_written_down_sets_nothing():
    rig = timeless_kiosk()
    alice = Visitor(rig)
    nonce = ask(alice)[NONCE]
    rig.storage.full = True
    assert take(alice, answered(nonce)) == "storage-full"
    rig.storage.full = False
    assert rig.device.clock.source == "floor"
    assert take(alice, answered(ask(alice)[NONCE])) is None


def test_whoever_has_a_grant_may_carry_it_and_a_newcomer_may_not():
    rig = timeless_kiosk()
    bob = Visitor(rig, "bob", [("/elsewhere", 1, {})])
    assert take(bob, answered(ask(bob)[NONCE])) is None
    refused = Newcomer(rig).ask(coap.GET, "/time")
    assert (refused.code, reason(refused)) == (coap_numbers.FORBIDDEN, "grant-needed")
