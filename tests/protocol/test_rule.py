"""Rules: who may do what, when, with which arguments, and what the refusal says would have to change."""

from collections import namedtuple

import subjects
from admit_protocol import aif, rule, rule_reader

GET, POST = 1, 2
MINUTE, HOUR, DAY = 60, 3600, 86400
MONDAY = 1795392000  # 2026-11-23 00:00 UTC
WEEKDAYS = 0b0011111

OFFICE = [WEEKDAYS, 8 * 60, 18 * 60]
NIGHT = [WEEKDAYS, 22 * 60, 6 * 60]

BERLIN_SPRING, BERLIN_AUTUMN = 1774746000, 1792890000  # 2026-03-29 and 2026-10-25, 01:00 UTC
BERLIN = [[1767225600, 60], [BERLIN_SPRING, 120], [BERLIN_AUTUMN, 60]]


def one(pattern="/r/open", methods=POST, conditions=None):
    return [rule_reader.parse([pattern, methods, conditions or {}])]


def at(rules, moment, state=rule.NOTHING, path="/r/open"):
    """The reason given at a moment that need not be exact."""
    return rule.decide(subjects.alone(rules), None, (POST, path, None), moment, state).reason


def ask(rules, now=MONDAY, method=POST, path="/r/open", arguments=None):
    return subjects.ask(rules, (method, path, arguments), now)


def holds(conditions, now):
    return ask(one(conditions=conditions), now).allowed


def test_a_rule_allows_what_it_names():
    decision = ask(one())
    assert decision == (True, "rule-allows", 0, "", b"grant-01", ())


def test_what_no_rule_names_is_denied():
    decision = ask(one(), path="/r/calibrate")
    assert decision == (False, "rule-none", None, "no rule names /r/calibrate", b"grant-01", ())
    assert ask([])[:4] == (False, "rule-none", None, "no rule names /r/open")


def test_another_method_is_denied():
    decision = ask(one(), method=GET)
    assert decision[:4] == (False, "rule-method", 0, "/r/open is allowed, but not with this method")
    assert ask(one(methods=GET | POST), method=GET).allowed


def test_a_pattern_is_exact_unless_it_ends_in_a_star():
    for pattern, path, matches in (
        ("/r/open", "/r/open", True),
        ("/r/open", "/r/open2", False),
        ("/r/open", "/r/ope", False),
        ("/r/open", "/r/open/", False),
        ("/r/open", "/R/open", False),
        ("/r/*", "/r/open", True),
        ("/r/*", "/r/", True),
        ("/r/*", "/r", False),
        ("/r/o*", "/r/open", True),
        ("*", "/r/open", True),
        ("*", "", True),
    ):
        assert rule.matches(pattern, path) is matches, (pattern, path)
        assert ask(one(pattern), path=path).allowed is matches


def test_the_first_rule_that_holds_in_full_decides():
    rules = one("/r/calibrate") + one("/r/open", POST, {rule.WINDOWS: [OFFICE]}) + one("/r/*") + one("*")
    assert ask(rules, MONDAY + 9 * HOUR).rule == 1
    assert ask(rules, MONDAY).rule == 2
    assert ask(rules, path="/health").rule == 3


def test_the_reason_is_that_of_the_rule_that_came_nearest():
    early = one("/r/open", POST, {rule.WINDOWS: [OFFICE]})
    assert ask(one("/r/open", GET) + early + one("/r/open", GET))[1:3] == ("rule-outside-window", 1)
    assert ask(one("/r/open", GET) + one("/x") + one("/r/*", GET))[1:3] == ("rule-method", 0)


def test_a_window_opens_at_its_start_and_is_shut_at_its_end():
    window = {rule.WINDOWS: [OFFICE]}
    assert not holds(window, MONDAY + 8 * HOUR - 1)
    assert holds(window, MONDAY + 8 * HOUR)
    assert holds(window, MONDAY + 18 * HOUR - 1)
    assert not holds(window, MONDAY + 18 * HOUR)


def test_a_window_holds_on_its_days_only():
    for day in range(7):
        assert holds({rule.WINDOWS: [OFFICE]}, MONDAY + day * DAY + 9 * HOUR) is (day < 5), day
    for day in range(7):
        only = {rule.WINDOWS: [[1 << day, 0, 0]]}
        assert [holds(only, MONDAY + other * DAY + HOUR) for other in range(7)] == [other == day for other in range(7)]


def test_an_overnight_window_belongs_to_the_day_on_which_it_begins():
    night = {rule.WINDOWS: [NIGHT]}
    assert not holds(night, MONDAY + 3 * HOUR)  # Sunday's night: not asked for
    assert holds(night, MONDAY + 22 * HOUR)
    assert holds(night, MONDAY + DAY + 6 * HOUR - 1)
    assert not holds(night, MONDAY + DAY + 6 * HOUR)
    assert holds(night, MONDAY + 5 * DAY + 3 * HOUR)  # Saturday morning: Friday's night
    assert not holds(night, MONDAY + 5 * DAY + 22 * HOUR)
    assert not holds(night, MONDAY + 6 * DAY + 3 * HOUR)


def test_sundays_night_reaches_into_monday():
    sunday = {rule.WINDOWS: [[1 << 6, 22 * 60, 6 * 60]]}
    assert holds(sunday, MONDAY + 3 * HOUR)
    assert not holds(sunday, MONDAY - DAY + 3 * HOUR)


def test_equal_ends_are_a_whole_day_from_then_on():
    monday = {rule.WINDOWS: [[1, 0, 0]]}
    assert [holds(monday, MONDAY + at) for at in (-1, 0, DAY - 1, DAY)] == [False, True, True, False]
    ten = {rule.WINDOWS: [[1, 600, 600]]}
    assert [holds(ten, MONDAY + 10 * HOUR + at) for at in (-1, 0, DAY - 1, DAY)] == [False, True, True, False]


def test_any_of_several_windows_will_do():
    both = {rule.WINDOWS: [OFFICE, [1 << 5, 9 * 60, 12 * 60]]}
    assert holds(both, MONDAY + 9 * HOUR)
    assert holds(both, MONDAY + 5 * DAY + 9 * HOUR)
    assert not holds(both, MONDAY + 6 * DAY + 9 * HOUR)


def test_hours_are_local_where_there_is_a_zone():
    office = {rule.WINDOWS: [OFFICE], rule.ZONE: BERLIN}
    assert not holds(office, MONDAY + 7 * HOUR - 1)
    assert holds(office, MONDAY + 7 * HOUR)
    assert not holds(office, MONDAY + 17 * HOUR)
    west = {rule.WINDOWS: [[1, 0, 60]], rule.ZONE: [[0, -300]]}
    assert not holds(west, MONDAY + 5 * HOUR - 1)  # still Sunday there
    assert holds(west, MONDAY + 5 * HOUR)


def test_daylight_saving_moves_the_window_by_an_hour():
    for change, before_h, after_h in ((BERLIN_SPRING, 7, 6), (BERLIN_AUTUMN, 6, 7)):
        office = {rule.WINDOWS: [[127, 8 * 60, 18 * 60]], rule.ZONE: BERLIN}
        midnight = change - HOUR
        assert not holds(office, midnight - DAY + before_h * HOUR - 1)
        assert holds(office, midnight - DAY + before_h * HOUR)
        assert not holds(office, midnight + after_h * HOUR - 1)
        assert holds(office, midnight + after_h * HOUR)


def test_an_hour_that_spring_skips_never_opens_and_one_that_autumn_repeats_opens_twice():
    between_two_and_three = {rule.WINDOWS: [[127, 120, 180]], rule.ZONE: BERLIN}
    for minute in range(-30, 90, 10):
        assert not holds(between_two_and_three, BERLIN_SPRING + minute * MINUTE), minute
    opened = [minute for minute in range(-90, 90, 10) if holds(between_two_and_three, BERLIN_AUTUMN + minute * MINUTE)]
    assert opened == list(range(-60, 60, 10))


def test_a_weekday_ends_at_local_midnight_on_both_sides_of_a_change():
    sunday = {rule.WINDOWS: [[1 << 6, 0, 0]], rule.ZONE: BERLIN}
    for begin, hours in ((BERLIN_SPRING - 2 * HOUR, 23), (BERLIN_AUTUMN - 3 * HOUR, 25)):
        assert not holds(sunday, begin - 1)
        assert holds(sunday, begin)
        assert holds(sunday, begin + hours * HOUR - 1)
        assert not holds(sunday, begin + hours * HOUR)


def test_before_its_zones_first_entry_a_rule_knows_no_local_time():
    office = {rule.WINDOWS: [[127, 0, 0]], rule.ZONE: BERLIN}
    assert holds(office, BERLIN[0][0])
    assert ask(one(conditions=office), BERLIN[0][0] - 1).reason == "rule-outside-zone"


def test_unknown_time_refuses_a_window_and_nothing_else():
    assert ask(one(conditions={rule.WINDOWS: [OFFICE]}), None)[:3] == (False, "rule-time-unknown", 0)
    assert ask(one(), None).allowed
    assert ask(one(conditions={rule.WINDOWS: [OFFICE]}) + one(), None).rule == 1


def test_an_unknown_condition_refuses():
    for number in (0, 11, 99, -1):
        decision = ask(one(conditions={number: None}))
        assert decision[:3] == (False, "rule-unknown-condition", 0)
        assert "condition %d" % number in decision.detail


def test_arguments_stay_within_their_bounds():
    rules = one("/r/open", GET | POST, {rule.BOUNDS: {"seconds": [1, 10], "level": [None, 3], "floor": [-2, None]}})
    good = {"seconds": 10, "level": -100, "floor": 2**64 - 1, "colour": "any"}
    assert ask(rules, arguments=good).allowed
    for name, value in (
        ("seconds", 0),
        ("seconds", 11),
        ("seconds", True),
        ("seconds", "5"),
        ("seconds", None),
        ("seconds", [5]),
        ("level", 4),
        ("floor", -3),
    ):
        bad = dict(good)
        bad[name] = value
        assert ask(rules, arguments=bad)[:3] == (False, "rule-argument", 0), (name, value)


def test_a_bounded_argument_must_be_there_unless_the_request_is_a_get():
    rules = one("/r/open", GET | POST, {rule.BOUNDS: {"seconds": [1, 10]}})
    assert ask(rules, arguments={}).reason == "rule-argument"
    assert ask(rules, arguments=None).reason == "rule-argument"
    assert ask(rules, method=GET).allowed


def test_a_refusal_says_what_would_have_to_change():
    window = {rule.WINDOWS: [OFFICE, [0b1100000, 540, 720]], rule.ZONE: BERLIN}
    assert ask(one(conditions=window), MONDAY + 17 * HOUR + 5 * MINUTE).detail == (
        "only Mon-Fri 08:00-18:00, Sat-Sun 09:00-12:00; it is Mon 18:05"
    )
    assert ask(one(conditions=window), None).detail.endswith("the time is not known here: set the clock")
    for bounds, text in (([1, 10], "1 to 10"), ([None, 10], "at most 10"), ([1, None], "at least 1")):
        assert ask(one(conditions={rule.BOUNDS: {"seconds": bounds}})).detail == "seconds " + text


def test_the_bit_of_a_method_is_its_code_less_one():
    bits = [rule.method_bit(code) for code in range(1, 8)]
    assert bits == [aif.GET, aif.POST, aif.PUT, aif.DELETE, aif.FETCH, 32, 64]
    assert bits == [1, 2, 4, 8, 16, 32, 64]
    for code in (0, 8, 31, 32, 0x45, 0xFF):
        assert rule.method_bit(code) == 0


def test_a_window_holds_only_if_it_holds_for_all_that_the_time_may_be():
    office = one(conditions={rule.WINDOWS: [OFFICE]})
    eight, six = MONDAY + 8 * HOUR, MONDAY + 18 * HOUR
    assert at(office, (eight, six - 1)) == "rule-allows"
    assert at(office, (eight - 1, eight)) == "rule-time-unknown"
    assert at(office, (six - 1, six)) == "rule-time-unknown"
    assert at(office, (six, six + 8 * HOUR)) == "rule-outside-window"
    assert at(office, (eight - 1, six)) == "rule-time-unknown"
    assert at(office, (eight, None)) == "rule-time-unknown"
    assert at(office, (None, eight)) == "rule-time-unknown"


def test_windows_that_follow_each_other_are_one():
    shifts = one(conditions={rule.WINDOWS: [[1, 840, 1320], [1, 360, 840], [1, 1320, 360]]})
    begin = MONDAY + 6 * HOUR
    assert at(shifts, (begin, begin + DAY - 1)) == "rule-allows"
    assert at(shifts, (begin - 1, begin)) == at(shifts, (begin + DAY - 1, begin + DAY)) == "rule-time-unknown"
    gap = one(conditions={rule.WINDOWS: [[1, 360, 840], [1, 841, 1320]]})
    assert at(gap, (begin, begin + 10 * HOUR)) == "rule-time-unknown"
    assert at(gap, (MONDAY + 14 * HOUR, MONDAY + 14 * HOUR + 59)) == "rule-outside-window"


def test_a_time_that_is_uncertain_by_a_day_is_in_no_window():
    always = one(conditions={rule.WINDOWS: [[127, 0, 0]]})
    assert at(always, (MONDAY, MONDAY + DAY - 1)) == "rule-allows"
    assert at(always, (MONDAY, MONDAY + DAY)) == "rule-time-unknown"
    assert at(always, (0, 2**63)) == "rule-time-unknown"


def test_an_uncertain_time_across_a_change_of_clocks():
    early = one(conditions={rule.WINDOWS: [[127, 60, 120]], rule.ZONE: BERLIN})  # 01:00-02:00
    assert at(early, (BERLIN_SPRING - HOUR, BERLIN_SPRING - 1)) == "rule-allows"
    assert at(early, (BERLIN_SPRING - HOUR, BERLIN_SPRING)) == "rule-time-unknown"  # it is 03:00 at once
    repeated = one(conditions={rule.WINDOWS: [[127, 120, 180]], rule.ZONE: BERLIN})
    assert at(repeated, (BERLIN_AUTUMN - HOUR, BERLIN_AUTUMN + HOUR - 1)) == "rule-allows"
    assert at(repeated, (BERLIN_AUTUMN - HOUR, BERLIN_AUTUMN + HOUR)) == "rule-time-unknown"
    assert at(repeated, (BERLIN[0][0] - 1, BERLIN[0][0])) == "rule-outside-zone"


def test_a_life_has_a_begin_and_an_end():
    life = one(conditions={rule.LIFE: [100, 200]})
    for moment, reason in (
        ((99, 99), "rule-not-yet-valid"),
        ((100, 199), "rule-allows"),
        ((200, 200), "rule-expired"),
        ((99, 100), "rule-time-unknown"),
        ((199, 200), "rule-time-unknown"),
        ((100, None), "rule-time-unknown"),
        ((200, None), "rule-expired"),  # a floor is enough to know it
        ((None, 99), "rule-not-yet-valid"),
        ((None, None), "rule-time-unknown"),
        ((-(10**12), 10**12), "rule-time-unknown"),
    ):
        assert at(life, moment) == reason, moment
    assert at(one(conditions={rule.LIFE: [100, None]}), (100, None)) == "rule-allows"
    assert at(one(conditions={rule.LIFE: [None, 200]}), (None, 199)) == "rule-allows"


def test_the_life_of_the_grant_counts_for_each_of_its_rules():
    rules = one("/r/open") + one("/r/late", conditions={rule.TIMELESS: True})
    subject = (subjects.link(rules, life=(100, 200)),)

    def reason(path, moment):
        return rule.decide(subject, None, (POST, path, None), moment, rule.NOTHING).reason

    assert reason("/r/open", (100, 199)) == reason("/r/late", (100, 199)) == "rule-allows"
    assert reason("/r/open", (None, None)) == "rule-time-unknown"
    assert reason("/r/late", (None, None)) == reason("/r/late", (150, None)) == "rule-allows"
    assert reason("/r/late", (200, None)) == "rule-expired"


def test_what_is_timeless_is_open_while_the_time_is_unknown_and_then_only():
    timeless = {rule.TIMELESS: True, rule.WINDOWS: [OFFICE], rule.LIFE: [None, MONDAY + DAY]}
    assert at(one(conditions=timeless), (None, None)) == "rule-allows"
    assert at(one(conditions=timeless), (MONDAY, None)) == "rule-allows"
    assert at(one(conditions=timeless), (MONDAY + DAY, None)) == "rule-expired"
    assert at(one(conditions=timeless), (MONDAY, MONDAY)) == "rule-outside-window"
    assert at(one(conditions=timeless), (MONDAY, MONDAY + 9 * HOUR)) == "rule-time-unknown"


def test_uses_are_counted_and_end():
    rules = one("/x") + one(conditions={rule.USES: 3})
    key = (b"grant-01", 1)
    decision = ask(rules)
    assert (decision.allowed, decision.rule, decision.uses) == (True, 1, (key,))
    assert ask(rules, path="/x").uses == ()
    assert at(rules, (None, None), subjects.State(used={key: 2})) == "rule-allows"
    decision = subjects.ask(rules, (POST, "/r/open", None), None, subjects.State(used={key: 3}))
    assert decision[1:4] == ("rule-used-up", 1, "only 3 times, and they are used up: ask for a new grant")
    assert decision.uses == ()


def test_a_rate_lets_through_again_when_time_has_passed():
    rules = one(conditions={rule.RATE: [2, 60]})
    key = (b"grant-01", 0)
    assert ask(rules).uses == (key,)
    assert at(rules, (None, None), subjects.State(recent={key: [5]})) == "rule-allows"
    decision = subjects.ask(rules, (POST, "/r/open", None), None, subjects.State(recent={key: [5, 59, 60]}))
    assert decision[1:4] == ("rule-rate", 0, "only 2 times in 60 s: wait")
    assert at(rules, (None, None), subjects.State(recent={key: [5, 60]})) == "rule-allows"


def test_presence_is_shown_in_the_way_that_the_rule_asks_for():
    for asked, name in ((rule.CODE, "code"), (rule.BUTTON, "button")):
        rules = one(conditions={rule.PRESENCE: asked})
        decision = ask(rules)
        assert decision[1:4] == ("rule-presence", 0, "show that you are here by the kiosk's " + name)
        reasons = [at(rules, (None, None), subjects.State(presence=shown)) for shown in range(4)]
        assert [reason == "rule-allows" for reason in reasons] == [bool(shown & asked) for shown in range(4)]


def test_others_must_approve():
    rules = one(conditions={rule.APPROVALS: [2, ["group:day", "user:bob"]]})
    assert ask(rules)[1:4] == ("rule-approvals", 0, "2 of group:day or user:bob must approve it")
    for count, reason in ((1, "rule-approvals"), (2, "rule-allows"), (3, "rule-allows")):
        state = subjects.State(approved={("group:day", "user:bob"): count})
        assert at(rules, (None, None), state) == reason


def test_a_policy_may_be_too_old_and_one_of_unknown_age_is():
    rules = one(conditions={rule.FRESH: 60})
    for age, reason in ((0, "rule-allows"), (60, "rule-allows"), (61, "rule-stale"), (None, "rule-stale")):
        assert at(rules, (MONDAY, MONDAY), subjects.State(policy_age=age)) == reason
    timeless = one(conditions={rule.FRESH: 60, rule.TIMELESS: True})
    assert at(timeless, (None, None), subjects.State(policy_age=None)) == "rule-stale"
    decision = subjects.ask(rules, (POST, "/r/open", None), None, subjects.State(policy_age=61))
    assert decision.detail == "the policy here is more than 60 s old: bring a new one"


def test_the_reason_told_is_the_last_thing_in_the_way():
    """Whoever takes one after the other out of the way meets them in this order, and then is allowed."""
    key = (b"grant-01", 0)
    everything = {
        rule.BOUNDS: {"seconds": [1, 10]},
        rule.USES: 1,
        rule.LIFE: [MONDAY, MONDAY + DAY],
        rule.WINDOWS: [OFFICE],
        rule.FRESH: 60,
        rule.RATE: [1, 60],
        rule.PRESENCE: rule.CODE,
        rule.APPROVALS: [1, ["everyone"]],
    }
    used, shown, arguments, now = {"used": {key: 1}, "recent": {key: [0]}, "policy_age": 61}, {}, {}, MONDAY - DAY
    told = []
    for mend in (
        lambda: arguments.update(seconds=1),
        lambda: used.pop("used"),
        None,
        None,
        lambda: used.pop("policy_age"),
        lambda: used.pop("recent"),
        lambda: shown.update(presence=rule.CODE),
        lambda: shown.update(approved={("everyone",): 1}),
        lambda: None,
    ):
        state = subjects.State(**dict(list(used.items()) + list(shown.items())))
        told.append(subjects.ask(one(conditions=everything), (POST, "/r/open", arguments), now, state).reason)
        if mend:
            mend()
        else:
            now += DAY if now < MONDAY else 9 * HOUR
    assert told == [
        "rule-argument",
        "rule-used-up",
        "rule-not-yet-valid",
        "rule-outside-window",
        "rule-stale",
        "rule-rate",
        "rule-presence",
        "rule-approvals",
        "rule-allows",
    ]
    assert [rule.REASONS.index(each) for each in told] == sorted([rule.REASONS.index(each) for each in told])


def test_what_a_get_is_spared_is_the_bounds_alone():
    rules = one("/r/open", GET | POST, {rule.BOUNDS: {"seconds": [1, 10]}, rule.USES: 1})
    assert ask(rules, method=GET).uses == ((b"grant-01", 0),)
    used = subjects.State(used={(b"grant-01", 0): 1})
    assert subjects.ask(rules, (GET, "/r/open", None), None, used).reason == "rule-used-up"


def test_a_grant_of_many_rules_is_decided_alike():
    """From some number of rules on they are found by an index; the answers are the same."""
    fields = ("id", "key", "subject", "selectors", "parent", "chain", "rules", "not_before", "expires")
    grants = namedtuple("Grant", fields)
    many = []
    for number in range(40):
        many += one("/r/%d" % number) + one("/r/%d*" % number, GET) + one("/r/*", 4)
    asked = [(method, path) for method in (1, 2, 4, 8) for path in ("/r/7", "/r/33", "/r/3", "/r/", "/r", "", "/x")]
    given = grants(b"grant-01", bytes(64), "alice", (), None, (), tuple(many), None, None)
    assert rule.subject_of(given)[0].index
    for method, path in asked:
        scanned = subjects.ask(many, (method, path, None), None)
        assert rule.decide(rule.subject_of(given), None, (method, path, None), (None, None), rule.NOTHING) == scanned
