"""Rollouts learn of arrivals that somebody else made: by what the device itself says in its journal."""

import pytest

from admit import admin, arrivals, journal_store
from admit.suite import HostSuite
from admit_protocol import journal
from month_of_records import Scribe
from release_files import FILES, build
from sites import NOW, SEALED

suite = HostSuite()
DEVICES = ["kiosk-1", "kiosk-2"]
DEVICE = suite.generate()


@pytest.fixture
def registry(site, signer):
    """A site with a device, and two releases."""
    admin.commission(site, signer, "kiosk-1", DEVICE.public, SEALED, NOW)
    build(site, signer, "1.4.0")
    build(site, signer, "1.5.0", FILES | {"routines.mpy": b"M"})
    return site.registry


@pytest.fixture
def scribe():
    made = Scribe(DEVICE, "kiosk-1")
    made.write(NOW, journal.COMMISSIONED, None, "kiosk-1", journal.DONE)
    return made


def begin(registry, release=1, devices=DEVICES, pause_on=1):
    return registry.begin_rollout(release, "100%", pause_on, devices, NOW)[0].id


def ends(scribe, number, outcome, **extra):
    """A trial ends; where the page that says so begins."""
    about = {journal.COUNT: number} | ({journal.REASON: extra["reason"]} if extra else {})
    scribe.write(NOW + 60, journal.RELEASE, None, f"1.{number}", outcome, about)
    return len(scribe.records) - 1


def states(registry, rollout):
    return {each.device_id: each.state for each in registry.arrivals(rollout)}


def test_what_a_courier_brought_has_arrived(registry, scribe):
    alone = begin(registry, 1, ["kiosk-1"])
    ends(scribe, 1, journal.DONE)
    journal_store.store(registry, "kiosk-1", scribe.page(), NOW + 99)
    assert states(registry, alone) == {"kiosk-1": "updated"} and registry.rollout(alone).state == "done"
    both = begin(registry, 2)
    first = ends(scribe, 2, journal.DONE)
    for _ in range(2):
        journal_store.store(registry, "kiosk-1", scribe.page(first), NOW + 99)
        assert states(registry, both) == {"kiosk-1": "updated", "kiosk-2": "waiting"}
    assert registry.rollout(both).state == "open"


def test_a_version_that_failed_there_pauses_the_rollout(registry, scribe):
    rollout = begin(registry)
    ends(scribe, 1, journal.FAILED, reason="trial-heap")
    journal_store.store(registry, "kiosk-1", scribe.page(), NOW + 99)
    assert registry.rollout(rollout).state == "paused"
    row = registry.arrivals(rollout)[0]
    assert (row.state, row.reason, row.detail) == (
        "failed",
        "update-went-back",
        "trial-heap; it runs what it ran before",
    )


def test_a_failure_before_a_success_does_not_count(registry, scribe):
    rollout = begin(registry)
    ends(scribe, 1, journal.FAILED, reason="trial-heap")
    ends(scribe, 1, journal.DONE)
    journal_store.store(registry, "kiosk-1", scribe.page(), NOW + 99)
    assert states(registry, rollout)["kiosk-1"] == "updated" and registry.rollout(rollout).state == "open"


def test_a_failure_from_before_another_try_does_not_count(registry, scribe):
    rollout = begin(registry)
    ends(scribe, 1, journal.FAILED, reason="trial-heap")
    registry.arrival_is(rollout, "kiosk-1", "waiting", NOW + 70)
    journal_store.store(registry, "kiosk-1", scribe.page(), NOW + 99)
    assert states(registry, rollout)["kiosk-1"] == "waiting" and registry.rollout(rollout).state == "open"


def test_a_page_that_comes_late_changes_nothing(registry, scribe):
    rollout = begin(registry)
    late = ends(scribe, 1, journal.FAILED, reason="trial-heap")
    last = ends(scribe, 1, journal.DONE)
    journal_store.store(registry, "kiosk-1", scribe.page(last), NOW + 99)
    journal_store.store(registry, "kiosk-1", scribe.page(late, last), NOW + 199)
    assert states(registry, rollout)["kiosk-1"] == "updated" and registry.rollout(rollout).state == "open"


def test_a_device_that_went_back_is_told_apart(registry, scribe):
    begin(registry, 1, ["kiosk-1"])
    ends(scribe, 1, journal.DONE)
    later = begin(registry, 2, ["kiosk-1"])
    ends(scribe, 2, journal.DONE)
    ends(scribe, 1, journal.DONE)
    journal_store.store(registry, "kiosk-1", scribe.page(), NOW + 99)
    assert states(registry, later) == {"kiosk-1": "back"}


def test_what_is_no_release_of_this_desk_changes_nothing(registry, scribe):
    rollout = begin(registry)
    ends(scribe, 7, journal.DONE)
    scribe.write(NOW, journal.RELEASE, None, "x", journal.DONE, {})
    scribe.write(NOW, journal.BOOT, None, "", journal.DONE, {journal.COUNT: 1})
    journal_store.store(registry, "kiosk-1", scribe.page(), NOW + 99)
    assert set(states(registry, rollout).values()) == {"waiting"}
    replaced, _ = rollout, begin(registry, 2)
    arrivals.learn(registry, "kiosk-1", [], NOW)
    first = ends(scribe, 1, journal.DONE)
    journal_store.store(registry, "kiosk-1", scribe.page(first), NOW + 99)
    assert set(states(registry, replaced).values()) == {"waiting"}
