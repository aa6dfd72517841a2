"""Why, who can and what can: what the registry says of one user, one device, and all that bears upon them."""

import pytest

import populous
from admit import access, admin, granting, predicting, withdrawing
from admit.editing import editing
from admit.statements import Statement
from admit.suite import HostSuite
from admit_protocol import rule
from admit_protocol.errors import NotFound
from sites import NOW, SEALED, new_site

OPEN = (2, "/r/open", {})
ANYTHING = ("*", 127, {})
EXACT = (NOW, NOW)


@pytest.fixture
def kiosk(site, signer):
    """kiosk-1 and locker-1, and the users alice, bob and carol."""
    for name in ("kiosk-1", "locker-1"):
        admin.commission(site, signer, name, HostSuite().generate().public, SEALED, NOW)
    for name in ("alice", "bob", "carol"):
        admin.add_user(site, name, None, NOW)


@pytest.fixture
def act(site, signer, kiosk):
    """Make changes: `with act() as edit: granting.…`."""
    return lambda: editing(site, signer, NOW)


def allow(act, subject, *rules, on=("kiosk-*",), conditions=None, **more):
    """Grant something to somebody."""
    with act() as edit:
        return granting.grant_access(edit, Statement(subject, tuple(on), rules, conditions=conditions or {}, **more))


def why(site, user, request=OPEN, device="kiosk-1", moment=EXACT):
    return predicting.why(site.registry, user, device, request, moment)


def names(site, request=OPEN, device="kiosk-1", moment=EXACT):
    return [user for user, _ in predicting.who_can(site.registry, device, request, moment)]


POST_OPEN = ("/r/open", 2, {})


def test_who_can_lists_those_for_whom_why_says_yes(site, act):
    allow(act, "user:alice", POST_OPEN)
    allow(act, "user:bob", POST_OPEN, on=["locker-1"])
    allow(act, "user:carol", ("/r/*", 127, {}), on=["*"])
    assert names(site) == ["admin", "alice", "carol"]
    assert names(site, device="locker-1") == ["admin", "bob", "carol"]
    for device in ("kiosk-1", "locker-1"):
        everybody = [row.name for row in site.registry.users()]
        allowed = [user for user in everybody if why(site, user, device=device).decision.allowed]
        assert names(site, device=device) == allowed
    with pytest.raises(NotFound):
        names(site, device="kiosk-9")
    with pytest.raises(NotFound):
        why(site, "nobody")


def test_a_denial_is_told_by_its_id_and_a_lockdown_spares_a_role(site, act):
    with act() as edit:
        granting.put_role(edit, "security", (POST_OPEN,))
    allow(act, "user:alice", POST_OPEN)
    allow(act, "user:bob", on=["*"], role="security")
    with act() as edit:
        withdrawing.deny(edit, rule.LOCKDOWN, [rule.EVERYONE], ["kiosk-*"], [ANYTHING], exceptions=["role:security"])
    verdict = why(site, "alice")
    assert (verdict.decision.reason, verdict.rule) == ("rule-lockdown", None)
    assert verdict.decision.by == site.registry.denials()[0].id
    assert why(site, "bob").decision.allowed
    assert names(site) == ["bob"]
    assert why(site, "alice", device="locker-1").decision.reason == "grant-other-device"


def test_one_grant_that_allows_outweighs_another_that_is_denied(site, act):
    with act() as edit:
        granting.put_role(edit, "security", (POST_OPEN,))
    allow(act, "user:alice", POST_OPEN)
    allow(act, "user:alice", role="security")
    with act() as edit:
        withdrawing.deny(edit, rule.LOCKDOWN, [rule.EVERYONE], ["*"], [ANYTHING], exceptions=["role:security"])
    assert why(site, "alice").decision.allowed


def test_what_the_visitor_has_to_show_is_told_as_needs(site, act):
    needs = {rule.PRESENCE: rule.CODE, rule.APPROVALS: [2, ["user:bob", "user:carol"]]}
    allow(act, "user:alice", POST_OPEN, conditions=needs)
    verdict = why(site, "alice")
    assert verdict.decision.allowed and verdict.rule.conditions == needs
    assert verdict.needs == ("the kiosk's code", "approval by 2 of user:bob, user:carol")
    assert names(site) == ["admin", "alice"]
    assert why(site, "alice", (2, "/r/close", {})).needs == ()
    allow(act, "user:alice", POST_OPEN)
    assert why(site, "alice").needs == ()  # another grant asks for nothing


def test_a_clock_that_is_not_exact(site, act):
    allow(act, "user:alice", POST_OPEN, conditions={rule.WINDOWS: [[127, 480, 540]]})  # 08:00-09:00, and NOW is 08:00
    assert why(site, "alice").decision.allowed
    assert why(site, "alice", moment=(NOW - 60, NOW + 60)).decision.reason == "rule-time-unknown"
    assert why(site, "alice", moment=(None, None)).decision.reason == "rule-time-unknown"
    allow(act, "user:bob", POST_OPEN, conditions={rule.WINDOWS: [[127, 0, 60]], rule.TIMELESS: True})
    assert why(site, "bob", moment=(None, None)).decision.allowed
    assert why(site, "bob").decision.reason == "rule-outside-window"


def test_a_policy_may_be_too_old(site, act):
    allow(act, "user:alice", POST_OPEN, conditions={rule.FRESH: 3600})
    assert why(site, "alice", moment=(NOW + 3600, NOW + 3600)).decision.allowed
    stale = why(site, "alice", moment=(NOW + 3601, NOW + 3601))
    assert stale.decision.reason == "rule-stale"
    assert names(site, moment=(NOW + 3601, NOW + 3601)) == ["admin"]


def test_whoever_was_revoked_can_do_nothing(site, act):
    allow(act, "user:alice", POST_OPEN)
    allow(act, "user:bob", POST_OPEN)
    with act() as edit:
        withdrawing.revoke_user(edit, "alice")
        withdrawing.revoke_key(edit, site.registry.keys("bob")[0].fingerprint)
    assert why(site, "alice").decision.reason == why(site, "bob").decision.reason == "grant-revoked"
    assert names(site) == ["admin"]
    assert list(predicting.what_can(site.registry, "alice", None, EXACT)) == []


def test_what_can_lists_each_rule_with_what_it_says_now(site, act):
    allow(act, "user:alice", POST_OPEN, ("/health", 1, {}), on=["kiosk-*", "locker-1"])
    allow(act, "user:alice", ("/r/*", 2, {rule.BOUNDS: {"seconds": [1, 10]}}), on=["locker-1"])
    allow(act, "user:alice", ("/r/late", 2, {}), conditions={rule.WINDOWS: [[127, 0, 60]], rule.PRESENCE: rule.CODE})
    with act() as edit:
        withdrawing.deny(edit, rule.DENY, ["user:alice"], ["locker-*"], [("/r/open", 127, {})])
    (denial,) = [row.id for row in site.registry.denials()]

    def listed(device):
        found = predicting.what_can(site.registry, "alice", device, EXACT)
        return {each.rule.pattern: (each.opinion.decision.reason, each.denied_by) for each in found}

    late = {"/r/late": ("rule-outside-window", ())}
    assert listed("kiosk-1") == {"/r/open": ("rule-allows", ()), "/health": ("rule-allows", ())} | late
    at_locker = {"/r/open": ("rule-denied", (denial,)), "/health": ("rule-allows", ())}
    at_locker["/r/*"] = ("rule-allows", (denial,))
    assert listed("locker-1") == at_locker
    anywhere = at_locker | {"/r/open": ("rule-allows", (denial,))} | late
    assert listed(None) == anywhere
    with pytest.raises(NotFound):
        listed("kiosk-9")


def test_hours_and_needs_of_what_can(site, act):
    allow(act, "user:alice", POST_OPEN, conditions={rule.PRESENCE: rule.BUTTON})
    (only,) = predicting.what_can(site.registry, "alice", "kiosk-1", EXACT)
    assert only.opinion.needs == ("the kiosk's button",)
    assert isinstance(only.opinion, access.Opinion) and only.opinion.decision.allowed


def test_why_costs_no_more_where_there_are_fifty_times_as_many(site, tmp_path):
    """SQLite's own instructions are counted, and it reads the same few rows."""
    counts = []
    for users, where in ((20, site), (1000, new_site(tmp_path / "large"))):
        populous.populate(where, users)
        with populous.sql_steps(where.registry) as steps:
            verdict = why(where, "u0", device="d1")
        assert verdict.decision.allowed and len(verdict.opinions) == populous.GRANTS
        counts.append(steps[0])
    print(f"why: {counts[0]} steps of SQLite among 200 grants, {counts[1]} among 10000")
    assert 0 < counts[1] <= 1.5 * counts[0]
