"""Rules as they stand in a grant's scope and in a policy, read and checked: docs/SPEC.md.

Owns: the shape of a rule, of a policy's rule and of each condition that we know.
Rules: what passes here can be decided on, within a bounded time; an unknown condition is kept, and refuses when it
comes to deciding. What could never hold (a window that never opens, an end before the begin) is refused.
Must not know: what a rule decides (rule.py), where it came from.
"""

from . import rule
from .cbor import expect
from .const import const
from .errors import Malformed

_MAX_WINDOWS = const(16)
_MAX_OFFSETS = const(128)
_MAX_SELECTORS = const(32)
_MAX_SELECTOR = const(70)  # bytes of UTF-8
_MAX_ID = const(16)  # bytes of UTF-8
_FAR = const(1 << 64)  # no CBOR integer is beyond it


def parse(value):
    """A Rule from its decoded CBOR `[pattern, methods, {conditions}]`.

    Conditions that we know are checked in full; others are kept, and refuse when it comes to deciding.
    Raises Malformed rule-shape, rule-pattern, rule-methods, or that of a condition: rule-window, rule-zone,
    rule-bounds, rule-life, rule-selector, rule-condition.
    """
    pattern, methods, conditions = _list(value, 3, 3, "rule-shape")
    if expect(pattern, str, "rule-pattern") != "*" and not pattern.startswith("/") or "*" in pattern[:-1]:
        raise Malformed("rule-pattern", "a path begins with '/', and '*' stands at its end, once")
    _integer(methods, 1, rule.ALL_METHODS, "rule-methods")
    for number, condition in expect(conditions, dict, "rule-shape").items():
        if 0 < expect(number, int, "rule-shape") <= len(_CHECKS):
            _CHECKS[number - 1](condition)
    return rule.Rule(pattern, methods, conditions)


def parse_policy(value):
    """The PolicyRules in the decoded CBOR of a policy, a tuple.

    Raises Malformed as `parse_policy_rule` does, and rule-id if two have the same.
    """
    rules = tuple([parse_policy_rule(each) for each in expect(value, list, "rule-shape")])
    if len({each.id for each in rules}) < len(rules):
        raise Malformed("rule-id")
    return rules


def parse_policy_rule(value):
    """A PolicyRule from its decoded CBOR `[effect, [selectors], [exceptions], pattern, methods, {conditions}, id]`.

    What denies has hours, ends and bounds, nothing else: were it to wait for a count or a code, who could tell when?
    Raises Malformed as `parse`, and rule-effect or rule-id.
    """
    effect, subjects, exceptions, pattern, methods, conditions, identifier = _list(value, 7, 7, "rule-shape")
    _integer(effect, rule.ALLOW, rule.LOCKDOWN, "rule-effect")
    _check_selectors(subjects, 1)
    _check_selectors(exceptions, 0)
    if not 0 < len(expect(identifier, str, "rule-id").encode()) <= _MAX_ID:
        raise Malformed("rule-id")
    parse(value[3:6])
    if effect and [number for number in conditions if number > rule.BOUNDS and number != rule.LIFE or number < 1]:
        raise Malformed("rule-condition")
    return rule.PolicyRule(effect, subjects, exceptions, pattern, methods, conditions, identifier)


def check_selector(value):
    """Raises Malformed rule-selector unless `value` is everyone, user:NAME, group:NAME, role:NAME or key:HEX16."""
    kind, _, name = expect(value, str, "rule-selector").partition(":")
    if value != rule.EVERYONE and (
        kind not in ("user", "group", "role", "key")
        or not name
        or len(value.encode()) > _MAX_SELECTOR
        or (kind == "key" and (len(name) != 16 or name.strip("0123456789abcdef")))
    ):
        raise Malformed("rule-selector")


def _check_selectors(value, least):
    for each in _list(value, least, _MAX_SELECTORS, "rule-selector"):
        check_selector(each)


def _check_windows(value):
    for window in _list(value, 1, _MAX_WINDOWS, "rule-window"):
        for item, least, end in zip(_list(window, 3, 3, "rule-window"), (1, 0, 0), (128, 1440, 1440)):
            _integer(item, least, end - 1, "rule-window")


def _check_zone(value):
    next_begin = -_FAR
    for entry in _list(value, 1, _MAX_OFFSETS, "rule-zone"):
        begun, offset_minutes = _list(entry, 2, 2, "rule-zone")
        _integer(begun, next_begin, _FAR, "rule-zone")
        _integer(offset_minutes, 1 - rule.DAY_MINUTES, rule.DAY_MINUTES - 1, "rule-zone")
        next_begin = begun + 1


def _check_bounds(value):
    if not expect(value, dict, "rule-bounds"):
        raise Malformed("rule-bounds")
    for name in value:
        expect(name, str, "rule-bounds")
        _check_ends(value[name], 0, "rule-bounds")


def _check_ends(value, apart, reason):
    """[a or null, b or null], not both null, and b at least `apart` more than a."""
    least, most = _list(value, 2, 2, reason)
    if least is None or most is not None:
        _integer(most, -_FAR if least is None else expect(least, int, reason) + apart, _FAR, reason)
    elif least is not None:
        expect(least, int, reason)


def _check_count(value):
    _integer(value, 1, _FAR, "rule-condition")


def _check_rate(value):
    count, seconds = _list(value, 2, 2, "rule-condition")
    _integer(count, 1, rule.MAX_RATE, "rule-condition")
    _check_count(seconds)


def _check_approvals(value):
    count, selectors = _list(value, 2, 2, "rule-condition")
    _check_count(count)
    _check_selectors(selectors, 1)


def _check_timeless(value):
    if value is not True:
        raise Malformed("rule-condition")


def _list(value, least, most, reason):
    if not least <= len(expect(value, (list, tuple), reason)) <= most:
        raise Malformed(reason)
    return value


def _integer(value, least, most, reason):
    if not least <= expect(value, int, reason) <= most:
        raise Malformed(reason)


# By number, from rule.WINDOWS on.
_CHECKS = (
    _check_windows,
    _check_zone,
    _check_bounds,
    _check_count,
    _check_rate,
    lambda value: _integer(value, rule.CODE, rule.BUTTON, "rule-condition"),
    _check_approvals,
    _check_timeless,
    _check_count,
    lambda value: _check_ends(value, 1, "rule-life"),
)
