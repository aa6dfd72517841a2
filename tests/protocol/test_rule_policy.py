"""What a device's policy adds to grants: it denies, locks down and allows; and what a chain of grants may do."""

from collections import namedtuple

import subjects
from admit_protocol import rule, rule_index, rule_reader

GET, POST = 1, 2
MONDAY = 1795392000  # 2026-11-23 00:00 UTC
HOUR = 3600
OPEN = (rule_reader.parse(["/r/open", POST, {}]),)
ALL = (rule_reader.parse(["*", 127, {}]),)

Grant = namedtuple(
    "Grant", ("id", "key", "subject", "selectors", "parent", "enrol", "chain", "rules", "not_before", "expires")
)


def grant(number, subject, rules=ALL, selectors=(), parent=None, enrol=0, chain=()):
    return Grant(
        b"grant-%02d" % number, bytes([number]) * 64, subject, selectors, parent, enrol, chain, rules, None, None
    )


def passed_on(*grants):
    """The subject of a chain, the grant at hand first; each names the next as its parent."""
    linked = []
    for place, each in enumerate(grants):
        parent = None if place == len(grants) - 1 else b"a parent"
        linked.append(Grant(*(each[:4] + (parent,) + each[5:])))
    return rule.subject_of(Grant(*(linked[0][:6] + (tuple(linked[1:]),) + linked[0][7:])))


def law(*rules):
    return rule_index.build(rule_reader.parse_policy([list(each) for each in rules]))


def denial(subjects=("everyone",), exceptions=(), pattern="*", conditions=None, effect=rule.DENY, identifier="d"):
    return effect, list(subjects), list(exceptions), pattern, 127, conditions or {}, identifier


def allowance(subjects, pattern="/r/open", conditions=None, identifier="a", exceptions=()):
    return denial(subjects, exceptions, pattern, conditions, rule.ALLOW, identifier)


def decide(subject, policy, path="/r/open", moment=(MONDAY, MONDAY), arguments=None, method=POST, state=rule.NOTHING):
    return rule.decide(subject, policy, (method, path, arguments), moment, state)


ALICE = subjects.alone(ALL)


def test_a_denial_comes_before_whatever_allows():
    for selector in ("everyone", "user:alice", "group:night-shift", "key:00000000000000a1"):
        decision = decide(ALICE, law(allowance(["everyone"]), denial([selector])))
        assert decision == (False, "rule-denied", None, "denied by the rule d, until an admin lifts it", "d", ())
    for selector in ("user:bob", "group:alice", "role:night-shift", "key:00000000000000a2"):
        assert decide(ALICE, law(denial([selector]))).allowed
    assert decide(ALICE, law(denial(pattern="/r/close"))).allowed


def test_a_lockdown_comes_before_a_denial():
    lock = denial(effect=rule.LOCKDOWN, identifier="lobby")
    decision = decide(ALICE, law(denial(), lock))
    assert decision[1:5] == ("rule-lockdown", None, "locked down by the rule lobby, until an admin lifts it", "lobby")


def test_the_first_of_several_denials_is_told():
    assert decide(ALICE, law(denial(["user:bob"]), denial(identifier="2"), denial(identifier="1"))).by == "2"


def test_a_lockdown_has_exceptions():
    guard = (subjects.link(ALL, selectors=("everyone", "user:eve", "role:security")),)
    lock = law(denial(exceptions=["role:security"], effect=rule.LOCKDOWN))
    assert decide(guard, lock).allowed
    assert decide(ALICE, lock).reason == "rule-lockdown"


def test_a_denial_has_hours_and_applies_wherever_they_cannot_be_told():
    night = law(denial(conditions={rule.WINDOWS: [[127, 22 * 60, 6 * 60]]}))
    for moment, allowed in (
        ((MONDAY + 12 * HOUR, MONDAY + 12 * HOUR), True),
        ((MONDAY + 23 * HOUR, MONDAY + 23 * HOUR), False),
        ((MONDAY + 21 * HOUR, MONDAY + 22 * HOUR - 1), True),
        ((MONDAY + 21 * HOUR, MONDAY + 22 * HOUR), False),
        ((MONDAY + 12 * HOUR, None), False),
        ((None, None), False),
    ):
        assert decide(ALICE, night, moment=moment).allowed is allowed, moment
    zoned = law(denial(conditions={rule.WINDOWS: [[1, 0, 60]], rule.ZONE: [[MONDAY + 5, 0]]}))
    assert not decide(ALICE, zoned).allowed  # local time is not known yet


def test_a_denial_ends():
    ended = law(denial(conditions={rule.LIFE: [MONDAY, MONDAY + HOUR]}))
    for moment, allowed in (
        ((MONDAY - 1, MONDAY - 1), True),
        ((MONDAY, MONDAY), False),
        ((MONDAY + HOUR, MONDAY + HOUR), True),
        ((MONDAY + HOUR, None), True),  # a floor will do: it is over for certain
        ((MONDAY, None), False),
        ((None, None), False),
    ):
        assert decide(ALICE, ended, moment=moment).allowed is allowed, moment


def test_a_denial_of_arguments_spares_only_what_is_out_of_them_for_certain():
    long = law(denial(conditions={rule.BOUNDS: {"seconds": [60, None]}}))
    for arguments, allowed in (
        ({"seconds": 59}, True),
        ({"seconds": 60}, False),
        ({}, False),
        (None, False),
        ({"seconds": "59"}, False),
        ({"seconds": True}, False),
    ):
        assert decide(ALICE, long, arguments=arguments).allowed is allowed, arguments
    assert not decide(ALICE, long, method=GET).allowed


def test_an_unknown_condition_in_a_denial_does_not_weaken_it():
    known = rule_index.build([rule.PolicyRule(*denial(conditions={99: 1}))])
    assert not decide(ALICE, known).allowed


def test_the_policy_may_allow_what_the_grant_does_not():
    nothing = subjects.alone(())
    assert decide(nothing, law(allowance(["group:night-shift"]))) == (True, "rule-allows", None, "", "a", ())
    assert decide(nothing, law(allowance(["group:day-shift"]))).reason == "rule-none"
    assert decide(nothing, law(allowance(["everyone"], exceptions=["user:alice"]))).reason == "rule-none"
    refused = decide(nothing, law(allowance(["everyone"], conditions={rule.PRESENCE: rule.CODE})))
    assert (refused.reason, refused.by, refused.rule) == ("rule-presence", "a", None)


def test_uses_of_a_rule_of_the_policy_are_counted_under_its_id():
    nothing = subjects.alone(())
    thrice = law(allowance(["everyone"], conditions={rule.USES: 3}))
    assert decide(nothing, thrice).uses == (("a", 0),)
    assert decide(nothing, thrice, state=subjects.State(used={("a", 0): 3})).reason == "rule-used-up"


def test_each_link_of_a_chain_must_allow():
    for leaf, parent, reason, by in (
        (ALL, ALL, "rule-allows", b"grant-01"),
        (ALL, OPEN, "rule-allows", b"grant-01"),
        (OPEN, (), "rule-none", b"grant-02"),
        ((), ALL, "rule-none", b"grant-01"),
        (ALL, (rule_reader.parse(["/r/open", GET, {}]),), "rule-method", b"grant-02"),
    ):
        decision = decide(passed_on(grant(1, "bob", leaf), grant(2, "alice", parent)), None)
        assert (decision.reason, decision.by) == (reason, by)


def test_uses_of_every_link_are_counted_so_that_passing_on_gives_no_more():
    thrice, once = (tuple([rule_reader.parse(["*", 127, {rule.USES: count}])]) for count in (3, 1))
    chain = passed_on(grant(1, "bob", once), grant(2, "alice", thrice))
    assert decide(chain, None).uses == ((b"grant-01", 0), (b"grant-02", 0))
    used_up = subjects.State(used={(b"grant-02", 0): 3})
    decision = decide(chain, None, state=used_up)
    assert (decision.reason, decision.by) == ("rule-used-up", b"grant-02")


def test_one_rule_of_the_policy_counts_once_for_a_chain():
    chain = passed_on(grant(1, "bob", ()), grant(2, "alice", ()))
    assert decide(chain, law(allowance(["everyone"], conditions={rule.USES: 3}))).uses == (("a", 0),)


def test_a_denial_of_any_link_applies():
    chain = passed_on(grant(1, "bob"), grant(2, "alice", selectors=("group:night-shift",)))
    for selector in ("user:bob", "user:alice", "group:night-shift", chain[0].selectors[1], chain[1].selectors[1]):
        assert decide(chain, law(denial([selector]))).reason == "rule-denied", selector
    assert decide(chain, law(denial(["everyone"], ["user:alice"]))).reason == "rule-denied"


def test_what_a_holder_writes_of_another_gives_nothing():
    """Whoever passes a grant on names its holder as they like, and puts them into any group."""
    liar = grant(1, "carol", (), ("role:security",))
    chain = passed_on(liar, grant(2, "alice"))
    for selector in ("user:carol", "role:security", "user:alice"):
        assert decide(chain, law(allowance([selector]))).reason == "rule-none"
        assert decide(passed_on(grant(1, "carol", ALL, ("role:security",)), grant(2, "alice")),
                      law(denial(["everyone"], [selector]))).reason == "rule-denied"  # fmt: skip
        assert decide(chain, law(denial(["role:security"]))).reason == "rule-denied"
    own = chain[0].selectors[1]
    assert decide(chain, law(allowance([own]))).allowed
    everyone_but = law(denial(["everyone"], [own, chain[1].selectors[1]]))
    assert decide(passed_on(grant(1, "x"), grant(2, "alice")), everyone_but).allowed


def test_whom_the_authority_invited_is_in_the_groups_that_the_invite_says():
    invite = grant(2, "invite", ALL, ("role:guest",), enrol=3)
    lock = law(denial(exceptions=["role:guest"], effect=rule.LOCKDOWN))
    guest = passed_on(grant(1, "dora"), invite)
    assert decide(guest, lock).allowed
    assert decide(passed_on(grant(1, "dora", (), ()), invite), law(allowance(["role:guest"]))).allowed
    friend_of_guest = passed_on(grant(3, "erik"), grant(1, "dora"), invite)
    assert decide(friend_of_guest, lock).reason == "rule-lockdown"


def test_a_grant_whose_chain_is_missing_is_nobodys():
    orphan = grant(1, "bob", parent=b"a parent")
    assert rule.subject_of(orphan) == ()
    decision = decide((), law(allowance(["everyone"])))
    assert decision == (False, "rule-none", None, "no rule names /r/open", None, ())
    headless = grant(1, "bob", parent=b"a parent", chain=(grant(2, "alice", parent=b"a parent"),))
    assert rule.subject_of(headless) == ()


def test_a_subject_has_the_selectors_of_its_key_name_and_groups():
    (link,) = rule.subject_of(grant(1, "alice", OPEN, ("group:a", "role:b")))
    key = rule.key_selector(bytes([1]) * 64)
    assert link == (b"grant-01", ("everyone", key, "user:alice", "group:a", "role:b"), 5, OPEN, (None, None), None)
    assert key.startswith("key:") and len(key) == 20
