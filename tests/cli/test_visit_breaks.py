"""What a user is told when something breaks in the middle of a visit: power, links, flash."""

import pytest


def test_a_power_cut_under_an_invocation_and_the_same_command_still_does_it_once(kiosk):
    """Lost are message_1, then message_3 with the request, then the answer: the door has moved already."""
    kiosk.admit("routines kiosk-1 --as alice")
    for cut in ({"heard": 1}, {"heard": 2}, {"said": 2}):
        before = kiosk.count("door open")
        kiosk.cut_power(**cut)
        told = kiosk.admit("invoke kiosk-1 open seconds=1 --as alice", ADMIT_VIA=None)
        assert told.stdout == "outcome  done\nresult   1\n"
        assert "asking again for the same invocation" in told.stderr
        kiosk.expect("door open")
        kiosk.expect("door closed")
        assert kiosk.count("door open") == before + 1


def test_an_invocation_that_a_power_cut_interrupted_is_not_repeated(kiosk):
    before = kiosk.count("door open")
    process = kiosk.start("invoke kiosk-1 parcel seconds=9 --as bob", ADMIT_VIA=None)
    kiosk.expect("door open")
    kiosk.restart()
    said = kiosk.end(process, 7).stderr
    assert "nobody knows how far it came: parcel (routine-interrupted)" in said
    assert kiosk.count("door open") == before + 1


def test_a_session_that_a_restart_ended_is_begun_again(kiosk):
    """Over UDP nothing tells the client of a power cut but the device's own answer."""
    process = kiosk.start("login kiosk-1 --as alice")
    kiosk.expect("status logged in")
    kiosk.restart()
    said = kiosk.end(process, 6, given="\n").stderr
    assert "(session-lost)" in said


def test_kiosks_that_are_not_heard(kiosk):
    never = kiosk.start("routines kiosk-7", ADMIT_VIA=None)
    no_more = kiosk.start("invoke kiosk-1 parcel seconds=9 --as bob", ADMIT_VIA=None)
    kiosk.expect("door open")
    kiosk.beside.do(kiosk.board.kill())
    try:
        said = kiosk.end(no_more, 3).stderr
        assert "the kiosk kiosk-1 was not heard for 8 s (ble-not-found)" in said
        assert "Nobody knows whether parcel happened" in said
    finally:
        kiosk.restart()
    said = kiosk.end(never, 3).stderr
    assert said.startswith("error: the kiosk kiosk-7 was not heard for 8 s (ble-not-found)\n")
    assert "Nobody knows" not in said


@pytest.mark.parametrize("what, reason", [("full", "storage-full"), ("read-only", "storage-read-only")])
def test_a_kiosk_that_cannot_write_says_so_and_does_nothing(kiosk, what, reason):
    before = kiosk.count("door open")
    used = sum(file.stat().st_size for file in (kiosk.board.storage / "data").iterdir())
    kiosk.restart(**({"STORAGE_LIMIT": str(used)} if what == "full" else {"READ_ONLY": "1"}))
    try:
        for words in ("invoke kiosk-1 open seconds=1", "login kiosk-1 --for 0"):
            said = kiosk.admit(words, "--as alice", code=7).stderr
            assert f"its storage is {what}" in said and f"({reason})" in said
    finally:
        kiosk.restart()
    assert kiosk.count("door open") == before


def test_no_secret_was_shown(kiosk):
    assert kiosk.secrets_shown() == []
