"""What an invocation may have to wait for, as people see it: others' consent, a code, a button."""

import json
import time

import pytest

from admit import admin
from admit_protocol import rule
from cli_kiosk import LIMIT_S
from sites import passphrase
from terminals import Terminal

DOOR = "/r/open"


def give(kiosk, user, conditions, path=DOOR, selectors=()):
    """A grant for kiosk-1 whose rules have conditions, and which says to which groups the user belongs."""
    site, now = kiosk.site, int(time.time()) - 10
    if user not in [each.name for each in site.registry.users()]:
        admin.add_user(site, user, None, now)
    owner = site.wallet(user)
    login, sign = owner.publics
    rules = [(path, 2, conditions)]
    owner.add_grant(
        site.authority(passphrase).issue_grant(user, ["kiosk-1"], rules, login, now, sign, selectors=selectors)
    )


@pytest.fixture(scope="module")
def people(kiosk):
    """dana needs the consent of a guard, erik of two; gina and gert are guards; fay must be there, finn press."""
    give(kiosk, "dana", {rule.APPROVALS: [1, ["group:guards"]]})
    give(kiosk, "erik", {rule.APPROVALS: [2, ["group:guards"]]})
    give(kiosk, "gina", {}, "/r/nothing", ["group:guards"])
    give(kiosk, "gert", {}, "/r/nothing", ["group:guards"])
    give(kiosk, "fay", {rule.PRESENCE: rule.CODE})
    give(kiosk, "finn", {rule.PRESENCE: rule.BUTTON})
    return kiosk


def asked(process):
    """The first digits of the id that an invocation tells others to approve."""
    said = ""
    while "admit approve" not in said:
        said = process.stderr.readline()
        assert said, process.communicate()
    return said.split("admit approve ")[1].split()[0]


def test_an_invocation_waits_until_somebody_approves_it(people):
    kiosk = people
    assert kiosk.data("approvals --on kiosk-1 --as gina") == []
    waiting = kiosk.start("invoke kiosk-1 open seconds=2 --as dana --json")
    identifier = asked(waiting)
    (row,) = kiosk.data("approvals --on kiosk-1 --as gina")
    assert row["id"].startswith(identifier) and row["who"] == "dana"
    assert (row["wants"], row["approved"], row["device"]) == ("POST /r/open seconds=2", "0 of 1", "kiosk-1")
    table = kiosk.admit("approvals --as gina").stdout  # wherever she has been
    assert "POST /r/open seconds=2" in table and "ID" in table
    unasked = kiosk.admit("approve", identifier, "--on kiosk-1 --as gina", code=2, given="")
    assert "--yes" in unasked.stderr
    told = kiosk.data("approve", identifier, "--on kiosk-1 --as gina --yes")
    assert told["wants"] == "POST /r/open seconds=2"
    stdout, stderr = waiting.communicate(timeout=LIMIT_S)
    assert waiting.returncode == 0, stderr
    assert json.loads(stdout)["invocation"]["outcome"] == "done"
    gone = kiosk.admit("approve", identifier, "--on kiosk-1 --as gina --yes", code=3)
    assert "(approval-unknown)" in gone.stderr


def test_two_must_approve_and_not_oneself_nor_twice(people):
    kiosk = people
    waiting = kiosk.start("invoke kiosk-1 open seconds=1 --as erik")
    identifier = asked(waiting)
    own = kiosk.admit("approve", identifier, "--on kiosk-1 --as erik --yes", code=4)
    assert "nobody approves what they ask for themselves" in own.stderr and "(approval-own)" in own.stderr
    for _ in range(2):  # the same person counts once
        assert "more needed" in kiosk.admit("approve", identifier, "--on kiosk-1 --as gina --yes").stderr
    assert kiosk.data("approvals --on kiosk-1 --as erik")[0]["got"] == 1
    code, shown = kiosk.on_terminal(f"approve {identifier} --on kiosk-1 --as gert", typed=b"y\n")
    assert code == 0 and "erik wants on kiosk-1: POST /r/open seconds=1. Approve?" in shown
    stdout, stderr = waiting.communicate(timeout=LIMIT_S)
    assert (waiting.returncode, stdout) == (0, "outcome  done\nresult   1\n"), stderr


def test_who_does_not_wait_is_told_whom_to_ask_and_comes_back(people):
    kiosk = people
    denied = kiosk.admit("invoke kiosk-1 open seconds=3 --as dana --no-wait", code=4)
    assert "(rule-approvals)" in denied.stderr
    identifier = denied.stderr.split("admit approve ")[1].split()[0]
    kiosk.admit("approve", identifier, "--on kiosk-1 --as gert --yes")
    assert kiosk.data("invoke kiosk-1 open seconds=3 --as dana --no-wait")["outcome"] == "done"
    assert "(rule-approvals)" in kiosk.admit("invoke kiosk-1 open seconds=3 --as dana --no-wait", code=4).stderr


def shown_code(kiosk):
    """What the kiosk shows."""
    return kiosk.expect("code ").split()[1]


def test_the_code_that_the_kiosk_shows_is_typed(people):
    kiosk = people
    terminal = Terminal("invoke", "kiosk-1", "open", "seconds=1", "--as", "fay", **kiosk.environment())
    terminal.answer("The code that kiosk-1 shows", "000000")
    first = shown_code(kiosk)
    second = shown_code(kiosk)
    assert first != second
    terminal.answer("The code that kiosk-1 shows", second)
    code, shown = terminal.end()
    assert code == 0 and "outcome  done" in shown
    piped = kiosk.admit("invoke kiosk-1 open seconds=1 --as fay", given="000000\n", code=4)
    assert "that is not the code (code-wrong)" in piped.stderr
    silent = kiosk.admit("invoke kiosk-1 open seconds=1 --as fay", given="", code=1)
    assert "(answer-missing)" in silent.stderr and "Nobody knows" not in silent.stderr


def test_the_button_will_do_where_the_rule_says_so(people):
    kiosk = people
    refused = kiosk.admit("invoke kiosk-1 open seconds=1 --as finn", given="\n", code=4)
    assert "(presence-button)" in refused.stderr
    kiosk.board.press()
    assert kiosk.admit("invoke kiosk-1 open seconds=1 --as finn", given="\n").stdout.startswith("outcome  done")
