"""The forms in which people write what a grant asks for besides its hours: how often, how fresh, with whose consent.

Owns: `24h`, `5/1h`, `code`, `2:group:leads`, `alice` for user:alice; and the conditions of rule.py that they make.
Rules: as in forms.py: what could mean two things is refused, LocalError form-… says what was expected.
Must not know: where a form was typed.
"""

import re
from datetime import UTC, datetime

from admit_protocol import rule, rule_reader
from admit_protocol.errors import LocalError, Malformed

PRESENCE = {"code": rule.CODE, "button": rule.BUTTON}
_PRESENCE_NAMES = {value: name for name, value in PRESENCE.items()}
MAX_RATE = rule.MAX_RATE

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"([1-9]\d{0,5})([smhdw])")


def parse_duration(text: str) -> int:
    """The seconds in `90s`, `30m`, `24h`, `7d`, `2w`. Raises LocalError form-duration."""
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise LocalError("form-duration", f"'{text}' is not like 30m, 24h or 7d")
    return int(found[1]) * _UNITS[found[2]]


def duration_text(seconds: int) -> str:
    """Seconds in the largest unit that holds them exactly."""
    unit = max((unit for unit, length in _UNITS.items() if seconds % length == 0), key=_UNITS.__getitem__)
    return f"{seconds // _UNITS[unit]}{unit}"


def parse_rate(text: str) -> list[int]:
    """[count, seconds] of `5/1h` or `5/h`. Raises LocalError form-rate."""
    count, _, span = text.partition("/")
    if not count.isdigit() or not 1 <= int(count) <= MAX_RATE or not span:
        raise LocalError("form-rate", f"'{text}' is not like 5/1h: at most {MAX_RATE} requests in some time")
    return [int(count), parse_duration(span if span[0].isdigit() else f"1{span}")]


def parse_selector(text: str) -> str:
    """The selector of `alice`, `group:leads`, `role:guest`, `key:HEX` or `everyone`. Raises LocalError form-subject."""
    selector = text if ":" in text or text == rule.EVERYONE else f"user:{text}"
    try:
        rule_reader.check_selector(selector)
    except Malformed:
        raise LocalError("form-subject", f"'{text}' is not like alice, group:leads, role:guest or everyone") from None
    return selector


def parse_subject(text: str) -> str:
    """The selector of somebody who can be granted something: `alice`, `group:leads`. Raises LocalError form-subject."""
    selector = parse_selector(text)
    if not selector.startswith(("user:", "group:")):
        raise LocalError("form-subject", f"'{text}' is not like alice or group:leads")
    return selector


def parse_approvals(text: str) -> list:
    """[how many, [selectors]] of `2:group:leads` or `1:bob,role:security`. Raises LocalError form-approvals."""
    count, _, names = text.partition(":")
    if not count.isdigit() or int(count) < 1 or not names:
        raise LocalError("form-approvals", f"'{text}' is not like 2:group:leads: how many of whom")
    return [int(count), sorted({parse_selector(each.strip()) for each in names.split(",")})]


def conditions(
    uses: int | None = None,
    rate: list[int] | None = None,
    presence: str | None = None,
    approvals: list | None = None,
    fresh: int | None = None,
    timeless: bool = False,
) -> dict:
    """The conditions that were asked for, by their numbers in rule.py."""
    asked = {
        rule.USES: uses,
        rule.RATE: rate,
        rule.PRESENCE: PRESENCE[presence] if presence else None,
        rule.APPROVALS: approvals,
        rule.FRESH: fresh,
        rule.TIMELESS: timeless or None,
    }
    return {number: value for number, value in asked.items() if value is not None}


def words(asked: dict) -> list[str]:
    """What a rule asks for besides hours and bounds, as people say it."""
    said = []
    if rule.USES in asked:
        said.append("once" if asked[rule.USES] == 1 else f"{asked[rule.USES]} times")
        said[-1] += " on each device"
    if rule.RATE in asked:
        count, seconds = asked[rule.RATE]
        said.append(f"at most {count} in {duration_text(seconds)}")
    if rule.PRESENCE in asked:
        said.append({rule.CODE: "with the kiosk's code", rule.BUTTON: "with its button"}[asked[rule.PRESENCE]])
    if rule.APPROVALS in asked:
        count, selectors = asked[rule.APPROVALS]
        names = ", ".join(selector.removeprefix("user:") for selector in selectors)
        said.append(f"approved by {count} of {names}")
    if rule.FRESH in asked:
        said.append(f"policy at most {duration_text(asked[rule.FRESH])} old")
    if rule.TIMELESS in asked:
        said.append("also while the time is unknown")
    for end, word in zip(asked.get(rule.LIFE, ()), ("from", "until"), strict=False):
        if end is not None:
            said.append(f"{word} {datetime.fromtimestamp(end, UTC):%Y-%m-%d %H:%M} UTC")
    unknown = sorted(asked.keys() - set(range(rule.WINDOWS, rule.LIFE + 1)))
    return said + [f"condition {number}, which this admit does not know" for number in unknown]


def needs_text(conditions: dict) -> list[str]:
    """What the visitor has to show or bring, in words: "the kiosk's code", "approval by 2 of group:leads"."""
    needs = []
    if rule.PRESENCE in conditions:
        needs.append(f"the kiosk's {_PRESENCE_NAMES[conditions[rule.PRESENCE]]}")
    if rule.APPROVALS in conditions:
        count, selectors = conditions[rule.APPROVALS]
        needs.append(f"approval by {count} of {', '.join(selectors)}")
    return needs
