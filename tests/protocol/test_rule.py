"""Rules: who may do what, when, with which arguments, and what the refusal says would have to change."""

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


def ask(rules, now=MONDAY, method=POST, path="/r/open", arguments=None):
    return rule.decide(rules, (method, path, arguments), now)


def holds(conditions, now):
    return ask(one(conditions=conditions), now).allowed


def test_a_rule_allows_what_it_names():
    decision = ask(one())
    assert decision == (True, "rule-allows", 0, "")


def test_what_no_rule_names_is_denied():
    decision = ask(one(), path="/r/calibrate")
    assert decision == (False, "rule-none", None, "no rule names /r/calibrate")
    assert ask([]) == (False, "rule-none", None, "no rule names /r/open")


def test_another_method_is_denied():
    decision = ask(one(), method=GET)
    assert decision == (False, "rule-method", 0, "/r/open is allowed, but not with this method")
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
    for number in (0, 4, 99, -1):
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
