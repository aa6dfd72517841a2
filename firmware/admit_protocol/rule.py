"""Who may do what, on which resource, within which window: the one place that decides, on the device and on the host.

Owns: rules and their conditions, calendar windows, the life of a grant (`check_life`), the decision and its reason.
Rules: pure and total. `decide` never raises on rules that `parse` let through; what it does not understand it refuses;
only a rule that holds in full allows. Time is an argument, and may be unknown.
Must not know: whose rules these are, how they came here, what a clock or a message is.
"""

from collections import namedtuple

from .cbor import expect
from .const import const
from .errors import Malformed, Untrusted

# The conditions of a rule, by number. All that are there must hold; an unknown one never holds.
WINDOWS = const(1)  # [[days, start_minute, end_minute], ...]: bit 0 of days: Monday; end <= start: into the next day
ZONE = const(2)  # [[from_unix, offset_minutes], ...] ascending: local time is UTC plus the offset last begun
BOUNDS = const(3)  # {argument name: [least or null, most or null]}

ALL_METHODS = const(0x7F)  # GET to iPATCH in AIF's mask, RFC 9237 section 3
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_GET = const(1)
_DAY_MINUTES = const(1440)

Rule = namedtuple("Rule", ("pattern", "methods", "conditions"))

# allowed: bool. reason: a slug. rule: index of the rule that allowed, or that came nearest to it, or None.
# detail: for people, what would have to change; "" when allowed.
Decision = namedtuple("Decision", ("allowed", "reason", "rule", "detail"))


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


def decide(rules, request, now):
    """The Decision on `request` = (method bit, path, arguments as a dict or None) at `now`, unix seconds or None.

    The first rule that holds in full allows. If none does, the reason is that of the rule that came nearest.
    """
    nearest = -1
    decision = Decision(False, "rule-none", None, "no rule names " + request[1])
    for index, rule in enumerate(rules):
        if not matches(rule[0], request[1]):
            continue
        step, refusal = _first_refusal(rule, request, now)
        if not refusal:
            return Decision(True, "rule-allows", index, "")
        if step > nearest:
            nearest = step
            decision = Decision(False, refusal[0], index, refusal[1])
    return decision


def matches(pattern, text):
    """Whether `text` is `pattern`, or begins with it up to its final `*`. For paths and for device names."""
    if pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return text == pattern


def check_life(not_before, expires, now):
    """Whether a grant lives at `now` (unix seconds, None if unknown); either end may be None, open. RFC 8392 3.1.4.

    Raises Untrusted grant-time-unknown, grant-not-yet-valid or grant-expired.
    """
    if not_before is None and expires is None:
        return
    if now is None:
        raise Untrusted("grant-time-unknown", "the grant has an end, and the time is not known here: set the clock")
    if not_before is not None and now < not_before:
        raise Untrusted("grant-not-yet-valid", "the grant begins in %d minutes" % ((not_before - now + 59) // 60))
    if expires is not None and now >= expires:
        raise Untrusted("grant-expired", "the grant ended %d minutes ago: ask for a new one" % ((now - expires) // 60))


def in_window(windows, day, minute):
    """Whether `minute` (0..1439) of weekday `day` (0 is Monday) lies in one of the windows."""
    before = (day - 1) % 7
    for days, start, end in windows:
        if start < end:
            if days >> day & 1 and start <= minute < end:
                return True
        elif (days >> day & 1 and minute >= start) or (days >> before & 1 and minute < end):
            return True
    return False


def local_time(zone, now):
    """(weekday, minute of the day) at `now`; UTC if `zone` is None, None before the zone's first entry."""
    offset_minutes = 0 if zone is None else None
    for begun, offset in zone or ():
        if begun > now:
            break
        offset_minutes = offset
    if offset_minutes is None:
        return None
    minutes = now // 60 + offset_minutes
    return (minutes // _DAY_MINUTES + 3) % 7, minutes % _DAY_MINUTES  # 1970-01-01 was a Thursday


def window_text(window):
    """A window in words: "Mon-Fri 08:00-18:00"; "Mon-Fri" for whole days."""
    days, start, end = window
    runs = []
    for day in range(7):
        if days >> day & 1:
            if runs and runs[-1][1] == day - 1:
                runs[-1][1] = day
            else:
                runs.append([day, day])
    names = [DAYS[a] if a == b else DAYS[a] + "-" + DAYS[b] for a, b in runs]
    if start == end == 0:
        return " ".join(names)
    return " ".join(names) + " " + _clock_text(start) + "-" + _clock_text(end)


def bounds_text(name, bounds):
    """The bounds of one argument in words: "seconds 1 to 10", "seconds at most 10"."""
    least, most = bounds
    if least is None:
        return "%s at most %d" % (name, most)
    if most is None:
        return "%s at least %d" % (name, least)
    return "%s %d to %d" % (name, least, most)


def _clock_text(minute):
    return "%02d:%02d" % (minute // 60, minute % 60)


# What a rule asks of a request, in this order. Each answers None, or (reason, what would have to change).


def _first_refusal(rule, request, now):
    for step, refuses in enumerate(_CHECKS):
        refusal = refuses(rule, request, now)
        if refusal:
            return step, refusal
    return len(_CHECKS), None


def _refuses_method(rule, request, now):
    if not rule[1] & request[0]:
        return "rule-method", "%s is allowed, but not with this method" % request[1]


def _refuses_unknown(rule, request, now):
    for number in sorted(rule[2]):  # MicroPython's dicts keep no order, and the answer is the same everywhere
        if number not in _PARSERS:
            return "rule-unknown-condition", "condition %d is not known to this version: update it" % number


def _refuses_arguments(rule, request, now):
    if BOUNDS not in rule[2] or request[0] == _GET:  # a GET carries no arguments
        return None
    arguments = request[2] or {}
    for name in sorted(rule[2][BOUNDS]):
        bounds = rule[2][BOUNDS][name]
        if not _within(arguments.get(name), bounds):
            return "rule-argument", bounds_text(name, bounds)


def _within(value, bounds):
    if isinstance(value, bool) or not isinstance(value, int):
        return False
    least, most = bounds
    return (least is None or value >= least) and (most is None or value <= most)


def _refuses_time(rule, request, now):
    if WINDOWS not in rule[2]:
        return None
    windows = rule[2][WINDOWS]
    wanted = ", ".join([window_text(window) for window in windows])
    if now is None:
        return "rule-time-unknown", "only %s, and the time is not known here: set the clock" % wanted
    local = local_time(rule[2].get(ZONE), now)
    if local is None:
        return "rule-outside-zone", "the rule knows local time only from a later day on"
    if not in_window(windows, local[0], local[1]):
        return "rule-outside-window", "only %s; it is %s %s" % (wanted, DAYS[local[0]], _clock_text(local[1]))


_CHECKS = (_refuses_method, _refuses_unknown, _refuses_arguments, _refuses_time)


# Parsing of the conditions that we know.


def _parse_windows(value):
    if not expect(value, (list, tuple), "rule-window"):
        raise Malformed("rule-window", "no window at all")
    for window in value:
        days, start, end = _integers(window, 3, "rule-window")
        if not (0 < days < 128 and 0 <= start < _DAY_MINUTES and 0 <= end < _DAY_MINUTES):
            raise Malformed("rule-window")


def _parse_zone(value):
    if not expect(value, (list, tuple), "rule-zone"):
        raise Malformed("rule-zone", "no offset at all")
    last = None
    for entry in value:
        begun, offset_minutes = _integers(entry, 2, "rule-zone")
        if abs(offset_minutes) >= _DAY_MINUTES or (last is not None and begun <= last):
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
