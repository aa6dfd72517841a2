"""`admit why`, `who-can` and `what-can`, as typed: what they tell people, and what they tell programs."""

import json

import pytest

from admit import admin
from admit.suite import HostSuite
from sites import NOW, SEALED, passphrase


@pytest.fixture
def kiosk(site):
    """kiosk-1 and lobby-1."""
    for name in ("kiosk-1", "lobby-1"):
        admin.commission(site, site.authority(passphrase), name, HostSuite().generate().public, SEALED, NOW)


@pytest.fixture
def people(site, run, kiosk):
    """alice opens in office hours, with a code; bob is security; carol opens up to ten seconds, three times."""
    for name in ("alice", "bob", "carol"):
        run("user", "add", name)
    office = ["--days", "mon-fri", "--hours", "08:00-18:00", "--until", "2027-06-30"]
    run("grant", "alice", "open", "--on", "kiosk-1", "--presence", "code", *office)
    run("role", "add", "security", "--allow", "r/*:*")
    run("grant", "bob", "--role", "security", "--on", "*")
    run("grant", "carol", "--allow", "r/open:POST{seconds<=10}", "--on", "kiosk-1", "--uses", "3")


def data(result):
    """What --json printed, without its schema version."""
    value = json.loads(result.stdout)
    assert value.pop("schema") == 1
    (only,) = value.values()
    return only


FRIDAY, SATURDAY = ["--at", "2027-01-15 09:00"], ["--at", "2027-01-16 09:00"]


def why(run, *words):
    return data(run("why", *words, "--on", "kiosk-1", "--json"))


def test_why_tells_what_has_to_be_shown(run, people):
    told = why(run, "alice", "open", *FRIDAY)
    assert (told["decision"], told["needs"]) == ("allowed", ["the kiosk's code"])
    assert told["rule"] == "POST /r/open, Mon-Fri 08:00-18:00, with the kiosk's code"
    shown = run("why", "alice", "open", "--on", "kiosk-1", *FRIDAY).stdout
    assert "needs     the kiosk's code" in shown and "detail" not in shown
    assert why(run, "alice", "open", *SATURDAY)["reason"] == "rule-outside-window"


def test_why_at_a_device_whose_clock_is_not_exact(run, people):
    assert why(run, "alice", "open", "--uncertain", "10m", *FRIDAY)["decision"] == "allowed"
    for uncertain in ("2h", "unknown"):
        told = why(run, "alice", "open", "--uncertain", uncertain, *FRIDAY)
        assert (told["decision"], told["reason"][-12:]) == ("denied", "time-unknown")
    assert "or 'unknown'" in run("why", "alice", "open", "--on", "kiosk-1", "--uncertain", "soon", code=2).stderr


def test_why_tells_a_lockdown_by_its_id(run, people):
    run("lockdown", "--later", "--on", "kiosk-*", "--except", "role:security")
    told = why(run, "carol", "open", "seconds=5")
    assert (told["decision"], told["reason"], told["rule"]) == ("denied", "rule-lockdown", None)
    (denial,) = data(run("denies", "--json"))
    assert told["by"] == denial["id"] and denial["id"] in told["detail"]
    assert why(run, "bob", "open")["decision"] == "allowed"
    assert [row["user"] for row in data(run("who-can", "open", "seconds=5", "--on", "kiosk-1", "--json"))] == ["bob"]


def test_who_can(run, people):
    rows = data(run("who-can", "open", "seconds=5", "--on", "kiosk-1", *FRIDAY, "--json"))
    assert {row["user"]: row["needs"] for row in rows} == {
        "admin": [],
        "alice": ["the kiosk's code"],
        "bob": [],
        "carol": [],
    }
    assert rows[3]["rule"] == "POST /r/open, seconds at most 10, 3 times on each device"
    shown = run("who-can", "open", "--on", "kiosk-1", *SATURDAY).stdout
    assert "alice" not in shown and "carol" not in shown and "bob" in shown
    assert [row["user"] for row in data(run("who-can", "open", "--on", "lobby-1", "--json"))] == ["admin", "bob"]
    run("who-can", "open", "--on", "kiosk-9", code=3)
    run("who-can", "r/*:GET", "--on", "kiosk-1", code=2)


def test_what_can(run, people):
    rows = data(run("what-can", "alice", "--on", "kiosk-1", *FRIDAY, "--json"))
    assert [(row["allows"], row["now"], row["needs"]) for row in rows] == [
        ("GET /r/open, Mon-Fri 08:00-18:00", "yes", []),
        ("POST /r/open, Mon-Fri 08:00-18:00, with the kiosk's code", "yes", ["the kiosk's code"]),
    ]
    assert {row["now"] for row in data(run("what-can", "alice", *SATURDAY, "--json"))} == {"rule-outside-window"}
    assert "alice may do nothing there" in run("what-can", "alice", "--on", "lobby-1").stderr
    assert "* /r/*" in run("what-can", "bob").stdout
    run("what-can", "nobody", code=3)


def test_what_can_tells_what_denies_take(run, people):
    run("deny", "bob", "--what", "r/open:POST", "--on", "lobby-*")
    (denial,) = data(run("denies", "--json"))
    (row,) = data(run("what-can", "bob", "--on", "lobby-1", "--json"))
    assert (row["now"], row["denied_by"]) == ("yes", [denial["id"]])
    (row,) = data(run("what-can", "bob", "--on", "kiosk-1", "--json"))
    assert row["denied_by"] == []
