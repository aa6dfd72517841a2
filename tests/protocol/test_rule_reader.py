"""What is not a rule does not parse; what parses can be decided on."""

from admit_protocol import rule
from admit_protocol.errors import Malformed
from admit_protocol.rule_reader import parse
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
    ):
        with raises(Malformed, reason):
            parse(["/a", 1, {number: value}])


def test_an_unknown_condition_is_kept():
    assert parse(["/a", 1, {99: b"later"}]) == ("/a", 1, {99: b"later"})
