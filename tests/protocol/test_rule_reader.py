"""What is not a rule does not parse; what parses can be decided on."""

from admit_protocol import rule
from admit_protocol.errors import Malformed
from admit_protocol.rule_reader import check_selector, parse, parse_policy, parse_policy_rule
from support import raises


def test_what_is_not_a_rule_does_not_parse():
    for value, reason in (
        (None, "rule-shape"),
        (["/a", 1], "rule-shape"),
        (["/a", 1, {}, 0], "rule-shape"),
        (["/a", 1, []], "rule-shape"),
        (["/a", 1, {"1": 2}], "rule-shape"),
        ([b"/a", 1, {}], "rule-pattern"),
        (["", 1, {}], "rule-pattern"),
        (["r/open", 1, {}], "rule-pattern"),
        (["r*", 1, {}], "rule-pattern"),
        (["/*/b", 1, {}], "rule-pattern"),
        (["**", 1, {}], "rule-pattern"),
        (["/a", 0, {}], "rule-methods"),
        (["/a", 128, {}], "rule-methods"),
        (["/a", -1, {}], "rule-methods"),
        (["/a", True, {}], "rule-methods"),
        (["/a", "GET", {}], "rule-methods"),
    ):
        with raises(Malformed, reason):
            parse(value)


def test_what_is_not_a_condition_does_not_parse():
    for number, value, reason in (
        (rule.WINDOWS, [], "rule-window"),
        (rule.WINDOWS, [127, 0, 0], "rule-window"),
        (rule.WINDOWS, [[0, 0, 60]], "rule-window"),
        (rule.WINDOWS, [[128, 0, 60]], "rule-window"),
        (rule.WINDOWS, [[1, 1440, 60]], "rule-window"),
        (rule.WINDOWS, [[1, 0, 1440]], "rule-window"),
        (rule.WINDOWS, [[1, -1, 60]], "rule-window"),
        (rule.WINDOWS, [[True, 0, 60]], "rule-window"),
        (rule.WINDOWS, [[1, 0]], "rule-window"),
        (rule.ZONE, [], "rule-zone"),
        (rule.ZONE, [[0]], "rule-zone"),
        (rule.ZONE, [[0, 1440]], "rule-zone"),
        (rule.ZONE, [[10, 0], [10, 60]], "rule-zone"),
        (rule.ZONE, [[10, 0], [9, 60]], "rule-zone"),
        (rule.ZONE, [["x", 0]], "rule-zone"),
        (rule.BOUNDS, {}, "rule-bounds"),
        (rule.BOUNDS, [], "rule-bounds"),
        (rule.BOUNDS, {1: [1, 2]}, "rule-bounds"),
        (rule.BOUNDS, {"a": [1]}, "rule-bounds"),
        (rule.BOUNDS, {"a": [None, None]}, "rule-bounds"),
        (rule.BOUNDS, {"a": [2, 1]}, "rule-bounds"),
        (rule.BOUNDS, {"a": [False, 1]}, "rule-bounds"),
        (rule.BOUNDS, {"a": [1, "2"]}, "rule-bounds"),
        (rule.BOUNDS, {"a": ["1", None]}, "rule-bounds"),
        (rule.WINDOWS, [[1, 0, 60]] * 17, "rule-window"),
        (rule.ZONE, [[number, 0] for number in range(129)], "rule-zone"),
        (rule.USES, 0, "rule-condition"),
        (rule.USES, True, "rule-condition"),
        (rule.USES, [1], "rule-condition"),
        (rule.RATE, [0, 60], "rule-condition"),
        (rule.RATE, [1, 0], "rule-condition"),
        (rule.RATE, [33, 60], "rule-condition"),
        (rule.RATE, [1], "rule-condition"),
        (rule.RATE, 5, "rule-condition"),
        (rule.PRESENCE, 0, "rule-condition"),
        (rule.PRESENCE, 3, "rule-condition"),
        (rule.PRESENCE, "code", "rule-condition"),
        (rule.APPROVALS, [0, ["everyone"]], "rule-condition"),
        (rule.APPROVALS, [1, []], "rule-selector"),
        (rule.APPROVALS, [1, ["bob"]], "rule-selector"),
        (rule.APPROVALS, ["everyone"], "rule-condition"),
        (rule.TIMELESS, False, "rule-condition"),
        (rule.TIMELESS, 1, "rule-condition"),
        (rule.FRESH, 0, "rule-condition"),
        (rule.FRESH, None, "rule-condition"),
        (rule.LIFE, [None, None], "rule-life"),
        (rule.LIFE, [5, 5], "rule-life"),
        (rule.LIFE, [5, 4], "rule-life"),
        (rule.LIFE, [5], "rule-life"),
        (rule.LIFE, [True, 5], "rule-life"),
        (rule.LIFE, 5, "rule-life"),
    ):
        with raises(Malformed, reason):
            parse(["/a", 1, {number: value}])


def test_an_unknown_condition_is_kept():
    assert parse(["/a", 1, {99: b"later"}]) == ("/a", 1, {99: b"later"})


def test_every_condition_that_is_one_parses():
    conditions = {
        rule.WINDOWS: [[127, 0, 0]] * 16,
        rule.ZONE: [[-1, -1439], [0, 1439]],
        rule.BOUNDS: {"a": [1, 1], "b": [None, -5], "c": [2**64 - 1, None]},
        rule.USES: 1,
        rule.RATE: [1, 1],
        rule.PRESENCE: rule.BUTTON,
        rule.APPROVALS: [1, ["everyone", "user:bob", "group:a b", "role:c", "key:0123456789abcdef"]],
        rule.TIMELESS: True,
        rule.FRESH: 1,
        rule.LIFE: [None, 5],
    }
    assert parse(["/a", 1, conditions]).conditions == conditions
    assert parse(["/a", 1, {rule.LIFE: [4, 5]}]) and parse(["/a", 1, {rule.LIFE: [4, None]}])


def test_who_a_selector_names():
    for good in ("everyone", "user:alice", "user:a:b", "group:night shift", "role:x", "key:0123456789abcdef"):
        check_selector(good)
    for bad in (
        "", "Everyone", "alice", "user:", "key:", "key:0123456789ABCDEF", "key:0123456789abcde", "key:" + "g" * 16,
        "device:x", "user:" + "x" * 66, None, b"everyone", 1,
    ):  # fmt: skip
        with raises(Malformed, "rule-selector"):
            check_selector(bad)


DENIAL = [1, ["everyone"], ["role:security"], "/r/*", 127, {}, "night"]


def with_item(place, item):
    return DENIAL[:place] + [item] + DENIAL[place + 1 :]


def test_a_rule_of_the_policy():
    one = parse_policy_rule(DENIAL)
    assert (one.effect, one.subjects, one.exceptions) == (rule.DENY, ["everyone"], ["role:security"])
    assert (one.pattern, one.methods, one.conditions, one.id) == ("/r/*", 127, {}, "night")
    assert list(one) == DENIAL


def test_what_is_not_a_rule_of_the_policy_does_not_parse():
    for value, reason in (
        (None, "rule-shape"),
        (DENIAL[:-1], "rule-shape"),
        (DENIAL + [0], "rule-shape"),
        (with_item(0, 3), "rule-effect"),
        (with_item(0, -1), "rule-effect"),
        (with_item(0, True), "rule-effect"),
        (with_item(1, []), "rule-selector"),
        (with_item(1, "everyone"), "rule-selector"),
        (with_item(1, ["everyone"] * 33), "rule-selector"),
        (with_item(1, ["nobody"]), "rule-selector"),
        (with_item(2, None), "rule-selector"),
        (with_item(2, [1]), "rule-selector"),
        (with_item(3, "r"), "rule-pattern"),
        (with_item(4, 0), "rule-methods"),
        (with_item(5, []), "rule-shape"),
        (with_item(5, {rule.WINDOWS: []}), "rule-window"),
        (with_item(6, ""), "rule-id"),
        (with_item(6, "x" * 17), "rule-id"),
        (with_item(6, b"x"), "rule-id"),
    ):
        with raises(Malformed, reason):
            parse_policy_rule(value)


def test_what_denies_waits_for_nothing():
    for number, value in ((4, 1), (5, [1, 1]), (6, 1), (7, [1, ["everyone"]]), (8, True), (9, 1), (99, 0), (-1, 0)):
        for effect in (rule.DENY, rule.LOCKDOWN):
            with raises(Malformed, "rule-condition"):
                parse_policy_rule([effect] + with_item(5, {number: value})[1:])
        assert parse_policy_rule([rule.ALLOW] + with_item(5, {number: value})[1:])
    timed = {1: [[1, 0, 60]], 2: [[0, 0]], 3: {"a": [1, 2]}, 10: [None, 5]}
    assert parse_policy_rule(with_item(5, timed)).conditions == timed


def test_each_rule_of_a_policy_has_an_id_of_its_own():
    assert [each.id for each in parse_policy([DENIAL, with_item(6, "day")])] == ["night", "day"]
    assert parse_policy([]) == ()
    with raises(Malformed, "rule-id"):
        parse_policy([DENIAL, DENIAL])
    with raises(Malformed, "rule-shape"):
        parse_policy({})
