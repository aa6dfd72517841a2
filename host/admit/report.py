"""What an auditor wants to know of a month: who came, what was denied and why, what changed, what nobody knows.

Owns: the figures, from what was collected and from what admins did. Plain values, as JSON has them.
Rules: journals are proven first; what is not proven is said to be so, and its records are not counted. Nothing is left
out in silence: records without a time, records that are missing, devices that nobody has collected from.
Must not know: how it is shown.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from admit import forms, journal_store
from admit.journal_check import Checked, Witness
from admit.journal_words import REASONS, Names, fields
from admit.registry import Registry
from admit_protocol import journal, journal_reader
from admit_protocol.errors import Malformed, Unverified
from admit_protocol.journal_reader import Record

SCHEMA = 1

_CHANGES = (
    journal.COMMISSIONED,
    journal.POLICY,
    journal.TIME_SET,
    journal.CHAIN,
    journal.ENROLLED,
    journal.PAIRED,
)
_CAME = (journal.LOGIN, journal.DECISION, journal.INVOCATION)


class Month:
    """A month in a zone, from `begin` until before `end`, unix seconds."""

    def __init__(self, text: str, zone: ZoneInfo):
        """Raises ValueError for what is not like 2026-11."""
        first = datetime.strptime(text, "%Y-%m").replace(tzinfo=zone)
        after = (first + timedelta(days=32)).replace(day=1)
        self.text, self.zone = f"{first:%Y-%m}", zone
        self.begin, self.end = int(first.timestamp()), int(after.timestamp())
        self.days = [f"{first.date() + timedelta(days=number):%Y-%m-%d}" for number in range((after - first).days + 1)]
        self.days = [day for day in self.days if day.startswith(self.text)]

    def has(self, at: int) -> bool:
        """Is that moment in it?"""
        return self.begin <= at < self.end


def access(
    registry: Registry,
    month: Month,
    devices: list[str],
    witnesses: Iterable[Witness],
    now: int,
) -> dict:
    """The report on `devices` in a month."""
    names, witnesses = Names(registry), list(witnesses)
    covered, events = [], []
    for device_id in devices:
        cover, found = _device(registry, month, device_id, witnesses, names)
        covered.append(cover)
        events += found
    events.sort(key=lambda event: (event["at"], event["device"], event["no"]))
    changes = [_change(row, month.zone) for row in registry.changes(month.begin, month.end)]
    return {
        "schema": SCHEMA,
        "month": month.text,
        "from": forms.utc(month.begin),
        "until": forms.utc(month.end),
        "zone": month.zone.key,
        "made": forms.utc(now),
        "begin": month.begin,
        "end": month.end,
        "made_at": now,
        "totals": _totals(events, changes, covered),
        "days": _days(events, month),
        "hours": _hours(events, month.zone),
        "reasons": _reasons(events),
        "people": _people(events, month.zone),
        "denials": [event for event in events if event["is_denial"]],
        "changes": changes,
        "device_changes": [event for event in events if event["kind"] in _names_of(_CHANGES)],
        "devices": covered,
        "events": events,
    }


def _device(
    registry: Registry, month: Month, device_id: str, witnesses: list[Witness], names: Names
) -> tuple[dict, list[dict]]:
    """(what is known of a device's journal, its events in the month)."""
    last = registry.last_head(device_id)
    cover: dict = {"device": device_id, "state": "proven" if last else "nothing collected", "why": None, "records": 0}
    cover |= {"in_month": 0, "missing": 0, "gaps": [], "unseen": 0, "first_record": None, "last_record": None}
    cover |= {"collected": forms.moment_text(last.seen_at, month.zone) if last else None}
    cover |= {"collected_at": last.seen_at if last else None}
    try:
        checked = journal_store.verify(registry, device_id, witnesses)
        records = [journal_reader.parse_record(data) for _, data in registry.record_bytes(device_id)]
    except (Unverified, Malformed) as error:
        return cover | {"state": "not proven", "why": f"{error.detail or 'it was changed'} ({error.reason})"}, []
    placed = list(_placed(records))
    events = [_event(device_id, at, is_sure, record, names, month) for at, is_sure, record in placed if month.has(at)]
    cover |= {"records": checked.records, "in_month": len(events)}
    cover |= _bounds(placed) | _gaps(checked, placed, month)
    if beyond := max(checked.ahead, default=None):
        cover |= {"unseen": beyond[0] - checked.end, "why": f"{beyond[1]} saw {beyond[0]} records"}
    return cover, events


def _placed(records: list[Record]) -> Iterator[tuple[int, bool, Record]]:
    """(when, is that sure, record): what does not know its time was not before the one before it that does."""
    latest = 0
    for record in records:
        is_sure = record.time is not None and not record.extra.get(journal.FLOOR)
        if record.time is not None:
            latest = record.time if is_sure else max(latest, record.time)
        yield latest, is_sure, record


def _event(device_id: str, at: int, is_sure: bool, record: Record, names: Names, month: Month) -> dict:
    event = {"device": device_id, "at": at, "is_sure": is_sure} | fields(record, names, month.zone)
    if not is_sure:
        event["time"] = f"after {forms.moment_text(at, month.zone)}" if at else "unknown"
    rule = names.rule(record)
    event["rule"] = forms.rule_text(rule) if rule else None
    event["by"] = event["rule"] or _by(record.extra.get(journal.BY))
    event["reason"] = record.extra.get(journal.REASON)
    event["repeated"] = _count(record, journal.REPEATED)
    event["count"] = _count(record, journal.COUNT)
    is_strangers = record.kind == journal.HANDSHAKES_FAILED
    event["is_denial"] = record.outcome == journal.DENIED and not is_strangers
    event["is_strangers"] = is_strangers
    event["came"] = record.kind in _CAME and record.outcome != journal.DENIED
    return event


def _by(decided) -> str | None:
    """What decided, if it is nothing that the registry knows: a rule of the policy, or a grant that was passed on."""
    return f"grant {decided.hex()}" if isinstance(decided, bytes) else decided


def _count(record: Record, key: int) -> int:
    value = record.extra.get(key, 0)
    return value if isinstance(value, int) else 0


def _bounds(placed: list[tuple[int, bool, Record]]) -> dict:
    known = [at for at, is_sure, _ in placed if is_sure]
    return {"first_record": known[0] if known else None, "last_record": known[-1] if known else None}


def _gaps(checked: Checked, placed: list[tuple[int, bool, Record]], month: Month) -> dict:
    """The numbers that are missing, and between which moments, as far as those touch the month."""
    after = {later.seq: at for at, _, later in placed}
    before = {record.seq: at for at, _, record in placed}
    gaps: list[dict] = []
    for first, last in checked.gaps:
        begin, end = before.get(first - 1, 0), after.get(last + 1)
        if begin < month.end and (end is None or end >= month.begin):
            gaps.append({"first": first, "last": last, "begin": begin, "end": end})
    return {"missing": sum(gap["last"] - gap["first"] + 1 for gap in gaps), "gaps": gaps}


def _totals(events: list[dict], changes: list[dict], covered: list[dict]) -> dict:
    return {
        "people": len({event["key"] for event in events if event["came"] and event["key"]}),
        "logins": sum(event["kind"] == "login" for event in events),
        "allowed": sum(event["kind"] == "decision" and event["outcome"] == "allowed" for event in events),
        "done": sum(event["kind"] == "invocation" and event["outcome"] == "done" for event in events),
        "failed": sum(event["kind"] == "invocation" and event["outcome"] == "failed" for event in events),
        "denied": sum(event["is_denial"] for event in events),
        "denied_again": sum(event["repeated"] for event in events),
        "strangers": sum(event["count"] for event in events if event["is_strangers"]),
        "changes": len(changes),
        "missing": sum(cover["missing"] for cover in covered),
        "timeless": sum(not event["is_sure"] for event in events),
        "not_proven": sum(cover["state"] == "not proven" for cover in covered),
    }


def _days(events: list[dict], month: Month) -> list[dict]:
    """What was allowed and denied on each day of the month."""
    told = {day: {"day": day, "allowed": 0, "denied": 0} for day in month.days}
    for event in events:
        day = told.get(f"{datetime.fromtimestamp(event['at'], month.zone):%Y-%m-%d}")
        if day is not None and event["is_sure"]:
            day["allowed"] += event["kind"] == "decision" and event["outcome"] == "allowed"
            day["denied"] += event["is_denial"]
    return list(told.values())


def _hours(events: list[dict], zone: ZoneInfo) -> list[list[int]]:
    """How many allowed requests there were, by day of the week (Monday first) and hour."""
    week = [[0] * 24 for _ in range(7)]
    for event in events:
        if event["is_sure"] and event["kind"] == "decision" and event["outcome"] == "allowed":
            local = datetime.fromtimestamp(event["at"], zone)
            week[local.weekday()][local.hour] += 1
    return week


def _reasons(events: list[dict]) -> list[dict]:
    counts = Counter(str(event["reason"] or event["kind"]) for event in events if event["is_denial"])
    return [
        {"reason": reason, "words": REASONS.get(reason, reason), "count": count}
        for reason, count in counts.most_common()
    ]


def _people(events: list[dict], zone: ZoneInfo) -> list[dict]:
    """Everybody who was there, allowed or not; who came most is first."""
    found: dict[str, dict] = {}
    for event in events:
        if not event["key"]:
            continue
        blank = {"who": event["who"], "key": event["key"], "logins": 0, "allowed": 0, "done": 0, "denied": 0}
        one = found.setdefault(event["key"], blank | {"first": event["at"], "last": event["at"], "devices": []})
        one["logins"] += event["kind"] == "login"
        one["allowed"] += event["kind"] == "decision" and event["outcome"] == "allowed"
        one["done"] += event["kind"] == "invocation" and event["outcome"] == "done"
        one["denied"] += event["is_denial"]
        one["last"] = event["at"]
        if event["device"] not in one["devices"]:
            one["devices"].append(event["device"])
    for one in found.values():
        one["devices"].sort()
        one |= {"first": forms.moment_text(one["first"], zone), "last": forms.moment_text(one["last"], zone)}
    return sorted(found.values(), key=lambda one: (-one["allowed"], -one["denied"], str(one["who"])))


def _change(row, zone: ZoneInfo) -> dict:
    return {"at": row.at, "time": forms.moment_text(row.at, zone), "who": row.who, "act": row.act, "detail": row.detail}


def _names_of(kinds: Iterable[int]) -> set[str]:
    return {journal_reader.KINDS[kind] for kind in kinds}
