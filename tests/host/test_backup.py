"""A site in a file and back: one state of all of it, on either database, whole or not at all."""

import os
import threading
from contextlib import closing

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

import restore_cuts
from admit import admin, archive, backup, restoring
from admit import registry as registry_module
from admit.admin import Access
from admit.editing import editing, sync
from admit.registry import create_registry
from admit.site import Site
from admit.suite import HostSuite
from admit_protocol.errors import AdmitError
from sites import NOW, SEALED, new_site, passphrase

OPEN = ("/r/open", 2, {})


def reason(call, *arguments, **more):
    with pytest.raises(AdmitError) as caught:
        call(*arguments, **more)
    return caught.value.reason


def lived_in(site):
    """A site in which something happened."""
    signer = site.authority(passphrase)
    admin.add_user(site, "alice", None, NOW)
    admin.add_user(site, "bob", [HostSuite().generate().public], NOW)
    admin.commission(site, signer, "kiosk-1", bytes(range(64)), SEALED, NOW)
    admin.give(site, signer, "alice", Access(["kiosk-*"], [OPEN], delegate=1), NOW)
    given = admin.give(site, signer, "bob", Access(["kiosk-1"], [OPEN]), NOW)
    admin.revoke(site, signer, [given], NOW)
    return site


def told_by(registry):
    """All that a registry holds, table by table."""
    with registry.reading() as session:
        connection = session.connection()
        return {
            name: sorted(map(tuple, connection.execute(text(f'SELECT * FROM "{name}"'))), key=repr)
            for name in (
                "users",
                "keys",
                "grants",
                "statements",
                "devices",
                "bundles",
                "policy",
                "changes",
                "alembic_version",
            )
        }


def files_of(folder):
    """What is in each file of a site but its registry, its mode, and its time."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode & 0o777, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("registry.sqlite")
    }


def saved(site):
    return backup.parse(backup.make(site, NOW))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The backup of a small site, for those who only read it."""
    site = lived_in(new_site(tmp_path_factory.mktemp("kept") / "site"))
    with closing(site.registry):
        return saved(site)


# There and back


def test_a_site_comes_back_as_it_was(site, tmp_path):
    lived_in(site)
    found = saved(site)
    assert (found.site, found.site_id, found.made_at) == ("Test site", site.anchor.site_id, NOW)
    back = restoring.restore(found, tmp_path / "empty/machine/site")
    with closing(back.registry):
        assert told_by(back.registry) == told_by(site.registry)
        assert files_of(back.folder) == files_of(site.folder)
        assert back.folder.stat().st_mode & 0o777 == 0o700
        again = sync(back, back.authority(passphrase), NOW)
        assert (again.issued, again.revoked) == ([], [])
        assert [grant.id for grant in back.wallet("alice").grants()] == [
            grant.id for grant in site.wallet("alice").grants()
        ]
    assert os.listdir(tmp_path / "empty/machine") == ["site"]


def test_what_was_being_written_and_the_registrys_own_files_stay_behind(site):
    for name in (".login.pem.x1", "wallets/.alice/login.pem", "registry.sqlite-journal"):
        (site.folder / name).parent.mkdir(exist_ok=True)
        (site.folder / name).write_bytes(b"")
    (site.folder / "notes.txt").write_text("kept")
    (site.folder / "hidden-from-others").write_text("too")
    (site.folder / "hidden-from-others").chmod(0o640)
    names = {entry.name: entry.secret for entry in saved(site).files}
    assert names["site/notes.txt"] is False and names["site/hidden-from-others"] is True
    assert not [name for name in names if "/." in name or "registry" in name]


def test_links_are_followed_to_files_and_refused_elsewhere(site, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").write_text("there")
    (site.folder / "linked").symlink_to(tmp_path / "elsewhere/file")
    assert {entry.name: entry.data for entry in saved(site).files}["site/linked"] == b"there"
    (site.folder / "wallets/bob").symlink_to(tmp_path / "elsewhere")
    assert reason(backup.make, site, NOW) == "backup-link"
    (site.folder / "wallets/bob").unlink()
    os.mkfifo(site.folder / "pipe")
    assert reason(backup.make, site, NOW) == "backup-link"


def test_nobody_changes_anything_while_it_is_read(site_anywhere, monkeypatch):
    site = site_anywhere
    monkeypatch.setattr(registry_module, "_BUSY_TIMEOUT_S", 1)
    found = []

    def act():
        mine = Site(site.folder)
        with closing(mine.registry):
            found.append(reason(admin.give, mine, mine.authority(passphrase), "admin", Access(["*"], [OPEN]), NOW))

    read = backup._files

    def slowly(of):
        thread = threading.Thread(target=act)
        thread.start()
        thread.join()
        return read(of)

    monkeypatch.setattr(backup, "_files", slowly)
    before = told_by(site.registry)
    data = saved(site)
    assert found == ["registry-busy"]
    assert told_by(site.registry) == before
    assert len(data.files) == 9


# Other databases


def test_it_comes_back_to_the_database_that_the_site_names(cluster, tmp_path):
    site = lived_in(cluster.site(tmp_path / "site"))
    with closing(site.registry):
        data = saved(site)
        restoring.restore(data, tmp_path / "same").registry.close()  # that database holds just this
        admin.add_user(site, "carol", None, NOW)
        assert reason(restoring.restore, data, tmp_path / "other") == "registry-exists"


@pytest.mark.parametrize("kind", ["from sqlite to postgresql", "from postgresql to sqlite"])
def test_it_goes_from_one_database_to_the_other(kind, request, tmp_path, monkeypatch):
    cluster = request.getfixturevalue("cluster")
    if kind == "from sqlite to postgresql":
        site, url = new_site(tmp_path / "site"), cluster.new_database()
    else:
        site, url = cluster.site(tmp_path / "site"), "registry.sqlite"
    with closing(lived_in(site).registry):
        before = told_by(site.registry)
        back = restoring.restore(saved(site), tmp_path / "new", url)
    with closing(back.registry):
        assert told_by(back.registry) == before
        assert back._config["registry"] == url
        with editing(back, back.authority(passphrase), NOW) as edit:  # a number of its own for the change noted
            edit.note("test", "")
        assert len(told_by(back.registry)["changes"]) == len(before["changes"]) + 1


def test_a_database_that_is_in_use_is_left_alone(tmp_path, kept, url):
    with closing(create_registry(url)) as other:
        other.add_user("somebody", [bytes(range(64))], NOW)
        assert reason(restoring.restore, kept, tmp_path / "new/site", url) == "registry-exists"
        assert [user.name for user in other.users()] == ["somebody"]
    assert os.listdir(tmp_path / "new") == []


def test_one_that_a_restore_has_filled_already_is_taken_as_it_is(tmp_path, kept, url):
    for name in ("first", "second"):  # of the first, only the registry is left
        back = restoring.restore(kept, tmp_path / name, url)
        with closing(back.registry):
            assert back.registry.device("kiosk-1").public == bytes(range(64))


def test_a_registry_of_before_is_brought_up_to_now(tmp_path, kept):
    old_registry(f"sqlite:///{tmp_path}/old.sqlite")
    old = backup.Backup(kept.site, kept.site_id, NOW, kept.files, (tmp_path / "old.sqlite").read_bytes())
    with closing(restoring.restore(old, tmp_path / "new").registry) as registry:
        assert [user.name for user in registry.users()] == ["alice"]


def old_registry(url):
    """A registry as version 0002 left it, with one user."""
    config = Config()
    config.set_main_option("script_location", str(registry_module._MIGRATIONS))
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.execute(text("INSERT INTO users VALUES ('alice', 5)"))
    engine.dispose()


# What is refused


def test_a_folder_in_which_something_is_is_left_alone(tmp_path, kept):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("mine")
    (tmp_path / "file").write_text("mine")
    assert reason(restoring.restore, kept, tmp_path / "full") == "site-exists"
    assert reason(restoring.restore, kept, tmp_path / "file") == "site-exists"
    (tmp_path / "empty").mkdir()
    restoring.restore(kept, tmp_path / "empty").registry.close()


def repacked(kept, told=None, files=None, others=None):
    """The bytes of an archive that says something else."""
    about = {"site": kept.site, "site_id": kept.site_id.hex(), "made_at": NOW, "schema": registry_module.SCHEMA}
    entries = kept.files if files is None else files
    others = [archive.Entry(backup.REGISTRY, kept.registry)] if others is None else others
    return archive.pack(backup.FORM, about | (told or {}), [*entries, *others])


def test_what_a_newer_admit_made_is_refused(kept):
    assert backup.parse(repacked(kept)) == kept
    assert reason(backup.parse, repacked(kept, {"schema": "9999"})) == "archive-newer"
    assert reason(backup.parse, repacked(kept, {"version": 2})) == "archive-newer"


def test_what_is_no_site_is_refused(kept, tmp_path):
    assert reason(backup.parse, repacked(kept, others=[])) == "archive-damaged"
    stranger = archive.Entry("elsewhere", b"")
    assert reason(backup.parse, repacked(kept, files=[*kept.files, stranger])) == "archive-damaged"
    assert reason(backup.parse, repacked(kept, files=[*kept.files, kept.files[0]])) == "archive-damaged"
    for wrong in (
        {"site_id": "no hex"},
        {"made_at": None},
        {"made_at": "then"},
        {"made_at": 1e400},
        {"made_at": 1 << 50},
    ):
        assert reason(backup.parse, repacked(kept, wrong)) == "archive-damaged"
    other_site = backup.parse(repacked(kept, {"site_id": "00" * 16}))
    half_a_site = backup.parse(repacked(kept, files=kept.files[:1]))
    no_registry = backup.parse(repacked(kept, others=[archive.Entry(backup.REGISTRY, b"no database" * 99)]))
    for found, expected in (
        (other_site, "archive-damaged"),
        (half_a_site, "archive-damaged"),
        (no_registry, "registry-failed"),
    ):
        assert reason(restoring.restore, found, tmp_path / "new/site") == expected
        assert os.listdir(tmp_path / "new") == []


def test_a_backup_does_not_say_where_on_this_machine_a_file_is_made(kept, tmp_path, monkeypatch):
    for place in (f"sqlite:///{tmp_path}/planted", str(tmp_path / "planted"), "../planted", "data/../../planted"):
        config = f'registry = "{place}"\n'.encode()
        files = [entry for entry in kept.files if entry.name != "site/site.toml"]
        planted = backup.parse(repacked(kept, files=[*files, archive.Entry("site/site.toml", config)]))
        assert reason(restoring.restore, planted, tmp_path / "new/site") == "restore-elsewhere"
        assert os.listdir(tmp_path) == ["new"] and os.listdir(tmp_path / "new") == []
    monkeypatch.setenv("ADMIT_REGISTRY", f"sqlite:///{tmp_path}/said")  # whoever restores it does
    restoring.restore(planted, tmp_path / "new/site").registry.close()
    assert (tmp_path / "said").exists()


# The power fails


def test_wherever_the_power_fails_there_is_a_whole_site_or_none(kept, tmp_path):
    found = restore_cuts.of_restore(kept, tmp_path / "new/site", step=2)
    assert found["writes"] > 3 * len(kept.files) and found["cuts"] >= 30 and not found["thirds"] + found["lost"]


def test_wherever_the_power_fails_a_database_of_its_own_is_not_in_the_way(kept, tmp_path):
    url = f"sqlite:///{tmp_path}/other.sqlite"
    found = restore_cuts.of_restore(kept, tmp_path / "new/site", url, step=25)
    assert found["writes"] > 3 * len(kept.files) and not found["thirds"] + found["lost"]


def test_what_another_restore_works_on_is_left_to_it(kept, tmp_path):
    with restoring._building(tmp_path / "site") as others:
        (others / "mine").write_text("")
        restoring.restore(kept, tmp_path / "site").registry.close()
        assert (others / "mine").exists()
