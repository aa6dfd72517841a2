"""Plan and apply on a registry: twice is once, what both sides say is never lost, and the file comes back out."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from zoneinfo import ZoneInfo

import pytest

import policies
from admit import admin, granting, policy_export, policy_plan, withdrawing
from admit.admin import Access
from admit.editing import editing, sync
from admit.policy_model import present
from admit.site import Site
from admit.suite import HostSuite
from admit_protocol import grant, rule
from admit_protocol.errors import AdmitError
from imports import ROOT
from sites import NOW, PASSPHRASE, SEALED, passphrase

BERLIN = ZoneInfo("Europe/Berlin")
ADMIN = '[[grant]]\nto = "admin"\nallow = ["*:*"]\non = ["*"]\nuntil = "never"\ndelegate = 2\n'
FILE = f"""until = 2028-06-30
[roles.operator]
allow = ["r/open:POST", "health:GET"]
[groups]
night = ["alice", "group:spares"]
spares = ["bob"]
{ADMIN}
[[grant]]
to = "group:night"
role = "operator"
on = ["kiosk-*"]
days = "mon-fri"
hours = "22:00-06:00"
[[grant]]
to = "carol"
routines = ["open"]
on = ["locker-7"]
uses = 3
[[deny]]
id = "no-bob"
to = ["bob"]
what = ["health:GET", "light"]
on = ["kiosk-1"]
[[lockdown]]
on = ["lobby-*"]
except = ["role:operator"]
"""


def people(site):
    for name in ("alice", "bob", "carol"):
        admin.add_user(site, name, [HostSuite().generate().public], NOW)
    admin.commission(site, site.authority(passphrase), "kiosk-1", bytes(range(64)), SEALED, NOW)
    return site


@pytest.fixture
def shared(site_anywhere):
    """A site on each kind of database, with people and a kiosk."""
    return people(site_anywhere)


@pytest.fixture
def mine(site):
    return people(site)


def plan(site, text, base=None, now=NOW):
    return policy_plan.plan(site, "policy.toml", text.encode(), BERLIN, now, base)


def apply(site, text, now=NOW):
    return policy_plan.apply(site, site.authority(passphrase), plan(site, text, now=now), now)


def refused(call, *arguments, **more):
    with pytest.raises(AdmitError) as caught:
        call(*arguments, **more)
    return caught.value


def exported(site, now=NOW):
    with site.registry.reading() as session:
        return policy_export.export(present(session, now).policy, BERLIN, now)


def said(site):
    registry = site.registry
    return registry.roles(), registry.groups(), registry.statements(), registry.denials(), registry.grants()


def test_a_plan_changes_nothing(shared):
    before = [[each for each in part] for part in said(shared)], shared.registry.version()
    planned = plan(shared, FILE)
    assert [[each for each in part] for part in said(shared)][:2] == before[0][:2]
    assert (shared.registry.version(), len(shared.registry.statements())) == (before[1], 1)
    assert [(each.kind, each.name, each.act) for each in planned.difference.changes] == [
        ("role", "operator", "added"),
        ("group", "night", "added"),
        ("group", "spares", "added"),
        ("grant", None, "added"),
        ("grant", None, "added"),
        ("deny", None, "added"),
        ("deny", None, "added"),
        ("lockdown", None, "added"),
    ]
    assert (len(planned.followed.issued), planned.followed.revoked) == (3, [])
    assert planned.followed.devices == ["kiosk-1"]


def test_what_is_applied_is_issued_recorded_and_done_once(shared):
    planned = plan(shared, FILE)
    changes = apply(shared, FILE)
    assert sorted(row.user_name for row in changes.issued) == ["alice", "bob", "carol"]
    night = grant.parse(next(row.data for row in changes.issued if row.user_name == "bob"))
    assert night.selectors == ("group:night", "group:spares", "role:operator")
    assert changes.devices == ["kiosk-1"]
    record = shared.registry.changes()[-1]
    assert (record.act, record.who) == ("policy apply", "admin")
    assert record.detail == f"policy.toml sha256 {planned.digest}: 8 added"
    version, rows = shared.registry.version(), len(shared.registry.changes())
    assert plan(shared, FILE).is_empty
    assert apply(shared, FILE, NOW + 86400).issued == []
    assert (shared.registry.version(), len(shared.registry.changes())) == (version, rows)
    assert sync(shared, shared.authority(passphrase), NOW).issued == []


def test_what_the_registry_holds_comes_out_as_a_file_that_plans_to_nothing(shared):
    apply(shared, FILE)
    signer = shared.authority(passphrase)
    by_hand = [
        Access(["a", "b-*"], [("/r/open", 3, {}), ("/x", 2, {rule.BOUNDS: {"n": [1, 5], "m": [None, 3]}})]),
        Access(["a"], [("/x", 127, {})], NOW + 100, NOW + 1001, conditions={rule.RATE: [5, 90], rule.FRESH: 86400}),
        Access(["a"], [("/y", 1, {rule.WINDOWS: [[3, 60, 0]]}), ("/z", 1, {rule.WINDOWS: [[3, 60, 0]]})]),
        Access(["a"], [("*", 127, {})], role="operator", conditions={rule.TIMELESS: True, rule.PRESENCE: rule.BUTTON}),
        Access(["a"], [("/w", 2, {})], conditions={rule.APPROVALS: [2, ["group:night", "user:carol"]]}, delegate=1),
        Access(["a"], [("/v", 2, {})], conditions={rule.WINDOWS: [[1, 0, 0]], rule.ZONE: [[NOW - 9, -300]]}),
    ]
    with editing(shared, signer, NOW) as edit:
        for access in by_hand:
            granting.grant_access(edit, admin.statement("user:alice", access))
        withdrawing.deny(edit, rule.DENY, ["role:operator"], ["*"], [("/r/q", 2, {rule.BOUNDS: {"n": [9, None]}})])
        withdrawing.deny(edit, rule.LOCKDOWN, ["group:night"], ["a"], [("*", 127, {})], {rule.LIFE: [None, NOW + 7201]})
    text = exported(shared)
    planned = plan(shared, text)
    assert planned.difference.changes == ()
    assert planned.effects == [] and planned.warnings == []
    assert plan(shared, exported(shared, NOW + 50), now=NOW + 50).is_empty
    apply(shared, ADMIN)
    assert len(shared.registry.statements()) == 1
    apply(shared, text)
    assert exported(shared) == text


def test_what_the_file_does_not_say_goes_and_is_told(mine):
    apply(mine, FILE)
    admin.give(mine, mine.authority(passphrase), "carol", Access(["kiosk-1"], [("/r/open", 2, {})]), NOW + 60)
    planned = plan(mine, FILE, now=NOW + 120)
    (change,) = planned.difference.changes
    assert (change.kind, change.act) == ("grant", "removed")
    assert [(each.act, each.people, each.devices) for each in planned.effects] == [("loses", ("carol",), ("kiosk-1",))]
    changes = apply(mine, FILE, NOW + 120)
    assert [row.user_name for row in changes.revoked] == ["carol"]
    assert changes.devices == ["kiosk-1"]


def test_all_of_a_policy_can_go_in_one_step(shared):
    apply(shared, FILE)
    planned = plan(shared, ADMIN)
    assert {each.act for each in planned.difference.changes} == {"removed"}
    apply(shared, ADMIN)
    roles, groups, statements, denials, grants = said(shared)
    assert (roles, groups, denials) == ({}, {}, [])
    assert [row.subject for row in statements] == ["user:admin"]
    assert [row.user_name for row in grants if row.revoked_at is None] == ["admin"]


def test_groups_can_change_places(mine):
    """Each is in the other, one after the other: at no moment are both."""
    first = f"{ADMIN}[groups]\na = ['group:b']\nb = ['alice']\n"
    apply(mine, first)
    apply(mine, first.replace("a = ['group:b']\nb = ['alice']", "a = ['alice']\nb = ['group:a']"))
    assert mine.registry.groups() == {"a": ["user:alice"], "b": ["group:a"]}


def test_what_has_ended_stands_in_nobodys_way(mine):
    short = FILE.replace("until = 2028-06-30", "until = 2027-02-01", 1)
    apply(mine, short)
    later = NOW + 30 * 86400
    planned = plan(mine, short, now=later)
    assert planned.is_empty
    assert [text.rpartition(": ")[2] for text in planned.warnings] == ["it has ended, and grants nothing any more"] * 2
    apply(mine, ADMIN, now=later)
    assert (mine.registry.roles(), len(mine.registry.statements())) == ({}, 1)


def test_a_contradiction_is_refused_with_its_places(mine):
    text = f"{FILE}[[deny]]\nto = ['group:night']\non = ['*']\n"
    error = refused(plan, mine, text)
    assert error.reason == "policy-contradiction"
    assert error.detail.startswith("policy.toml:14: grant 2: policy.toml:33: deny 2 denies all of it")
    text = FILE.replace("uses = 3", 'uses = 3\napprovals = "2:group:spares"')
    error = refused(plan, mine, text)
    assert error.reason == "policy-contradiction"
    assert "it needs 2 approvals, and 1 people could give one" in error.detail
    text = FILE.replace("night = [", "night = []\nold = [")
    assert "night has no members yet" in plan(mine, text).warnings[0]


def test_a_contradiction_by_what_was_there_before_is_refused_too(mine):
    apply(mine, FILE)
    assert refused(plan, mine, f"{FILE}[[deny]]\nto = ['carol']\non = ['*']\n").reason == "policy-contradiction"
    denied = FILE + "[[deny]]\nto = ['group:spares']\non = ['*']\n"
    apply(mine, denied)
    alone = denied.replace('night = ["alice", "group:spares"]', 'night = ["group:spares"]')
    assert refused(plan, mine, alone).reason == "policy-contradiction"


def test_whoever_would_leave_no_admin_is_warned(mine):
    assert plan(mine, ADMIN).warnings == []
    assert "nobody would be left" in plan(mine, "").warnings[0]


# Somebody else, meanwhile


def test_a_change_between_plan_and_apply_is_refused_and_kept(shared):
    planned = plan(shared, FILE)
    signer = shared.authority(passphrase)
    admin.give(shared, signer, "carol", Access(["kiosk-1"], [("/r/open", 2, {})]), NOW)
    error = refused(policy_plan.apply, shared, signer, planned, NOW)
    assert error.reason == "registry-changed"
    assert sorted(row.user_name for row in shared.registry.grants()) == ["admin", "carol"]
    assert shared.registry.roles() == {}


def test_a_plan_on_another_version_is_refused(shared):
    version = shared.registry.version()
    assert plan(shared, FILE, base=version).version == version
    apply(shared, FILE)
    error = refused(plan, shared, FILE, base=version)
    assert (error.reason, error.detail) == (
        "registry-changed",
        f"the registry is at version {version + 1}, not at {version}",
    )


def test_of_two_processes_that_apply_at_once_one_is_refused_and_nothing_is_lost(shared, tmp_path):
    """Both have planned before either applies: each tells when it has, and waits for the word to go on."""
    script = (
        "import sys; from pathlib import Path; from zoneinfo import ZoneInfo\n"
        "from admit import policy_plan; from admit.site import Site\n"
        "from admit_protocol.errors import AdmitError\n"
        "site = Site(Path(sys.argv[1])); text = Path(sys.argv[2]).read_bytes()\n"
        "planned = policy_plan.plan(site, sys.argv[2], text, ZoneInfo('Europe/Berlin'), 1800000000)\n"
        "print('planned', flush=True); sys.stdin.readline()\n"
        "try:\n"
        "    policy_plan.apply(site, site.authority(lambda: sys.argv[3]), planned, 1800000000)\n"
        "    print('applied')\n"
        "except AdmitError as error:\n"
        "    print(error.reason)\n"
    )
    files = [tmp_path / "one.toml", tmp_path / "two.toml"]
    files[0].write_text(FILE)
    files[1].write_text(FILE.replace("locker-7", "locker-8"))
    path = ":".join(str(ROOT / each) for each in ("host", "firmware"))
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(shared.folder), str(file), PASSPHRASE],
            env={"PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for file in files
    ]
    assert [run.stdout.readline() for run in runs] == ["planned\n"] * 2
    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(lambda run: run.communicate("go\n", timeout=60)[0].strip(), runs))
    assert sorted(ends) == ["applied", "registry-changed"]
    winner = files[ends.index("applied")].read_text()
    assert plan(shared, winner).is_empty
    assert sync(shared, shared.authority(passphrase), NOW).issued == []


# What a large policy costs


def test_a_line_among_many_grants_compiles_only_itself(mine):
    policies.fill(mine, 60)
    text = policies.text_of(mine, BERLIN)
    assert plan(mine, text).is_empty
    at = text.index('to = "u7"')
    planned = plan(mine, text[:at] + text[at:].replace('"d7"', '"d8"', 1))
    assert len(planned.difference.changes) == 1
    assert [(each.act, each.people) for each in planned.effects] == [("gains", ("u7",)), ("loses", ("u7",))]
    assert (len(planned.followed.issued), len(planned.followed.revoked)) == (1, 1)


def test_another_site_folder_sees_the_same(mine):
    apply(mine, FILE)
    other = Site(mine.folder)
    assert plan(other, FILE).is_empty
    other.registry.close()
