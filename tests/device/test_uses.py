"""How often a rule was used: counted in one write before the act, never given twice, never counted twice."""

from admit_device.uses import Uses
from admit_protocol import cbor
from admit_protocol.errors import Busy, StorageError
from admit_protocol.rule import MAX_RATE
from memory_ports import WEDNESDAY, HandClock, Memory, PowerCut
from support import raises

ROOT, CHILD = b"root-id!", b"child-id"
LIMITED = (ROOT, 0, ROOT, None, True, 0)
RATED = (ROOT, 1, ROOT, None, False, 600)


class Clock(HandClock):
    floor = WEDNESDAY - 1000


def new_uses(storage, clock=None, boots=1, root=ROOT):
    return Uses(storage, clock or Clock(), boots, root)


def test_uses_are_counted_for_each_rule_and_outlive_a_reset():
    storage = Memory()
    for count in range(1, 4):
        new_uses(storage, boots=count).count([LIMITED])
        after = new_uses(storage, boots=9)
        assert (after.used((ROOT, 0)), after.used((ROOT, 1)), after.used((CHILD, 0))) == (count, 0, 0)
    assert storage.changes == 3


def test_all_links_of_a_chain_are_counted_in_one_write_or_not_at_all():
    both = [LIMITED, (CHILD, 2, ROOT, WEDNESDAY + 60, True, 0)]
    for cut in range(2):
        storage = Memory()
        new_uses(storage).count(both)
        storage.cut_after = cut
        try:
            new_uses(storage).count(both)
        except PowerCut:
            pass
        storage.cut_after = None
        after = new_uses(storage)
        assert [after.used(key) for key in ((ROOT, 0), (CHILD, 2))] == [1 + cut] * 2


def test_what_cannot_be_counted_is_refused_and_not_counted():
    storage = Memory()
    new_uses(storage).count([LIMITED])
    storage.full = True
    with raises(StorageError, "storage-full"):
        new_uses(storage).count([LIMITED])
    assert new_uses(storage).used((ROOT, 0)) == 1


def test_recent_uses_are_those_of_the_last_seconds():
    storage, clock = Memory(), Clock()
    for _ in range(3):
        new_uses(storage, clock).count([RATED])
        clock.pass_s(100)
    uses = new_uses(storage, clock)
    assert [uses.recent((ROOT, 1), seconds) for seconds in (100, 101, 201, 301, 600)] == [0, 1, 2, 3, 3]
    assert uses.used((ROOT, 1)) == 0  # no USES there


def test_without_the_time_recent_uses_go_by_the_devices_own_count():
    storage, clock = Memory(), Clock(None)
    new_uses(storage, clock).count([RATED])
    clock.ms += 100_000
    assert new_uses(storage, clock).recent((ROOT, 1), 100) == 0
    assert new_uses(storage, clock).recent((ROOT, 1), 102) == 1


def test_after_a_reset_without_the_time_all_earlier_uses_count_from_the_boot():
    for seconds in (None, WEDNESDAY):  # whether or not it was known then
        storage = Memory()
        old = Clock(seconds)
        old.ms = 9_000_000_000
        new_uses(storage, old, 1).count([RATED])
        clock = Clock(None)
        for ms, expected in ((1000, 1), (599_000, 1), (601_000, 0)):
            clock.ms = ms
            assert new_uses(storage, clock, 2).recent((ROOT, 1), 600) == expected
        clock.ms = 1000
        new_uses(storage, clock, 2).count([RATED])
        assert new_uses(storage, clock, 2).recent((ROOT, 1), 600) == 2


def test_after_a_reset_with_the_time_they_count_from_when_they_were():
    storage, clock = Memory(), Clock()
    new_uses(storage, clock, 1).count([RATED])
    clock.seconds, clock.ms = WEDNESDAY + 599, 10
    assert new_uses(storage, clock, 2).recent((ROOT, 1), 600) == 1
    clock.seconds = WEDNESDAY + 600
    assert new_uses(storage, clock, 2).recent((ROOT, 1), 600) == 0


def test_a_clock_that_goes_back_or_is_lost_makes_no_use_older():
    storage, clock = Memory(), Clock()
    new_uses(storage, clock).count([RATED])
    clock.ms += 9_000_000
    for seconds in (WEDNESDAY - 10**8, None):
        clock.seconds = seconds
        assert new_uses(storage, clock).recent((ROOT, 1), 600) == 1


def test_of_one_rule_so_many_moments_are_kept_as_a_rate_may_ask_for():
    storage, clock = Memory(), Clock()
    for _ in range(2 * MAX_RATE):
        new_uses(storage, clock).count([RATED])
    assert new_uses(storage, clock).recent((ROOT, 1), 600) == MAX_RATE
    assert len(storage.files["uses-1"]) < 512


def test_damage_makes_older_grants_count_no_more_and_newer_ones_from_none():
    storage, clock = Memory(), Clock()
    new_uses(storage, clock).count([LIMITED, RATED])
    storage.damaged.append("uses-1")
    for each in (new_uses(storage, clock), new_uses(storage, clock, 2)):  # it is known again after a reset
        assert each.is_lost(WEDNESDAY) and each.is_lost(WEDNESDAY + 7200) and not each.is_lost(WEDNESDAY + 7201)
        assert each.used((ROOT, 0)) == 0
        assert each.recent((ROOT, 1), 600) == MAX_RATE
    clock.pass_s(600)
    assert new_uses(storage, clock).recent((ROOT, 1), 600) == 0
    new_uses(storage, clock).count([LIMITED])
    assert new_uses(storage, clock).is_lost(WEDNESDAY) and new_uses(storage, clock).used((ROOT, 0)) == 1


def test_while_the_time_is_unknown_every_grant_is_as_old_as_the_damage():
    storage, clock = Memory(), Clock(None)
    new_uses(storage, clock).count([LIMITED])
    storage.damaged.append("uses-1")
    assert new_uses(storage, clock).is_lost(WEDNESDAY + 10**9)
    clock.seconds = WEDNESDAY + 5
    assert new_uses(storage, clock).is_lost(WEDNESDAY + 5 + 7200)
    assert not new_uses(storage, clock).is_lost(WEDNESDAY + 5 + 7201)


def test_one_root_takes_no_others_room_however_many_grants_are_made_of_it():
    storage, refused = Memory(), 0
    for number in range(60):
        try:
            new_uses(storage).count([(number.to_bytes(8, "big"), 0, ROOT, None, True, 0)])
        except Busy as error:
            assert error.reason == "uses-full"
            refused += 1
    assert 20 < refused < 50
    neighbour = bytes(7) + ROOT[-1:]  # in the same bucket
    new_uses(storage, root=neighbour).count([(neighbour, 0, neighbour, None, True, 0)])
    assert new_uses(storage, root=neighbour).used((neighbour, 0)) == 1
    assert new_uses(storage).used((bytes(8), 0)) == 1


def has_room(storage, clock, number, expires=None, is_limited=True, seconds=0):
    """Is there room for the root with this number? Then it is counted."""
    root = number.to_bytes(7, "big") + b"\x05"
    try:
        new_uses(storage, clock, root=root).count([(root, 0, root, expires, is_limited, seconds)])
    except Busy as error:
        assert error.reason == "uses-full"
        return False
    return True


def fill(storage, clock, *entry):
    """Count for one root after the other, until there is no room; how many there were."""
    number = 0
    while has_room(storage, clock, number, *entry):
        number += 1
    return number


def test_grants_that_ended_for_certain_and_rates_of_long_ago_make_room():
    for entry, is_over in (
        ((WEDNESDAY,), lambda clock: setattr(clock, "floor", WEDNESDAY)),
        ((None, False, 60), lambda clock: clock.pass_s(60)),
    ):
        storage, clock = Memory(), Clock()
        first = fill(storage, clock, *entry)
        assert first > 30
        changes = storage.changes
        assert not has_room(storage, clock, first, *entry)  # nothing has ended, nothing is forgotten
        assert storage.changes == changes
        is_over(clock)
        assert has_room(storage, clock, first, *entry)
        assert len(storage.files["uses-5"]) < 100


def test_what_may_count_for_ever_is_never_forgotten():
    storage, clock = Memory(), Clock()
    count = fill(storage, clock)
    clock.floor = WEDNESDAY + 10**9
    assert not has_room(storage, clock, count)
    for number in range(count):
        root = number.to_bytes(7, "big") + b"\x05"
        assert new_uses(storage, clock, root=root).used((root, 0)) == 1


def test_a_rule_of_the_policy_is_counted_by_its_name():
    storage = Memory()
    night = ("night", 0, "night", None, True, 0)
    new_uses(storage, root="night").count([night])
    assert new_uses(storage, root="night").used(("night", 0)) == 1
    assert cbor.decode(storage.files["uses-4"])[1][0][0] == "night"
