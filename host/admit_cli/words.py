"""Grants, dates and decisions in the words that commands show, and in the fields that --json gives."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from admit import forms
from admit_protocol import grant, journal, journal_reader


def utc(unix: int | None) -> str | None:
    """A moment as programs read it: "2027-06-30T22:00:00Z"."""
    return None if unix is None else f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%dT%H:%M:%SZ}"


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


def journal_fields(record: journal_reader.Record, holder: str | None, zone: ZoneInfo) -> dict:
    """One record of a device's journal, as people and programs read it."""
    extra = {journal_reader.EXTRAS.get(key, str(key)): value for key, value in record.extra.items()}
    kind = journal_reader.KINDS.get(record.kind, str(record.kind))
    return {
        "no": record.seq,
        "time": None if record.time is None else forms.moment_text(record.time, zone),
        "unix_time": record.time,
        "who": holder or (record.who.hex() if record.who else None),
        "kid": record.who.hex() if record.who else None,
        "kind": kind,
        "what": record.what if record.kind == journal.DECISION else f"{kind} {record.what}".strip(),
        "outcome": journal_reader.OUTCOMES.get(record.outcome, str(record.outcome)),
        "why": ", ".join(f"{name} {value}" if name != "reason" else str(value) for name, value in extra.items())
        or None,
        "extra": extra,
    }
