"""Rules under any input: `decide` is total, windows agree with the calendar of zoneinfo, nothing odd parses."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

import subjects
from admit_protocol import cbor, rule, rule_index, rule_reader
from admit_protocol.errors import Malformed
from fuzz.strategies import FEWER, FUZZ

minutes = st.integers(0, 1439)
windows = st.lists(st.tuples(st.integers(1, 127), minutes, minutes).map(list), min_size=1, max_size=3)
offsets = st.integers(-1439, 1439)
zones = st.dictionaries(st.integers(-(2**33), 2**33), offsets, min_size=1, max_size=4).map(
    lambda entries: [[begun, entries[begun]] for begun in sorted(entries)]
)
ends = st.none() | st.integers(-(2**64), 2**64 - 1)
bounds = (
    st.tuples(ends, ends).filter(lambda pair: pair != (None, None) and (None in pair or pair[0] <= pair[1])).map(list)
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers(-3, 9) | st.text(max_size=3), inner),
    max_leaves=8,
)
unix = st.integers(-(2**40), 2**40)
lives = st.tuples(unix, st.integers(1, 2**40)).map(lambda pair: [pair[0], sum(pair)]) | st.sampled_from(
    [[None, 0], [0, None]]
)
of_time = {
    rule.WINDOWS: windows,
    rule.ZONE: zones,
    rule.BOUNDS: st.dictionaries(st.sampled_from(["a", "b"]), bounds, min_size=1),
    rule.LIFE: lives,
}
counts = st.integers(1, 3)
selectors = st.sampled_from(["everyone", "user:alice", "user:bob", "group:a", "role:b", "key:00000000000000a1"])
conditions = st.fixed_dictionaries(
    {},
    optional=of_time
    | {
        rule.USES: counts,
        rule.RATE: st.tuples(counts, counts).map(list),
        rule.PRESENCE: st.integers(1, 2),
        rule.APPROVALS: st.tuples(counts, st.lists(selectors, min_size=1, max_size=2)).map(list),
        rule.TIMELESS: st.just(True),
        rule.FRESH: counts,
        77: anything,
    },
)
patterns = st.sampled_from(["*", "/*", "/r/*", "/r/open", "/r/o*", "/health"])
rules = st.lists(st.tuples(patterns, st.integers(1, 127), conditions).map(list), max_size=5)
requests = st.tuples(
    st.sampled_from([0, 1, 2, 4, 8, 16, 32, 64, 128]),
    st.sampled_from(["/r/open", "/r/", "/health", "", "/x", "*"]),
    st.none() | st.dictionaries(st.sampled_from(["a", "b", "c"]), anything),
)
times = st.none() | unix
spans = st.tuples(unix, st.integers(0, 100_000)).map(lambda pair: (pair[0], sum(pair)))
any_moment = spans | st.sampled_from([(None, None), (0, None), (2**40, None)])
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1))
links = st.builds(
    lambda rules, names, trusted, life: subjects.link(
        [rule_reader.parse(each) for each in rules], selectors=["everyone", *names], trusted=trusted, life=tuple(life)
    ),
    rules,
    st.lists(selectors, max_size=3),
    st.integers(0, 4),
    lives | st.just([None, None]),
)
chains = st.lists(links, min_size=1, max_size=3).map(
    lambda chain: tuple(each._replace(id=b"grant-%02d" % at) for at, each in enumerate(chain))
)
leaves = links.map(lambda link: link._replace(id=b"the leaf"))
names = st.lists(selectors, max_size=2)
allowances = st.tuples(
    st.just(rule.ALLOW), st.lists(selectors, min_size=1, max_size=2), names, patterns, st.integers(1, 127), conditions
)
denials = st.tuples(
    st.integers(rule.DENY, rule.LOCKDOWN),
    st.lists(selectors, min_size=1, max_size=2),
    names,
    patterns,
    st.integers(1, 127),
    st.fixed_dictionaries({}, optional=of_time),
)
policies = st.lists(allowances | denials, max_size=4)


class AnyState:
    """A state in which a count depends on nothing but the draw."""

    def __init__(self, count, presence):
        self.presence = presence
        self.used = self.recent = self.approved = self.policy_age = lambda *_: count


states = st.builds(AnyState, st.integers(0, 3), st.integers(0, 3))


def law(policy):
    """The index of a policy whose rules are numbered here."""
    return rule_index.build(rule_reader.parse_policy([[*each, str(at)] for at, each in enumerate(policy)]))


@FEWER
@given(chains, policies, requests, any_moment, states)
def test_decide_is_total_and_explains_itself(chain, policy, request, moment, state):
    decision = rule.decide(chain, law(policy), request, moment, state)
    assert decision.reason in rule.REASONS
    assert decision.allowed is (decision.reason == "rule-allows")
    assert decision.allowed is not bool(decision.detail)
    assert decision.allowed or not decision.uses
    if decision.rule is not None:
        (link,) = [each for each in chain if each.id == decision.by]
        assert rule.matches(link.rules[decision.rule].pattern, request[1])
    assert cbor.decode(cbor.encode(decision))[:2] == [decision.allowed, decision.reason]
    again = [list(each) for each in cbor.decode(cbor.encode(policy))]
    assert rule.decide(chain, law(again), request, moment, state) == decision


@FEWER
@given(chains, policies, denials, st.integers(0, 4), requests, any_moment, states)
def test_a_further_denial_never_gives_anything(chain, policy, denial, place, request, moment, state):
    before = rule.decide(chain, law(policy), request, moment, state)
    after = rule.decide(chain, law(policy[:place] + [denial] + policy[place:]), request, moment, state)
    assert before.allowed or not after.allowed


@FEWER
@given(chains, policies, allowances, st.integers(0, 4), requests, any_moment, states)
def test_a_further_allowance_never_takes_anything_away(chain, policy, allowance, place, request, moment, state):
    before = rule.decide(chain, law(policy), request, moment, state)
    after = rule.decide(chain, law(policy[:place] + [allowance] + policy[place:]), request, moment, state)
    assert after.allowed or not before.allowed


@FEWER
@given(chains, policies, requests, any_moment, states)
def test_a_denial_never_loses(chain, policy, request, moment, state):
    """Whatever else there is, a denial without hours or bounds denies whom and what it names."""
    everyone = [rule.DENY, ["everyone"], [], "*", 127, {}]
    decision = rule.decide(chain, law([*policy, everyone]), request, moment, state)
    assert not decision.allowed or not request[0] & 127


@FEWER
@given(chains, leaves, policies, requests, any_moment, states)
def test_a_longer_chain_never_allows_more_than_its_parent(chain, leaf, policy, request, moment, state):
    """Nor may it ever leave out what its parent counts."""
    longer = rule.decide((leaf, *chain), law(policy), request, moment, state)
    parent = rule.decide(chain, law(policy), request, moment, state)
    assert parent.allowed or not longer.allowed
    if longer.allowed:
        assert set(parent.uses) <= set(longer.uses)


@FEWER
@given(chains, policies, requests, unix, st.integers(0, 100_000), st.integers(0, 100_000), states)
def test_whoever_knows_the_time_less_well_allows_no_more(chain, policy, request, now, early, late, state):
    """Where nothing is timeless: what an uncertain time allows, every time within it allows."""
    timeless = [each for link in chain for each in link.rules] + [[*each[3:6]] for each in policy]
    if not any(rule.TIMELESS in each[2] for each in timeless):
        uncertain = rule.decide(chain, law(policy), request, (now - early, now + late), state)
        certain = rule.decide(chain, law(policy), request, (now, now), state)
        assert certain.allowed or not uncertain.allowed
        unknown = rule.decide(chain, law(policy), request, (None, None), state)
        assert certain.allowed or not unknown.allowed


@FEWER
@given(rules, requests, times)
def test_a_further_rule_never_takes_anything_away(values, request, now):
    parsed = [rule_reader.parse(value) for value in values]
    if subjects.ask(parsed[:-1], request, now).allowed:
        assert subjects.ask(parsed, request, now).allowed


@FEWER
@given(rules, requests, times, states)
def test_a_further_condition_never_gives_anything(values, request, now, state):
    """But TIMELESS, which says so."""
    for value in values:
        if rule.TIMELESS not in value[2]:
            bare = rule_reader.parse([value[0], value[1], {}])
            if subjects.ask([rule_reader.parse(value)], request, now, state).allowed:
                assert subjects.ask([bare], request, now, state).allowed


@FEWER
@given(rules, requests, any_moment, states)
def test_an_unknown_condition_never_allows(values, request, moment, state):
    unknown = [rule_reader.parse([*value[:2], {**value[2], 77: None}]) for value in values]
    assert not rule.decide(subjects.alone(unknown), None, request, moment, state).allowed


@FEWER
@given(anything | st.tuples(patterns, st.integers(), st.dictionaries(st.integers(1, 11), anything)).map(list))
def test_parse_takes_a_rule_or_says_what_is_wrong(value):
    try:
        parsed = rule_reader.parse(value)
    except Malformed as error:
        assert error.reason.startswith("rule-")
    else:
        subjects.ask([parsed], (1, parsed.pattern, {}), 0)


@FUZZ
@given(windows, moments, st.sampled_from(["Europe/Berlin", "America/New_York"]))
def test_windows_agree_with_a_real_calendar(some_windows, moment, zone_name):
    utc = moment.replace(tzinfo=UTC, microsecond=0)
    local = utc.astimezone(ZoneInfo(zone_name))
    zone = [[int(utc.timestamp()) - 1, int(local.utcoffset().total_seconds()) // 60]]
    parsed = rule_reader.parse(["*", 1, {rule.WINDOWS: some_windows, rule.ZONE: zone}])
    decision = subjects.ask([parsed], (1, "/x", None), int(utc.timestamp()))
    assert decision.allowed is any(open_at(window, local.replace(tzinfo=None)) for window in some_windows)


def open_at(window, wall):
    """The same question, answered by laying out the window that began today and the one that began yesterday."""
    days, start, end = window
    for begun in (wall.date(), wall.date() - timedelta(days=1)):
        if days >> begun.weekday() & 1:
            opens = datetime.combine(begun, datetime.min.time()) + timedelta(minutes=start)
            shuts = datetime.combine(begun, datetime.min.time()) + timedelta(minutes=end, days=0 if end > start else 1)
            if opens <= wall < shuts:
                return True
    return False
