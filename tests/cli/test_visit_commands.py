"""What a user types at a kiosk, and what they are told when it does not let them: real processes, a real kiosk."""

import grp
import os
import pty
import signal
import time

import pytest
import serial

from cli_kiosk import LIMIT_S, another_site


def lines(result):
    """What was said on stderr: the cause first, the hint last."""
    return result.stderr.splitlines()


# what works


def test_routines_are_those_that_count_now(kiosk):
    (only,) = kiosk.data("routines kiosk-1 --as alice")
    assert (only["name"], only["parameters"]) == ("open", "seconds=1-30")
    table = kiosk.admit("routines kiosk-1").stdout.splitlines()
    assert table[0].split() == ["NAME", "PARAMETERS", "DESCRIPTION"]
    assert [line.split()[0] for line in table[1:]] == ["broken", "calibrate", "light", "open", "parcel"]
    assert "colour=red|white" in table[3].replace("white|red", "red|white") and "on=yes|no" in table[3]


def test_an_invocation_happens_and_its_outcome_is_told(kiosk):
    before = kiosk.count("door open")
    told = kiosk.data("invoke kiosk-1 open seconds=1 --as alice")
    assert told.pop("took_ms") > 0
    assert told == {"routine": "open", "outcome": "done", "result": 1}
    kiosk.expect("door open")
    assert kiosk.count("door open") == before + 1
    assert kiosk.admit("invoke kiosk-1 open seconds=1 --as alice").stdout == "outcome  done\nresult   1\n"
    assert kiosk.data("invoke kiosk-1 parcel seconds=0 --as bob")["result"] == "01ff"


def test_who_may_invoke_nothing_may_come_all_the_same(kiosk):
    kiosk.grant("ida", [("/health", 1, {})])
    none = kiosk.admit("routines kiosk-1 --as ida")
    assert (none.stdout, none.stderr) == ("", "There is nothing that you may do at kiosk-1.\n")
    assert kiosk.data("routines kiosk-1 --as ida") == []
    assert kiosk.admit("login kiosk-1 --as ida --for 0").stdout == ""


def test_over_the_radio_too(kiosk):
    assert kiosk.data("invoke kiosk-1 open seconds=1 --as alice", ADMIT_VIA=None)["outcome"] == "done"
    assert kiosk.data("invoke kiosk-1 open seconds=1 --as alice --via ble:kiosk-1")["outcome"] == "done"


def test_over_the_cable_too(kiosk):
    assert kiosk.data("routines kiosk-1 --as bob --via", kiosk.board.cable)[0]["name"] == "parcel"


def test_who_logs_in_has_the_turn_until_the_end_of_their_input(kiosk):
    kiosk.admit("invoke kiosk-1 parcel seconds=0 --as bob")
    turn = kiosk.start("login kiosk-1 --as alice --json")
    kiosk.expect("status logged in")
    taken = kiosk.admit("login kiosk-1 --as bob --for 0", code=5)
    assert "somebody else is logged in" in taken.stderr and "(login-taken)" in taken.stderr
    ended = kiosk.end(turn, given="\n")
    assert '"routines": [\n      "open"\n    ]' in ended.stdout
    assert ended.stderr == "Logged out of kiosk-1.\n"
    assert kiosk.data("login kiosk-1 --as bob --for 0")["idle_s"] == 120


def test_on_a_terminal_each_stage_is_told_and_enter_ends_a_login(kiosk):
    code, shown = kiosk.on_terminal("login kiosk-1 --as alice", typed=b"\n")
    assert code == 0
    stages = [shown.index(words) for words in ("… finding kiosk-1", "… proving kiosk-1", "… logging in", "Press Enter")]
    assert stages == sorted(stages)
    code, shown = kiosk.on_terminal("invoke kiosk-1 open seconds=1 --as alice", NO_COLOR="1")
    assert code == 0
    assert "… invoking open" in shown and "\x1b[" not in shown
    assert "…" not in kiosk.admit("invoke kiosk-1 open seconds=1 --as alice").stderr


def test_ctrl_c_ends_a_login(kiosk):
    turn = kiosk.start("login kiosk-1 --as alice")
    assert turn.stdout.readline() == "routines  open\n"
    kiosk.expect("status logged in")
    turn.send_signal(signal.SIGINT)
    _, stderr = turn.communicate(timeout=LIMIT_S)
    assert (turn.returncode, stderr.strip()) == (1, "error: stopped")
    kiosk.expect("status ready")


# what the rules deny


@pytest.mark.parametrize(
    "words, cause, rule",
    [
        (
            "calibrate grams=1",
            "error: denied: no rule names /r/calibrate (rule-none)",
            "the grant's rules: GET,POST /r/open, Mon-Fri, seconds 1 to 3; GET,POST /r/light, Sat-Sun",
        ),
        (
            "open seconds=4",
            "error: denied: seconds 1 to 3 (rule-argument)",
            "rule: GET,POST /r/open, Mon-Fri, seconds 1 to 3",
        ),
        (
            "light",
            "error: denied: only Sat-Sun; it is Wed 10:0",
            "rule: GET,POST /r/light, Sat-Sun",
        ),
    ],
    ids=["no rule", "bounds", "window"],
)
def test_a_denial_names_its_reason_and_the_rule_in_words(kiosk, words, cause, rule):
    said = lines(kiosk.admit("invoke kiosk-1", words, "--as alice", code=4))
    assert said[0].startswith(cause)
    assert said[1] == rule
    assert len(said) == 3


def test_a_grant_that_does_not_count(kiosk):
    assert "admit grant USER" in lines(kiosk.admit("invoke kiosk-1 open --as carol", code=3))[-1]
    kiosk.grant("dora", [("/r/open", 3, {})], expires=int(time.time()) - 60)
    said = kiosk.admit("invoke kiosk-1 open --as dora", code=4).stderr
    assert "it has ended" in said and "grant-expired" in said
    kiosk.grant("emil", [("/r/open", 3, {})])
    kiosk.admit("invoke kiosk-1 open seconds=1 --as emil")
    kiosk.admit("revoke emil --yes")
    said = kiosk.admit("invoke kiosk-1 open seconds=1 --as emil", code=4).stderr
    assert said.startswith("error: denied: the grant was taken back (grant-revoked)\n")


def test_what_the_device_refuses(kiosk):
    assert "(routine-unknown)" in kiosk.admit("invoke kiosk-1 nonsense", code=3).stderr
    wrong = kiosk.admit("invoke kiosk-1 open seconds=99", code=7).stderr
    assert "seconds must be" in wrong and "admit routines DEVICE" in wrong
    failed = kiosk.admit("invoke kiosk-1 broken", code=7).stderr
    assert failed.startswith("error: broken: ValueError (routine-failed)\n")
    assert "a secret of the site" not in failed


# who is there, and who is not


def test_users_and_devices_that_are_not_there(kiosk, tmp_path):
    assert "(wallet-missing)" in kiosk.admit("invoke kiosk-1 open --as nobody", code=3).stderr
    assert "(site-missing)" in kiosk.admit("invoke kiosk-1 open --site", tmp_path, code=3).stderr
    assert "(wallet-no-grant)" in kiosk.admit("invoke kiosk-7 open --as alice", code=3).stderr


@pytest.mark.parametrize(
    "link, code, reason",
    [
        ("udp://", 2, "transport-name"),
        ("udp://a..b", 3, "udp-no-host"),
        ("/dev/no-such-port", 3, "serial-not-found"),
        ("udp://127.0.0.1:9", 6, "link-dropped"),
    ],
)
def test_ways_that_lead_nowhere(kiosk, link, code, reason):
    assert f"({reason})" in lines(kiosk.admit("routines kiosk-1 --as alice --via", link, code=code))[0]


def test_without_the_radio_that_was_named(kiosk):
    said = lines(kiosk.admit("routines kiosk-1", ADMIT_VIA=None, ADMIT_BLE="tcp-client:127.0.0.1:9", code=1))
    assert "no Bluetooth controller at tcp-client:127.0.0.1:9" in said[0]
    assert "ADMIT_BLE" in said[-1]


def test_a_port_that_another_program_holds(kiosk):
    ours, theirs = pty.openpty()
    try:
        with serial.serial_for_url(os.ttyname(theirs), exclusive=True):
            said = kiosk.admit("routines kiosk-1 --via", os.ttyname(theirs), code=6).stderr
    finally:
        os.close(ours)
        os.close(theirs)
    assert "another program holds" in said and "(serial-in-use)" in said


def test_a_port_that_one_may_not_use(kiosk):
    """Root may use every port, so root's power over files is taken from the process first."""
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"] if os.geteuid() == 0 else []
    ours, theirs = pty.openpty()
    port = os.ttyname(theirs)
    try:
        os.fchmod(theirs, 0)
        process = kiosk.start("routines kiosk-1 --via", port, before=drop)
        said = kiosk.end(process, 1).stderr
        group = grp.getgrgid(os.fstat(theirs).st_gid).gr_name
    finally:
        os.close(ours)
        os.close(theirs)
    assert f"usermod -aG {group}" in said and "(serial-no-access)" in said


# is it the right one?


def test_a_kiosk_of_another_site_is_told_from_ours(kiosk):
    other = another_site(kiosk.folder)
    board = kiosk.factory_board("theirs")
    unproven = kiosk.admit("invoke kiosk-1 open --as alice --via", kiosk.via(board), code=8).stderr
    assert unproven.startswith("error: this may be an impostor: it has no credential")
    kiosk.join(board, site=other)
    said = lines(kiosk.admit("invoke kiosk-1 open --as alice --via", kiosk.via(board), code=8))
    assert said[0].startswith("error: this may be an impostor") and "(credential-other-site)" in said[0]
    assert "tell an admin" in said[-1]
    assert list(board.console).count("door open") == 0


def test_another_kiosk_of_the_site_is_told_from_the_one_that_was_chosen(kiosk):
    board = kiosk.join(kiosk.factory_board("kiosk-2"), "kiosk-2")
    said = kiosk.admit("routines kiosk-1 --as alice --via", kiosk.via(board), code=8).stderr
    assert "this is kiosk-2, not kiosk-1 (device-other)" in said and "impostor" in said


def test_no_secret_was_shown(kiosk):
    assert kiosk.secrets_shown() == []
