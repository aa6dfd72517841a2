"""A release on its way to many devices: the order, the stages, what pauses it, and going on after it was stopped.

The devices are answers that a test gives; tests/e2e/test_updates.py and tests/cli/test_update_commands.py have kiosks.
"""

import asyncio
import hashlib

import pytest

from admit import releasing
from admit.device_release import Running
from admit.rollouts import Rollout
from admit.updating import NEVER_BACK, Outcome
from admit_protocol.errors import AdmitError, Busy, Conflict, NotFound, Refused, TimedOut
from release_files import FILES, build
from sites import NOW, passphrase

DEVICES = [f"kiosk-{number:02}" for number in range(1, 21)]
BAD = Refused("update-went-back", "trial-faults")
AWAY = NotFound("ble-not-found", "it was not heard")


def running(sequence=0, version="0.1.0"):
    return Running(version, bytes(32), "virtual", 6, "a", False, 1, sequence, None, None, None, 0)


class Fleet:
    """A registry with a release, and devices that answer as `answers` says: by name, an error or what is called."""

    def __init__(self, registry, made):
        self.registry, self.made = registry, made
        self.answers, self.tried, self.told, self.at_once, self.most = {}, [], [], 0, 0
        self.gate = None

    def begin(self, stages="1,10%,50%,100%", pause_on=2, devices=DEVICES, release=1):
        self.id = self.registry.begin_rollout(release, stages, pause_on, devices, NOW)[0].id
        return self.rollout()

    def rollout(self, at_once=4):
        return Rollout(self.registry, self.id, self.deliver, self, lambda: NOW, at_once)

    def run(self, rollout):
        return asyncio.run(rollout.run())

    async def deliver(self, device_id, may_switch):
        self.tried.append(device_id)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        answer = self.answers.get(device_id)
        if callable(answer):
            answer = await answer(may_switch)
        if isinstance(answer, BaseException):
            raise answer
        return Outcome(running(), running(1, "0.1.0"), 4_000, 2_500)

    def stage(self, number, of, target):
        self.told.append((number, len(self.tried)))

    def ended(self, device_id, state, outcome, error):
        assert (outcome is None) != (error is None)

    def states(self):
        return {each.device_id: each.state for each in self.registry.arrivals(self.id)}

    def count(self, state):
        return list(self.states().values()).count(state)


@pytest.fixture
def fleet(site, signer):
    return Fleet(site.registry, build(site, signer))


@pytest.fixture
def registry(site_anywhere):
    """One with two releases."""
    signer = site_anywhere.authority(passphrase)
    build(site_anywhere, signer)
    build(site_anywhere, signer, "1.5.0", FILES | {"start.mpy": b"M\x06 later"})
    return site_anywhere.registry


def reason(call, *arguments):
    with pytest.raises(AdmitError) as caught:
        call(*arguments)
    return caught.value.reason


def test_each_stage_waits_for_the_one_before(fleet):
    assert fleet.run(fleet.begin()) == "done"
    assert fleet.told == [(1, 0), (2, 1), (3, 2), (4, 10)]
    assert sorted(fleet.tried) == DEVICES and fleet.count("updated") == 20
    assert fleet.registry.rollout(fleet.id).state == "done"
    row = fleet.registry.arrivals(fleet.id)[0]
    assert (row.ran, row.moved, row.at, row.reason) == ("0.1.0", 4_000, NOW, None)


def test_no_more_are_under_way_than_was_said(fleet):
    fleet.begin("100%")
    fleet.run(fleet.rollout(at_once=3))
    assert fleet.most == 3


def test_a_bad_release_reaches_a_stage_and_no_more(fleet):
    fleet.answers = dict.fromkeys(DEVICES, BAD)
    assert fleet.run(fleet.begin(pause_on=1)) == "paused"
    assert fleet.tried == DEVICES[:1]
    assert fleet.states() == dict.fromkeys(DEVICES, "waiting") | {"kiosk-01": "failed"}
    assert fleet.registry.arrivals(fleet.id)[0].reason == "update-went-back"


def test_failures_are_counted_over_all_stages(fleet):
    fleet.answers = {"kiosk-02": BAD, "kiosk-05": TimedOut(NEVER_BACK)}
    assert fleet.run(fleet.begin(pause_on=2)) == "paused"
    assert fleet.count("failed") == 2 and fleet.count("updated") < 10
    assert "kiosk-12" not in fleet.tried


def test_who_has_it_all_is_not_switched_once_it_was_paused(fleet):
    """The first fails while the others are still being sent theirs."""
    failed = asyncio.Event()

    async def fails(may_switch):
        failed.set()
        return BAD

    async def waits(may_switch):
        await failed.wait()
        await asyncio.sleep(0)
        return None if may_switch() else Conflict("update-held")

    fleet.answers = {"kiosk-01": fails, "kiosk-02": waits, "kiosk-03": waits}
    assert fleet.run(fleet.begin("3,100%", pause_on=1)) == "paused"
    assert fleet.states() == dict.fromkeys(DEVICES, "waiting") | {
        "kiosk-01": "failed",
        "kiosk-02": "held",
        "kiosk-03": "held",
    }


@pytest.mark.parametrize("error", [AWAY, TimedOut("link-dropped"), Busy("session-busy")], ids=lambda each: each.reason)
def test_who_cannot_be_reached_has_not_failed_and_the_next_takes_the_place(fleet, error):
    fleet.answers = {"kiosk-01": error}
    assert fleet.run(fleet.begin(pause_on=1)) == "open"
    assert fleet.tried[:2] == DEVICES[:2]
    assert (fleet.count("updated"), fleet.states()["kiosk-01"]) == (19, "missed")
    fleet.answers, fleet.tried = {}, []
    assert fleet.run(fleet.rollout()) == "done"
    assert fleet.tried == ["kiosk-01"]


def test_a_device_that_says_it_has_no_such_thing_has_failed(fleet):
    fleet.answers = {"kiosk-01": NotFound("release-item")}
    assert fleet.run(fleet.begin(pause_on=1)) == "paused"


def test_nobody_of_the_first_stage_in_reach_means_nobody_of_the_next(fleet):
    fleet.answers = dict.fromkeys(DEVICES, AWAY)
    assert fleet.run(fleet.begin()) == "open"
    assert fleet.told == [(1, 0)] and fleet.count("missed") == 20


def test_what_was_stopped_in_the_middle_goes_on_where_it_was(fleet):
    async def stop(may_switch):
        fleet.running.cancel()
        await asyncio.Event().wait()

    async def run(rollout):
        fleet.running = asyncio.create_task(rollout.run())
        await fleet.running

    fleet.answers = {"kiosk-04": stop}
    rollout = fleet.begin()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run(rollout))
    before = fleet.states()
    assert before["kiosk-04"] == "sending" and list(before.values()).count("updated") >= 2
    fleet.answers, fleet.tried = {}, []
    assert fleet.run(fleet.rollout()) == "done"
    assert not {each for each, state in before.items() if state == "updated"} & set(fleet.tried)


def test_those_that_failed_are_tried_again_only_if_that_is_said(fleet):
    fleet.answers = {"kiosk-01": BAD}
    assert fleet.run(fleet.begin(pause_on=1)) == "paused"
    fleet.answers, fleet.tried = {}, []
    again = fleet.rollout()
    again.retry()
    assert fleet.run(again) == "done"
    assert fleet.tried[0] == "kiosk-01" and fleet.count("updated") == 20


def test_a_rollout_without_its_failures_ends_open(fleet):
    fleet.answers = {"kiosk-03": BAD}
    assert fleet.run(fleet.begin(pause_on=2)) == "open"
    assert (fleet.count("updated"), fleet.count("failed")) == (19, 1)
    fleet.tried = []
    assert fleet.run(fleet.rollout()) == "open"
    assert fleet.tried == []


def test_the_registry_saying_no_stops_it_with_its_own_words(fleet, monkeypatch):
    rollout = fleet.begin()

    def busy(*_):
        raise Busy("registry-busy")

    monkeypatch.setattr(fleet.registry, "device_runs", busy)
    with pytest.raises(Busy):
        fleet.run(rollout)


# What stops it is remembered before anything else is done, by whomever


@pytest.mark.parametrize("where", ["arrival_is", "rollout_is", "ended"])
def test_a_program_that_dies_as_a_device_fails_does_not_go_on_by_the_next_call(fleet, monkeypatch, where):
    """Killed at any of its steps from the failure on: what had been is known, or it is found again at that device."""
    of = fleet if where == "ended" else fleet.registry
    kept = getattr(of, where)

    def dies(*arguments, **more):
        if {"failed", "paused"} & set(arguments[:3]):
            monkeypatch.undo()
            raise KeyboardInterrupt
        return kept(*arguments, **more)

    fleet.answers = {"kiosk-01": BAD}
    rollout = fleet.begin(pause_on=1)
    monkeypatch.setattr(of, where, dies)
    with pytest.raises(KeyboardInterrupt):
        fleet.run(rollout)
    fleet.tried = []
    assert fleet.run(fleet.rollout()) == "paused"
    assert fleet.tried == (["kiosk-01"] if where == "rollout_is" else [])


def test_failures_that_somebody_else_wrote_down_stop_it_before_it_begins(fleet):
    fleet.begin(pause_on=1)
    why = "update-went-back", "\0trial\nheap" + "x" * 900
    fleet.registry.arrival_is(fleet.id, "kiosk-20", "failed", NOW, why=why)
    assert fleet.run(fleet.rollout()) == "paused" and fleet.tried == []
    row = fleet.registry.arrivals(fleet.id)[-1]
    assert row.detail.isprintable() and len(row.detail) == 400


@pytest.mark.parametrize("stop", ["paused", "replaced"])
def test_what_another_desk_stops_is_not_switched_here(fleet, site, signer, stop):
    """Two admins at once: one sees a failure, or brings a later release, while the other's is under way."""
    later = build(site, signer, "1.5.0", FILES | {"start.mpy": b"M\x06 later"}).manifest.sequence

    async def meanwhile(may_switch):
        if stop == "paused":
            fleet.registry.rollout_is(fleet.id, "paused")
        else:
            fleet.registry.begin_rollout(later, "100%", 1, DEVICES[:1], NOW)
        return None if may_switch() else Conflict("update-held")

    fleet.answers = {"kiosk-02": meanwhile}
    rollout = fleet.begin("1,2,100%")
    if stop == "paused":
        assert fleet.run(rollout) == "paused"
    else:
        assert reason(fleet.run, rollout) == "rollout-replaced"
    assert fleet.tried == DEVICES[:2] and fleet.states()["kiosk-02"] == "held"


def test_a_paused_rollout_is_not_got_around_with_other_devices(registry):
    first = registry.begin_rollout(1, "100%", 1, DEVICES[:3], NOW)[0]
    registry.rollout_is(first.id, "paused")
    assert reason(registry.begin_rollout, 1, "100%", 1, DEVICES[2:5], NOW) == "rollout-paused"
    assert reason(registry.go_on, first.id, None, None, False) == "rollout-paused"
    assert registry.rollout(first.id).state == "paused"
    assert registry.begin_rollout(1, "100%", 1, DEVICES[3:5], NOW)[1] == []
    registry.go_on(first.id, "2,100%", 3, True)
    row = registry.rollout(first.id)
    assert (row.state, row.stages, row.pause_on) == ("open", "2,100%", 3)
    registry.rollout_is(first.id, "paused")
    assert registry.begin_rollout(1, "100%", 1, DEVICES[2:5], NOW, True)[1] == [first.id, first.id + 1]
    assert reason(registry.go_on, first.id, None, None, True) == "rollout-replaced"


# One way at a time


def test_a_later_release_replaces_what_is_under_way_to_the_same_devices(registry):
    first = registry.begin_rollout(1, "100%", 1, DEVICES[:3], NOW)[0]
    other = registry.begin_rollout(1, "100%", 1, DEVICES[10:], NOW)[0]
    later, replaced = registry.begin_rollout(2, "100%", 1, DEVICES[2:5], NOW)
    assert replaced == [first.id]
    states = {row.id: row.state for row, _ in registry.rollouts()}
    assert states == {later.id: "open", other.id: "open", first.id: "replaced"}
    assert reason(registry.rollout_is, first.id, "open") == "rollout-replaced"
    assert reason(registry.begin_rollout, 1, "100%", 1, DEVICES[4:6], NOW) == "rollout-later"
    assert reason(registry.rollout, 99) == "rollout-missing"
    assert reason(registry.arrival_is, 99, "kiosk-01", "updated", NOW) == "rollout-missing"


def test_where_a_device_is_outlives_the_registrys_process(registry):
    made = registry.begin_rollout(1, "1,100%", 2, DEVICES[:2], NOW)[0]
    registry.arrival_is(made.id, "kiosk-01", "failed", NOW + 1, 100, "1.3.0", ("update-went-back", "x" * 1000))
    registry.arrival_is(made.id, "kiosk-01", "updated", NOW + 2, 50, "1.4.0")
    registry.rollout_is(made.id, "paused")
    registry.go_on(made.id, "2,100%", 3, True)
    row = registry.rollout(made.id)
    assert (row.state, row.stages, row.pause_on) == ("open", "2,100%", 3)
    first = registry.arrivals(made.id)[0]
    assert (first.state, first.moved, first.ran, first.reason, first.at) == ("updated", 150, "1.3.0", None, NOW + 2)


def test_a_device_that_was_rolled_back_is_not_brought_it_again_by_itself(fleet):
    fleet.answers = {"kiosk-03": BAD}
    fleet.run(fleet.begin())
    fleet.registry.device_went_back("kiosk-02", hashlib.sha256(b"before").digest(), NOW + 9)
    assert fleet.states()["kiosk-02"] == "back"
    fleet.tried = []
    fleet.run(fleet.rollout())
    assert fleet.tried == []


def test_releases_are_remembered_with_what_is_in_them(fleet):
    rows = fleet.registry.releases()
    assert [(row.version, row.sequence, row.manifest) for row in rows] == [("1.4.0", 1, fleet.made.data)]
    assert fleet.registry.set_files(fleet.made.manifest.set_hash) == fleet.made.list_data
    assert fleet.registry.set_files(bytes(32)) is None
    releasing.keep(fleet.registry, fleet.made)
    fleet.registry.keep_set(bytes(32), b"other")
    assert fleet.registry.set_files(bytes(32)) == b"other"
