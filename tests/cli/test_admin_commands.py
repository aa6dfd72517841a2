"""What an admin types at their desk: a site, users, grants, revocations, and why."""

import json
import re

import pytest

from admit import admin, invitation, keyfiles, wallet
from admit.site import Site
from admit.suite import HostSuite
from admit_protocol import bundle, rule
from sites import NOW, PASSPHRASE, SEALED, opened, passphrase

KEYS = [HostSuite().generate().public for _ in range(2)]


@pytest.fixture
def kiosk(site):
    """The device kiosk-1."""
    admin.commission(site, site.authority(passphrase), "kiosk-1", KEYS[0], SEALED, NOW)


@pytest.fixture
def alice(site, run):
    run("user", "add", "alice")


def data(result):
    """What --json printed, without its schema version."""
    value = json.loads(result.stdout)
    assert value.pop("schema") == 1
    (only,) = value.values()
    return only


def granted(site, user="alice"):
    """The user's newest grant; the registry holds it too."""
    newest = site.wallet(user).grants()[0]
    assert site.registry.grant(newest.id.hex()).data == newest.data
    return newest


# init


def test_init_makes_a_site_that_works(tmp_path, run, passphrase_file):
    folder = tmp_path / "new"
    made = data(run("init", "--site", str(folder), "--name", "Ours", "--tz", "Asia/Tokyo", "--json"))
    site = Site(folder)
    assert made == {
        "name": "Ours",
        "id": site.anchor.site_id.hex(),
        "folder": str(folder),
        "admin": "admin",
        "tz": "Asia/Tokyo",
        "user": "admin",
    }
    site.authority(passphrase).unlock()
    assert granted(site, "admin").rules == (("*", 127, {}),)
    assert data(run("user", "list", "--site", str(folder), "--json"))[0]["name"] == "admin"


def test_init_is_done_once(site, run, passphrase_file):
    passphrase_file.unlink()  # it is said before anybody is asked for a passphrase
    assert "site-exists" in run("init", code=5).stderr


def test_init_refuses_what_cannot_be_before_it_asks(tmp_path, run):
    for wrong, code in ((["--admin", "a b"], 1), (["--tz", "Mars"], 2)):
        run("init", "--site", str(tmp_path / "new"), *wrong, code=code)
    assert not (tmp_path / "new").exists()


def test_a_short_passphrase_makes_no_site(tmp_path, run, passphrase_file):
    passphrase_file.write_text("short\n")
    assert "authority-passphrase" in run("init", "--site", str(tmp_path / "new"), code=1).stderr
    passphrase_file.write_text("\n")
    assert "passphrase-missing" in run("init", "--site", str(tmp_path / "new"), code=1).stderr
    assert list(tmp_path.iterdir()) == [passphrase_file]


# users


def test_a_local_user_gets_a_wallet(site, run):
    added = data(run("user", "add", "alice", "--json"))
    assert added["wallet"] == str(site.folder / "wallets/alice")
    assert added["fingerprint"] == keyfiles.fingerprint(site.wallet("alice").publics[0])


def test_a_user_may_send_their_keys(tmp_path, site, run):
    (tmp_path / "bob.pem").write_text(keyfiles.public_pem(*KEYS))
    assert data(run("user", "add", "bob", "--key", str(tmp_path / "bob.pem"), "--json"))["wallet"] is None
    (key,) = site.registry.keys("bob")
    assert [key.public, key.sig_public] == KEYS
    carol = keyfiles.public_pem(KEYS[1])
    run("user", "add", "carol", "--key", "-", given=carol)
    assert site.registry.keys("carol")[0].sig_public is None


def test_the_digits_that_a_user_reads_from_their_phone_must_be_those_of_the_key(tmp_path, site, run):
    theirs = wallet.create(tmp_path / "theirs")
    digits, file = keyfiles.fingerprint(theirs.publics[0]), str(theirs.folder / "public.pem")
    run("user", "add", "zoe", "--fingerprint", digits, code=2)
    refused = run("user", "add", "zoe", "--key", file, "--fingerprint", "0" * 16, code=8)
    assert "(key-fingerprint)" in refused.stderr and digits in refused.stderr
    assert "zoe" not in run("user", "list").stdout
    run("user", "add", "zoe", "--key", file, "--fingerprint", f"{digits[:8].upper()} {digits[8:]}")


def test_what_is_no_key_file_adds_nobody(tmp_path, site, run):
    (tmp_path / "bad.pem").write_bytes(b"\xff\xfe")
    assert "key-file" in run("user", "add", "bob", "--key", str(tmp_path / "bad.pem"), code=1).stderr
    run("user", "add", "bob", "--key", str(tmp_path / "missing.pem"), code=2)
    private = (site.folder / "wallets/admin/login.pem").read_text()
    result = run("user", "add", "bob", "--key", "-", given=private, code=1)
    assert private.splitlines()[1] not in result.output
    assert [user.name for user in site.registry.users()] == ["admin"]


def test_a_user_is_there_once(site, run, alice):
    assert "registry-user-exists" in run("user", "add", "alice", code=5).stderr
    run("user", "add", "a/b", code=1)
    names = [user["name"] for user in data(run("user", "list", "--json"))]
    assert names == ["admin", "alice"]


def test_users_are_listed_with_their_grants_that_count(site, run, alice):
    run("grant", "alice", "open", "--on", "*")
    run("grant", "alice", "close", "--on", "*")
    run("revoke", "--grant", site.registry.grants("alice")[0].id, "--yes", "--later")
    table = run("user", "list").stdout.splitlines()
    assert table[0].split() == ["NAME", "KEYS", "GRANTS", "STATE", "ADDED"]
    assert table[2].split()[0] == "alice"
    assert table[2].split()[2] == "1"


# grant


def test_the_long_form(site, run, alice, kiosk):
    words = "grant alice --allow r/open:POST --on kiosk-1 --days mon-fri --hours 08:00-18:00 --tz Europe/Berlin"
    made = data(run(*words.split(), "--until", "2027-06-30", "--json"))
    given = granted(site)
    assert made["id"] == given.id.hex()
    assert made["allows"] == ["POST /r/open, Mon-Fri 08:00-18:00"]
    assert made["until"] == "the end of 2027-06-30"
    assert made["expires"] == "2027-06-30T22:00:00Z"
    (only,) = given.rules
    assert (only.pattern, only.methods, given.audience) == ("/r/open", 2, ("kiosk-1",))
    assert only.conditions[rule.WINDOWS] == [[31, 480, 1080]]
    assert [offset for _, offset in only.conditions[rule.ZONE]][-1] == 120


def test_the_short_form(site, run, alice, kiosk):
    run("grant", "alice", "open", "--on", "kiosk-1", "--days", "mon-fri")
    (only,) = granted(site).rules
    assert (only.pattern, only.methods) == ("/r/open", 3)
    assert only.conditions[rule.WINDOWS] == [[31, 0, 0]]


def test_a_grant_without_hours_is_plain_aif_and_ends_in_a_year(site, run, alice, kiosk):
    made = data(run("grant", "alice", "open", "close", "--allow", "health:GET", "--on", "kiosk-1", "--json"))
    given = granted(site)
    assert given.rules == (("/r/open", 3, {}), ("/r/close", 3, {}), ("/health", 1, {}))
    assert 365 * 86400 <= given.expires - given.issued_at <= 367 * 86400
    assert made["until"].startswith("the end of ")


def test_a_grant_for_ever_is_asked_for_by_name(site, run, alice):
    run("grant", "alice", "open", "--on", "*", "--until", "never")
    assert granted(site).expires is None
    refused = run("grant", "alice", "open", "--on", "*", "--until", "never", "--days", "mon", code=1)
    assert "form-endless" in refused.stderr and "--until" in refused.stderr


def test_a_grant_that_begins_later(site, run, alice):
    run("grant", "alice", "open", "--on", "*", "--from", "2030-01-01", "--until", "2030-01-02 12:00", "--tz", "UTC")
    given = granted(site)
    assert (given.not_before, given.expires) == (1893456000, 1893456000 + 36 * 3600)
    (row,) = data(run("grants", "alice", "--json"))
    assert (row["from"], row["until"]) == ("2030-01-01 01:00", "2030-01-02 13:00")  # in the site's zone
    run("grant", "alice", "open", "--on", "*", "--from", "2030-01-02", "--until", "2030-01-01", code=2)


def test_a_grant_for_a_device_that_is_not_there_yet_is_made_with_a_warning(site, run, alice, kiosk):
    assert "no device named kiosk-2 yet" in run("grant", "alice", "open", "--on", "kiosk-2").stderr
    assert "warning" not in run("grant", "alice", "open", "--on", "kiosk-*").stderr
    assert granted(site).audience == ("kiosk-*",)


def test_a_grant_is_written_out_with_the_anchor_for_who_is_elsewhere(tmp_path, site, run, alice):
    run("grant", "alice", "open", "--on", "*", "--output", str(tmp_path / "alice.admit"))
    anchor, given, _ = invitation.decode((tmp_path / "alice.admit").read_bytes())
    assert (anchor.site_id, given) == (site.anchor.site_id, granted(site).data)


def test_a_dry_run_grants_nothing_and_needs_no_passphrase(site, run, alice, passphrase_file):
    passphrase_file.unlink()
    shown = data(run("grant", "alice", "open", "--on", "*", "--dry-run", "--json"))
    assert shown["allows"] == ["GET,POST /r/open"]
    assert site.registry.grants("alice") == []


@pytest.mark.parametrize(
    "words, code, said",
    [
        ("alice open", 2, "--on"),
        ("alice --on kiosk-1", 2, "name a routine"),
        ("alice r/open --on kiosk-1", 2, "--allow"),
        ("alice --allow r/open --on kiosk-1", 2, "r/open:POST"),
        ("alice open --on kiosk-1 --days someday", 2, "mon-fri"),
        ("alice open --on kiosk-1 --hours 8-18", 2, "08:00-18:00"),
        ("alice open --on kiosk-1 --tz Berlin", 2, "Europe/Berlin"),
        ("alice open --on kiosk-1 --until soon", 2, "2027-06-30"),
        ("alice open --on kiosk-1 --until 2020-01-01", 2, "ends before it begins"),
        ("alice open --on *-1", 1, "grant-audience"),
        ("bob open --on kiosk-1", 3, "admit user add"),
    ],
)
def test_what_is_no_grant_grants_nothing(site, run, alice, words, code, said):
    result = run("grant", *words.split(), code=code)
    assert said.replace("ends", "would end") in result.stderr
    assert result.stdout == ""
    assert site.registry.grants("alice") == []


def test_a_wrong_passphrase_grants_nothing(site, run, alice, passphrase_file):
    passphrase_file.write_text("not the passphrase\n")
    result = run("grant", "alice", "open", "--on", "*", code=1)
    assert "key-passphrase" in result.stderr
    assert "not the passphrase" not in result.output
    assert site.registry.grants("alice") == []


# revoke and grants


def test_all_grants_of_a_user_are_taken_back_at_once(site, run, alice, kiosk):
    run("grant", "alice", "open", "--on", "kiosk-1")
    run("grant", "alice", "close", "--on", "kiosk-*")
    ids = {row.id for row in site.registry.grants("alice")}
    result = run("revoke", "alice", "--yes", "--later", "--json")
    assert data(result) == [{"device": "kiosk-1", "epoch": 1, "state": "not yet", "why": None}]
    assert "Took back alice, with 2 grants." in result.stderr
    assert site.registry.revoked() == ids
    (row,) = site.registry.pending_bundles()
    assert {each.hex() for each in bundle.split(opened(row).added)} == ids


def test_one_grant_is_taken_back_by_the_first_digits_of_its_id(site, run, alice, kiosk):
    run("grant", "alice", "open", "--on", "kiosk-1")
    kept = granted(site, "admin")
    gone = granted(site)
    digits = next(n for n in range(1, 17) if gone.id.hex()[:n] != kept.id.hex()[:n])
    run("revoke", "--grant", gone.id.hex()[:digits], "--yes", "--later")
    assert site.registry.revoked() == {gone.id.hex()}
    run("revoke", "bob", "--grant", gone.id.hex(), code=3)
    run("revoke", "alice", "--grant", kept.id.hex(), code=2)


def test_what_cannot_be_undone_is_asked_for(site, run, alice):
    run("grant", "alice", "open", "--on", "*")
    refused = run("revoke", "alice", code=2)
    assert "--yes" in refused.stderr
    assert site.registry.revoked() == set()


def test_a_dry_run_takes_nothing_back(site, run, alice, kiosk):
    run("grant", "alice", "open", "--on", "kiosk-1")
    assert [row["user"] for row in data(run("revoke", "alice", "--dry-run", "--json"))] == ["alice"]
    assert site.registry.revoked() == set()


def test_taking_back_twice_is_nothing(site, run, alice, kiosk):
    run("grant", "alice", "open", "--on", "kiosk-1")
    run("revoke", "alice", "--yes", "--later")
    again = run("revoke", "alice", "--yes", "--later", "--json")
    assert "nothing to take back" in again.stderr
    assert [row["epoch"] for row in data(again)] == [1]  # the device has still not heard of the first time
    site.registry.bundle_held("kiosk-1", 1)
    assert data(run("revoke", "alice", "--yes", "--later", "--json")) == []
    run("revoke", code=2)
    run("revoke", "nobody", "--yes", code=3)


def test_grants_are_listed_as_they_count(site, run, alice, kiosk):
    assert data(run("grants", "alice", "--json")) == []
    run("grant", "alice", "open", "--on", "kiosk-*")
    run("grant", "alice", "close", "--on", "locker-1", "--from", "2099-01-01")
    states = {row["on"][0]: row["state"] for row in data(run("grants", "alice", "--json"))}
    assert states == {"kiosk-*": "counts", "locker-1": "not yet"}
    assert [row["on"] for row in data(run("grants", "alice", "--on", "kiosk-7", "--json"))] == [["kiosk-*"]]
    run("revoke", "alice", "--yes", "--later")
    assert data(run("grants", "alice", "--json")) == []
    assert {row["state"] for row in data(run("grants", "alice", "--all", "--json"))} == {"revoked"}
    assert re.search(r"admin +\* +everything +never +counts", run("grants").stdout)
    run("grants", "nobody", code=3)


# devices and why


def test_devices_are_listed_with_what_they_have_heard(site, run, alice, kiosk):
    (row,) = data(run("devices", "--json"))
    assert (row["id"], row["fingerprint"]) == ("kiosk-1", keyfiles.fingerprint(KEYS[0]))
    assert (row["epoch"], row["held_epoch"], row["policy"]) == (0, 0, "newest")
    run("grant", "alice", "open", "--on", "kiosk-1")
    run("revoke", "alice", "--yes", "--later")
    assert "has not heard of the newest" in run("devices").stdout


def test_why_it_is_allowed_and_why_not(site, run, alice, kiosk):
    run(
        "grant",
        "alice",
        "open",
        "--on",
        "kiosk-1",
        "--days",
        "mon-fri",
        "--hours",
        "08:00-18:00",
        "--until",
        "2030-01-01",
    )
    allowed = data(run("why", "alice", "open", "--on", "kiosk-1", "--at", "2027-01-15 09:00", "--json"))
    assert (allowed["decision"], allowed["grant"]) == ("allowed", granted(site).id.hex())
    assert allowed["rule"] == "GET,POST /r/open, Mon-Fri 08:00-18:00"
    assert allowed["at"] == "2027-01-15T08:00:00Z"
    denied = run("why", "alice", "open", "--on", "kiosk-1", "--at", "2027-01-16 09:00").stdout
    assert re.search(r"decision +denied", denied)
    assert "only Mon-Fri 08:00-18:00; it is Sat 09:00" in denied
    for words, reason in (
        ("alice calibrate", "rule-none"),
        ("alice health:GET", "rule-none"),
        ("alice r/open:DELETE", "rule-method"),
    ):
        assert data(run("why", *words.split(), "--on", "kiosk-1", "--json"))["reason"] == reason
    assert data(run("why", "admin", "calibrate", "--on", "kiosk-1", "--json"))["decision"] == "allowed"


def test_why_with_arguments(site, run, alice, kiosk):
    run("grant", "alice", "--allow", "r/open:POST{seconds<=10}", "--on", "kiosk-1")
    ask = ["why", "alice", "open", "--on", "kiosk-1", "--json"]
    assert data(run(*ask, "seconds=10"))["decision"] == "allowed"
    denied = data(run(*ask, "seconds=11"))
    assert (denied["reason"], denied["detail"]) == ("rule-argument", "seconds at most 10")
    assert data(run(*ask, "seconds=ten"))["reason"] == "rule-argument"
    run(*ask, "seconds", code=2)


def test_why_after_a_revocation_that_the_device_has_not_heard_of(site, run, alice, kiosk):
    run("grant", "alice", "open", "--on", "kiosk-1")
    run("revoke", "alice", "--yes", "--later")
    result = run("why", "alice", "open", "--on", "kiosk-1", "--json")
    assert data(result)["reason"] == "grant-revoked"
    assert "has not heard" in result.stderr


def test_why_without_any_grant_and_of_nobody(site, run, alice, kiosk):
    assert data(run("why", "alice", "open", "--on", "kiosk-1", "--json"))["reason"] == "access-no-grant"
    run("why", "nobody", "open", "--on", "kiosk-1", code=3)
    run("why", "alice", "open", "--on", "kiosk-9", code=3)
    run("why", "alice", "open", "--on", "kiosk-1", "--at", "later", code=2)
    run("why", "alice", "r/*:GET", "--on", "kiosk-1", code=2)


def test_no_command_shows_a_secret(site, run, alice, kiosk):
    shown = run("grant", "alice", "open", "--on", "kiosk-1").output
    for words in ("user list", "grants --all", "devices", "why alice open --on kiosk-1"):
        shown += run(*words.split()).output + run(*words.split(), "--json").output
    secrets = [PASSPHRASE] + [
        line for pem in site.folder.rglob("*.pem") if pem.name != "public.pem" for line in _body(pem)
    ]
    assert len(secrets) > 6
    assert [secret for secret in secrets if secret in shown] == []


def _body(pem):
    return [line for line in pem.read_text().splitlines() if not line.startswith("-----")]
