"""Boards in the registry: one device for each, one board for each device, and what is kept of what is no more."""

import cbor2
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect

from admit import admin
from admit import registry as registry_module
from admit.admin import Access
from admit.boards import BEGAN, DONE, FAILED, STEPS, Entry, Run
from admit.editing import first_bundle
from admit.registry import open_registry
from admit.registry_models import HeadRow, RecordRow
from admit.suite import HostSuite
from admit_protocol import credential
from admit_protocol.errors import AdmitError, Conflict, Unverified
from sites import NOW, SEALED, opened

ONE, TWO = "0a0b0c0d0e0f", "101112131415"


def run_of(board_id, device_id, who="anna@bench"):
    return Run("0011223344556677", board_id, device_id, who)


@pytest.fixture
def key():
    return HostSuite().generate().public


def reason(call, *arguments, **more):
    with pytest.raises(AdmitError) as caught:
        call(*arguments, **more)
    assert isinstance(caught.value, Conflict | Unverified)
    return caught.value.reason


def provisioned(site, signer, board_id=ONE, device_id="kiosk-1", public=None):
    """A board that is a device, proven; its run."""
    run = run_of(board_id, device_id)
    site.registry.reserve(run, NOW)
    data = signer.issue_credential(device_id, public or HostSuite().generate().public, SEALED, NOW)
    site.registry.bind_device(run, data, NOW)
    site.registry.record(run, Entry("prove", DONE, NOW))
    return run


def test_a_registry_made_before_there_were_boards_gets_their_tables(tmp_path, signer, key):
    url = f"sqlite:///{tmp_path}/registry.sqlite"
    config = Config()
    config.set_main_option("script_location", str(registry_module._MIGRATIONS))
    with create_engine(url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        assert not inspect(connection).has_table("boards")
    registry = open_registry(url)
    registry.add_device(signer.issue_credential("kiosk-1", key, SEALED, NOW), NOW)
    registry.reserve(run_of(ONE, "kiosk-2"), NOW)
    assert [each.name for each in registry.boards()] == ["kiosk-2"]
    registry.close()


def test_every_step_is_journalled_and_the_state_only_rises(site):
    registry, run = site.registry, run_of(ONE, "kiosk-1")
    assert registry.board(ONE) is None
    registry.reserve(run, NOW)
    assert registry.board(ONE).state == "detect"
    registry.record(run, Entry("install", BEGAN, NOW + 1))
    assert registry.board(ONE).state == "detect"
    registry.record(run, Entry("install", DONE, NOW + 2, board="virtual", set_hash=bytes(32)))
    registry.record(run, Entry("flash", DONE, NOW + 3))
    registry.record(run, Entry("key", FAILED, NOW + 4, "x" * 1000))
    row = registry.board(ONE)
    assert (row.state, row.board, row.set_hash, row.updated_at) == ("install", "virtual", bytes(32), NOW + 4)
    told = [(each.step, each.event) for each in registry.steps(ONE)]
    assert told == [("install", BEGAN), ("install", DONE), ("flash", DONE), ("key", FAILED)]
    assert len(registry.steps(ONE)[-1].detail) == 400 and registry.steps(ONE)[0].who == "anna@bench"


def test_two_technicians_want_the_same_name(site):
    site.registry.reserve(run_of(ONE, "kiosk-1"), NOW)
    with pytest.raises(Conflict) as caught:
        site.registry.reserve(run_of(TWO, "kiosk-1", "bob@desk"), NOW)
    assert caught.value.reason == "board-name-reserved"
    assert "anna@bench" in caught.value.detail and "2027-01-15 08:00" in caught.value.detail
    assert site.registry.board(TWO) is None
    site.registry.reserve(run_of(TWO, "kiosk-1"), NOW, again=True)
    assert (site.registry.board(ONE).name, site.registry.board(TWO).name) == (None, "kiosk-1")
    assert reason(site.registry.record, run_of(ONE, "kiosk-1"), Entry("key", BEGAN, NOW)) == "board-reserved"


def test_two_technicians_want_the_same_board(site):
    site.registry.reserve(run_of(ONE, "kiosk-1"), NOW)
    with pytest.raises(Conflict) as caught:
        site.registry.reserve(run_of(ONE, "kiosk-2", "bob@desk"), NOW)
    assert caught.value.reason == "board-reserved"
    assert "anna@bench began to make kiosk-1 of the board" in caught.value.detail
    site.registry.reserve(run_of(ONE, "kiosk-2", "bob@desk"), NOW, again=True)
    assert reason(site.registry.record, run_of(ONE, "kiosk-1"), Entry("key", BEGAN, NOW)) == "board-reserved"
    site.registry.reserve(run_of(TWO, "kiosk-1"), NOW)


def test_who_began_may_think_better_of_the_name(site):
    site.registry.reserve(run_of(ONE, "kiosk-1"), NOW)
    assert site.registry.reserve(run_of(ONE, "kiosk-2"), NOW).name == "kiosk-2"


def test_the_same_command_goes_on_whoever_gives_it(site):
    site.registry.reserve(run_of(ONE, "kiosk-1"), NOW)
    row = site.registry.reserve(run_of(ONE, "kiosk-1", "bob@desk"), NOW + 9)
    assert (row.reserved_by, row.reserved_at) == ("bob@desk", NOW + 9)


def test_a_device_has_one_board_and_a_board_one_device(site, signer):
    provisioned(site, signer)
    assert site.registry.board_of("kiosk-1").board_id == ONE
    for again in (False, True):
        assert reason(site.registry.reserve, run_of(TWO, "kiosk-1"), NOW, again) == "registry-device-exists"
    assert reason(site.registry.reserve, run_of(ONE, "kiosk-2"), NOW) == "device-commissioned"
    site.registry.reserve(run_of(ONE, "kiosk-2"), NOW, again=True)
    site.registry.reserve(run_of(ONE, "kiosk-1"), NOW)  # a slip of the pen: it is kiosk-1 still


def test_a_board_that_never_took_its_identity_gets_another_one(site, signer, key):
    run = run_of(ONE, "kiosk-1")
    site.registry.reserve(run, NOW)
    first, second = HostSuite().generate().public, key
    site.registry.bind_device(run, signer.issue_credential("kiosk-1", first, SEALED, NOW), NOW)
    site.registry.bind_device(run, signer.issue_credential("kiosk-1", second, SEALED, NOW), NOW)
    assert [(each.id, each.public) for each in site.registry.devices()] == [("kiosk-1", second)]
    assert [each.public for each in site.registry.retired("kiosk-1")] == [first]


def test_a_board_that_lost_its_identity_gets_another_one_only_if_told_so(site, signer, key):
    run = provisioned(site, signer)
    old = site.registry.device("kiosk-1")
    site.registry.add_records([RecordRow(device_id="kiosk-1", seq=0, data=b"told")], head("kiosk-1"))
    new = signer.issue_credential("kiosk-1", key, SEALED, NOW)
    assert reason(site.registry.bind_device, run, new, NOW) == "board-wiped"
    assert site.registry.device("kiosk-1").public == old.public
    site.registry.bind_device(run, new, NOW + 1, again=True)
    assert [each.public for each in site.registry.devices()] == [key]
    assert site.registry.board(ONE).device_id == "kiosk-1" and site.registry.board(ONE).state == "issue"
    (gone,) = site.registry.retired("kiosk-1")
    assert (gone.public, gone.credential, gone.board_id) == (old.public, old.credential, ONE)
    assert cbor2.loads(gone.journal) == [[b"told"], [[1, bytes(32), 0, bytes(32), b"signed", NOW]]]
    assert (site.registry.record_bytes("kiosk-1"), site.registry.heads("kiosk-1")) == ([], [])


def test_an_identity_that_was_retired_never_comes_back(site, signer, key):
    run = provisioned(site, signer)
    old = site.registry.device("kiosk-1").credential
    site.registry.bind_device(run, signer.issue_credential("kiosk-1", key, SEALED, NOW), NOW, again=True)
    assert reason(site.registry.bind_device, run, old, NOW, again=True) == "device-retired"
    assert site.registry.device("kiosk-1").public == key


def test_a_board_that_lost_its_identity_may_take_another_name(site, signer, key):
    provisioned(site, signer)
    run = run_of(ONE, "kiosk-2")
    site.registry.reserve(run, NOW, again=True)
    site.registry.bind_device(run, signer.issue_credential("kiosk-2", key, SEALED, NOW), NOW, again=True)
    assert [each.id for each in site.registry.devices()] == ["kiosk-2"]
    assert len(site.registry.retired("kiosk-1")) == 1
    provisioned(site, signer, TWO, "kiosk-1")


def test_a_device_that_no_board_is_known_of_keeps_its_name(site, signer, key):
    admin.commission(site, signer, "kiosk-1", key, SEALED, NOW)
    run = run_of(ONE, "kiosk-1")
    site.registry.reserve(run, NOW)
    other = signer.issue_credential("kiosk-1", HostSuite().generate().public, SEALED, NOW)
    assert reason(site.registry.bind_device, run, other, NOW) == "registry-device-exists"
    site.registry.bind_device(run, site.registry.device("kiosk-1").credential, NOW)
    assert site.registry.board_of("kiosk-1").board_id == ONE


def test_a_new_device_of_an_old_name_takes_none_of_its_old_bundles(site, signer, key):
    """Each says what was revoked when it was made: an old one must not undo a revocation that came later."""
    run = provisioned(site, signer)
    for path in ("/a", "/b"):
        row = admin.give(site, signer, "admin", Access(["*"], [(path, 1, {})], expires=NOW + 60), NOW)
        admin.revoke(site, signer, [row], NOW)
    assert (site.registry.device("kiosk-1").epoch, site.registry.next_epoch("kiosk-1")) == (2, 3)
    data = signer.issue_credential("kiosk-1", key, SEALED, NOW)

    def then(session, device):
        first_bundle(signer, session, device, NOW + 99)

    device = site.registry.bind_device(run, data, NOW, then, again=True)
    assert (device.epoch, device.held_epoch) == (3, 0)
    (row,) = site.registry.pending_bundles()
    assert (opened(row).epoch, opened(row).base, opened(row).added) == (3, 0, b"")
    assert credential.parse(device.credential).public == key


def test_what_becomes_of_a_new_device_happens_with_it_or_not_at_all(site, signer, key):
    def fails(session, device):
        raise RuntimeError

    run = run_of(ONE, "kiosk-1")
    site.registry.reserve(run, NOW)
    with pytest.raises(RuntimeError):
        site.registry.bind_device(run, signer.issue_credential("kiosk-1", key, SEALED, NOW), NOW, fails)
    assert site.registry.devices() == []


def test_an_image_is_pinned_at_its_first_use(site):
    site.registry.pin_image("ESP32_GENERIC-20250911-v1.26.1.bin", "ab" * 32, NOW, "where it came from")
    site.registry.pin_image("ESP32_GENERIC-20250911-v1.26.1.bin", "ab" * 32, NOW + 9)
    assert reason(site.registry.pin_image, "ESP32_GENERIC-20250911-v1.26.1.bin", "cd" * 32, NOW) == "image-changed"
    assert [(each.sha256, each.first_used_at) for each in site.registry.images()] == [("ab" * 32, NOW)]


def test_the_steps_are_those_of_the_pipeline():
    assert STEPS == ("detect", "flash", "install", "key", "issue", "lock", "prove", "label")


def head(device_id):
    made = HeadRow(device_id=device_id, count=1, head=bytes(32), first=0, base=bytes(32), signed=b"signed")
    made.seen_at = NOW
    return made
