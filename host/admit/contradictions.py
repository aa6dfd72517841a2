"""What is said and has no effect, or not the one that was meant.

Owns: windows that never open, allows that a deny takes away as a whole, consents that nobody could give.
Rules: only what is certain is told; a deny with hours or an end is no contradiction.
Must not know: who is told.
"""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from admit import groups, statements
from admit.access_models import PolicyRuleRow, StatementRow
from admit.registry_model import members_of, policy_rule, roles_of
from admit.statements import Statement
from admit_protocol import rule

_DAY_S = 86400
_LOOK_AHEAD_S = 15 * _DAY_S  # each day of the week twice: an hour that clocks skip comes back a week later


def of_statement(session: Session, said: Statement, rules: list[rule.Rule]) -> Iterator[str]:
    """What is wrong with a statement that allows `rules`."""
    members = members_of(session)
    if said.subject.startswith(groups.GROUP) and not groups.people_of(members, said.subject):
        yield f"{said.subject.removeprefix(groups.GROUP)} has no members yet"
    yield from lacking(rules, members)
    denials = [(policy_rule(row), row.devices.split("\n")) for row in session.scalars(select(PolicyRuleRow))]
    if denied_by := shadow(said, rules, denials, members):
        yield f"{denied_by} denies all of it"


def of_denial(session: Session, one: rule.PolicyRule, devices: list[str]) -> Iterator[str]:
    """Which statements a new denial takes away as a whole."""
    members, roles = members_of(session), roles_of(session)
    for row in session.scalars(select(StatementRow).order_by(StatementRow.id)):
        said = statements.decode(row.terms)
        rules = said.rules_with(roles[said.role] if said.role else ())
        if shadow(said, rules, [(one, devices)], members):
            yield f"it denies all of {row.id}, to {said.subject}"


def lacking(rules: list[rule.Rule], members: groups.Members) -> Iterator[str]:
    """Which consents nobody could give."""
    for needed, selectors in _approvals(rules):
        people = {name for selector in selectors for name in _people(members, selector)}
        if all(_is_listed(selector) for selector in selectors) and len(people) < needed:
            yield f"it needs {needed} approvals, and {len(people)} people could give one"


def never_opens(conditions: dict, begin: int, end: int | None) -> bool:
    """Whether the windows among `conditions` are shut from `begin` until `end`, as a device sees them."""
    if rule.WINDOWS not in conditions:
        return False
    last = begin + _LOOK_AHEAD_S if end is None else min(end, begin + _LOOK_AHEAD_S)
    timed = {number: conditions[number] for number in (rule.WINDOWS, rule.ZONE) if number in conditions}
    return not any(_is_open(timed, moment) for moment in _openings(timed, begin, last))


def _openings(conditions: dict, begin: int, last: int) -> Iterator[int]:
    """Each moment at which a window may begin to be open, if one is at all."""
    for first, end, offset in rule.offsets(conditions.get(rule.ZONE), begin, last - 1):
        yield first
        if offset is None:
            continue
        midnight = (first + offset * 60) // _DAY_S * _DAY_S - offset * 60
        for day in range(midnight, end + 1, _DAY_S):
            yield from (
                day + start * 60 for _, start, _ in conditions[rule.WINDOWS] if first <= day + start * 60 <= end
            )


def _is_open(conditions: dict, moment: int) -> bool:
    always = rule.Link(b"", (), 0, (rule.Rule("*", rule.ALL_METHODS, conditions),), (None, None), None)
    return rule.decide((always,), None, (1, "/", None), (moment, moment), rule.NOTHING).allowed


def shadow(said: Statement, rules: list[rule.Rule], denials: list, members: groups.Members) -> str | None:
    """The id of a denial that leaves nothing of a statement."""
    for one, devices in denials:
        whole = not one.exceptions and not one.conditions
        covers = whole and all(_covers_any(devices, pattern) for pattern in said.audience)
        if covers and all(_covers(one.pattern, each.pattern) and not each.methods & ~one.methods for each in rules):
            if _is_about(one.subjects, said, members):
                return one.id
    return None


def _is_about(subjects: list[str], said: Statement, members: groups.Members) -> bool:
    """Whether each holder of a grant for the statement is among the subjects."""
    if rule.EVERYONE in subjects or said.subject in subjects or f"role:{said.role}" in subjects:
        return True
    denied = {name for selector in subjects for name in _people(members, selector)}
    people = groups.people_of(members, said.subject)
    return bool(people) and people <= denied


def _approvals(rules: list[rule.Rule]) -> list:
    return [each.conditions[rule.APPROVALS] for each in rules if rule.APPROVALS in each.conditions][:1]


def _is_listed(selector: str) -> bool:
    return selector.startswith((groups.USER, groups.GROUP))


def _people(members: groups.Members, selector: str) -> set[str]:
    return groups.people_of(members, selector) if _is_listed(selector) else set()


def _covers_any(patterns: list[str], pattern: str) -> bool:
    return any(_covers(each, pattern) for each in patterns)


def _covers(wide: str, narrow: str) -> bool:
    """Whether `wide` matches whatever `narrow` does."""
    return rule.matches(wide, narrow.removesuffix("*")) if wide.endswith("*") else wide == narrow
