"""Wrong codes: five tries, then a delay that doubles, for each person apart, whatever becomes of the power."""

from admit_device import attempts
from admit_protocol import cbor
from admit_protocol.errors import Busy, Denied, StorageError
from memory_ports import HandClock, Memory, PowerCut
from support import raises

ALICE, BOB = b"alice678", b"bob45678"
RIGHT, WRONG = "042317", "042318"


class Access:
    """As much of admit_device.access.Access as counts here. `off`: the power goes, and comes again."""

    def __init__(self):
        self.storage, self.clock = Memory(), HandClock()
        self.off()

    def off(self):
        self.tries, self.clock.ms = {}, 0

    def stored(self):
        return cbor.decode(self.storage.files["attempts"])


def attempt(access, who=ALICE, given=RIGHT):
    """What becomes of a code: None if it was the right one, else the reason."""
    try:
        attempts.check(access, who, given, RIGHT)
    except (Denied, Busy) as error:
        return error.reason


def test_the_right_code_is_right_and_nothing_is_remembered():
    access = Access()
    assert attempt(access) is None
    assert (access.stored(), access.tries) == ({}, {})


def test_five_may_be_wrong_and_then_each_waits_twice_as_long():
    access = Access()
    for _ in range(5):
        assert attempt(access, given=WRONG) == "code-wrong"
    for seconds in (1, 2, 4, 8):
        access.clock.ms += seconds * 1000 - 1
        changes = access.storage.changes
        assert attempt(access) == "code-wait"  # though it is the right one
        assert access.storage.changes == changes
        access.clock.ms += 1
        assert attempt(access, given=WRONG) == "code-wrong"
    access.clock.ms += 16000
    assert attempt(access) is None
    assert attempt(access, given=WRONG) == "code-wrong"
    assert attempt(access) is None


def test_who_must_wait_is_told_how_long():
    access = Access()
    for _ in range(5):
        attempt(access, given=WRONG)
    access.clock.ms += 1
    with raises(Busy, "code-wait") as caught:
        attempts.check(access, ALICE, RIGHT, RIGHT)
    assert caught.error.detail == "1 s"


def test_a_delay_is_never_longer_than_an_hour():
    assert [attempts.delay_ms(count) for count in (0, 4, 5, 6, 16, 17, 10**9)] == (
        [0, 0, 1000, 2000, 2048000, 3600000, 3600000]
    )


def test_nobody_locks_anybody_else_out():
    access = Access()
    for _ in range(5):
        attempt(access, given=WRONG)
    assert attempt(access) == "code-wait"
    assert attempt(access, BOB) is None
    assert attempt(access) == "code-wait"


def test_neither_a_restart_nor_a_cut_in_the_attempt_gives_a_try_away():
    access = Access()
    for count in range(1, 6):
        attempt(access, given=WRONG)
        access.off()
        assert access.stored() == {ALICE: count}
    assert attempt(access) == "code-wait"  # it waits anew
    access.clock.ms = 1000
    access.storage.cut_after = 1  # counted, and then darkness before it was found right
    with raises(PowerCut):
        attempt(access)
    access.storage.cut_after = None
    access.off()
    assert access.stored() == {ALICE: 6}
    access.clock.ms = 1999
    assert attempt(access) == "code-wait"


def test_what_cannot_be_counted_is_not_looked_at():
    access = Access()
    access.storage.full = True
    for given in (RIGHT, WRONG):
        with raises(StorageError, "storage-full"):
            attempts.check(access, ALICE, given, RIGHT)
    access.storage.full = False
    assert attempt(access) is None


def test_ten_thousand_wrong_codes_with_power_cuts_between_are_looked_at_twelve_times():
    """The attacker switches off and on as often as they like; an hour goes by in all."""
    access, looked = Access(), 0
    for number in range(10000):
        looked += attempt(access, given="%06d" % number) == "code-wrong"
        access.clock.ms += 360  # an hour for them all
        if number % 100 == 99:
            access.off()
    assert looked <= 5 + 7 and access.storage.changes == looked
    access.off()
    assert attempt(access) == "code-wait"


def test_the_same_without_power_cuts():
    access, looked = Access(), 0
    for number in range(10000):
        looked += attempt(access, given="%06d" % number) == "code-wrong"
        access.clock.ms += 8640  # a day for them all
    assert looked == 5 + 12 + 22  # free, after a delay that doubles, and one an hour
    assert access.storage.changes == looked


def test_room_is_kept_for_sixteen_people_and_the_worst_stay():
    access = Access()
    for _ in range(9):
        attempt(access, given=WRONG)
        access.clock.ms += 100000
    for number in range(40):
        for _ in range(2):
            attempt(access, b"person%02d" % number, WRONG)
    assert len(access.stored()) == 16 and len(access.tries) <= 16
    assert access.stored()[ALICE] == 9
    attempt(access, given=WRONG)
    assert attempt(access) == "code-wait"


def test_counts_that_are_damaged_begin_anew():
    access = Access()
    attempt(access, given=WRONG)
    access.storage.damaged = ["attempts"]
    assert attempt(access, given=WRONG) == "code-wrong"
    assert access.stored() == {ALICE: 1}
