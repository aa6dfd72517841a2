"""One run's memory: what is written before and after each step, and what the authority issues twice or never."""

import pytest

from admit.boards import BEGAN, DONE, FAILED
from admit.suite import HostSuite
from admit_protocol import credential
from admit_protocol.errors import Conflict, LocalError, TimedOut
from admit_provisioning.commission import Keys
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


def new_keys(test_only=False):
    return Keys(HostSuite().generate().public, HostSuite().generate().public, test_only)


@pytest.fixture
def keys():
    return new_keys()


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


def test_the_end_of_a_step_that_leads_on_is_written_with_what_comes_next(site, begin):
    journal = begin()
    with journal.step("key", leads_on=True):
        pass
    assert events(site) == [("key", BEGAN)]
    with pytest.raises(TimedOut), journal.step("lock"):
        assert events(site) == [("key", BEGAN), ("key", DONE), ("lock", BEGAN)]
        raise TimedOut("link-dropped")
    with journal.step("prove", leads_on=True):
        pass
    journal.settle()
    journal.mark("label")
    ends = [("prove", BEGAN), ("prove", DONE), ("label", BEGAN), ("label", DONE)]
    assert events(site)[3:] == [("lock", FAILED), *ends]
    assert site.registry.board(BOARD).state == "label"


def test_issuing_is_written_from_its_beginning_in_the_transaction_that_binds(site, begin, keys):
    journal = begin()
    with journal.step("key", leads_on=True):
        pass
    with journal.step("issue", binds=True):
        assert events(site) == [("key", BEGAN)]
        journal.issue(keys)
        assert events(site) == [("key", BEGAN), ("key", DONE), ("issue", BEGAN)]
    assert site.registry.board(BOARD).state == "issue"
    with pytest.raises(Conflict), begin("kiosk-2", "ffffffffffff").step("issue", binds=True):
        raise Conflict("registry-changed")
    told = [(each.step, each.event) for each in site.registry.steps("ffffffffffff")]
    assert told == [("issue", BEGAN), ("issue", FAILED)]


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
        monkeypatch.setattr(type(journal.registry), "record", fail)
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


def test_the_same_key_has_one_credential_however_often_it_is_asked_for(site, begin, keys):
    first = begin().issue(keys)
    assert begin().issue(keys) == first
    assert credential.parse(first).public == keys.public and credential.parse(first).seal_public == keys.seal_public
    assert site.registry.board_of("kiosk-1").board_id == BOARD


def test_a_key_for_tests_is_marked_in_its_credential(begin, keys):
    assert not credential.parse(begin().issue(keys)).test_only
    assert credential.parse(begin("kiosk-2", "ffffffffffff").issue(new_keys(test_only=True))).test_only


def test_a_board_that_lost_its_identity_is_recognised_before_anything_is_done(begin, keys):
    journal = begin()
    journal.expect_factory()
    journal.issue(keys)
    begin().expect_factory()  # it was never seen to have taken it
    with journal.step("lock"):
        pass
    with pytest.raises(Conflict) as caught:
        begin().expect_factory()
    assert caught.value.reason == "board-wiped" and "kiosk-1" in caught.value.detail
    with pytest.raises(Conflict):
        begin().issue(new_keys())
    anew = begin(again=True)
    anew.expect_factory()
    assert credential.parse(anew.issue(new_keys())).public != keys.public


def test_who_is_at_work_is_written_down_even_without_a_user_name(begin, site, monkeypatch):
    monkeypatch.setattr("getpass.getuser", fail_to_name)
    monkeypatch.setattr("socket.gethostname", lambda: "bench-2")
    with begin().step("install"):
        pass
    assert site.registry.board(BOARD).reserved_by == site.registry.steps(BOARD)[0].who == "somebody@bench-2"


def fail_to_name():
    raise KeyError("uid not found")
