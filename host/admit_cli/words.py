"""Grants, dates and decisions in the words that commands show, and in the fields that --json gives."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from admit import forms
from admit_protocol import grant, journal, journal_reader, rule

if TYPE_CHECKING:
    from admit.registry_models import GrantRow  # SQLAlchemy, which not every command needs


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


def journal_fields(record: journal_reader.Record, row: "GrantRow | None", zone: ZoneInfo) -> dict:
    """One record of a device's journal, as people and programs read it; `row`: the grant that it names, if known."""
    extra = {journal_reader.EXTRAS.get(key, str(key)): value for key, value in record.extra.items()}
    kind = journal_reader.KINDS.get(record.kind, str(record.kind))
    return {
        "no": record.seq,
        "time": None if record.time is None else forms.moment_text(record.time, zone),
        "unix_time": record.time,
        "who": row.user_name if row else (record.who.hex() if record.who else None),
        "kid": record.who.hex() if record.who else None,
        "kind": kind,
        "what": record.what if record.kind == journal.DECISION else f"{kind} {record.what}".strip(),
        "outcome": journal_reader.OUTCOMES.get(record.outcome, str(record.outcome)),
        "why": "; ".join(_why(record, row)) or None,
        "extra": extra,
    }


def _why(record: journal_reader.Record, row: "GrantRow | None") -> Iterator[str]:
    """What a record adds to its outcome: the reason first, the rule in words if we know the grant."""
    extra = dict(record.extra)
    if journal.REASON in extra:
        yield str(extra.pop(journal.REASON))
    if journal.RULE in extra and row and (one := rule_at(grant.parse(row.data), extra[journal.RULE])):
        del extra[journal.RULE]
        yield forms.rule_text(one)
    for key, value in sorted(extra.items()):
        yield f"{journal_reader.EXTRAS.get(key, key)} {value}"


def rule_at(given: grant.Grant, index) -> rule.Rule | None:
    """The rule of a grant that a device names by its index; None for what is none."""
    return given.rules[index] if isinstance(index, int) and 0 <= index < len(given.rules) else None
