"""One run's memory: what is written before and after each step, and what the authority issues twice or never."""

import pytest

from admit.boards import BEGAN, DONE, FAILED
from admit.suite import HostSuite
from admit_protocol import credential
from admit_protocol.errors import Conflict, LocalError, TimedOut
from admit_provisioning.journal import Journal
from sites import NOW, forget_settings, new_site, passphrase
from workbench import Notes

BOARD = "0a0b0c0d0e0f"


@pytest.fixture(autouse=True)
def nobody_at_home(tmp_path, monkeypatch):
    forget_settings(monkeypatch, tmp_path / "home")


@pytest.fixture
def site(tmp_path):
    made = new_site(tmp_path / "site")
    yield made
    made.registry.close()


@pytest.fixture
def begin(site):
    """begin() is a new run's journal; each knows of the ones before only what the registry does."""

    def begin(name="kiosk-1", board=BOARD, again=False):
        journal = Journal(site, site.authority(passphrase), name, Notes(), again, clock=lambda: NOW + 0.5)
        if board:
            journal.open(board)
        return journal

    return begin


@pytest.fixture
def key():
    return HostSuite().generate().public


def events(site):
    return [(each.step, each.event) for each in site.registry.steps(BOARD)]


def test_a_step_is_written_down_before_and_after(site, begin):
    journal = begin()
    with journal.step("install") as facts:
        assert events(site) == [("install", BEGAN)]
        facts["set_hash"] = bytes(32)
    assert events(site) == [("install", BEGAN), ("install", DONE)]
    assert (site.registry.board(BOARD).state, site.registry.board(BOARD).set_hash) == ("install", bytes(32))
    assert journal.watcher.steps == ["install"] and journal.seconds["install"] > 0
    assert site.registry.steps(BOARD)[0].at == NOW


def test_a_step_that_fails_says_why_and_the_error_goes_on(site, begin):
    for error in (TimedOut("link-dropped", "it was unplugged"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, begin().step("install"):
            raise error
        assert caught.value is error
        last = site.registry.steps(BOARD)[-1]
        assert (last.event, type(error).__name__ in last.detail) == (FAILED, True)
    assert site.registry.board(BOARD).state == "detect"


def test_a_registry_that_fails_too_does_not_hide_why(begin, monkeypatch):
    journal = begin()
    with pytest.raises(TimedOut), journal.step("install"):
        monkeypatch.setattr(type(journal.registry), "record_step", fail)
        raise TimedOut("link-dropped")


def fail(*_, **__):
    raise LocalError("registry-failed", "the disk is full")


def test_nothing_is_done_to_a_board_that_was_not_opened(begin):
    with pytest.raises(RuntimeError), begin(board=None).step("install"):
        pytest.fail("it was done")


def test_another_board_in_the_middle_of_a_run_is_noticed(begin):
    journal = begin()
    journal.open(BOARD)
    with pytest.raises(Conflict) as caught:
        journal.open("ffffffffffff")
    assert caught.value.reason == "board-swapped"
    assert journal.board_id == BOARD


def test_the_same_key_has_one_credential_however_often_it_is_asked_for(site, begin, key):
    first = begin().issue(key)
    assert begin().issue(key) == first
    assert credential.parse(first).public == key and site.registry.board_of("kiosk-1").board_id == BOARD


def test_a_key_for_tests_is_marked_in_its_credential(begin, key):
    assert not credential.parse(begin().issue(key)).test_only
    other = HostSuite().generate().public
    assert credential.parse(begin("kiosk-2", "ffffffffffff").issue(other, test_only=True)).test_only


def test_a_board_that_lost_its_identity_is_recognised_before_anything_is_done(begin, key):
    journal = begin()
    journal.expect_factory()
    journal.issue(key)
    begin().expect_factory()  # it was never seen to have taken it
    with journal.step("lock"):
        pass
    with pytest.raises(Conflict) as caught:
        begin().expect_factory()
    assert caught.value.reason == "board-wiped" and "kiosk-1" in caught.value.detail
    with pytest.raises(Conflict):
        begin().issue(HostSuite().generate().public)
    anew = begin(again=True)
    anew.expect_factory()
    assert credential.parse(anew.issue(HostSuite().generate().public)).public != key


def test_who_is_at_work_is_written_down_even_without_a_user_name(begin, site, monkeypatch):
    monkeypatch.setattr("getpass.getuser", fail_to_name)
    monkeypatch.setattr("socket.gethostname", lambda: "bench-2")
    with begin().step("install"):
        pass
    assert site.registry.board(BOARD).reserved_by == site.registry.steps(BOARD)[0].who == "somebody@bench-2"


def fail_to_name():
    raise KeyError("uid not found")
