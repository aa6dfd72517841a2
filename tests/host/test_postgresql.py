"""PostgreSQL as two admins meet it: at once, from two processes, and what an upgrade makes of a registry with data."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cbor2
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, make_url, text

from admit import admin, granting, withdrawing
from admit import registry as registry_module
from admit.admin import Access
from admit.editing import editing, sync
from admit.registry import open_registry
from admit.site import Site
from admit.statements import decode
from admit.suite import HostSuite
from admit_protocol import aif, grant, rule
from admit_protocol.errors import AdmitError
from imports import ROOT
from sites import NOW, SEALED, passphrase, told

OPEN = ("/r/open", 2, {})


# Two admins at once


@pytest.fixture
def shared(cluster, tmp_path):
    """A site on PostgreSQL with the users u0 to u7 and kiosk-1."""
    made = cluster.site(tmp_path / "site")
    for number in range(8):
        admin.add_user(made, f"u{number}", [HostSuite().generate().public], NOW)
    admin.commission(made, made.authority(passphrase), "kiosk-1", bytes(range(64)), SEALED, NOW)
    yield made
    made.registry.close()


def at_once(site, *works):
    """Each work in a thread, with a registry of its own: what each returned, or its error's reason."""

    def run(work):
        mine = Site(site.folder)
        try:
            return work(mine, mine.authority(passphrase))
        except AdmitError as error:
            return error.reason
        finally:
            mine.registry.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_nothing_that_two_admins_say_at_once_is_lost(shared):
    def says(numbers):
        def work(site, signer):
            for number in numbers:
                with editing(site, signer, NOW) as edit:
                    granting.add_members(edit, "night", [f"user:u{number}"])
                admin.give(site, signer, f"u{number}", Access(["kiosk-*"], [OPEN], delegate=1), NOW)
            return "done"

        return work

    assert at_once(shared, says(range(0, 8, 2)), says(range(1, 8, 2))) == ["done", "done"]
    assert len(shared.registry.groups()["night"]) == 8
    living = [row for row in shared.registry.grants() if row.revoked_at is None and row.user_name != "admin"]
    assert sorted(row.user_name for row in living) == [f"u{number}" for number in range(8)]
    assert all(grant.parse(row.data).selectors == ("group:night",) for row in living)
    assert sync(shared, shared.authority(passphrase), NOW).issued == []


def test_what_both_do_is_done_once_and_told_to_the_other(shared):
    def take(site, signer):
        return admin.give(site, signer, "u1", Access(["*"], [OPEN]), NOW) and "done"

    assert sorted(at_once(shared, take, take)) == ["done", "statement-exists"]
    assert len(shared.registry.grants("u1")) == 1


def test_a_device_that_comes_while_somebody_is_revoked_hears_of_it(shared):
    """Neither knows of the other before both are there."""
    admin.give(shared, shared.authority(passphrase), "u1", Access(["*"], [OPEN]), NOW)

    def revoke(site, signer):
        with editing(site, signer, NOW) as edit:
            withdrawing.revoke_user(edit, "u1")

    def commission(site, signer):
        admin.commission(site, signer, "kiosk-2", bytes(range(64))[::-1], SEALED, NOW)

    at_once(shared, revoke, commission)
    for device_id in ("kiosk-1", "kiosk-2"):
        assert "user:u1" in told(shared, device_id)[3]


def test_two_processes_stand_in_line_and_a_plan_that_was_overtaken_is_refused(shared):
    version = shared.registry.version()
    script = (
        "import sys; from pathlib import Path; from admit import admin; from admit.site import Site\n"
        "site = Site(Path(sys.argv[1])); signer = site.authority(lambda: sys.argv[2])\n"
        "admin.give(site, signer, sys.argv[3], admin.Access(['*'], [('/r/open', 2, {})]), 1800000000)\n"
    )
    from sites import PASSPHRASE

    path = ":".join(str(ROOT / each) for each in ("host", "firmware"))
    runs = [
        subprocess.Popen([sys.executable, "-c", script, str(shared.folder), PASSPHRASE, user], env={"PYTHONPATH": path})
        for user in ("u2", "u3")
    ]
    assert [run.wait() for run in runs] == [0, 0]
    assert [len(shared.registry.grants(user)) for user in ("u2", "u3")] == [1, 1]
    with pytest.raises(AdmitError) as caught, editing(shared, shared.authority(passphrase), NOW, version=version):
        raise AssertionError("let in")
    assert caught.value.reason == "registry-changed"


def test_what_is_forgotten_is_forgotten_on_postgresql_too(shared):
    signer = shared.authority(passphrase)
    with editing(shared, signer, NOW) as edit:
        granting.put_role(edit, "guest", (OPEN,))
        granting.add_members(edit, "day", ["user:u0", "user:u1"])
        granting.add_members(edit, "all", ["group:day"])
    with editing(shared, signer, NOW) as edit:
        granting.remove_members(edit, "all", ["group:day"])
        granting.remove_group(edit, "all")
        granting.remove_group(edit, "day")
        granting.remove_role(edit, "guest")
    assert (shared.registry.groups(), shared.registry.roles()) == ({}, {})


# Registries of before


def old_registry(url, revision):
    """A registry as that version left it: a user, a grant that counts, one that was revoked, and a device."""
    target = make_url(url)
    engine = create_engine(target.set(drivername="postgresql+psycopg") if target.drivername == "postgresql" else target)
    config = Config()
    config.set_main_option("script_location", str(registry_module._MIGRATIONS))
    key = HostSuite().generate()
    given = [_grant(key, number) for number in range(2)]
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.execute(text("INSERT INTO users VALUES ('alice', 5)"))
        connection.execute(
            text("INSERT INTO keys (fingerprint, user_name, public, added_at) VALUES ('ab', 'alice', :key, 5)"),
            {"key": key.public},
        )
        for data in given:
            one = grant.parse(data)
            connection.execute(
                text("INSERT INTO grants VALUES (:id, :kid, 'alice', 'ab', :data, 5, NULL)"),
                {"id": one.id.hex(), "kid": one.kid, "data": data},
            )
        connection.execute(text("INSERT INTO revocations VALUES (:id, 77)"), {"id": grant.parse(given[1]).id.hex()})
        connection.execute(
            text("INSERT INTO devices VALUES ('kiosk-1', :public, :credential, 5, 3, 2, 1)"),
            {"public": bytes(range(64)), "credential": b"old"},
        )
        connection.execute(text("INSERT INTO bundles VALUES ('kiosk-1', 3, :data, 5)"), {"data": b"old"})
    engine.dispose()
    return [grant.parse(data) for data in given]


def _grant(key, number):
    from admit_protocol import issuing

    rules = [("/r/open", aif.POST, {rule.WINDOWS: [[31, 480, 1080]]})]
    return issuing.grant(
        key, bytes(16), bytes(7) + bytes([number]), "alice", ["kiosk-*", "lobby"], rules, key.public, 5
    )


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_a_registry_of_before_becomes_one_of_now_with_all_it_knew(url, revision):
    counting, revoked = old_registry(url, revision)
    registry = open_registry(url)
    assert {row.id: row.revoked_at for row in registry.grants("alice")} == {
        counting.id.hex(): None,
        revoked.id.hex(): 77,
    }
    (row,) = [row for row in registry.grants("alice") if row.revoked_at is None]
    (said,) = registry.statements()
    assert (row.statement_id, row.audience, row.delegate) == (said.id, "kiosk-*\nlobby", 0)
    statement = decode(said.terms)
    assert (statement.subject, statement.audience) == ("user:alice", ("kiosk-*", "lobby"))
    assert statement.rules_with(()) == list(counting.rules)
    assert (registry.device("kiosk-1").epoch, registry.pending_bundles(), registry.version()) == (3, [], 0)
    assert cbor2.loads(said.terms)["until"] is None
    registry.close()


def test_what_was_granted_before_is_neither_issued_again_nor_taken_back(site_anywhere):
    site = site_anywhere
    with site.registry.editing() as session:
        for row in session.scalars(granting.select(admin.GrantRow)):
            row.form = None
    again = sync(site, site.authority(passphrase), NOW)
    assert (again.issued, again.revoked) == ([], [])


def test_an_upgrade_that_is_cut_short_is_none(url, monkeypatch):
    """Tables are made in the transaction, too."""
    old_registry(url, "0002")
    with monkeypatch.context() as cut:
        cut.setattr("alembic.operations.base.Operations.drop_table", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            open_registry(url)
    registry = open_registry(url)
    assert len(registry.grants("alice")) == 2
    registry.close()
