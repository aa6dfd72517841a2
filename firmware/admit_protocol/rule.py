"""Who may do what, on which resource, within which window: the one place that decides, on the device and on the host.

Owns: rules and their conditions, calendar windows, the decision and its reason. `rule_reader` reads them, `rule_text`
puts them in words, `standing` says whether the grant around them counts.
Rules: pure and total. `decide` never raises on rules that `rule_reader.parse` let through; what it does not understand
it refuses; only a rule that holds in full allows. Time is an argument, and may be unknown.
Must not know: whose rules these are, how they came here, what a clock or a message is.
"""

from collections import namedtuple

from .const import const

# The conditions of a rule, by number. All that are there must hold; an unknown one never holds.
WINDOWS = const(1)  # [[days, start_minute, end_minute], ...]: bit 0 of days: Monday; end <= start: into the next day
ZONE = const(2)  # [[from_unix, offset_minutes], ...] ascending: local time is UTC plus the offset last begun
BOUNDS = const(3)  # {argument name: [least or null, most or null]}

ALL_METHODS = const(0x7F)  # GET to iPATCH in AIF's mask, RFC 9237 section 3
DAY_MINUTES = const(1440)

_GET = const(1)
_KNOWN = const((WINDOWS, ZONE, BOUNDS))

Rule = namedtuple("Rule", ("pattern", "methods", "conditions"))

# allowed: bool. reason: a slug. rule: index of the rule that allowed, or that came nearest to it, or None.
# detail: for people, what would have to change; "" when allowed.
Decision = namedtuple("Decision", ("allowed", "reason", "rule", "detail"))


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


def method_bit(code):
    """The mask of a CoAP method code 1..7 as in AIF (RFC 9237 section 3); 0, which no mask holds, for any other."""
    return 1 << code - 1 if 1 <= code <= 7 else 0


def matches(pattern, text):
    """Whether `text` is `pattern`, or begins with it up to its final `*`. For paths and for device names."""
    if pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return text == pattern


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
    return (minutes // DAY_MINUTES + 3) % 7, minutes % DAY_MINUTES  # 1970-01-01 was a Thursday


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
        if number not in _KNOWN:
            return "rule-unknown-condition", "condition %d is not known to this version: update it" % number


def _refuses_arguments(rule, request, now):
    if BOUNDS not in rule[2] or request[0] == _GET:  # a GET carries no arguments
        return None
    arguments = request[2] or {}
    for name in sorted(rule[2][BOUNDS]):
        bounds = rule[2][BOUNDS][name]
        if not _within(arguments.get(name), bounds):
            from .rule_text import bounds_text

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
    local = None if now is None else local_time(rule[2].get(ZONE), now)
    if local and in_window(windows, local[0], local[1]):
        return None
    if now is not None and local is None:
        return "rule-outside-zone", "the rule knows local time only from a later day on"
    from .rule_text import moment_text, windows_text

    if now is None:
        return "rule-time-unknown", "only %s, and the time is not known here: set the clock" % windows_text(windows)
    return "rule-outside-window", "only %s; it is %s" % (windows_text(windows), moment_text(local[0], local[1]))


_CHECKS = (_refuses_method, _refuses_unknown, _refuses_arguments, _refuses_time)
