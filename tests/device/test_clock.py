"""The time that a device believes: never earlier than what it has been shown, and unknown rather than wrong."""

from admit_device.clock import Clock
from admit_protocol import coap, coap_numbers
from admit_protocol.errors import StorageError
from memory_ports import WEDNESDAY, HandClock, Memory
from support import raises
from visitors import Visitor, new_kiosk, reason, revocation

HOUR = 3600


def test_a_clock_that_nobody_contradicts_is_believed():
    port = HandClock()
    clock = Clock(port, Memory())
    assert (clock.now(), clock.monotonic_ms()) == (WEDNESDAY, 1000)
    port.pass_s(60)
    assert (clock.now(), clock.monotonic_ms()) == (WEDNESDAY + 60, 61000)
    port.seconds = None
    assert clock.now() is None


def test_a_clock_behind_the_floor_is_worth_nothing_until_it_is_past_it():
    port, storage = HandClock(), Memory()
    clock = Clock(port, storage)
    clock.raise_floor(WEDNESDAY + HOUR)
    for each in (clock, Clock(port, storage)):  # the floor outlives a reset
        port.seconds = WEDNESDAY + HOUR - 1
        assert each.now() is None
        port.seconds = WEDNESDAY + HOUR
        assert each.now() == WEDNESDAY + HOUR


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
    clock = Clock(HandClock(), storage)
    storage.full = True
    with raises(StorageError, "storage-full"):
        clock.raise_floor(WEDNESDAY)
    assert clock.floor == 0


def test_a_damaged_floor_makes_the_time_unknown_until_somebody_trusted_tells_it():
    storage = Memory()
    Clock(HandClock(), storage).raise_floor(WEDNESDAY)
    storage.damaged = {"time-floor"}
    clock = Clock(HandClock(), storage)
    assert clock.now() is None
    clock.raise_floor(WEDNESDAY)
    assert clock.now() == WEDNESDAY


def test_a_policy_from_the_future_makes_the_time_unknown_and_windows_refuse():
    rig = new_kiosk()
    alice = Visitor(rig, "alice", [("/r/open", 3, {1: [[31, 0, 0]]}), ("/health", 1, {})])
    assert alice.invoke("open", b"11111111").code == coap.CHANGED
    rig.clock.seconds -= 2 * HOUR  # the battery of the clock fails
    assert alice.ask(coap.POST, "/bundle", revocation(1, [])).code == coap.CHANGED
    denied = alice.invoke("open", b"22222222")
    assert (denied.code, reason(denied)) == (coap_numbers.FORBIDDEN, "rule-time-unknown")
    assert alice.ask(coap.GET, "/health").code == coap.CONTENT
