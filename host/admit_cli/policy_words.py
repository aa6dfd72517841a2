"""A plan in words, for people who must agree to it."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from zoneinfo import ZoneInfo

from admit import forms, groups, policy_changes
from admit.policy_changes import ADDED, REMOVED, Change
from admit.policy_model import Denial, Policy
from admit.policy_plan import Plan
from admit.policy_reach import CHANGES, GAINS, LOSES, Effect, Terms
from admit.policy_time import Spread
from admit.statements import Statement
from admit_cli.policy_fields import bounds_of, counts, ids_of, origin, rule_texts, said_of, terms_words
from admit_protocol import rule
from admit_protocol.rule_text import windows_text

_MARKS = {ADDED: "+", REMOVED: "-"}
_TITLES = {
    GAINS: "Who gains access",
    LOSES: "Who loses access",
    CHANGES: "Who keeps access, on other terms",
}
_NAMES = 12  # of people that a line shows; --json shows all
_FREELY = "without conditions"


def plan_lines(plan: Plan, zone: ZoneInfo) -> Iterator[str]:
    """The plan; moments are written in `zone`."""
    if plan.is_empty:
        yield f"{plan.name} says what the registry holds at version {plan.version}: there is nothing to change."
        return
    yield f"{plan.name}, against the registry at version {plan.version}:"
    for change in plan.difference.changes:
        first, *rest = _named(plan, change) if change.name else _sayings(plan, change, zone)
        yield f"  {_MARKS.get(change.act, '~')} {first}"
        yield from (f"      {each}" for each in rest)
    for act, title in _TITLES.items():
        own = [each for each in plan.effects if each.act == act]
        if own:
            yield from ("", f"{title}:")
        for people, theirs in groupby(own, lambda effect: effect.people):
            yield f"  {_people(people, plan)}:"
            yield from (f"      {line}" for effect in theirs for line in _effect(effect, plan, zone))
    yield ""
    yield from _sums(plan)


def _sums(plan: Plan) -> Iterator[str]:
    found = counts(plan)
    yield ", ".join(f"{found[act]} {act}" for act in policy_changes.tally(())) + "."
    people = [
        _many(found[GAINS], "person gains access", "people gain access"),
        _many(found[LOSES], "loses some", "lose some"),
        _many(found[CHANGES], "keeps it on other terms", "keep it on other terms"),
    ]
    yield ", ".join(people) + "." if plan.effects else "Nobody gains or loses access."
    grants = f"{_many(found['grants_issued'], 'grant')} to issue, {found['grants_taken_back']} to take back"
    yield f"{grants}, {_many(found['devices_to_tell'], 'device')} to tell."


def _named(plan: Plan, change: Change) -> Iterator[str]:
    """A role or a group, with what comes and what goes."""
    before, after = (_contents(policy, change) for policy in (plan.difference.before, plan.difference.after))
    if change.added or change.removed:
        there = ", ".join(after or before) or "nobody"
        yield f"{change.kind} {change.name}: {there}" + (" (not in the file)" if change.removed else "")
        return
    yield f"{change.kind} {change.name}"
    yield from (f"+ {each}" for each in after if each not in before)
    yield from (f"- {each} (not in the file)" for each in before if each not in after)


def _contents(policy: Policy, change: Change) -> list[str]:
    if change.kind == "role":
        return rule_texts(policy.roles.get(change.name or "", ()))
    return [_plain([each]) for each in policy.members.get(change.name or "", ())]


def _sayings(plan: Plan, change: Change, zone: ZoneInfo) -> Iterator[str]:
    """A grant or a denial; of one that is another now, what is."""
    old, new = said_of(plan.difference.before, change.before), said_of(plan.difference.after, change.after)
    said = new or old
    assert said is not None
    title = " ".join([change.kind, *ids_of(plan, change), "to", _whom(said)])
    if old is None or new is None:
        parts = ", ".join(text for text in _parts(said, plan.now, zone).values() if text)
        yield f"{title}: {parts}" + (f" ({origin(plan, change)})" if change.removed else "")
        return
    yield title
    was, now = _parts(old, plan.now, zone), _parts(new, plan.now, zone)
    was["whom"], now["whom"] = _whom(old), _whom(new)
    yield from (f"{was[part] or f'no {part}'} -> {now[part] or f'no {part}'}" for part in now if was[part] != now[part])


def _whom(said: Statement | Denial) -> str:
    if isinstance(said, Statement):
        return _plain([said.subject])
    return _plain(said.subjects) + (f" except {_plain(said.exceptions)}" if said.exceptions else "")


def _parts(said: Statement | Denial, now: int, zone: ZoneInfo) -> dict[str, str]:
    """What is said, by what it is about."""
    if isinstance(said, Statement):
        (begin, end), devices = (said.not_before, said.expires), said.audience
        what = [f"role {said.role}"] * (said.role is not None) + rule_texts(said.rules)
    else:
        (begin, end), devices = said.conditions.get(rule.LIFE, (None, None)), said.devices
        what = rule_texts(bounds_of(said))
    windows = said.conditions.get(rule.WINDOWS)
    delegate = said.delegate if isinstance(said, Statement) else 0
    return {
        "rules": "; ".join(what),
        "devices": f"on {', '.join(devices)}",
        "hours": windows_text(windows) + _offset_text(said.conditions, max(begin or now, now), zone) if windows else "",
        "begin": f"from {forms.moment_text(begin, zone)}" if begin is not None else "",
        "end": f"until {forms.end_text(end, zone)}" if end is not None else "",
        "terms": ", ".join(terms_words(said.conditions)),
        "passing on": f"may be passed on {delegate} times" if delegate else "",
    }


def _effect(effect: Effect, plan: Plan, zone: ZoneInfo) -> Iterator[str]:
    requests = "; ".join(forms.rule_text(rule.Rule(path, methods, {})) for methods, path in effect.requests)
    when = _when(effect.spread, plan.now, zone)
    terms = _terms(effect.after or effect.before)
    more = [*when, terms] if effect.act != CHANGES and terms != _FREELY else [*when]
    yield ", ".join([f"{requests} on {', '.join(effect.devices)}", *more])
    if effect.act == CHANGES:
        yield f"  {_terms(effect.before)} -> {_terms(effect.after)}"


def _people(people: tuple[str, ...], plan: Plan) -> str:
    """Names; of many people the group that they are, if they are one."""
    if len(people) <= _NAMES:
        return ", ".join(people)
    for policy in (plan.difference.after, plan.difference.before):
        for name in policy.members:
            if groups.people(policy.members, name) == set(people):
                return f"group:{name}, {len(people)} people"
    return f"{', '.join(people[:_NAMES])} and {len(people) - _NAMES} more (--json names them)"


def _when(spread: Spread, now: int, zone: ZoneInfo) -> Iterator[str]:
    if spread.windows:
        local = "" if spread.offset == forms.zone_offset(zone, spread.seen) else _utc_text(spread.offset)
        yield windows_text(spread.windows) + local
    if spread.begin is not None:
        yield f"from {forms.moment_text(spread.begin, zone)}"
    if spread.end is not None:
        yield f"until {forms.end_text(spread.end, zone)}"


def _terms(terms: Terms) -> str:
    """The ways in which something is allowed."""
    return " or ".join(", ".join([*asks, *gives]) or _FREELY for asks, gives in sorted(terms))


def _offset_text(conditions: dict, moment: int, zone: ZoneInfo) -> str:
    """The offset of hours that are not the site's."""
    offset = rule.offsets(conditions.get(rule.ZONE), moment, moment)[0][2] or 0
    return "" if offset == forms.zone_offset(zone, moment) else _utc_text(offset)


def _utc_text(offset: int) -> str:
    return f" UTC{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}" if offset else " UTC"


def _plain(selectors: Iterable[str]) -> str:
    return ", ".join(each.removeprefix(groups.USER) for each in selectors)


def _many(count: int, one: str, several: str | None = None) -> str:
    return f"{count} {one if count == 1 else several or one + 's'}"
