"""A whole policy: roles, groups, what is granted, what is denied; as a file says it, or as the registry holds it.

Owns: when two sayings are the same one, and what is read of the registry to compare them.
Rules: a saying's key follows from what it means from now on, not from how or when it was said: the order of rules, the
day from which offsets of a time zone were written down, and an id that was made up do not count.
Must not know: files (policy_file.py), and what follows from a change.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from operator import itemgetter

from sqlalchemy import select
from sqlalchemy.orm import Session

from admit import statements
from admit.access_models import ChangeRow, PolicyRuleRow, StatementRow
from admit.registry_model import members_of, policy_rule, roles_of, version_of
from admit.registry_models import User
from admit.statements import Rules, Statement
from admit_protocol import rule

APPLIED = "policy apply"  # the act that is noted in the registry's changes

Key = tuple  # of whatever tells one saying from another

_MADE_UP = re.compile(r"[dl]-[a-z2-7]{6}")  # ids as statements.ids_of makes them
_YEAR_S = 366 * 86400


@dataclass(frozen=True)
class Denial:
    """A deny or a lockdown on devices, without an id that was made up; `conditions` with its bounds and its life."""

    effect: int
    subjects: tuple[str, ...]
    exceptions: tuple[str, ...]
    devices: tuple[str, ...]
    pattern: str
    methods: int
    conditions: dict
    name: str | None = None

    @property
    def said(self) -> list:
        """A rule.PolicyRule without its id."""
        return [self.effect, *map(list, (self.subjects, self.exceptions)), self.pattern, self.methods, self.conditions]

    def rule(self, identifier: str = "") -> rule.PolicyRule:
        """The rule that devices get."""
        return rule.PolicyRule(*self.said, self.name or identifier)  # type: ignore[call-arg]


@dataclass(frozen=True)
class Policy:
    """Roles and groups by name, the rest by key."""

    roles: Mapping[str, Rules] = field(default_factory=dict)
    members: Mapping[str, list[str]] = field(default_factory=dict)
    statements: Mapping[Key, Statement] = field(default_factory=dict)
    denials: Mapping[Key, Denial] = field(default_factory=dict)

    def rules_of(self, said: Statement) -> list[rule.Rule]:
        """What a statement allows, by its role and by itself."""
        return said.rules_with(self.roles[said.role] if said.role else ())


@dataclass(frozen=True)
class Present:
    """The registry's policy at one `version`, the rows behind it by key, and who there is.

    `revoked`: users who no longer count. `applied`: the last time that a file was applied, or None. What has `ended` by
    itself is no part of the policy.
    """

    version: int
    policy: Policy
    statement_rows: Mapping[Key, list[StatementRow]]
    denial_rows: Mapping[Key, list[PolicyRuleRow]]
    users: frozenset[str]
    revoked: frozenset[str]
    applied: ChangeRow | None
    ended: list[StatementRow | PolicyRuleRow]


def present(session: Session, now: int) -> Present:
    """What the registry holds, read in one transaction."""
    statement_rows: dict[Key, list[StatementRow]] = {}
    said: dict[Key, Statement] = {}
    ended: list[StatementRow | PolicyRuleRow] = []
    for row in session.scalars(select(StatementRow).order_by(StatementRow.issued_at, StatementRow.id)):
        one = normal(statements.decode(row.terms))
        if has_ended(one, now):
            ended.append(row)
            continue
        key = statement_key(one, now)
        said.setdefault(key, one)
        statement_rows.setdefault(key, []).append(row)
    denial_rows: dict[Key, list[PolicyRuleRow]] = {}
    denied: dict[Key, Denial] = {}
    for denial_row in session.scalars(select(PolicyRuleRow).order_by(PolicyRuleRow.issued_at, PolicyRuleRow.id)):
        denial = _denial(denial_row)
        if has_ended(denial, now):
            ended.append(denial_row)
            continue
        key = denial_key(denial, now)
        denied.setdefault(key, denial)
        denial_rows.setdefault(key, []).append(denial_row)
    users = {row.name: row.revoked_at for row in session.execute(select(User.name, User.revoked_at))}
    applied = select(ChangeRow).where(ChangeRow.act == APPLIED).order_by(ChangeRow.id.desc()).limit(1)
    return Present(
        version_of(session),
        Policy(roles_of(session), members_of(session), said, denied),
        statement_rows,
        denial_rows,
        frozenset(users),
        frozenset(name for name, revoked_at in users.items() if revoked_at is not None),
        session.scalar(applied),
        ended,
    )


def is_made_up(identifier: str) -> bool:
    """Whether an id is of the form that the registry makes."""
    return bool(_MADE_UP.fullmatch(identifier))


def has_ended(said: Statement | Denial, now: int) -> bool:
    """Whether a statement or a denial counts no more, whatever else it says."""
    end = said.expires if isinstance(said, Statement) else said.conditions.get(rule.LIFE, (None, None))[1]
    return end is not None and end <= now


def normal(said: Statement) -> Statement:
    """The same statement in one order; conditions that all of its rules share are its own."""
    rules = [(pattern, methods, ordered(own)) for pattern, methods, own in said.rules]
    conditions = said.conditions
    if rules and not said.role:
        shared = _without(rules[0][2], rule.BOUNDS)
        if shared and all(_without(own, rule.BOUNDS) == shared for _, _, own in rules):
            conditions = shared | conditions
            rules = [(pattern, methods, _without(own, *shared)) for pattern, methods, own in rules]
    if len(rules) > 1:
        rules.sort(key=repr)
    audience = said.audience if len(said.audience) == 1 else tuple(sorted(set(said.audience)))
    return replace(said, rules=tuple(rules), audience=audience, conditions=ordered(conditions))


def ordered(conditions: dict) -> dict:
    """The same conditions, or bounds among them, in order: two that say the same look the same."""
    if not conditions:
        return conditions
    return {
        key: ordered(value) if isinstance(value, dict) else value
        for key, value in sorted(conditions.items(), key=itemgetter(0))
    }


def statement_key(said: Statement, now: int) -> Key:
    """What tells a normal statement from others."""
    conditions = _timed(said.conditions, said.not_before, said.expires, now)
    rest = said.not_before, said.expires, said.delegate
    return said.subject, said.role, repr(said.rules), said.audience, repr(conditions), rest


def denial_key(denial: Denial, now: int) -> Key:
    """What tells a denial from others."""
    begin, end = denial.conditions.get(rule.LIFE, (None, None))
    conditions = ordered(_timed(denial.conditions, begin, end, now))
    what = denial.pattern, denial.methods, repr(conditions)
    return denial.effect, denial.subjects, denial.exceptions, denial.devices, what, denial.name


def offsets_ahead(conditions: dict, begin: int | None, end: int | None, now: int) -> list[list[int | None]]:
    """[[from, offset in minutes], ...] of a window from now on; the first one's begin does not matter: None."""
    start = max(now, begin or now)
    last = start + _YEAR_S if end is None else end - 1
    found: list[list[int | None]] = []
    for begun, _, offset in rule.offsets(conditions.get(rule.ZONE), start, last):
        if not found or found[-1][1] != offset:
            found.append([begun if found else None, offset])
    return found


def _denial(row: PolicyRuleRow) -> Denial:
    one = policy_rule(row)
    name = None if is_made_up(row.id) else row.id
    devices = tuple(sorted(set(row.devices.split("\n"))))
    who = tuple(sorted(one.subjects)), tuple(sorted(one.exceptions))
    return Denial(one.effect, *who, devices, one.pattern, one.methods, one.conditions, name)


def _timed(conditions: dict, begin: int | None, end: int | None, now: int) -> dict:
    if rule.WINDOWS not in conditions:
        return conditions
    return ordered(conditions | {rule.ZONE: offsets_ahead(conditions, begin, end, now)})


def _without(conditions: dict, *numbers: int) -> dict:
    return {number: value for number, value in conditions.items() if number not in numbers}
