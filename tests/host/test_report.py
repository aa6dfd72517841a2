"""The report of a month: what it counts, and what it says of what nobody knows."""

from zoneinfo import ZoneInfo

import pytest

from admit import admin, report
from admit.suite import HostSuite
from admit_protocol import journal
from month_of_records import BEGIN, NOW, ZONE, Scribe, month
from sites import SEALED

ALICE, BOB = b"\x01" * 8, b"\x02" * 8
HOUR = 3600


@pytest.fixture
def device(site, signer):
    key = HostSuite().generate()
    admin.commission(site, signer, "kiosk-1", key.public, SEALED, BEGIN)
    return Scribe(key, "kiosk-1")


def told(site, scribe=None, text="2026-11", devices=("kiosk-1",), **more):
    from admit import journal_store

    if scribe:
        journal_store.store(site.registry, scribe.device_id, scribe.page(**more), NOW)
    return report.access(site.registry, report.Month(text, ZONE), list(devices), [], NOW)


def test_a_month_is_the_zones_and_no_other():
    november = report.Month("2026-11", ZoneInfo("Europe/Berlin"))
    assert (november.begin, november.end - november.begin) == (1793487600, 30 * 86400)
    assert november.days[0] == "2026-11-01" and november.days[-1] == "2026-11-30" and len(november.days) == 30
    october = report.Month("2026-10", ZoneInfo("Europe/Berlin"))
    assert october.end - october.begin == 31 * 86400 + HOUR and len(october.days) == 31  # the hour that comes twice
    assert len(report.Month("2028-02", ZoneInfo("UTC")).days) == 29
    assert report.Month("2026-12", ZoneInfo("UTC")).days[-1] == "2026-12-31"
    for wrong in ("2026-13", "2026", "november", "2026-11-01", ""):
        with pytest.raises(ValueError):
            report.Month(wrong, ZONE)


def test_who_came_and_who_was_denied(site, device):
    for day in range(3):
        at = BEGIN + day * 86400 + 9 * HOUR
        device.write(at, journal.LOGIN, ALICE, "", journal.DONE)
        device.write(at + 1, journal.DECISION, ALICE, "POST /r/open", journal.ALLOWED, {journal.RULE: 0})
        device.write(at + 2, journal.INVOCATION, ALICE, "/r/open", journal.DONE)
    device.write(
        at + 60, journal.DECISION, BOB, "POST /r/open", journal.DENIED, {journal.REASON: "rule-outside-window"}
    )
    device.write(at + 70, journal.INVOCATION, ALICE, "/r/open", journal.FAILED, {journal.REPEATED: 5})
    device.write(at + 80, journal.HANDSHAKES_FAILED, None, "", journal.DENIED, {journal.COUNT: 12})
    made = told(site, device)
    totals = made["totals"]
    assert (totals["people"], totals["logins"], totals["allowed"], totals["done"], totals["failed"]) == (1, 3, 3, 3, 1)
    assert (totals["denied"], totals["denied_again"], totals["strangers"], totals["missing"]) == (1, 5, 12, 0)
    assert [(one["key"], one["allowed"], one["denied"]) for one in made["people"]] == [
        (ALICE.hex(), 3, 0),
        (BOB.hex(), 0, 1),
    ]
    assert [(day["allowed"], day["denied"]) for day in made["days"][:4]] == [(1, 0), (1, 0), (1, 1), (0, 0)]
    assert made["hours"][6][9] == 1 and sum(map(sum, made["hours"])) == 3  # 1 November was a Sunday
    assert made["reasons"] == [{"reason": "rule-outside-window", "words": "it was outside the hours", "count": 1}]
    assert [each["what"] for each in made["denials"]] == ["POST /r/open"]


def test_other_months_are_not_in_it(site, device):
    for at in (BEGIN - 1, BEGIN, BEGIN + 30 * 86400 - 1, BEGIN + 30 * 86400):
        device.write(at, journal.LOGIN, ALICE, "", journal.DONE)
    made = told(site, device)
    assert [event["at"] for event in made["events"]] == [BEGIN, BEGIN + 30 * 86400 - 1]
    assert (made["devices"][0]["records"], made["devices"][0]["in_month"]) == (4, 2)
    assert told(site, text="2026-12")["totals"]["logins"] == 1


def test_what_has_no_time_stands_after_what_had_one(site, device):
    device.write(BEGIN + 100, journal.LOGIN, ALICE, "", journal.DONE)
    device.write(None, journal.LOGIN, ALICE, "", journal.DONE)
    device.write(BEGIN + 50, journal.LOGIN, ALICE, "", journal.DONE, {journal.FLOOR: True})
    made = told(site, device)
    assert [(event["at"], event["is_sure"], event["time"]) for event in made["events"]] == [
        (BEGIN + 100, True, "2026-11-01 00:01"),
        (BEGIN + 100, False, "after 2026-11-01 00:01"),
        (BEGIN + 100, False, "after 2026-11-01 00:01"),
    ]
    assert made["totals"]["timeless"] == 2 and made["totals"]["logins"] == 3


def test_a_gap_is_told_in_the_month_that_it_touches(site, device):
    for day in (-40, -39, -38, 2, 3):
        device.write(BEGIN + day * 86400, journal.LOGIN, ALICE, "", journal.DONE)
    told(site, device, end=2)
    made = told(site, device, first=3)
    assert made["devices"][0]["gaps"] == [
        {"first": 2, "last": 2, "begin": BEGIN - 39 * 86400, "end": BEGIN + 2 * 86400}
    ]
    assert (made["devices"][0]["missing"], made["totals"]["missing"]) == (1, 1)
    assert told(site, text="2026-12")["totals"]["missing"] == 0
    assert told(site, text="2026-09")["totals"]["missing"] == 1


def test_a_journal_that_is_not_proven_is_not_counted(site, device):
    device.write(BEGIN + 5, journal.LOGIN, ALICE, "", journal.DONE)
    told(site, device)
    with site.registry._change() as session:
        from admit.registry_models import RecordRow

        session.get(RecordRow, ("kiosk-1", 0)).data = b"\x00"
    made = told(site)
    assert (made["events"], made["totals"]["not_proven"]) == ([], 1)
    assert made["devices"][0]["state"] == "not proven" and "(journal-altered)" in made["devices"][0]["why"]


def test_a_device_that_nobody_collected_from_is_told(site, device):
    made = told(site)
    assert (made["devices"][0]["state"], made["devices"][0]["collected"]) == ("nothing collected", None)


def test_what_admins_changed_is_in_it(site, signer, device):
    admin.give(site, signer, "admin", admin.Access(["kiosk-1"], [("/r/open", 3, {})]), BEGIN + 60)
    made = told(site)
    assert made["totals"]["changes"] == len(made["changes"]) >= 1
    assert all(change["who"] and change["act"] for change in made["changes"])


def test_a_whole_month_of_four_devices(site, signer):
    people = {name: (bytes([number]) * 8, bytes(8)) for number, name in enumerate(("alice", "bob", "carol"), 1)}
    devices = {name: HostSuite().generate() for name in ("kiosk-1", "kiosk-2", "kiosk-3", "kiosk-4")}
    for name, key in devices.items():
        admin.commission(site, signer, name, key.public, SEALED, BEGIN)
    month(site.registry, people, devices)
    made = told(site, devices=tuple(devices))
    assert [each["state"] for each in made["devices"]] == ["proven"] * 3 + ["nothing collected"]
    assert made["totals"]["missing"] == 60 and len(made["people"]) == 3 and made["totals"]["timeless"] > 0
    assert {each["what"] for each in made["device_changes"]} == {"policy"}
