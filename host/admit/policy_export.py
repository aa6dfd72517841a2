"""The policy that the registry holds, as a policy.toml that says the same.

Owns: the order and the look of that file.
Rules: what is written here plans to nothing when it is read again. Offsets of time are given the name of a time zone
that has them; the site's own first.
Must not know: the registry.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from zoneinfo import ZoneInfo, available_timezones

from admit import condition_forms, forms, groups
from admit.policy_model import Denial, Policy, offsets_ahead
from admit.statements import Rules, Statement
from admit_protocol import aif, rule
from admit_protocol.errors import LocalError
from admit_protocol.rule_text import DAYS

_BARE = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_KINDS = {rule.DENY: "deny", rule.LOCKDOWN: "lockdown"}
_YEAR_S = 366 * 86400
_PROBES = 12  # moments at which a time zone is looked at before all of its offsets are
_EVERYTHING: tuple[str, int, dict] = ("*", rule.ALL_METHODS, {})


def export(policy: Policy, zone: ZoneInfo, now: int) -> str:
    """The text of the file. Raises LocalError policy-export for what no file can say."""
    return "\n".join(_Writer(policy, zone, now).lines()) + "\n"


class _Writer:
    def __init__(self, policy: Policy, zone: ZoneInfo, now: int):
        self._policy, self._zone, self._now = policy, zone, now
        self._zones: dict[str, str] = {}

    def lines(self) -> Iterator[str]:
        yield f"tz = {_text(self._zone.key)}"
        for name, rules in sorted(self._policy.roles.items()):
            yield f"\n[roles.{_key(name)}]"
            yield from _pairs(_allowed(rules))
        if self._policy.members:
            yield "\n[groups]"
        for name, members in sorted(self._policy.members.items()):
            yield f"{_key(name)} = {_list([each.removeprefix(groups.USER) for each in members])}"
        for said in sorted(self._policy.statements.values(), key=_order):
            yield "\n[[grant]]"
            yield from _pairs(self._grant(said))
        named = sorted(self._policy.denials.values(), key=lambda each: (_alike(each), repr(_what(each))))
        for _, alike in groupby(named, _alike):
            yield from self._denials(list(alike))

    def _grant(self, said: Statement) -> dict:
        life = said.not_before, said.expires
        conditions = dict(said.conditions)
        window = self._window(conditions, *life)
        zone = self._named(window)
        fields = {
            "to": said.subject.removeprefix(groups.USER),
            "role": said.role,
            **_allowed(said.rules),
            "on": list(said.audience),
            **window,
            "from": _moment(said.not_before, zone, last=False),
            "until": forms.NEVER if said.expires is None else _moment(said.expires, zone, last=True),
            **_asked(conditions),
            "delegate": said.delegate or None,
        }
        if conditions:
            raise LocalError("policy-export", f"what is granted to {fields['to']} has conditions that no file can say")
        return fields

    def _denials(self, alike: list[Denial]) -> Iterator[str]:
        one = alike[0]
        yield f"\n[[{_KINDS[one.effect]}]]"
        conditions = {number: value for number, value in one.conditions.items() if number != rule.BOUNDS}
        begin, end = conditions.pop(rule.LIFE, (None, None))
        what = [_what(each) for each in alike]
        window = self._window(conditions, begin, end)
        zone = self._named(window)
        yield from _pairs(
            {
                "id": one.name,
                "to": None if _is_plain_lockdown(one) else [each.removeprefix(groups.USER) for each in one.subjects],
                "except": [each.removeprefix(groups.USER) for each in one.exceptions],
                "what": [] if what == [_EVERYTHING] else [_what_text(each) for each in what],
                "on": list(one.devices),
                **window,
                "from": _moment(begin, zone, last=False),
                "until": _moment(end, zone, last=True),
            }
        )

    def _window(self, conditions: dict, begin: int | None, end: int | None) -> dict:
        """Days, hours and their time zone, taken out of the conditions."""
        windows = conditions.get(rule.WINDOWS)
        if not windows:
            return {}
        if len(windows) > 1:
            raise LocalError("policy-export", "one of the grants has several windows: no file can say that")
        days, start, stop = windows[0]
        zone = self._zone_of(conditions, begin, end)
        conditions.pop(rule.WINDOWS)
        conditions.pop(rule.ZONE, None)
        return {
            "days": None if days == 0x7F and (start, stop) != (0, 0) else _days(days),
            "hours": None if (start, stop) == (0, 0) else f"{_clock(start)}-{_clock(stop)}",
            "tz": None if zone == self._zone.key else zone,
        }

    def _zone_of(self, conditions: dict, begin: int | None, end: int | None) -> str:
        wanted = offsets_ahead(conditions, begin, end, self._now)
        form = repr((wanted, begin, end))
        if form not in self._zones:
            self._zones[form] = self._zone_like(wanted, begin, end)
        return self._zones[form]

    def _zone_like(self, wanted: list, begin: int | None, end: int | None) -> str:
        start = max(self._now, begin or self._now)
        last = start + _YEAR_S if end is None else end - 1
        probes = [start + (last - start) * part // _PROBES for part in range(_PROBES + 1)]
        offsets = [next(offset for begun, offset in reversed(wanted) if begun is None or begun <= at) for at in probes]
        for name in dict.fromkeys([self._zone.key, "UTC", *self._zones.values(), *sorted(available_timezones())]):
            zone = forms.parse_zone(name)
            if [forms.zone_offset(zone, at) for at in probes] == offsets:
                found = forms.zone_offsets(zone, start, last)
                if [offset for _, offset in found] == [offset for _, offset in wanted]:
                    if [begun for begun, _ in found[1:]] == [begun for begun, _ in wanted[1:]]:
                        return name
        raise LocalError("policy-export", f"no time zone has the offsets {wanted} of one of the grants")

    def _named(self, window: dict) -> ZoneInfo:
        """The time zone in which the dates of a table are read."""
        return forms.parse_zone(window["tz"]) if window.get("tz") else self._zone


def _moment(unix: int | None, zone: ZoneInfo, last: bool) -> str | None:
    """A moment in a time zone: the date alone where that says it, an offset where hours repeat."""
    if unix is None:
        return None
    day = datetime.fromtimestamp(unix - last, zone).date().isoformat()
    for text in (day, f"{datetime.fromtimestamp(unix, zone):%Y-%m-%d %H:%M}"):
        if forms.parse_moment(text, zone, last) == unix:
            return text
    return datetime.fromtimestamp(unix, UTC).isoformat()


def _allowed(rules: Rules) -> dict:
    """`routines` and `allow` that say these rules."""
    return {
        "routines": [name for each in rules if (name := _routine(each))],
        "allow": [forms.allow_text(*each) for each in rules if not _routine(each)],
    }


def _asked(conditions: dict) -> dict:
    """What else a grant asks for, taken out of its conditions."""
    rate, approvals, fresh = (conditions.pop(each, None) for each in (rule.RATE, rule.APPROVALS, rule.FRESH))
    presence = conditions.pop(rule.PRESENCE, None)
    return {
        "uses": conditions.pop(rule.USES, None),
        "rate": rate and f"{rate[0]}/{condition_forms.duration_text(rate[1])}",
        "presence": next((name for name, code in condition_forms.PRESENCE.items() if code == presence), None),
        "approvals": approvals and f"{approvals[0]}:{','.join(approvals[1])}",
        "fresh": fresh and condition_forms.duration_text(fresh),
        "timeless": conditions.pop(rule.TIMELESS, None),
    }


def _routine(one: tuple[str, int, dict]) -> str | None:
    """The name of the routine that the rule is for, if it is one that a name alone says."""
    pattern, methods, conditions = one
    name = pattern.removeprefix("/r/")
    try:
        named = not pattern.endswith("*") and forms.routine(name) == (pattern, aif.GET | aif.POST, {})
    except LocalError:
        return None
    return name if named and (methods, conditions) == (aif.GET | aif.POST, {}) else None


def _what(denial: Denial) -> tuple[str, int, dict]:
    bounds = {number: value for number, value in denial.conditions.items() if number == rule.BOUNDS}
    return denial.pattern, denial.methods, bounds


def _what_text(what: tuple[str, int, dict]) -> str:
    return _routine(what) or forms.allow_text(*what)


def _is_plain_lockdown(denial: Denial) -> bool:
    return denial.effect == rule.LOCKDOWN and denial.subjects == (rule.EVERYONE,)


def _alike(denial: Denial) -> tuple:
    """Denials with the same are one table; a name is one's own."""
    conditions = [(number, repr(value)) for number, value in denial.conditions.items() if number != rule.BOUNDS]
    who = denial.subjects, denial.exceptions
    return denial.effect, denial.name or "", *who, denial.devices, sorted(conditions)


def _order(said: Statement) -> tuple:
    return said.subject, said.role or "", said.audience, said.encode()


def _pairs(fields: dict) -> Iterator[str]:
    """`key = value` for what there is."""
    for key, value in fields.items():
        if value not in (None, []):
            yield f"{key} = {_value(value)}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return _list(value)
    return str(value) if isinstance(value, int) else _text(str(value))


def _list(texts: list[str]) -> str:
    return f"[{', '.join(map(_text, texts))}]"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if set(name) <= _BARE else _text(name)


def _days(mask: int) -> str:
    """`mon-fri`, `mon,wed,sat` as forms.parse_days reads it."""
    runs: list[list[int]] = []
    for day in range(7):
        if mask >> day & 1:
            if runs and runs[-1][1] == day - 1:
                runs[-1][1] = day
            else:
                runs.append([day, day])
    return ",".join(DAYS[a].lower() if a == b else f"{DAYS[a]}-{DAYS[b]}".lower() for a, b in runs)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
