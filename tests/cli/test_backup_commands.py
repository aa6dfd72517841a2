"""`admit backup`, `restore`, `recovery`: what an admin types once a laptop is lost, or whoever knew its passphrase."""

import json
import re
from contextlib import closing
from pathlib import Path

import pytest

import age_peer
from admit import admin, age_file, keyfiles, recovery, shares
from admit.site import Site
from admit_provisioning import machine
from sites import NOW, PASSPHRASE, SEALED, passphrase
from terminals import Terminal

NEW = "another passphrase"
WIPED = "\x1b[2J\x1b[3J"


@pytest.fixture
def no_work(monkeypatch):
    """What protects passphrases costs nothing here; the first test below, and tests/strangers, pay for it."""
    monkeypatch.setattr(age_file, "seal", age_peer.seal)
    monkeypatch.setattr(keyfiles, "_SCRYPT_N", 2)


@pytest.fixture
def new_passphrase(tmp_path):
    """A file with another passphrase than the site has."""
    file = tmp_path / "new-passphrase"
    file.write_text(NEW + "\n")
    return str(file)


def files_under(folder):
    return {path for path in Path(folder).rglob("*") if path.is_file()}


# The story


def test_an_empty_machine_becomes_the_site_and_its_kiosk_believes_it(kiosk):
    kept = kiosk.folder / "site.backup"
    told = kiosk.data("backup -o", kept)
    assert (told["site"], told["devices"], told["file"]) == ("Test site", 1, str(kept))
    assert kept.stat().st_mode & 0o777 == 0o600
    kiosk.admit("revoke bob --yes")  # after the backup; the kiosk hears of it

    machine = kiosk.folder / "machine"
    empty = {"HOME": machine, "XDG_DATA_HOME": machine / "data", "ADMIT_SITE": None}
    back = kiosk.admit("restore", kept, **empty)
    assert back.stdout.startswith("site     Test site\nid       ") and "admit sync DEVICE" in back.stderr
    assert kiosk.data("invoke kiosk-1 open seconds=1 --as alice", **empty)["outcome"] == "done"

    said = kiosk.end(kiosk.start("sync kiosk-1", **empty), 5).stderr
    assert "(bundle-device-ahead)" in said and "--overrule" in said
    kiosk.admit("revoke bob --yes --later", **empty)  # said again
    (done,) = kiosk.data("sync kiosk-1 --overrule --yes", **empty)
    assert (done["state"], done["why"]) == ("delivered", None)
    assert "(grant-revoked)" in kiosk.admit("routines kiosk-1 --as bob", code=4, **empty).stderr
    assert kiosk.secrets_shown() == []


def test_nothing_is_overruled_in_passing(site, run):
    assert "name the devices" in run("sync", "--overrule", "--yes", code=2).stderr
    admin.commission(site, site.authority(passphrase), "kiosk-1", bytes(range(64)), SEALED, NOW)
    assert "--yes" in run("sync", "kiosk-1", "--overrule", code=2).stderr


# backup, restore


@pytest.fixture
def kept(site, run, tmp_path, no_work):
    """A backup of the site."""
    run("backup", "-o", str(tmp_path / "site.backup"))
    return str(tmp_path / "site.backup")


def test_a_backup_is_no_backup_inside_the_site(site, run):
    said = run("backup", "-o", str(site.folder / "site.backup"), code=2).stderr
    assert "is lost with it" in said
    assert "there is no folder" in run("backup", "-o", "/nowhere/at/all/site.backup", code=2).stderr


def test_a_backup_takes_the_place_of_another_only_if_that_is_said(kept, run):
    before = Path(kept).read_bytes()
    assert "--yes" in run("backup", "-o", kept, code=2).stderr
    assert Path(kept).read_bytes() == before
    assert json.loads(run("backup", "-o", kept, "--yes", "--json").stdout)["backup"]["users"] == 1
    assert Path(kept).read_bytes() != before


def test_the_doctor_hears_of_backups_here_and_where_one_was_restored(site, run, tmp_path, monkeypatch, no_work):
    monkeypatch.setattr("admit_cli.command.time.time", lambda: NOW)
    monkeypatch.setattr(machine.Machine, "usb_ports", lambda self: [])

    def found():
        rows = json.loads(run("doctor", "--json").stdout)["doctor"]
        return next(row for row in rows if row["check"] == "backup")

    assert found()["state"] == "warn" and "admit backup -o" in found()["fix"]
    kept = str(tmp_path / "site.backup")
    run("backup", "-o", kept)
    assert found() == {
        "check": "backup",
        "state": "ok",
        "found": "the last one was made 2027-01-15 08:00 UTC",
        "fix": None,
    }
    monkeypatch.setenv("ADMIT_SITE", str(tmp_path / "new"))
    run("restore", kept)
    assert found()["state"] == "ok"  # it was made of one
    run("recovery", "create", "--shares=2", "--threshold=2", "-o", str(tmp_path / "1"), "-o", str(tmp_path / "2"))
    assert "there are recovery shares" in found()["found"]
    with closing(Site(tmp_path / "new").registry) as registry:
        assert [(row.act, row.detail) for row in registry.changes()][-2:] == [
            ("backup", "this site was made of it"),
            ("recovery create", "2 shares, any 2 of them"),
        ]


def test_a_backup_that_failed_is_none(site, run, tmp_path, no_work):
    run("backup", "-o", str(tmp_path / "nowhere/site.backup"), code=2)
    assert site.registry.last_done("backup") is None


def test_whoever_does_not_know_the_passphrase_makes_no_backup(site, run, passphrase_file, tmp_path):
    passphrase_file.write_text("a wrong one\n")
    assert "(key-passphrase)" in run("backup", "-o", str(tmp_path / "site.backup"), code=1).stderr
    assert not (tmp_path / "site.backup").exists()


def test_a_restore_that_cannot_be_leaves_nothing(kept, run, tmp_path, passphrase_file):
    before = files_under(tmp_path)
    into = str(tmp_path / "new/site")
    assert "(site-exists)" in run("restore", kept, code=5).stderr
    assert "(file-missing)" in run("restore", "no-such-file", "--into", into, code=3).stderr
    passphrase_file.write_text("a wrong one\n")
    said = run("restore", kept, "--into", into, code=1).stderr
    assert "(age-passphrase)" in said and "a wrong one" not in said
    passphrase_file.write_text(PASSPHRASE)
    data = Path(kept).read_bytes()
    Path(kept).write_bytes(data[:-1000])
    assert "(age-damaged)" in run("restore", kept, "--into", into, code=1).stderr
    Path(kept).write_bytes(age_peer.seal(b"", PASSPHRASE))
    assert "(archive-damaged)" in run("restore", kept, "--into", into, code=1).stderr
    assert files_under(tmp_path) == before


def test_a_restored_registry_goes_where_it_is_told(kept, run, tmp_path):
    url = f"sqlite:///{tmp_path}/elsewhere.sqlite"
    run("restore", kept, "--into", str(tmp_path / "new"), "--registry", url)
    assert not (tmp_path / "new/registry.sqlite").exists() and (tmp_path / "elsewhere.sqlite").exists()
    assert "admin" in run("user", "list", "--site", str(tmp_path / "new")).stdout


# recovery


@pytest.fixture
def share_files(site, run, tmp_path, no_work):
    """Three shares in files of their own, of which two are enough."""
    files = [tmp_path / f"share-{number}.txt" for number in (1, 2, 3)]
    run("recovery", "create", "--shares", "3", "--threshold", "2", *[f"-o{file}" for file in files])
    return files


def typed(*files):
    return "".join(file.read_text() for file in files)


def test_shares_in_files_are_for_their_owner_only_and_nothing_is_shown(site, run, tmp_path, no_work):
    files = [tmp_path / "one", tmp_path / "two"]
    done = run("recovery", "create", "--shares=2", "--threshold=2", "-o", str(files[0]), "-o", str(files[1]), "--json")
    told = json.loads(done.stdout)["recovery"]
    assert told["file"] == str(site.folder / recovery.FILE) and told["threshold"] == 2
    for file in files:
        assert file.stat().st_mode & 0o777 == 0o600
        assert len(file.read_text().split()) == shares.WORDS
        assert file.read_text().split()[-1] not in (done.stdout + done.stderr).split()


def test_shares_are_not_shown_off_a_terminal_and_no_file_is_lost(site, run, tmp_path):
    create = ["recovery", "create", "--shares", "2", "--threshold", "2"]
    (tmp_path / "mine").write_text("mine")
    assert "run it on a terminal" in run(*create, code=2).stderr
    assert "for each" in run(*create, "-o", str(tmp_path / "one"), code=2).stderr
    assert "for each" in run(*create, "-o", str(tmp_path / "one"), "-o", str(tmp_path / "one"), code=2).stderr
    assert "is there already" in run(*create, "-o", str(tmp_path / "one"), "-o", str(tmp_path / "mine"), code=2).stderr
    assert "only 2 shares" in run("recovery", "create", "--shares", "2", "--threshold", "3", code=2).stderr
    assert not (tmp_path / "one").exists() and not (site.folder / recovery.FILE).exists()


def test_new_shares_are_made_in_the_place_of_others_only_if_that_is_said(share_files, site, run, tmp_path):
    before = (site.folder / recovery.FILE).read_bytes()
    create = ["recovery", "create", "--shares=2", "--threshold=2", f"-o{tmp_path}/a", f"-o{tmp_path}/b"]
    assert "--yes" in run(*create, code=2).stderr
    assert (site.folder / recovery.FILE).read_bytes() == before
    run(*create, "--yes")
    said = run("recovery", "restore", given=typed(*share_files[:2]), code=1).stderr
    assert "(recovery-other-shares)" in said


def test_enough_shares_give_the_site_a_new_passphrase(share_files, site, run, monkeypatch, new_passphrase):
    run("user", "add", "alice")
    monkeypatch.setenv("ADMIT_PASSPHRASE_FILE", new_passphrase)
    assert "(key-passphrase)" in run("grant", "alice", "open", "--on", "*", code=1).stderr
    told = run("recovery", "restore", "--json", given=typed(share_files[2], share_files[0]))
    assert json.loads(told.stdout)["recovered"]["site"] == "Test site"
    run("grant", "alice", "open", "--on", "*")


def test_with_a_backup_they_give_back_a_site_that_is_lost(
    share_files, site, run, tmp_path, monkeypatch, new_passphrase
):
    run("backup", "-o", str(tmp_path / "site.backup"))
    monkeypatch.setenv("ADMIT_PASSPHRASE_FILE", new_passphrase)
    monkeypatch.setenv("ADMIT_SITE", str(tmp_path / "new"))
    file, kept = str(site.folder / recovery.FILE), str(tmp_path / "site.backup")
    assert "(recovery-no-site)" in run("recovery", "restore", file, given=typed(*share_files), code=3).stderr
    run("recovery", "restore", file, "--backup", kept, given=typed(*share_files))
    run("user", "add", "alice")
    run("grant", "alice", "open", "--on", "*")
    assert "(site-exists)" in run("recovery", "restore", file, "--backup", kept, given="", code=5).stderr


@pytest.mark.parametrize(
    "given, reason",
    [
        (lambda words: [], "recovery-too-few"),
        (lambda words: words[:1], "recovery-too-few"),
        (lambda words: [words[0], words[0]], "recovery-twice"),
        (lambda words: [words[0], " ".join(words[1].split()[1:])], "recovery-length"),
        (lambda words: [words[0], " ".join(["zzz", *words[1].split()[1:]])], "recovery-word"),
        (lambda words: [words[0], shares.split(bytes(16), 2, 2)[0]], "recovery-other-set"),
    ],
)
def test_bad_shares_change_nothing(share_files, site, run, given, reason):
    before = {file: file.read_bytes() for file in files_under(site.folder)}
    lines = "".join(f"{line}\n" for line in given([file.read_text().strip() for file in share_files]))
    said = run("recovery", "restore", given=lines, code=1).stderr
    assert f"({reason})" in said
    assert {file: file.read_bytes() for file in files_under(site.folder)} == before


def test_on_a_terminal_shares_are_shown_one_by_one_and_wiped(site):
    terminal = Terminal("recovery", "create", "--shares", "2", "--threshold", "2")
    seen = []
    for _ in range(2):
        terminal.answer("press Enter", "")
        seen.append(terminal.before)
    code, rest = terminal.end()
    found = [" ".join(re.findall(r"\b[ 1-2]?[0-9] ([a-z]{4,8})", part)) for part in seen]
    assert code == 0 and "recovery.age" in rest
    assert seen[0].startswith("Share 1 of 2;") and WIPED in seen[1] and WIPED in rest
    assert shares.combine(found) and found[0].split()[-1] not in seen[1] + rest
    assert (site.folder / recovery.FILE).stat().st_mode & 0o777 == 0o600


def test_on_a_terminal_each_share_is_asked_for_until_it_is_right(share_files, site, new_passphrase):
    one, other = [file.read_text().strip() for file in share_files[:2]]
    terminal = Terminal("recovery", "restore", ADMIT_PASSPHRASE_FILE=new_passphrase)
    terminal.answer("Share 1", one)
    terminal.answer("Share 2 of 2", " ".join(["zzz", *other.split()[1:]]))
    terminal.answer("Share 2 of 2", other)
    assert "word 1 is not in the list" in terminal.before and WIPED in terminal.before
    code, rest = terminal.end()
    assert code == 0 and WIPED in rest
    assert site.authority(lambda: NEW).key_files()
