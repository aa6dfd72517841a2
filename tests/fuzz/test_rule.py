"""Rules under any input: `decide` is total, windows agree with the calendar of zoneinfo, nothing odd parses."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from admit_protocol import cbor, rule, rule_reader
from admit_protocol.errors import Malformed

SETTINGS = settings(max_examples=200, deadline=None, derandomize=True)

REASONS = {
    "rule-allows",
    "rule-none",
    "rule-method",
    "rule-unknown-condition",
    "rule-argument",
    "rule-time-unknown",
    "rule-outside-zone",
    "rule-outside-window",
}

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
conditions = st.fixed_dictionaries(
    {},
    optional={
        rule.WINDOWS: windows,
        rule.ZONE: zones,
        rule.BOUNDS: st.dictionaries(st.sampled_from(["a", "b"]), bounds, min_size=1),
        7: anything,
    },
)
patterns = st.sampled_from(["*", "/*", "/r/*", "/r/open", "/r/o*", "/health"])
rules = st.lists(st.tuples(patterns, st.integers(1, 127), conditions).map(list), max_size=5)
requests = st.tuples(
    st.sampled_from([0, 1, 2, 4, 8, 16, 32, 64, 128]),
    st.sampled_from(["/r/open", "/r/", "/health", "", "/x", "*"]),
    st.none() | st.dictionaries(st.sampled_from(["a", "b", "c"]), anything),
)
times = st.none() | st.integers(-(2**40), 2**40)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1))


@SETTINGS
@given(rules, requests, times)
def test_decide_is_total_and_explains_itself(values, request, now):
    parsed = [rule_reader.parse(value) for value in values]
    decision = rule.decide(parsed, request, now)
    assert decision.reason in REASONS
    assert decision.allowed is (decision.reason == "rule-allows")
    assert decision.allowed is not bool(decision.detail)
    assert decision.rule is None or rule.matches(parsed[decision.rule].pattern, request[1])
    again = [rule_reader.parse(cbor.decode(cbor.encode(value))) for value in values]
    assert rule.decide(again, request, now) == decision


@SETTINGS
@given(rules, requests, times)
def test_a_further_rule_never_takes_anything_away(values, request, now):
    parsed = [rule_reader.parse(value) for value in values]
    if rule.decide(parsed[:-1], request, now).allowed:
        assert rule.decide(parsed, request, now).allowed


@SETTINGS
@given(rules, requests, times)
def test_a_further_condition_never_gives_anything(values, request, now):
    for value in values:
        bare = rule_reader.parse([value[0], value[1], {}])
        if rule.decide([rule_reader.parse(value)], request, now).allowed:
            assert rule.decide([bare], request, now).allowed


@SETTINGS
@given(anything | st.tuples(patterns, st.integers(), st.dictionaries(st.integers(1, 3), anything)).map(list))
def test_parse_takes_a_rule_or_says_what_is_wrong(value):
    try:
        parsed = rule_reader.parse(value)
    except Malformed as error:
        assert error.reason.startswith("rule-")
    else:
        rule.decide([parsed], (1, parsed.pattern, {}), 0)


@SETTINGS
@given(windows, moments, st.sampled_from(["Europe/Berlin", "America/New_York"]))
def test_windows_agree_with_a_real_calendar(some_windows, moment, zone_name):
    utc = moment.replace(tzinfo=UTC, microsecond=0)
    local = utc.astimezone(ZoneInfo(zone_name))
    zone = [[int(utc.timestamp()) - 1, int(local.utcoffset().total_seconds()) // 60]]
    parsed = rule_reader.parse(["*", 1, {rule.WINDOWS: some_windows, rule.ZONE: zone}])
    decision = rule.decide([parsed], (1, "/x", None), int(utc.timestamp()))
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
