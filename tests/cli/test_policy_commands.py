"""`admit policy`: what a person reads of a plan, what a program reads, and how each end is told."""

import json

import pytest

from admit import admin
from admit.suite import HostSuite
from sites import NOW

FILE = """
until = 2032-06-30
[roles.operator]
allow = ["r/open:POST", "health:GET"]
[groups]
night-shift = ["alice", "bob"]
[[grant]]
to = "admin"
allow = ["*:*"]
on = ["*"]
until = "never"
delegate = 2
[[grant]]
to = "group:night-shift"
role = "operator"
on = ["kiosk-*"]
days = "mon-fri"
hours = "22:00-06:00"
"""

PLAN = """\
policy.toml, against the registry at version 1:
  + role operator: POST /r/open, GET /health
  + group night-shift: alice, bob
  + grant to group:night-shift: role operator, on kiosk-*, Mon-Fri 22:00-06:00, until the end of 2032-06-30

Who gains access:
  alice, bob:
      GET /health; POST /r/open on kiosk-*, Mon-Fri 22:00-06:00, until the end of 2032-06-30

3 added, 0 changed, 0 removed.
2 people gain access, 0 lose some, 0 keep it on other terms.
2 grants to issue, 0 to take back, 0 devices to tell.
"""


@pytest.fixture
def file(site, tmp_path, monkeypatch):
    for name in ("alice", "bob", "carol"):
        admin.add_user(site, name, [HostSuite().generate().public], NOW)
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "policy.toml"
    made.write_text(FILE)
    return made


def test_a_plan_as_people_read_it(file, run):
    assert run("policy", "plan", "policy.toml").stdout == PLAN


def test_it_is_applied_once_and_then_there_is_nothing_to_change(file, run):
    done = run("policy", "apply", "policy.toml", "--yes")
    assert done.stdout == "policy.toml is applied; it is at version 2.\n"
    assert done.stderr.startswith(PLAN)
    again = run("policy", "apply", "policy.toml")
    assert "nothing was changed; it is at version 2" in again.stdout
    planned = run("policy", "plan", "policy.toml")
    assert planned.stdout == "policy.toml says what the registry holds at version 2: there is nothing to change.\n"


def test_what_was_granted_by_hand_is_told_as_such(file, run):
    run("policy", "apply", "policy.toml", "--yes")
    run("grant", "carol", "open", "--on", "locker-7", "--until", "2031-01-01")
    run("group", "add", "night-shift", "carol")
    shown = run("policy", "plan", "policy.toml").stdout
    assert "  ~ group night-shift\n      - carol (not in the file)\n" in shown
    (line,) = [line for line in shown.splitlines() if line.startswith("  - grant g-")]
    assert (
        "to carol: GET,POST /r/open, on locker-7, until the end of 2031-01-01 (not in the file; made by admin" in line
    )
    assert "Who loses access:\n  carol:\n" in shown


def test_what_is_another_is_told_by_what_is_another(file, run):
    run("policy", "apply", "policy.toml", "--yes")
    file.write_text(FILE.replace('"22:00-06:00"', '"22:00-07:00"\nuses = 3') + '[[lockdown]]\non = ["lobby-*"]\n')
    shown = run("policy", "plan", "policy.toml").stdout
    assert "      Mon-Fri 22:00-06:00 -> Mon-Fri 22:00-07:00\n      no terms -> 3 times on each device\n" in shown
    assert "  + lockdown to everyone: everything, on lobby-*\n" in shown
    assert "Who keeps access, on other terms:\n  alice, bob:\n" in shown
    assert "        without conditions -> 3 times on each device\n" in shown


def test_json_has_all_of_it(file, run):
    planned = json.loads(run("policy", "plan", "policy.toml", "--json").stdout)
    assert planned["schema"] == 1
    found = planned["plan"]
    assert (found["file"], found["version"], len(found["sha256"])) == ("policy.toml", 1, 64)
    assert [(each["kind"], each["name"], each["act"]) for each in found["changes"]] == [
        ("role", "operator", "added"),
        ("group", "night-shift", "added"),
        ("grant", None, "added"),
    ]
    assert found["effects"] == [
        {
            "act": "gains",
            "people": ["alice", "bob"],
            "requests": [{"methods": "GET", "path": "/health"}, {"methods": "POST", "path": "/r/open"}],
            "on": ["kiosk-*"],
            "hours": ["Mon-Fri 22:00-06:00"],
            "utc_offset_minutes": found["effects"][0]["utc_offset_minutes"],
            "from": None,
            "until": "2032-06-30T22:00:00Z",
            "before": [],
            "after": [{"asks": [], "gives": []}],
        }
    ]
    assert found["counts"] == {
        "added": 3,
        "changed": 0,
        "removed": 0,
        "gains": 2,
        "loses": 0,
        "changes": 0,
        "grants_issued": 2,
        "grants_taken_back": 0,
        "invites_taken_back": 0,
        "devices_to_tell": 0,
    }
    applied = json.loads(run("policy", "apply", "policy.toml", "--yes", "--json").stdout)["applied"]
    assert (applied["changed"], applied["version"], applied["counts"]["grants_issued"]) == (True, 2, 2)
    again = json.loads(run("policy", "apply", "policy.toml", "--json").stdout)["applied"]
    assert (again["changed"], again["version"], again["changes"], again["effects"]) == (False, 2, [], [])


def test_an_export_plans_to_nothing(file, run):
    run("policy", "apply", "policy.toml", "--yes")
    file.write_text(run("policy", "export").stdout)
    assert "there is nothing to change" in run("policy", "plan", "policy.toml").stdout
    held = json.loads(run("policy", "export", "--json").stdout)["policy"]
    assert (held["version"], held["toml"]) == (2, file.read_text())


def test_it_asks_and_off_a_terminal_a_missing_answer_is_an_error(file, run, site):
    asked = run("policy", "apply", "policy.toml", code=2)
    assert "Apply policy.toml? There is no terminal to ask on: give --yes" in asked.stderr
    assert run("policy", "apply", "policy.toml", "--dry-run").stdout == PLAN
    assert site.registry.version() == 1


def test_a_version_that_has_passed_is_a_conflict(file, run, site):
    refused = run("policy", "apply", "policy.toml", "--yes", "--base", "0", code=5)
    assert "the registry is at version 1, not at 0 (registry-changed)" in refused.stderr
    assert site.registry.version() == 1
    run("policy", "apply", "policy.toml", "--yes", "--base", "1")


def test_a_wrong_file_is_told_with_its_place_and_what_helps(file, run):
    file.write_text(FILE.replace('role = "operator"', 'role = "boss"'))
    refused = run("policy", "plan", "policy.toml", code=3)
    cause, hint = refused.stderr.splitlines()
    assert cause == "error: policy.toml:15: grant 2, role: no role boss in this file (registry-no-role)"
    assert hint.startswith("try: ")
    file.write_text("grants = []")
    assert (
        "policy.toml:1: grants: unknown key; is grant meant? (policy-form)"
        in run("policy", "plan", "policy.toml", code=1).stderr
    )
    file.write_bytes(b"# \xff")
    assert "byte 2 is no UTF-8" in run("policy", "plan", "policy.toml", code=1).stderr
    assert "file-missing" in run("policy", "plan", "nowhere.toml", code=3).stderr


def test_many_people_are_counted_and_the_group_is_named(file, run, site):
    names = [f"u{number}" for number in range(20)]
    for name in names:
        admin.add_user(site, name, [HostSuite().generate().public], NOW)
    file.write_text(FILE.replace('"alice", "bob"', ", ".join(f'"{name}"' for name in names)))
    assert "  group:night-shift, 20 people:\n" in run("policy", "plan", "policy.toml").stdout
    found = json.loads(run("policy", "plan", "policy.toml", "--json").stdout)["plan"]
    assert found["effects"][0]["people"] == sorted(names)
