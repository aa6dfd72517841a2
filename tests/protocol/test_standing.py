"""A verified grant counts on its devices, in its life, until it is taken back; who is refused is told why."""

from collections import namedtuple

from admit_protocol.errors import Untrusted
from admit_protocol.standing import check, check_here, check_life, is_for
from support import raises

Grant = namedtuple("Grant", ("id", "audience", "not_before", "expires", "rules", "subject", "key", "selectors"))

KEY = bytes(64)
ALICES = Grant(b"grant id", ("kiosk-1", "locker-*"), 100, 200, (), "alice", KEY, ("group:night-shift",))


def at(seconds):
    return seconds, seconds


def test_a_grant_counts_here_and_now():
    check(ALICES, "kiosk-1", at(150), ())
    check(ALICES, "locker-7", at(150), {b"another."})


def test_the_first_of_the_reasons_is_told():
    with raises(Untrusted, "grant-other-device"):
        check(ALICES, "kiosk-2", at(500), {ALICES.id})
    with raises(Untrusted, "grant-revoked"):
        check(ALICES, "kiosk-1", at(500), {ALICES.id})
    with raises(Untrusted, "grant-expired"):
        check(ALICES, "kiosk-1", at(500), ())
    with raises(Untrusted, "grant-not-yet-valid"):
        check(ALICES, "kiosk-1", at(50), ())
    with raises(Untrusted, "grant-time-unknown"):
        check(ALICES, "kiosk-1", at(None), ())


def test_a_grant_may_be_taken_back_whatever_the_time():
    check_here(ALICES, "kiosk-1", (b"another.",))
    with raises(Untrusted, "grant-revoked"):
        check_here(ALICES, "kiosk-1", (b"another.", ALICES.id))


def test_a_device_is_one_of_those_that_are_named():
    for device_id, counts in (("kiosk-1", True), ("kiosk-10", False), ("locker-", True), ("locker", False)):
        assert is_for(ALICES, device_id) is counts, device_id


def test_a_life_has_a_beginning_and_an_end():
    check_life(100, 200, at(100))
    check_life(100, 200, at(199))
    with raises(Untrusted, "grant-not-yet-valid"):
        check_life(100, 200, at(99))
    with raises(Untrusted, "grant-expired"):
        check_life(100, 200, at(200))
    check_life(None, None, at(None))
    check_life(None, 200, at(-(10**12)))
    check_life(100, None, at(10**12))
    for ends in ((100, None), (None, 200)):
        with raises(Untrusted, "grant-time-unknown"):
            check_life(ends[0], ends[1], at(None))


def test_whoever_holds_it_may_be_shut_out():
    for selector in ("user:alice", "key:f5a5fd42d16a2030", "group:night-shift"):
        with raises(Untrusted, "grant-revoked"):
            check_here(ALICES, "kiosk-1", {selector})
    check_here(ALICES, "kiosk-1", {"user:bob", "key:00000000000000a1", "everyone"})


def test_a_life_holds_only_if_it_holds_for_all_that_the_time_may_be():
    check_life(100, 200, (100, 199))
    check_life(100, None, (100, None))
    for moment, reason in (
        ((99, 100), "grant-time-unknown"),
        ((199, 200), "grant-time-unknown"),
        ((150, None), "grant-time-unknown"),
        ((200, None), "grant-expired"),
        ((200, 10**12), "grant-expired"),
        ((0, 99), "grant-not-yet-valid"),
    ):
        with raises(Untrusted, reason):
            check_life(100, 200, moment)


def test_a_grant_with_a_timeless_rule_stands_while_the_time_is_unknown():
    """Its other rules do not allow anything then, but that is for rule.decide to say."""
    timeless = Grant(*(ALICES[:4] + ((("*", 127, {8: True}), ("/x", 1, {})),) + ALICES[5:]))
    check(timeless, "kiosk-1", (None, None), ())
    check(timeless, "kiosk-1", (150, None), ())
    with raises(Untrusted, "grant-expired"):
        check(timeless, "kiosk-1", (200, None), ())
    with raises(Untrusted, "grant-time-unknown"):
        check(timeless, "kiosk-1", (199, 200), ())
