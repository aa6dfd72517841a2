"""What admins say of who may do what: roles, groups, grants, and what becomes of grants when it changes.

The same SQL on PostgreSQL: test_withdrawing.py, test_postgresql.py.
"""

import pytest

from admit import admin, granting, groups
from admit.admin import Access
from admit.editing import editing, rehearsing, sync
from admit.statements import decode_rules
from admit.suite import HostSuite
from admit_protocol import grant, rule
from admit_protocol.errors import AdmitError
from sites import NOW, SEALED

OPEN = ("/r/open", 2, {})
HEALTH = ("/health", 1, {})


@pytest.fixture
def site(site):
    for name in ("alice", "bob"):
        admin.add_user(site, name, [HostSuite().generate().public], NOW)
    return site


@pytest.fixture
def refused(say):
    """refused(granting.put_role, …) → the reason."""

    def refused(*arguments, **more):
        with pytest.raises(AdmitError) as caught:
            say(*arguments, **more)
        return caught.value.reason

    return refused


def said(subject="user:alice", on=("kiosk-1",), rules=(), **more):
    return admin.statement(subject, Access(list(on), list(rules), **more))


def living(site, user="alice"):
    """The user's grants that count."""
    return [grant.parse(row.data) for row in site.registry.grants(user) if row.revoked_at is None]


# Roles


def test_a_role_is_what_it_allows(site, say, refused):
    say(granting.put_role, "operator", (OPEN,))
    say(granting.put_role, "operator", (OPEN,))
    assert refused(granting.put_role, "operator", (HEALTH,)) == "registry-role-exists"
    assert site.registry.roles() == {"operator": (OPEN,)}
    assert refused(granting.remove_role, "guest") == "registry-no-role"
    say(granting.remove_role, "operator")
    assert site.registry.roles() == {}


def test_what_is_granted_by_a_role_follows_it(site, say, refused):
    say(granting.put_role, "operator", (OPEN,))
    say(granting.grant_access, said(role="operator"))
    (before,) = living(site)
    assert (before.rules, before.selectors) == ((OPEN,), ("role:operator",))
    edit = say(granting.put_role, "operator", (OPEN, HEALTH), replace=True)
    assert [row.id for row in edit.changes.revoked] == [before.id.hex()]
    (after,) = living(site)
    assert after.rules == (OPEN, HEALTH)
    assert refused(granting.remove_role, "operator") == "role-used"


def test_a_role_and_rules_of_ones_own_go_together_and_the_conditions_hold_for_both(site, say):
    say(granting.put_role, "operator", (("/r/open", 3, {}),))
    say(
        granting.grant_access,
        said(role="operator", rules=[("/r/close", 2, {rule.BOUNDS: {"n": [None, 3]}})], conditions={rule.USES: 3}),
    )
    (given,) = living(site)
    assert given.rules == (
        ("/r/open", 1, {}),
        ("/r/open", 2, {rule.USES: 3}),
        ("/r/close", 2, {rule.BOUNDS: {"n": [None, 3]}, rule.USES: 3}),
    )


# Groups


def test_whoever_joins_a_group_gets_what_it_has_and_loses_it_on_leaving(site, say, refused):
    say(granting.add_members, "night", ["user:alice"])
    edit = say(granting.grant_access, said("group:night", rules=[OPEN]))
    assert [row.user_name for row in edit.changes.issued] == ["alice"]
    edit = say(granting.add_members, "night", ["user:alice", "user:bob"])
    assert [row.user_name for row in edit.changes.issued] == ["bob"]
    (given,) = living(site, "bob")
    assert (given.rules, given.selectors) == ((OPEN,), ("group:night",))
    assert refused(granting.remove_group, "night") == "group-used"
    edit = say(granting.remove_members, "night", ["user:bob"])
    assert [row.id for row in edit.changes.revoked] == [given.id.hex()]
    assert (living(site, "bob"), len(living(site))) == ([], 1)
    assert refused(granting.remove_members, "night", ["user:bob"]) == "group-no-member"


def test_a_group_of_groups(site, say, refused):
    say(granting.add_members, "guards", ["user:bob"])
    say(granting.add_members, "night", ["group:guards"])
    say(granting.grant_access, said("group:night", rules=[OPEN]))
    assert living(site, "bob")[0].selectors == ("group:guards", "group:night")
    assert refused(granting.add_members, "guards", ["group:night"]) == "group-cycle"
    assert site.registry.groups() == {"guards": ["user:bob"], "night": ["group:guards"]}
    say(granting.remove_members, "guards", ["user:bob"])
    assert living(site, "bob") == []


def test_all_grants_of_a_member_name_the_group(site, say):
    """Else a denial of the group could be walked around with a grant from before."""
    say(granting.grant_access, said(rules=[OPEN]))
    (before,) = living(site)
    say(granting.add_members, "interns", ["user:alice"])
    (after,) = living(site)
    assert (before.selectors, after.selectors) == ((), ("group:interns",))
    assert before.id.hex() in site.registry.revoked()


def test_who_or_what_is_not_there_is_refused(site, say, refused):
    assert refused(granting.add_members, "night", ["user:nobody"]) == "registry-no-user"
    assert refused(granting.add_members, "night", ["group:nothing"]) == "registry-no-group"
    assert refused(granting.add_members, "a b", []) == "admin-name"
    assert refused(granting.remove_group, "night") == "registry-no-group"
    assert refused(granting.grant_access, said("user:nobody", rules=[OPEN])) == "registry-no-user"
    assert refused(granting.grant_access, said("group:nothing", rules=[OPEN])) == "registry-no-group"
    assert refused(granting.grant_access, said(role="nothing")) == "registry-no-role"
    approved = {rule.APPROVALS: [1, ["group:nothing"]]}
    assert refused(granting.grant_access, said(rules=[OPEN], conditions=approved)) == "registry-no-group"
    assert (site.registry.groups(), site.registry.statements("user:alice")) == ({}, [])


# Grants


def test_the_same_twice_is_told_and_changes_nothing(site, say, refused):
    say(granting.grant_access, said(rules=[OPEN]))
    assert refused(granting.grant_access, said(rules=[OPEN])) == "statement-exists"
    assert len(living(site)) == 1


def test_what_means_nothing_is_refused(site, refused):
    assert refused(granting.grant_access, said()) == "grant-nothing"
    for on in ((), ("",), ("*-1",), ("a\nb",)):
        assert refused(granting.grant_access, said(on=on, rules=[OPEN])) == "grant-audience"
    assert refused(granting.grant_access, said(rules=[("/r/open", 2, {rule.RATE: [0, 60]})])) == "grant-form"


def test_each_key_of_a_user_gets_a_grant_of_its_own(site, say):
    say(granting.grant_access, said(rules=[OPEN]))
    second = HostSuite().generate().public
    edit = say(admin.add_key, "alice", [second])
    assert [grant.parse(row.data).key for row in edit.changes.issued] == [second]
    assert len({given.key for given in living(site)}) == 2


def test_to_compile_again_does_nothing(site, say, signer):
    say(granting.put_role, "operator", (OPEN,))
    say(granting.add_members, "night", ["user:alice", "user:bob"])
    say(granting.grant_access, said("group:night", role="operator", delegate=1))
    admin.commission(site, signer, "kiosk-1", bytes(range(64)), SEALED, NOW)
    again = sync(site, signer, NOW + 1)
    assert (again.issued, again.revoked, again.invites, again.devices) == ([], [], [], [])


def test_what_somebody_else_broke_is_mended(site, say, signer):
    say(granting.grant_access, said(rules=[OPEN]))
    with site.registry.editing() as session:
        for row in session.scalars(granting.select(admin.GrantRow).where(admin.GrantRow.user_name == "alice")):
            row.form = bytes(16)
    again = sync(site, signer, NOW)
    assert (len(again.issued), len(again.revoked)) == (1, 1)


def test_what_has_ended_is_neither_issued_nor_taken_back(site, say, signer):
    say(granting.grant_access, said(rules=[OPEN], expires=NOW + 60))
    edit = say(admin.add_key, "alice", [HostSuite().generate().public], now=NOW + 60)
    assert (edit.changes.issued, edit.changes.revoked) == ([], [])


def test_an_act_that_fails_leaves_no_trace(site, signer):
    before = (site.registry.version(), len(site.registry.changes()))
    with pytest.raises(AdmitError), editing(site, signer, NOW) as edit:
        granting.put_role(edit, "operator", (OPEN,))
        granting.grant_access(edit, said(role="nothing"))
    assert site.registry.roles() == {}
    assert (site.registry.version(), len(site.registry.changes())) == before


def test_a_rehearsal_says_what_would_follow_and_keeps_nothing(site, say):
    say(granting.add_members, "night", ["user:alice", "user:bob"])
    before = site.registry.version()
    with rehearsing(site, NOW) as edit:
        granting.grant_access(edit, said("group:night", rules=[OPEN]))
    assert sorted(row.user_name for row in edit.changes.issued) == ["alice", "bob"]
    assert (living(site), site.registry.version()) == ([], before)


def test_who_did_what_is_kept(site, signer):
    with editing(site, signer, NOW + 5, who="carol") as edit:
        granting.add_members(edit, "night", ["user:alice"])
    told = [(row.at, row.who, row.act, row.detail) for row in site.registry.changes(NOW + 5)]
    assert told == [(NOW + 5, "carol", "group add", "night"), (NOW + 5, "carol", "group add", "night: alice")]
    assert [row.act for row in site.registry.changes(end=NOW + 5)] == ["init", "grant"]
    assert site.registry.changes(NOW + 6) == []


def test_a_rule_is_kept_as_it_was_said(site, say):
    rules = (("/r/*", 3, {rule.BOUNDS: {"seconds": [None, 10]}}),)
    say(granting.put_role, "operator", rules)
    with site.registry.editing() as session:
        assert decode_rules(granting.role_of(session, "operator").rules) == rules
    assert groups.people(site.registry.groups(), "nothing") == set()


# What is told of it


def test_what_has_no_effect_is_warned_of(say):
    say(granting.add_members, "empty", [])
    assert "no members yet" in say(granting.grant_access, said("group:empty", rules=[OPEN])).warnings[0]
    say(granting.add_members, "leads", ["user:bob"])
    consent = {rule.APPROVALS: [2, ["group:leads"]]}
    warnings = say(granting.grant_access, said(rules=[OPEN], conditions=consent)).warnings
    assert any("2" in text and "1" in text for text in warnings)
