"""A verified grant counts on its devices, in its life, until it is taken back; who is refused is told why."""

from collections import namedtuple

from admit_protocol.errors import Untrusted
from admit_protocol.standing import check, check_here, check_life, is_for
from support import raises

Grant = namedtuple("Grant", ("id", "audience", "not_before", "expires"))

ALICES = Grant(b"grant id", ("kiosk-1", "locker-*"), 100, 200)


def test_a_grant_counts_here_and_now():
    check(ALICES, "kiosk-1", 150, ())
    check(ALICES, "locker-7", 150, {b"another."})


def test_the_first_of_the_reasons_is_told():
    with raises(Untrusted, "grant-other-device"):
        check(ALICES, "kiosk-2", 500, {ALICES.id})
    with raises(Untrusted, "grant-revoked"):
        check(ALICES, "kiosk-1", 500, {ALICES.id})
    with raises(Untrusted, "grant-expired"):
        check(ALICES, "kiosk-1", 500, ())
    with raises(Untrusted, "grant-not-yet-valid"):
        check(ALICES, "kiosk-1", 50, ())
    with raises(Untrusted, "grant-time-unknown"):
        check(ALICES, "kiosk-1", None, ())


def test_a_grant_may_be_taken_back_whatever_the_time():
    check_here(ALICES, "kiosk-1", (b"another.",))
    with raises(Untrusted, "grant-revoked"):
        check_here(ALICES, "kiosk-1", (b"another.", ALICES.id))


def test_a_device_is_one_of_those_that_are_named():
    for device_id, counts in (("kiosk-1", True), ("kiosk-10", False), ("locker-", True), ("locker", False)):
        assert is_for(ALICES, device_id) is counts, device_id


def test_a_life_has_a_beginning_and_an_end():
    check_life(100, 200, 100)
    check_life(100, 200, 199)
    with raises(Untrusted, "grant-not-yet-valid"):
        check_life(100, 200, 99)
    with raises(Untrusted, "grant-expired"):
        check_life(100, 200, 200)
    check_life(None, None, None)
    check_life(None, 200, -(10**12))
    check_life(100, None, 10**12)
    for ends in ((100, None), (None, 200)):
        with raises(Untrusted, "grant-time-unknown"):
            check_life(ends[0], ends[1], None)
