"""Grants, dates and decisions in the words that commands show, and in the fields that --json gives."""

from zoneinfo import ZoneInfo

from admit import forms
from admit_protocol import grant, rule


def utc(unix: int | None) -> str | None:
    """A moment as programs read it: "2027-06-30T22:00:00Z"."""
    return None if unix is None else forms.utc(unix)


def many(number: int, noun: str) -> str:
    """A number of things: "1 device", "2 devices"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def hours(seconds: int) -> str:
    """How long something still takes: "6 days 23 hours", "40 minutes"."""
    days, rest = divmod(seconds, 86400)
    parts = [(days, "day"), (rest // 3600, "hour")] if seconds >= 3600 else [(-(-seconds // 60), "minute")]
    return " ".join(many(number, noun) for number, noun in parts if number) or "no time"


def grant_fields(given: grant.Grant, user: str, now: int, revoked: set[str], zone: ZoneInfo) -> dict:
    """Everything that there is to know about a grant."""
    fields = access_fields(user, given.audience, given.rules, (given.not_before, given.expires), zone)
    state = grant_state(given, now, revoked)
    return {"id": given.id.hex()} | fields | {"state": state, "issued": utc(given.issued_at)}


def access_fields(user: str, audience, rules, life: tuple[int | None, int | None], zone: ZoneInfo) -> dict:
    """Who may do what, where and when; `life` from its begin to its end."""
    not_before, expires = life
    return {
        "user": user,
        "on": list(audience),
        "allows": [forms.rule_text(rule) for rule in rules],
        "from": None if not_before is None else forms.moment_text(not_before, zone),
        "until": forms.NEVER if expires is None else forms.end_text(expires, zone),
        "not_before": utc(not_before),
        "expires": utc(expires),
    }


def grant_state(given: grant.Grant, now: int, revoked: set[str]) -> str:
    """What has become of a grant: "counts", "revoked", "ended" or "not yet"."""
    if given.id.hex() in revoked:
        return "revoked"
    if given.expires is not None and given.expires <= now:
        return "ended"
    return "not yet" if given.not_before is not None and given.not_before > now else "counts"


def rule_at(given: grant.Grant, index) -> rule.Rule | None:
    """The rule of a grant that a device names by its index; None for what is none."""
    return given.rules[index] if isinstance(index, int) and 0 <= index < len(given.rules) else None
