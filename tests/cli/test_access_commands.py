"""What an admin types of who may do what: the commands of the issue, each as it stands there."""

import json

import pytest

from admit import admin, couriers, invites, keyfiles
from admit.suite import HostSuite
from admit_protocol import grant, rule
from sites import NOW, SEALED, opened, passphrase, told

KEYS = [HostSuite().generate().public for _ in range(4)]


@pytest.fixture
def devices(site):
    signer = site.authority(passphrase)
    for name, key in zip(("kiosk-1", "kiosk-3", "lobby-1", "locker-7"), KEYS, strict=True):
        admin.commission(site, signer, name, key, SEALED, NOW)


@pytest.fixture
def people(run):
    for name in ("alice", "bob", "carol"):
        run("user", "add", name)


def data(result):
    value = json.loads(result.stdout)
    assert value.pop("schema") == 1
    (only,) = value.values()
    return only


def living(site, user):
    return [grant.parse(row.data) for row in site.registry.grants(user) if row.revoked_at is None]


def test_the_long_form_of_the_issue(site, run, people, devices):
    run("role", "add", "operator", "--allow", "r/open:POST", "--allow", "health:GET")
    run("group", "add", "night-shift", "alice", "bob")
    words = "grant group:night-shift --role operator --on kiosk-* --days mon-fri --hours 22:00-06:00"
    made = data(run(*words.split(), "--tz", "Europe/Berlin", "--until", "2027-06-30", "--json"))
    assert (made["people"], made["role"], made["user"]) == (["alice", "bob"], "operator", "group:night-shift")
    (given,) = living(site, "bob")
    assert given.id == site.wallet("bob").grants()[0].id
    assert [each.pattern for each in given.rules] == ["/r/open", "/health"]
    assert given.rules[0].conditions[rule.WINDOWS] == [[31, 1320, 360]]
    assert given.selectors == ("group:night-shift", "role:operator")
    made = data(
        run("grant", "carol", "--allow", "r/open:POST{seconds<=10}", "--on", "locker-7", "--uses", "3", "--json")
    )
    (given,) = living(site, "carol")
    assert given.rules == (("/r/open", 2, {rule.BOUNDS: {"seconds": [None, 10]}, rule.USES: 3}),)
    assert given.id.hex() == made["id"] and made["statement"].startswith("g-")


def test_every_condition(site, run, people, devices):
    run("group", "add", "leads", "bob", "carol")
    words = "grant alice open --on kiosk-1 --rate 5/1h --presence code --approvals 2:group:leads --fresh 7d --timeless"
    run(*words.split(), "--delegate", "2")
    (given,) = living(site, "alice")
    reading, doing = given.rules
    assert (reading.methods, reading.conditions) == (1, {rule.FRESH: 604800, rule.TIMELESS: True})
    assert doing.conditions == {
        rule.RATE: [5, 3600],
        rule.PRESENCE: rule.CODE,
        rule.APPROVALS: [2, ["group:leads"]],
        rule.FRESH: 604800,
        rule.TIMELESS: True,
    }
    assert given.delegate == 2
    assert "approved by 2 of group:leads" in run("grants", "alice").stdout


@pytest.mark.parametrize(
    "words, code, said",
    [
        ("grant alice --role nothing --on kiosk-1", 3, "registry-no-role"),
        ("grant group:nothing open --on kiosk-1", 3, "registry-no-group"),
        ("grant role:x open --on kiosk-1", 2, "not like alice or group:leads"),
        ("grant alice open --on kiosk-1 --uses 0", 2, "--uses"),
        ("grant alice open --on kiosk-1 --rate 5", 2, "5/1h"),
        ("grant alice open --on kiosk-1 --presence fire", 2, "--presence"),
        ("grant alice open --on kiosk-1 --approvals leads", 2, "2:group:leads"),
        ("grant alice open --on kiosk-1 --delegate 5", 2, "--delegate"),
        ("grant alice open --on kiosk-1 --days sat --from 2027-01-11 --until 2027-01-15", 1, "window-never-opens"),
        ("role add guest", 2, "name a routine"),
        ("role remove guest", 3, "registry-no-role"),
        ("group add night nobody", 3, "registry-no-user"),
        ("group remove night", 3, "registry-no-group"),
        ("invite --role guest --on lobby-1 --output x", 3, "registry-no-role"),
        ("invite open --on nowhere --output x", 3, "registry-no-device"),
        ("invite open --on lobby-1", 2, "--output"),
        ("invite open --on lobby-1 --json", 2, "--output"),
        ("invite open --on lobby-1 --valid soon --output x", 2, "24h"),
        ("revoke alice --key 00", 2, "name a user"),
        ("revoke --key 00", 3, "registry-no-key"),
        ("revoke --device kiosk-9", 3, "registry-no-device"),
        ("deny alice open", 2, "--on"),
        ("deny nobody open --on *", 3, "registry-no-user"),
        ("deny --lift d-nothing", 3, "registry-no-denial"),
        ("lockdown", 2, "--on"),
        ("lockdown --lift", 3, "registry-no-denial"),
        ("status kiosk-9", 3, "registry-no-device"),
        ("sync kiosk-9", 3, "registry-no-device"),
        ("courier pack kiosk-9 -o x", 3, "registry-no-device"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(
    tmp_path, monkeypatch, site, run, people, devices, words, code, said
):
    monkeypatch.chdir(tmp_path)
    before = (len(site.registry.grants()), site.registry.version())
    result = run(*words.split(), *(["--yes"] if words.startswith("revoke") else []), code=code)
    assert said in result.stderr and result.stdout == ""
    assert (len(site.registry.grants()), site.registry.version()) == before
    assert list(tmp_path.glob("x")) == []


def test_a_cycle_of_groups_is_refused(site, run, people):
    run("group", "add", "day", "alice")
    run("group", "add", "all", "group:day")
    assert "group-cycle" in run("group", "add", "day", "group:all", code=5).stderr
    rows = data(run("group", "list", "--json"))
    assert [(row["group"], row["members"], row["people"]) for row in rows] == [
        ("all", ["group:day"], 1),
        ("day", ["alice"], 1),
    ]
    assert "group-used" in run("group", "remove", "day", code=5).stderr
    run("group", "remove", "all")
    run("group", "remove", "day")
    assert data(run("group", "list", "--json")) == []


def test_the_same_twice_and_a_role_that_means_something_else(site, run, people, devices):
    run("role", "add", "operator", "open")
    assert "registry-role-exists" in run("role", "add", "operator", "close", code=5).stderr
    run("grant", "alice", "--role", "operator", "--on", "kiosk-1", "--until", "2030-01-01")
    again = run("grant", "alice", "--role", "operator", "--on", "kiosk-1", "--until", "2030-01-01", code=5)
    assert "statement-exists" in again.stderr
    run("role", "add", "operator", "close", "--replace")
    assert [each.pattern for each in living(site, "alice")[0].rules] == ["/r/close"]
    assert [each.rules[0].pattern for each in site.wallet("alice").grants()] == ["/r/close"]
    assert "role-used" in run("role", "remove", "operator", code=5).stderr
    assert data(run("role", "list", "--json"))[0]["allows"] == ["GET,POST /r/close"]


def test_a_rehearsal_grants_nothing(site, run, people, devices):
    run("group", "add", "night", "alice", "bob")
    shown = data(run("grant", "group:night", "open", "--on", "kiosk-1", "--dry-run", "--json"))
    assert shown["people"] == 2
    assert living(site, "alice") == []


def test_an_invite_is_in_its_file_and_nowhere_else(tmp_path, site, run, people, devices):
    run("role", "add", "guest", "open")
    file = tmp_path / "guest.link"
    result = run(*f"invite --role guest --on lobby-1 --uses 1 --valid 24h --output {file} --json".split())
    link = invites.decode(file.read_text())
    assert file.stat().st_mode & 0o077 == 0
    assert invites.encode(link) not in result.output and link.secret.hex() not in result.output
    (row,) = site.registry.invites()
    assert data(result)["id"] == row.id and row.expires - row.issued_at == 86400
    for picture in ("guest.png", "guest.svg"):
        run("invite", "open", "--on", "lobby-1", "--output", str(tmp_path / picture))
        assert (tmp_path / picture).stat().st_size > 500
    told_of = run("revoke", "--grant", row.id[:8], "--yes", "--later", "--json")
    assert [each["device"] for each in data(told_of)] == ["lobby-1"]
    assert told(site, "lobby-1")[2] == bytes.fromhex(row.id)


def test_on_a_terminal_the_link_is_shown_once(site, run, people, devices):
    from terminals import Terminal

    code, shown = Terminal("invite", "open", "--on", "lobby-1").end()
    assert code == 0
    assert shown.count(invites.PREFIX) == 1
    assert "\u2588" in shown


def test_everything_can_be_taken_back(site, run, people, devices):
    run("grant", "alice", "open", "--on", "kiosk-*", "--until", "2030-01-01")
    run("grant", "bob", "open", "--on", "kiosk-1")
    lost = keyfiles.fingerprint(site.wallet("bob").publics[0])
    assert "1 grant" in run("revoke", "--key", lost, "--yes", "--later").stderr
    assert living(site, "bob") == []
    run("revoke", "alice", "--yes", "--later")
    assert "user-revoked" in run("grant", "alice", "close", "--on", "kiosk-1", code=5).stderr
    states = {row["name"]: row["state"] for row in data(run("user", "list", "--json"))}
    assert (states["alice"], states["bob"]) == ("revoked", "counts")
    run("user", "add", "alice", "--again")
    run("grant", "alice", "open", "--on", "kiosk-*", "--until", "2030-01-01")
    run("revoke", "--device", "kiosk-3", "--yes", "--later")
    states = {row["device"]: row["state"] for row in data(run("status", "--json"))}
    assert states == {"kiosk-1": "waiting", "kiosk-3": "revoked", "lobby-1": "waiting", "locker-7": "waiting"}


def test_a_user_gets_another_key(tmp_path, site, run, people, devices):
    run("grant", "alice", "open", "--on", "kiosk-1")
    (tmp_path / "second.pem").write_text(keyfiles.public_pem(KEYS[0]))
    run("user", "add", "alice", "--another", "--key", str(tmp_path / "second.pem"))
    assert len(living(site, "alice")) == 2
    run("user", "add", "alice", "--another", code=2)


def test_a_lockdown_and_its_end(site, run, people, devices):
    run("role", "add", "security", "open")
    made = data(run("lockdown", "--later", "--on", "lobby-*", "--except", "role:security", "--json"))
    assert [(row["kind"], row["whom"], row["except"]) for row in made] == [
        ("lockdown", ["everyone"], ["role:security"])
    ]
    assert told(site, "lobby-1")[4][0][0] == rule.LOCKDOWN
    rows = {row["device"]: row for row in data(run("status", "--json"))}
    assert rows["lobby-1"]["rules"] == [made[0]["id"]] and rows["lobby-1"]["since"]
    assert rows["kiosk-1"]["state"] == "current"
    run("lockdown", "--later", "--lift", "--on", "lobby-*")
    assert data(run("denies", "--json")) == []
    assert told(site, "lobby-1")[4] == []


def test_a_deny_and_its_end(site, run, people, devices):
    run("grant", "alice", "open", "--on", "kiosk-1")
    result = run("deny", "--later", "alice", "open", "--on", "kiosk-*", "--json")
    (made,) = data(result)
    assert "denies all of" in result.stderr
    words = [
        "deny",
        "--later",
        "group:none",
        "--what",
        "r/*:*",
        "--on",
        "*",
        "--days",
        "sat,sun",
        "--until",
        "2030-01-01",
    ]
    assert "registry-no-group" in run(*words, code=3).stderr
    run(
        "deny",
        "--later",
        "everyone",
        "--on",
        "kiosk-1",
        "--hours",
        "22:00-06:00",
        "--until",
        "2030-01-01",
        "--except",
        "bob",
    )
    assert len(data(run("denies", "--json"))) == 2
    run("deny", "--later", "--lift", made["id"])
    (left,) = data(run("denies", "--json"))
    assert (left["whom"], left["except"]) == (["everyone"], ["bob"])


def test_what_waits_can_be_given_to_somebody_who_passes_by(tmp_path, site, run, people, devices):
    run("lockdown", "--later", "--on", "lobby-*")
    file = tmp_path / "round.admit"
    (row,) = data(run("courier", "pack", "-o", str(file), "--json"))
    packed = couriers.decode(file.read_bytes())
    assert (row["device"], list(packed)) == ("lobby-1", ["lobby-1"])
    assert packed["lobby-1"] == [each.data for each in site.registry.bundles_after("lobby-1", 0)]
    assert b"lockdown" not in file.read_bytes() and b"everyone" not in file.read_bytes()
    assert opened(site.registry.bundles_after("lobby-1", 0)[0]).epoch == 1
