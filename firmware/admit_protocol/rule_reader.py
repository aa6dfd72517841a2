"""Rules as they stand in a grant's scope, read and checked: docs/SPEC.md.

Owns: the shape of a rule and of each condition that we know.
Rules: what passes here can be decided on; an unknown condition is kept, and refuses when it comes to deciding.
Must not know: what a rule decides (rule.py), where it came from.
"""

from .cbor import expect
from .errors import Malformed
from .rule import ALL_METHODS, BOUNDS, DAY_MINUTES, WINDOWS, ZONE, Rule


def parse(value):
    """A Rule from its decoded CBOR `[pattern, methods, {conditions}]`.

    Conditions that we know are checked in full; others are kept, and refuse when it comes to deciding.
    Raises Malformed rule-shape, rule-pattern, rule-methods, rule-window, rule-zone or rule-bounds.
    """
    if len(expect(value, (list, tuple), "rule-shape")) != 3:
        raise Malformed("rule-shape")
    pattern, methods, conditions = value
    if expect(pattern, str, "rule-pattern") != "*" and not pattern.startswith("/") or "*" in pattern[:-1]:
        raise Malformed("rule-pattern", "a path begins with '/', and '*' stands at its end, once")
    if not 0 < expect(methods, int, "rule-methods") <= ALL_METHODS:
        raise Malformed("rule-methods")
    for number, condition in expect(conditions, dict, "rule-shape").items():
        check = _PARSERS.get(expect(number, int, "rule-shape"))
        if check:
            check(condition)
    return Rule(pattern, methods, conditions)


def _parse_windows(value):
    if not expect(value, (list, tuple), "rule-window"):
        raise Malformed("rule-window", "no window at all")
    for window in value:
        days, start, end = _integers(window, 3, "rule-window")
        if not (0 < days < 128 and 0 <= start < DAY_MINUTES and 0 <= end < DAY_MINUTES):
            raise Malformed("rule-window")


def _parse_zone(value):
    if not expect(value, (list, tuple), "rule-zone"):
        raise Malformed("rule-zone", "no offset at all")
    last = None
    for entry in value:
        begun, offset_minutes = _integers(entry, 2, "rule-zone")
        if abs(offset_minutes) >= DAY_MINUTES or (last is not None and begun <= last):
            raise Malformed("rule-zone")
        last = begun


def _parse_bounds(value):
    if not expect(value, dict, "rule-bounds"):
        raise Malformed("rule-bounds", "no bound at all")
    for name, bounds in value.items():
        expect(name, str, "rule-bounds")
        if len(expect(bounds, (list, tuple), "rule-bounds")) != 2:
            raise Malformed("rule-bounds")
        ends = [expect(end, int, "rule-bounds") for end in bounds if end is not None]
        if not ends or ends[0] > ends[-1]:
            raise Malformed("rule-bounds", "no value lies between them")


def _integers(value, count, reason):
    if len(expect(value, (list, tuple), reason)) != count:
        raise Malformed(reason)
    return [expect(item, int, reason) for item in value]


_PARSERS = {WINDOWS: _parse_windows, ZONE: _parse_zone, BOUNDS: _parse_bounds}
