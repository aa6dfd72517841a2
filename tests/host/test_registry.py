"""The registry: what it remembers, and whom it refuses."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from admit import admin
from admit import registry as registry_module
from admit.registry import create_registry, open_registry
from admit.registry_devices import add_bundle
from admit.registry_models import Base, BundleRow
from admit.site import Site
from admit.suite import HostSuite
from admit_protocol import grant
from admit_protocol.errors import AdmitError, Busy, Conflict, LocalError, NotFound
from sites import NOW, SEALED, passphrase, told

suite = HostSuite()
DEVICE = suite.generate()
KEY, SIGN = bytes(range(64)), bytes(range(64, 128))


@pytest.fixture
def site(site_anywhere):
    return site_anywhere


@pytest.fixture
def registry(url):
    made = create_registry(url)
    yield made
    made.close()


def reason(call, *arguments, **more):
    with pytest.raises(AdmitError) as caught:
        call(*arguments, **more)
    return caught.value.reason


# Versions


def test_the_migrations_make_the_tables_that_the_models_describe(url, registry):
    with create_engine(url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_this_version_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(registry_module._MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [registry_module.SCHEMA]
    older = {step.revision for step in script.walk_revisions()} - {registry_module.SCHEMA}
    assert older == set(registry_module._OLDER)


def test_a_registry_is_made_once_and_found_again(url, registry):
    registry.add_user("alice", [KEY], NOW)
    assert reason(create_registry, url) == "registry-exists"
    assert [user.name for user in open_registry(url).users()] == ["alice"]


def test_where_there_is_none_none_appears(tmp_path, url):
    with pytest.raises(NotFound) as caught:
        open_registry(url)
    assert caught.value.reason == "registry-missing"
    assert list(tmp_path.iterdir()) == []


def test_tables_that_an_attempt_left_without_a_user_are_no_registry(url):
    create_registry(url).close()
    create_registry(url).close()


def test_a_registry_of_a_newer_admit_is_refused_and_left_alone(url, registry):
    with create_engine(url).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LocalError) as caught:
        open_registry(url)
    assert caught.value.reason == "registry-newer"
    assert "9999" in caught.value.detail


def test_what_is_no_registry_is_said_to_be_none(tmp_path):
    (tmp_path / "registry.sqlite").write_bytes(b"not a database, " * 100)
    for wrong in (f"sqlite:///{tmp_path}/registry.sqlite", f"postgresql://x:word@/y?host={tmp_path}"):
        with pytest.raises(LocalError) as caught:
            open_registry(wrong)
        assert caught.value.reason == "registry-failed"
        assert "word" not in str(caught.value)
    for wrong in ("nonsense", "nosuch://host/name", "postgresql+nodriver://secret:word@host/name"):
        with pytest.raises(LocalError) as caught:
            open_registry(wrong)
        assert caught.value.reason == "registry-url"
        assert "word" not in str(caught.value)


# Users, grants, devices


def test_users_have_keys(registry):
    key = registry.add_user("alice", [KEY, SIGN], NOW)
    assert (key.user_name, key.public, key.sig_public) == ("alice", KEY, SIGN)
    assert [each.fingerprint for each in registry.keys("alice")] == [key.fingerprint]
    assert len(key.fingerprint) == 16


def test_a_user_and_a_key_are_there_once(registry):
    registry.add_user("alice", [KEY], NOW)
    assert reason(registry.add_user, "alice", [SIGN], NOW) == "registry-user-exists"
    assert reason(registry.add_user, "bob", [KEY], NOW) == "registry-key-exists"
    assert [user.name for user in registry.users()] == ["alice"]


def test_what_is_not_there_is_not_found(registry):
    assert reason(registry.keys, "nobody") == "registry-no-user"
    assert reason(registry.grants, "nobody") == "registry-no-user"
    assert reason(registry.grant, "00") == "registry-no-grant"
    assert reason(registry.device, "kiosk-9") == "registry-no-device"
    assert (registry.users(), registry.grants(), registry.devices()) == ([], [], [])
    assert registry.named_grant(b"8 bytes.") is None


def test_a_grant_is_found_by_its_first_digits(site, signer):
    rows = [admin.give(site, signer, "admin", admin.Access(["*"], [(f"/{n}", 1, {})]), NOW) for n in range(17)]
    assert site.registry.grant(rows[0].id).data == rows[0].data
    firsts = [row.id[0] for row in site.registry.grants()]
    twice = next(digit for digit in firsts if firsts.count(digit) > 1)
    assert reason(site.registry.grant, twice) == "registry-ambiguous"
    assert reason(site.registry.grant, "%") == "registry-no-grant"


def test_a_kid_and_a_key_lead_to_the_user(site):
    (row,) = site.registry.grants("admin")
    assert site.registry.named_grant(grant.parse(row.data).kid).user_name == "admin"
    assert site.registry.person(bytes.fromhex(row.fingerprint)) == "admin"
    assert site.registry.person(bytes(8)) is None


def test_a_bundle_that_a_device_holds_is_no_longer_pending(site, signer):
    admin.commission(site, signer, "kiosk-1", DEVICE.public, SEALED, NOW)
    row = admin.give(site, signer, "admin", admin.Access(["*"], [("/a", 1, {})]), NOW)
    admin.revoke(site, signer, [row], NOW)
    assert [each.device_id for each in site.registry.pending_bundles()] == ["kiosk-1"]
    site.registry.bundle_held("kiosk-1", 0)
    assert len(site.registry.pending_bundles()) == 1
    site.registry.bundle_held("kiosk-1", 1)
    site.registry.bundle_held("kiosk-1", 0)
    assert site.registry.pending_bundles() == []
    assert site.registry.device("kiosk-1").held_epoch == 1


# Two writers at once


def test_two_admins_who_revoke_at_once_do_not_lose_a_revocation(site, signer):
    admin.commission(site, signer, "kiosk-1", DEVICE.public, SEALED, NOW)
    rows = [admin.give(site, signer, "admin", admin.Access(["*"], [(f"/{n}", 1, {})]), NOW) for n in range(6)]

    def revoke(some):
        other = Site(site.folder)
        for row in some:
            admin.revoke(other, other.authority(passphrase), [row], NOW)
        other.registry.close()

    at_once(*[lambda some=rows[begin::2]: revoke(some) for begin in range(2)])
    assert site.registry.revoked() == {row.id for row in rows}
    assert site.registry.device("kiosk-1").epoch == 6
    assert told(site, "kiosk-1")[2] == b"".join(sorted(bytes.fromhex(row.id) for row in rows))


def test_who_builds_on_a_registry_that_has_changed_is_refused(site, signer):
    version = site.registry.version()
    with site.registry.editing(version):
        pass
    with pytest.raises(Conflict) as caught, site.registry.editing(version):
        raise AssertionError("let in")
    assert caught.value.reason == "registry-changed"
    with site.registry.editing(site.registry.version()):
        pass


def test_a_bundle_that_is_not_the_next_one_is_refused(site, signer):
    admin.commission(site, signer, "kiosk-1", DEVICE.public, SEALED, NOW)
    made = BundleRow(device_id="kiosk-1", epoch=2, data=b"", issued_at=NOW, base=0)
    made.revoked = made.selectors = made.rules = b""
    made.notice = 0
    with pytest.raises(Conflict) as caught, site.registry.editing() as session:
        add_bundle(session, made)
    assert caught.value.reason == "registry-changed"


def test_a_registry_that_somebody_else_changes_is_busy(url, registry, monkeypatch):
    monkeypatch.setattr(registry_module, "_BUSY_TIMEOUT_S", 0.05)
    impatient = open_registry(url)
    with registry.editing(), pytest.raises(Busy) as caught, impatient.editing():
        raise AssertionError("let in")
    assert caught.value.reason == "registry-busy"
    with impatient.editing():
        pass
    impatient.close()


def test_many_writers_lose_nothing(url, registry):
    def add(number):
        mine = open_registry(url)
        mine.add_user(f"user-{number}", [number.to_bytes(64, "big")], NOW)
        mine.close()

    at_once(*[lambda number=number: add(number) for number in range(8)])
    assert len(registry.users()) == 8


def at_once(*works):
    """Run all of them at once; what one raises is raised."""
    with ThreadPoolExecutor(len(works)) as pool:
        for each in [pool.submit(work) for work in works]:
            each.result()


def test_a_database_says_nothing_about_what_it_was_asked(registry):
    with pytest.raises(Conflict) as caught, registry._change() as session:
        session.execute(text("INSERT INTO users (name) VALUES ('secret')"))
    assert "secret" not in str(caught.value)
    with pytest.raises(LocalError) as failed, registry._change() as session:
        session.execute(text("SELECT 'secret' FROM nowhere"))
    assert "secret" not in str(failed.value)
