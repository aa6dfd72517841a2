"""The forms in which people write rules, windows and dates, and in which they read them.

Owns: `r/open:POST{seconds<=10}`, `mon-fri`, `08:00-18:00`, `2027-06-30`, and the offsets of a time zone.
Rules: a form that could mean two things is refused; LocalError form-… says what was expected.
Must not know: where a form was typed, and who is granted what.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from admit import condition_forms
from admit_protocol import aif, coap_numbers, rule, rule_reader
from admit_protocol.errors import LocalError, Malformed
from admit_protocol.rule_text import DAYS, bounds_text, window_text

METHODS = {
    "GET": aif.GET,
    "POST": aif.POST,
    "PUT": aif.PUT,
    "DELETE": aif.DELETE,
    "FETCH": aif.FETCH,
    "PATCH": rule.method_bit(coap_numbers.PATCH),
    "IPATCH": rule.method_bit(coap_numbers.IPATCH),
}
NEVER = "never"

_DAYS = [day.lower() for day in DAYS]
_ALLOW = re.compile(r"(?P<path>[^:{}\s]+):(?P<methods>[A-Za-z,]+|\*)(\{(?P<bounds>[^{}]*)\})?")
_BOUND = re.compile(r"\s*(?P<name>\w+)\s*(?P<sign><=|>=|=)\s*(?P<value>-?\d+)\s*")
_CLOCK = re.compile(r"(\d\d):(\d\d)")
_STEP = timedelta(hours=6)  # no zone changes its offset twice in less


def parse_allow(text: str) -> tuple[str, int, dict]:
    """A rule from `PATH:METHOD[,METHOD][{NAME<=N,NAME>=N}]`; `*` for every method. Raises LocalError form-allow."""
    found = _ALLOW.fullmatch(text)
    if not found:
        raise LocalError("form-allow", f"'{text}' is not like r/open:POST or 'r/*:GET,POST'")
    path = found["path"]
    pattern = path if path == "*" or path.startswith("/") else "/" + path
    conditions = {rule.BOUNDS: _parse_bounds(found["bounds"])} if found["bounds"] is not None else {}
    return _checked(pattern, _parse_methods(found["methods"]), conditions)


def allow_text(pattern: str, methods: int, conditions: dict) -> str:
    """The form that `parse_allow` reads as this rule. Raises LocalError form-allow if there is none."""
    bounds = ",".join(
        f"{name}={least}" if least == most else ",".join(f"{name}{sign}{end}" for sign, end in ends if end is not None)
        for name, (least, most) in sorted(conditions.get(rule.BOUNDS, {}).items())
        for ends in [((">=", least), ("<=", most))]
    )
    text = f"{pattern}:{methods_text(methods)}" + (f"{{{bounds}}}" if bounds else "")
    if parse_allow(text) != (pattern, methods, conditions):
        raise LocalError("form-allow", f"the rule on {pattern} has conditions that '{text}' does not say")
    return text


def routine(name: str) -> tuple[str, int, dict]:
    """The rule that allows a routine: reading its signature and invoking it. Raises LocalError form-routine."""
    if not re.fullmatch(r"[\w.-]+", name):
        raise LocalError("form-routine", f"'{name}' is not a routine's name; use --allow for paths")
    return _checked(f"/r/{name}", aif.GET | aif.POST, {})


def parse_request(text: str) -> tuple[int, str]:
    """(method bit, path) of one request: a routine's name means invoking it, else `PATH:METHOD`."""
    if ":" not in text:
        return aif.POST, routine(text)[0]
    pattern, methods, conditions = parse_allow(text)
    if methods & methods - 1 or pattern.endswith("*") or conditions:
        raise LocalError("form-request", f"'{text}' is more than one request: give one path and one method")
    return methods, pattern


def parse_days(text: str) -> int:
    """The mask of `mon-fri`, `sat,sun`, `fri-mon`. Raises LocalError form-days."""
    mask = 0
    for part in text.lower().split(","):
        first, dash, last = part.strip().partition("-")
        if first not in _DAYS or (dash and last not in _DAYS):
            raise LocalError("form-days", f"'{text}' is not like mon-fri or mon,wed,sat")
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        for step in range((end - begin) % 7 + 1):
            mask |= 1 << (begin + step) % 7
    return mask


def parse_hours(text: str) -> tuple[int, int]:
    """(start, end) in minutes of `08:00-18:00`; `22:00-06:00` runs into the next day. Raises LocalError form-hours."""
    first, _, last = text.partition("-")
    start, end = _parse_clock(first), _parse_clock(last)
    if start is None or end is None or start == 1440 or start == end:
        raise LocalError("form-hours", f"'{text}' is not like 08:00-18:00 or 22:00-06:00")
    return start, end % 1440


def parse_span(text: str) -> int:
    """Seconds of `30d`, `12h` or `0`, at most ten years. Raises LocalError form-span."""
    found = re.fullmatch(r"(0)|([1-9][0-9]{0,4})([dh])", text.lower())
    seconds = 0 if not found or found[1] else int(found[2]) * (86400 if found[3] == "d" else 3600)
    if not found or seconds > 3660 * 86400:
        raise LocalError("form-span", f"'{text}' is not like 30d, 12h or 0")
    return seconds


def parse_zone(name: str) -> ZoneInfo:
    """A time zone by its name in the IANA database. Raises LocalError form-zone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise LocalError("form-zone", f"'{name}' is not a time zone like Europe/Berlin or UTC") from None


def parse_moment(text: str, zone: ZoneInfo, last: bool = False) -> int:
    """Unix seconds of a date or of `2026-12-24 23:10` in `zone`; a bare date means its begin, or its end if `last`.

    Raises LocalError form-date.
    """
    try:
        moment = datetime.fromisoformat(text)
        if last and _is_date(text):
            moment += timedelta(days=1)
        unix = int((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp())
    except (ValueError, OverflowError):
        raise LocalError("form-date", f"'{text}' is not like 2027-06-30 or '2026-12-24 23:10'") from None
    if unix < 0:
        raise LocalError("form-date", f"'{text}' is before 1970")
    return unix


def window_conditions(
    days: int | None, hours: tuple[int, int] | None, zone: ZoneInfo, begin: int, end: int | None
) -> dict:
    """The conditions of a window in `zone` for a grant that lives from `begin` to `end` (unix seconds, None: for ever).

    Raises LocalError form-endless: the offsets of a zone that changes its clocks cannot be told for ever.
    """
    if days is None and hours is None:
        return {}
    start, stop = hours or (0, 0)
    conditions: dict = {rule.WINDOWS: [[0x7F if days is None else days, start, stop]]}
    begin -= 86400  # so that a device whose clock is slow knows the hour too
    offsets = zone_offsets(zone, begin, begin + 366 * 86400 if end is None else end)
    if end is None and len(offsets) > 1:
        raise LocalError("form-endless", f"hours in {zone.key}, where clocks change, need an end: give a date")
    if [offset for _, offset in offsets] != [0]:
        conditions[rule.ZONE] = offsets
    return conditions


def zone_offsets(zone: ZoneInfo, begin: int, end: int) -> list[list[int]]:
    """[[from, offset in minutes], ...] of `zone` from `begin` to `end`, unix seconds."""
    moment, last = datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(end, UTC)
    offsets = [[begin, _offset(zone, moment)]]
    while moment < last:
        after = min(moment + _STEP, last)
        if _offset(zone, after) != offsets[-1][1]:
            offsets.append([_change(zone, moment, after), _offset(zone, after)])
        moment = after
    return offsets


def rule_text(one: rule.Rule) -> str:
    """A rule in words: "POST /r/open, Mon-Fri 08:00-18:00, seconds at most 10"; "everything" for one without limits."""
    if one == ("*", rule.ALL_METHODS, {}):
        return "everything"
    parts = [f"{methods_text(one.methods)} {one.pattern}"]
    parts += [window_text(window) for window in one.conditions.get(rule.WINDOWS, ())]
    parts += [bounds_text(name, bounds) for name, bounds in sorted(one.conditions.get(rule.BOUNDS, {}).items())]
    return ", ".join(parts + condition_forms.words(one.conditions))


def methods_text(mask: int) -> str:
    """The names of the methods in a mask: "GET,POST", "*" for all."""
    if mask == rule.ALL_METHODS:
        return "*"
    return ",".join(name for name, bit in METHODS.items() if mask & bit)


def utc(unix: int) -> str:
    """A moment as programs read it: "2027-06-30T22:00:00Z"; the number, if no calendar has it (a device said it)."""
    try:
        return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return str(unix)


def moment_text(unix: int, zone: ZoneInfo) -> str:
    """A moment as people in `zone` write it; the number, if no calendar has it (a device said it)."""
    try:
        return f"{datetime.fromtimestamp(unix, zone):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return str(unix)


def end_text(unix: int, zone: ZoneInfo) -> str:
    """The moment at which something ends; at midnight that is the end of the day before."""
    local = datetime.fromtimestamp(unix, zone)
    if local.time() == time():
        return f"the end of {local - timedelta(days=1):%Y-%m-%d}"
    return moment_text(unix, zone)


def _is_date(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _checked(pattern: str, methods: int, conditions: dict) -> tuple[str, int, dict]:
    try:
        return tuple(rule_reader.parse([pattern, methods, conditions]))
    except Malformed as error:
        raise LocalError("form-allow", error.detail or error.reason) from None


def _parse_methods(text: str) -> int:
    if text == "*":
        return rule.ALL_METHODS
    mask = 0
    for name in text.upper().split(","):
        if name not in METHODS:
            raise LocalError("form-allow", f"'{name}' is not a method: {', '.join(METHODS)} or *")
        mask |= METHODS[name]
    return mask


def _parse_bounds(text: str) -> dict[str, list[int | None]]:
    bounds: dict[str, list[int | None]] = {}
    for part in text.split(","):
        found = _BOUND.fullmatch(part)
        if not found:
            raise LocalError("form-allow", f"'{part}' is not like seconds<=10")
        least_most = bounds.setdefault(found["name"], [None, None])
        for index, signs in enumerate(((">=", "="), ("<=", "="))):
            if found["sign"] in signs:
                least_most[index] = int(found["value"])
    return bounds


def _parse_clock(text: str) -> int | None:
    found = _CLOCK.fullmatch(text.strip())
    if not found or int(found[2]) > 59:
        return None
    minute = int(found[1]) * 60 + int(found[2])
    return minute if minute <= 1440 else None


def zone_offset(zone: ZoneInfo, unix: int) -> int:
    """The minutes that local time is ahead of UTC at a moment."""
    return _offset(zone, datetime.fromtimestamp(unix, UTC))


def _offset(zone: ZoneInfo, moment: datetime) -> int:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None  # a ZoneInfo always knows
    return int(offset.total_seconds()) // 60


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> int:
    """The second at which the offset changes between two moments."""
    low, high = int(before.timestamp()), int(after.timestamp())
    old = _offset(zone, before)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, datetime.fromtimestamp(middle, UTC)) == old:
            low = middle
        else:
            high = middle
    return high
