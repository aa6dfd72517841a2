"""The time that a device believes: never earlier than what it has been shown, never surer than it can be, and unknown
rather than wrong.
"""

from admit_device.clock import Clock
from admit_protocol import coap, coap_numbers
from admit_protocol.errors import Conflict, StorageError
from memory_ports import WEDNESDAY, HandClock, Memory, PowerCut
from support import raises
from visitors import SITE, Visitor, new_kiosk, reason, revocation

HOUR = 3600
YEARS = 10 * 365 * 86400
UNKNOWN, FLOOR, ANSWER, RTC = "unknown", "floor", "answer", "rtc"


def told(clock):
    """(source, earliest, latest, best estimate)."""
    return (clock.source,) + tuple(clock.moment()) + (clock.now(),)


def floored(seconds=WEDNESDAY, port=None, storage=None):
    """A clock that was shown so late a time; by default of a board without one of its own."""
    clock = Clock(port or HandClock(None), storage or Memory())
    clock.raise_floor(seconds)
    return clock


def test_the_ladder_from_nothing_to_a_clock_of_the_boards_own():
    port = HandClock(None)
    clock = Clock(port, Memory())
    assert told(clock) == (UNKNOWN, None, None, None)
    clock.raise_floor(WEDNESDAY)
    assert told(clock) == (FLOOR, WEDNESDAY, None, None)
    clock.answer(WEDNESDAY + HOUR, port.ms)
    source, earliest, latest, estimate = told(clock)
    assert source == ANSWER and earliest <= WEDNESDAY + HOUR == estimate <= latest <= earliest + 5
    port.seconds = WEDNESDAY + HOUR + 1
    assert told(clock) == (RTC,) + (port.seconds,) * 3
    assert clock.monotonic_ms() == port.ms


def test_a_clock_that_nobody_contradicts_is_believed():
    port = HandClock()
    clock = Clock(port, Memory())
    assert told(clock) == (RTC, WEDNESDAY, WEDNESDAY, WEDNESDAY)
    port.pass_s(60)
    assert clock.now() == WEDNESDAY + 60
    port.seconds = None
    assert told(clock) == (UNKNOWN, None, None, None)


def test_a_clock_behind_the_floor_is_worth_nothing_until_it_is_past_it():
    port, storage = HandClock(), Memory()
    clock = Clock(port, storage)
    clock.raise_floor(WEDNESDAY + HOUR)
    for each in (clock, Clock(port, storage)):  # the floor outlives a reset
        port.seconds = WEDNESDAY + HOUR - 1
        assert told(each) == (FLOOR, WEDNESDAY + HOUR, None, None)
        port.seconds = WEDNESDAY + HOUR
        assert each.now() == WEDNESDAY + HOUR


def test_a_clock_at_nought_or_ten_years_back_leaves_the_floor_and_one_ten_years_ahead_moves_nothing_for_good():
    for shown in (0, 1, WEDNESDAY - YEARS):
        assert told(floored(port=HandClock(shown))) == (FLOOR, WEDNESDAY, None, None)
    port, storage = HandClock(WEDNESDAY + YEARS), Memory()
    clock = floored(port=port, storage=storage)
    assert clock.source == RTC  # nothing contradicts it
    clock.expire()
    assert (clock.floor, storage.changes) == (WEDNESDAY, 1)
    clock.answer(WEDNESDAY + 60, port.ms)  # until somebody does
    assert clock.source == ANSWER and clock.now() == WEDNESDAY + 60
    port.seconds = WEDNESDAY + 61  # and it was mended
    assert told(Clock(port, storage)) == (RTC,) + (WEDNESDAY + 61,) * 3


def test_a_clock_that_stands_still_steps_back_or_wraps_is_believed_no_longer():
    for step_s in (0, -3 * HOUR, -WEDNESDAY, -YEARS):
        port = HandClock()
        clock = floored(WEDNESDAY - HOUR, port)
        assert clock.source == RTC
        port.pass_s(30)
        assert clock.source == RTC
        port.seconds = port.seconds - 30 + step_s
        port.ms += 61_000
        assert told(clock) == (FLOOR, WEDNESDAY - HOUR, None, None), step_s
        port.ms += 1_000_000
        assert clock.source == FLOOR


def test_a_clock_that_is_set_by_a_few_seconds_or_wakes_hours_later_is_still_one():
    port = HandClock()
    clock = floored(WEDNESDAY - HOUR, port)
    clock.now()
    port.seconds -= 5
    assert told(clock) == (RTC,) + (WEDNESDAY - 5,) * 3
    port.seconds += 5 * HOUR  # the PC slept, and so did its count
    assert clock.source == RTC


def test_the_floor_never_falls_and_is_stored_once_an_hour_at_most():
    storage = Memory()
    clock = Clock(HandClock(), storage)
    clock.raise_floor(WEDNESDAY)
    for seconds in (WEDNESDAY - HOUR, 0, WEDNESDAY, WEDNESDAY + HOUR - 1):
        clock.raise_floor(seconds)
    assert (clock.floor, storage.changes) == (WEDNESDAY, 1)
    clock.raise_floor(WEDNESDAY + HOUR)
    assert (clock.floor, storage.changes) == (WEDNESDAY + HOUR, 2)


def test_a_floor_that_cannot_be_stored_is_not_claimed():
    storage = Memory()
    clock = Clock(HandClock(None), storage)
    storage.full = True
    with raises(StorageError, "storage-full"):
        clock.raise_floor(WEDNESDAY)
    with raises(StorageError, "storage-full"):
        clock.answer(WEDNESDAY, 0)
    assert (clock.floor, clock.source) == (0, UNKNOWN)


def test_power_fails_while_the_floor_is_stored_and_it_is_the_old_one_or_the_new():
    for cut in range(2):
        storage = Memory()
        clock = floored(storage=storage)
        storage.cut_after = cut
        try:
            clock.answer(WEDNESDAY + HOUR, 0)
        except PowerCut:
            pass
        storage.cut_after = None
        after = Clock(HandClock(None), storage)
        assert told(after) == (FLOOR, WEDNESDAY + cut * HOUR, None, None)


def test_a_damaged_floor_makes_the_time_unknown_until_somebody_trusted_tells_it():
    for mend in (lambda clock: clock.raise_floor(WEDNESDAY), lambda clock: clock.answer(WEDNESDAY, 1000)):
        storage = Memory()
        floored(storage=storage)
        storage.damaged = ["time-floor"]
        clock = Clock(HandClock(), storage)
        assert told(clock) == (UNKNOWN, None, None, None)
        mend(clock)
        assert clock.now() == WEDNESDAY


def test_an_answer_grows_less_sure_by_its_age_and_by_how_long_it_took():
    port = HandClock(None)
    clock = Clock(port, Memory())
    port.ms += 9000
    clock.answer(WEDNESDAY, port.ms - 9000)
    _, earliest, latest, _ = told(clock)
    assert earliest >= WEDNESDAY - 1 and WEDNESDAY + 10 <= latest <= WEDNESDAY + 13
    for days in (1, 10, 100):
        port.ms = 10_000 + days * 86_400_000
        _, earliest, latest, estimate = told(clock)
        drift = days * 86400 * 500 // 1_000_000  # 500 ppm: 43 s a day
        assert estimate == WEDNESDAY + days * 86400
        assert estimate - drift - 2 <= earliest <= estimate - drift
        assert estimate + 10 + drift <= latest <= estimate + 14 + drift


def test_the_floor_follows_an_answer_and_a_reset_leaves_only_that():
    port, storage = HandClock(None), Memory()
    clock = Clock(port, storage)
    clock.answer(WEDNESDAY, port.ms)
    for _ in range(24 * 12):
        port.ms += 300 * 1000
        clock.expire()
    assert 20 <= storage.changes <= 25  # hours, not minutes
    after = Clock(HandClock(None), storage)
    assert after.source == FLOOR
    assert WEDNESDAY + 22 * HOUR <= after.floor <= WEDNESDAY + 24 * HOUR
    assert after.moment() == (after.floor, None)


def test_an_answer_from_before_the_floor_sets_nothing():
    port = HandClock(None)
    clock = floored(WEDNESDAY, port)
    with raises(Conflict, "time-before-floor"):
        clock.answer(WEDNESDAY - 3, port.ms)
    assert told(clock) == (FLOOR, WEDNESDAY, None, None)
    clock.answer(WEDNESDAY - 1, port.ms)  # which may have been within that second
    _, earliest, latest, estimate = told(clock)
    assert earliest == WEDNESDAY == estimate <= latest


def test_a_later_answer_takes_the_place_of_an_earlier_one():
    port = HandClock(None)
    clock = Clock(port, Memory())
    clock.answer(WEDNESDAY, port.ms)
    port.ms += 5 * 86_400_000
    clock.answer(WEDNESDAY + 5 * 86400 + 30, port.ms)
    _, earliest, latest, estimate = told(clock)
    assert estimate == WEDNESDAY + 5 * 86400 + 30 and latest - earliest <= 5


def test_a_policy_from_the_future_makes_the_time_unknown_and_windows_refuse():
    rig = new_kiosk()
    alice = Visitor(rig, "alice", [("/r/open", 3, {1: [[31, 0, 0]]}), ("/health", 1, {})])
    assert alice.invoke("open", b"11111111").code == coap.CHANGED
    rig.clock.seconds -= 2 * HOUR  # the battery of the clock fails
    assert alice.ask(coap.POST, "/bundle", revocation(1, [])).code == coap.CHANGED
    denied = alice.invoke("open", b"22222222")
    assert (denied.code, reason(denied)) == (coap_numbers.FORBIDDEN, "rule-time-unknown")
    assert alice.ask(coap.GET, "/health").code == coap.CONTENT


def test_a_policy_raises_the_floor_and_no_more_also_if_power_failed_right_behind_it():
    rig = new_kiosk()
    rig.clock.seconds = None
    rig.boot()
    courier = Visitor(rig)
    courier.ask(coap.GET, "/r")
    rig.storage.cut_after = 1
    try:
        courier.ask(coap.POST, "/bundle", SITE.bundle(1, issued_at=WEDNESDAY + 5 * HOUR))
    except PowerCut:
        pass
    rig.storage.cut_after = None
    rig.boot()
    assert told(rig.device.clock) == (FLOOR, WEDNESDAY + 5 * HOUR, None, None)
