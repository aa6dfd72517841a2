"""A board from blank to proven and used, told in order; each test goes on where the one before it ended.

Owns: what any board must do, over its cable alone. Uses nothing that only one kind of board has.
"""

import statistics
import time
from pathlib import Path

import pexpect
import pytest

from conftest import DEVICE

ROUTINES = str(Path(__file__).parent / "routines.py")
TOLD = ("fingerprint", "board_id", "micropython", "version", "set_hash", "sent")  # of the device, in the report
INVOCATIONS = 5
PROMPT = ">>>"
NO_PROMPT_S = 2
BACK_S = 30


def test_the_image_is_flashed(desk):
    if desk.image:
        desk.timed("flash_s", "flash", desk.port, "--board", desk.board, "--image", desk.image, *desk.resets)


def test_it_is_provisioned_and_proven(desk):
    words = ["provision", desk.port, "--name", DEVICE, "--board", desk.board, "--routines", ROUTINES, *desk.resets]
    device = desk.timed("provision_s", *words, data=True)
    assert device["proven"] is True
    assert [each["id"] for each in desk.data("devices")] == [DEVICE]
    desk.figures |= {name: device[name] for name in TOLD} | {"steps_s": device["seconds"]}


def test_the_same_command_again_changes_nothing(desk):
    words = ["provision", desk.port, "--name", DEVICE, "--board", desk.board, "--routines", ROUTINES, *desk.resets]
    again = desk.timed("provision_again_s", *words, data=True)
    assert again["fingerprint"] == desk.figures["fingerprint"]
    assert len(desk.data("devices")) == 1


@pytest.mark.parametrize("embedded_services", ["serial"], indirect=True)
def test_ctrl_c_opens_no_prompt(dut):
    dut.write("\x03\r\x01\r\x02")
    with pytest.raises(pexpect.TIMEOUT):
        dut.expect_exact(PROMPT, timeout=NO_PROMPT_S)


def test_who_is_granted_something_logs_in_and_does_it(desk):
    desk.admit("grant", "alice", "open", "--on", DEVICE)
    desk.timed("login_first_s", "login", DEVICE, "--as", "alice", "--for", "0")
    desk.timed("login_s", "login", DEVICE, "--as", "alice", "--for", "0")
    outcomes = [desk.data("invoke", DEVICE, "open", "seconds=1", "--as", "alice") for _ in range(INVOCATIONS)]
    assert [(each["outcome"], each["result"]) for each in outcomes] == [("done", 1)] * INVOCATIONS
    desk.figures["invoke_ms"] = statistics.median(each["took_ms"] for each in outcomes)


def test_who_is_granted_something_else_is_denied(desk):
    desk.admit("invoke", DEVICE, "calibrate", "grams=1", "--as", "alice", code=4)


def test_whose_grant_was_taken_back_is_denied(desk):
    desk.admit("grant", "bob", "open", "--on", DEVICE)
    assert desk.data("invoke", DEVICE, "open", "--as", "bob")["outcome"] == "done"
    desk.admit("revoke", "bob", "--yes")
    desk.admit("invoke", DEVICE, "open", "--as", "bob", code=4)


def test_after_a_reboot_all_of_it_is_still_there(desk):
    before = desk.health()
    desk.timed("reboot_s", "reboot", DEVICE)
    after = until_back(desk, before["boots"])
    assert after["boots"] == before["boots"] + 1
    assert after["records"] > before["records"]
    desk.figures["heap_free_after_boot"] = after["heap_free"]
    desk.admit("sync", DEVICE)  # a board without a clock of its own has forgotten the time
    assert desk.data("invoke", DEVICE, "open", "--as", "alice")["outcome"] == "done"
    desk.admit("invoke", DEVICE, "calibrate", "grams=1", "--as", "alice", code=4)


def until_back(desk, boots):
    """The board's health, once it has started again since `boots`. The reset comes a moment after the answer to it."""
    began = time.monotonic()
    while time.monotonic() - began < BACK_S:
        try:
            health = desk.health()
        except AssertionError:  # it is away just now
            continue
        if health["boots"] != boots:
            return health
    raise AssertionError(f"it has not started again in {BACK_S} s")


def test_its_journal_tells_what_happened(desk):
    records = desk.timed("journal_s", "journal", DEVICE, data=True)
    told = [(each["who"], each["what"], each["outcome"]) for each in records]
    for whom, named, expected in [("alice", "open", "allowed"), ("alice", "calibrate", "denied")]:
        assert any((who, outcome) == (whom, expected) and named in (what or "") for who, what, outcome in told)
    assert [each["no"] for each in records] == list(range(len(records)))


def test_its_memory_is_measured(desk):
    health = desk.health()
    desk.figures |= {name: health[name] for name in ("heap_free", "boots", "reset_cause")}
    assert health["board"] == desk.board_name
    assert health["faults"] == []
