"""Delegations under hypothesis: whatever a holder writes, nobody behind them gets more than they had.

Signatures here are hashes, so that thousands of chains cost little; that real ones hold is test_delegation's in
tests/protocol.
"""

import hashlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import subjects
from admit_protocol import cose, cwt, delegation, grant, issuing, rule, rule_reader, standing
from admit_protocol.errors import Untrusted
from fuzz.strategies import FUZZ
from fuzz.test_rule import patterns

SITE, NOW = bytes(16), 1_800_000_000
NAMES = ("kiosk-1", "kiosk-2", "kiosk", "locker-1", "lobby")
ODD = 77  # a condition that nobody knows


class Signer:
    """Signs with a hash under its public key."""

    def __init__(self, number):
        self.public = hashlib.sha512(b"signer %d" % number).digest()

    def sign(self, message):
        return signature(self.public, message)


class Suite:
    @staticmethod
    def verify(public, message, given):
        return signature(public, message) == given


def signature(public, message):
    r_s = hashlib.sha512(public + message).digest()
    return r_s[:32] + b"\0" + r_s[33:]  # s is in the lower half, where cose would put it


PEOPLE = [Signer(number) for number in range(6)]
AUTHORITY = Signer(99)


# Questions that are often enough answered with yes


class State:
    """What was used and shown, the same whatever is asked about."""

    def __init__(self, count, consents, presence):
        self.presence = presence
        self.used = self.recent = self.policy_age = lambda *_: count
        self.approved = lambda selectors: consents


MONDAY = 1_799_971_200
requests = st.tuples(
    st.sampled_from([1, 2]),
    st.sampled_from(["/r/open", "/r/open", "/health"]),
    st.fixed_dictionaries({"a": st.integers(0, 11), "b": st.integers(0, 2)}),
)
hours = st.integers(0, 7 * 24 - 1).map(lambda hour: (MONDAY + 3600 * hour, MONDAY + 3600 * hour))
moments = hours | hours | st.sampled_from([(None, None), (MONDAY, None), (MONDAY + 43_000, MONDAY + 43_400)])
states = st.builds(State, st.sampled_from([0, 0, 0, 1, 2]), st.integers(0, 2), st.sampled_from([0, 3, 3]))
asked = st.lists(st.tuples(requests, moments, states), min_size=4, max_size=8)
minutes = st.sampled_from([0, 60, 480, 500, 1080, 1320, 1439])
windows = st.tuples(st.sampled_from([31, 96, 127]), minutes, minutes)
conditions = st.fixed_dictionaries(
    {},
    optional={
        rule.WINDOWS: st.lists(windows.map(list), min_size=1, max_size=2),
        rule.ZONE: st.sampled_from([[[0, 60]], [[0, 60], [MONDAY, 120]]]),
        rule.BOUNDS: st.sampled_from([{"a": [1, 10]}, {"a": [None, 9]}, {"a": [0, None], "b": [0, 1]}]),
        rule.USES: st.integers(1, 3),
        rule.RATE: st.just([2, 60]),
        rule.PRESENCE: st.integers(1, 2),
        rule.APPROVALS: st.just([1, ["group:a"]]),
        rule.TIMELESS: st.just(True),
        rule.FRESH: st.integers(1, 3),
        rule.LIFE: st.sampled_from([[MONDAY, MONDAY + 400_000], [None, MONDAY + 500_000], [0, None]]),
    },
)
few = conditions.map(lambda some: {number: some[number] for number in sorted(some)[:2]})
odd = st.sampled_from([{}, {}, {}, {ODD: 1}, {ODD: True}])


# Rules


@st.composite
def narrowed(draw, wide):
    """A rule that allows no more than `wide`: what it asks stays, as it is or stricter, and more may be asked."""
    pattern, methods, asked = wide
    if pattern.endswith("*") and draw(st.booleans()):
        pattern = (pattern[:-1] or "/") + draw(st.sampled_from(["", "r", "*", "open"])) or "/"
    more = draw(few) if draw(st.booleans()) else {}
    if rule.WINDOWS in asked:  # whose zone is not for the taker to choose
        more.pop(rule.ZONE, None)
    if rule.TIMELESS not in asked or draw(st.booleans()):
        asked = {number: value for number, value in asked.items() if number != rule.TIMELESS}
        more.pop(rule.TIMELESS, None)
    kept = more | {number: draw(stricter(number, value)) for number, value in asked.items()}
    return [pattern, methods & draw(st.integers(1, 127)) or methods, kept]


def stricter(number, value):
    """A value of the condition that holds only where `value` does."""
    if number == rule.WINDOWS:
        return st.lists(st.sampled_from(value).flatmap(within_window), min_size=1, max_size=3)
    if number == rule.BOUNDS:
        return st.fixed_dictionaries({name: within(ends) for name, ends in value.items()})
    if number in (rule.USES, rule.FRESH):
        return st.integers(1, value)
    return within(value, 1) if number == rule.LIFE else st.just(value)


def within(ends, apart=0):
    least, most = ends
    inner = st.integers(-(2**64) if least is None else least, (2**64 - 1 if most is None else most) - apart)
    return inner.flatmap(
        lambda first: st.integers(first + apart, first + apart + 9 if most is None else most).map(
            lambda last: [first, min(last, 2**64 - 1)]
        )
    ) | st.just(ends)


def within_window(window):
    days, start, end = window
    lasts = (end - start - 1) % 1440 + 1
    spans = st.tuples(st.integers(0, min(lasts - 1, 1439 - start)), st.integers(1, lasts))
    return st.tuples(spans, st.integers(1, 127)).map(
        lambda drawn: [
            days & drawn[1] or days,
            start + drawn[0][0],
            (start + min(drawn[0][0] + drawn[0][1], lasts)) % 1440,
        ]
    )


wide_rules = st.tuples(patterns, st.sampled_from([1, 3, 127]), st.builds(dict.__or__, few | conditions, odd))


@FUZZ
@given(wide_rules.flatmap(lambda wide: st.tuples(st.just(wide), narrowed(wide))))
def test_narrowing_in_whatever_way_is_seen(pair):
    wide, narrow = [rule_reader.parse(list(each)) for each in pair]
    assert delegation.covers(wide, narrow)


@FUZZ
@given(
    wide_rules.flatmap(lambda wide: st.tuples(st.just(wide), narrowed(wide) | wide_rules | tampered(wide))),
    asked,
)
def test_a_rule_that_is_covered_allows_nothing_that_the_other_refuses(pair, questions):
    wide, narrow = [rule_reader.parse(list(each)) for each in pair]
    assume(delegation.covers(wide, narrow))
    for request, moment, state in questions:
        if rule.decide(subjects.alone([narrow]), None, request, moment, state).allowed:
            assert rule.decide(subjects.alone([wide]), None, request, moment, state).allowed


OPEN = (2, "/r/open", {"a": 5})
GENEROUS = State(0, 3, 3)
TIMES = [(None, None), (MONDAY + 90_000, None), (MONDAY + 43_000, MONDAY + 43_400)] + [
    (MONDAY + second, MONDAY + second) for second in range(-3600, 7 * 86400 + 3600, 2400)
]
AT_ANY_TIME = [(OPEN, moment, GENEROUS) for moment in TIMES]
WITH_ANYTHING = [((2, "/r/open", {"a": a, "b": b}), (MONDAY, MONDAY), GENEROUS) for a in range(-1, 13) for b in (0, 2)]
IN_ANY_STATE = [
    (OPEN, (MONDAY, MONDAY), State(count, consents, shown))
    for count in range(4)
    for consents in range(4)
    for shown in range(4)
]
ALONE = {
    rule.WINDOWS: (
        AT_ANY_TIME,
        [[[31, 480, 1080]], [[31, 540, 1020]], [[3, 480, 1081]], [[31, 1320, 360]], [[31, 1380, 300]], [[127, 0, 0]]]
        + [[[1, 0, 1439], [2, 600, 700]], [[64, 1320, 360]], [[64, 1320, 361]], [[1, 120, 300]]],
    ),
    rule.LIFE: (
        AT_ANY_TIME,
        [[None, MONDAY + 90_000], [MONDAY, None], [MONDAY, MONDAY + 90_000], [MONDAY + 7200, MONDAY + 14_400]],
    ),
    rule.TIMELESS: (AT_ANY_TIME, [True]),
    rule.BOUNDS: (
        WITH_ANYTHING,
        [
            {"a": [0, 10]},
            {"a": [1, 9]},
            {"a": [None, 10]},
            {"a": [0, None]},
            {"a": [0, 10], "b": [0, 1]},
            {"b": [0, 1]},
        ],
    ),
    rule.USES: (IN_ANY_STATE, [1, 2, 3]),
    rule.FRESH: (IN_ANY_STATE, [1, 2, 3]),
    rule.RATE: (IN_ANY_STATE, [[1, 60], [2, 60], [1, 30]]),
    rule.PRESENCE: (IN_ANY_STATE, [1, 2]),
    rule.APPROVALS: (IN_ANY_STATE, [[1, ["group:a"]], [2, ["group:a"]], [1, ["group:b"]]]),
    ODD: (IN_ANY_STATE, [1, 2, True]),
}


@pytest.mark.parametrize("number", ALONE)
def test_each_condition_alone_is_covered_only_by_one_that_holds_no_less(number):
    """Every pair of values, and every question that could tell them apart."""
    questions, values = ALONE[number]
    beside = {rule.WINDOWS: [[31, 480, 1080]]} if number == rule.TIMELESS else {}
    rules = [rule.Rule("/r/open", 3, beside | {number: value}) for value in values]
    rules.append(rule.Rule("/r/open", 3, beside))
    for wide in rules:
        for narrow in rules:
            if delegation.covers(wide, narrow):
                assert allowed(narrow, questions) <= allowed(wide, questions), (wide, narrow)
            else:
                assert wide is not narrow


def allowed(one, questions):
    """Which of the questions the rule answers with yes."""
    subject = subjects.alone([one])
    return {at for at, question in enumerate(questions) if rule.decide(subject, None, *question).allowed}


def tampered(wide):
    """`wide` with one thing about it changed."""
    return st.sampled_from(sorted(wide[2]) or [ODD]).flatmap(
        lambda number: st.one_of(
            st.just([wide[0], wide[1], {n: v for n, v in wide[2].items() if n != number}]),
            conditions.map(lambda other: [wide[0], wide[1], wide[2] | {n: v for n, v in other.items() if n == number}]),
            st.tuples(patterns, st.integers(1, 127)).map(lambda drawn: [*drawn, wide[2]]),
        )
    )


# Chains

HOURS, LATE = {rule.WINDOWS: [[31, 480, 1080]]}, {rule.WINDOWS: [[127, 1320, 360]], rule.ZONE: [[0, 60]]}
SHORT, FEW = {rule.BOUNDS: {"a": [1, 10]}}, {rule.USES: 2}
POOL = [
    ["*", 127, {}],
    ["/r/*", 3, HOURS | {rule.TIMELESS: True}],
    ["/r/*", 127, FEW],
    ["/r/open", 3, SHORT],
    ["/r/open", 2, SHORT | FEW],
    ["/r/open", 3, {rule.BOUNDS: {"a": [2, 9], "b": [0, None]}} | {rule.USES: 1} | LATE],
    ["/r/open", 127, LATE],
    ["/health", 1, {rule.FRESH: 2, rule.PRESENCE: 1}],
    ["/health", 127, {rule.APPROVALS: [1, ["group:a"]]}],
    ["/r/open", 3, {rule.WINDOWS: [[3, 500, 1000]]} | SHORT],
]
WISHES = {
    "audience": [["*"], ["kiosk-*"], ["kiosk-1"], ["kiosk*"], ["locker-1", "kiosk-1"]],
    "not_before": [None, NOW, NOW + 3],
    "expires": [None, NOW + 4, NOW + 9],
    "delegate": [0, 1, 2, 3, 4],
    "selectors": [[], ["group:a"], ["group:a", "role:c"]],
}


@st.composite
def chains(draw):
    """[leaf, …, root], parsed: each link as its giver likes, and rather often as it should be."""
    links = []
    for place in range(draw(st.integers(2, 5))):
        wish = {name: draw(st.sampled_from(values)) for name, values in WISHES.items()}
        wish["rules"] = draw(st.lists(st.sampled_from(POOL), min_size=1, max_size=3))
        if links:
            pass_on(links[0], wish, draw(st.sampled_from(["all", "all", "all", "some", "mine"])))
        else:
            wish["delegate"] = 4
        links.insert(0, written(place, links[0] if links else None, wish))
    return links


def pass_on(parent, wish, how):
    """Make of a wish what the parent allows: all of it, but for its rules, or not at all."""
    if how == "mine":
        return
    wish["delegate"] = max(0, parent.delegate - 1)
    for name in ("audience", "not_before", "expires", "selectors"):
        wish[name] = getattr(parent, name)
    if how == "all":
        wish["rules"] = [each for each in wish["rules"] if covered(each, parent)] or parent.rules


def covered(wanted, parent):
    return any(delegation.covers(each, rule_reader.parse(wanted)) for each in parent.rules)


def written(place, parent, wish):
    """A grant, or a delegation that says what its giver wants, whatever they may give."""
    names = ("not_before", "expires", "delegate", "selectors")
    more = {name: wish[name] for name in names} | {"sig_public": PEOPLE[place].public}
    about = f"person {place}", wish["audience"], wish["rules"], bytes([place]) * 64, NOW
    data = issuing.grant(AUTHORITY, SITE, b"grant id", *about, **more)
    if parent:
        said = cwt.parse(data).claims
        del said[cwt.CTI]
        said[cwt.PARENT] = parent.kid
        data = cwt.issue(PEOPLE[place - 1], said, cose.DELEGATION)
    return grant.parse(data)


def verified(links):
    return delegation.verify_chain(links, AUTHORITY.public, SITE, Suite)


@FUZZ
@given(chains(), asked)
def test_nobody_gets_more_than_whoever_gave_it(links, questions):
    """Whether the chain is believed or not: the decision asks each link, so even a wider one would give nothing."""
    for request, moment, state in questions:
        leaf = links[0]._replace(chain=tuple(links[1:]))
        if rule.decide(rule.subject_of(leaf), None, request, moment, state).allowed:
            for each in links:
                assert rule.decide(subjects.alone(each.rules), None, request, moment, state).allowed
    try:
        leaf = verified(links)
    except Untrusted as error:
        assert error.reason in ("grant-wider", "delegation-depth")
        return
    assert leaf.chain == tuple(links[1:]) and len(leaf.chain) <= links[-1].delegate <= 4
    for child, parent in zip(links, links[1:], strict=False):
        assert child.delegate < parent.delegate and set(child.selectors) <= set(parent.selectors)
        for name in NAMES:
            assert standing.is_for(parent, name) or not standing.is_for(child, name)
        assert parent.not_before is None or child.not_before >= parent.not_before
        assert parent.expires is None or child.expires <= parent.expires


def honest():
    """A chain of four delegations: five grants, each as wide as the one before."""
    wish = {"audience": ["kiosk-*"], "not_before": None, "expires": NOW + 9, "selectors": ["group:a"], "rules": POOL}
    links = []
    for place in range(5):
        links.insert(0, written(place, links[0] if links else None, wish | {"delegate": 4 - place}))
    return links


HONEST = honest()


@FUZZ
@given(st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_a_chain_out_of_order_is_refused(order):
    links = [HONEST[at] for at in order]
    if order == list(range(order[0], 5)):  # it may begin further up
        assert verified(links).kid == links[0].kid
        return
    with pytest.raises(Untrusted) as caught:
        verified(links)
    assert caught.value.reason == ("delegation-other-parent" if order[-1] == 4 else "grant-parent-missing")
