"""From one policy to another: what is added, changed and removed, and the acts that do it.

Owns: which removed saying an added one takes the place of, what contradicts what, and the order of the acts.
Rules: what is the same on both sides is not touched. A contradiction is refused if it is new.
Must not know: who gains or loses access (policy_reach.py), and words.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import delete

from admit import contradictions, granting, groups, withdrawing
from admit.access_models import PolicyRuleRow, StatementRow
from admit.editing import Edit
from admit.policy_file import Draft
from admit.policy_model import APPLIED, Denial, Key, Policy, Present
from admit.statements import Statement
from admit_protocol import rule
from admit_protocol.errors import Conflict

ADDED, CHANGED, REMOVED = "added", "changed", "removed"

Said = TypeVar("Said", Statement, Denial)
Row = TypeVar("Row", StatementRow, PolicyRuleRow)


@dataclass(frozen=True)
class Change:
    """One thing that is another afterwards: `name` of a role or a group, else None; `key`s of a grant or a denial.

    What is added has no `before`, what is removed no `after`.
    """

    kind: str  # role, group, grant, deny, lockdown
    name: str | None
    before: Key | None = None
    after: Key | None = None
    added: bool = False
    removed: bool = False

    @property
    def act(self) -> str:
        """ADDED, CHANGED or REMOVED."""
        return ADDED if self.added else REMOVED if self.removed else CHANGED


@dataclass(frozen=True)
class Difference:
    """The changes that lead from one policy to the other."""

    before: Policy
    after: Policy
    changes: tuple[Change, ...]

    def of(self, *kinds: str) -> list[Change]:
        """The changes of these kinds."""
        return [each for each in self.changes if each.kind in kinds]


def compare(before: Policy, after: Policy) -> Difference:
    """What leads from `before` to `after`."""
    changes = [
        *_named("role", before.roles, after.roles),
        *_named("group", before.members, after.members),
        *_paired("grant", before.statements, after.statements),
        *_paired("deny", _of(before, rule.DENY), _of(after, rule.DENY)),
        *_paired("lockdown", _of(before, rule.LOCKDOWN), _of(after, rule.LOCKDOWN)),
    ]
    return Difference(before, after, tuple(changes))


def check_contradictions(difference: Difference, draft: Draft) -> list[str]:
    """Refuse what a file says and takes away by what it denies, or what nobody could consent to.

    Returns what is to be told: groups without members. Raises Conflict policy-contradiction with the grant's place.
    """
    after = difference.after
    roles = {each.name for each in difference.of("role")}
    new = {each.after for each in difference.of("grant", "deny")}
    regrouped = bool(difference.of("group"))
    denials = [(key, denial.rule("it"), list(denial.devices)) for key, denial in _of(after, rule.DENY).items()]
    suspects = [each for each in denials if each[0] in new or regrouped]
    for key, said in after.statements.items():
        is_new = key in new or said.role in roles
        against = denials if is_new else suspects
        consent = rule.APPROVALS in said.conditions and (is_new or regrouped)
        rules = after.rules_of(said) if against or consent else []
        for other, one, devices in against:
            if contradictions.shadow(said, rules, [(one, devices)], after.members):
                text = f"{draft.source.place(draft.places[other])} denies all of it"
                raise draft.source.fail(draft.places[key], text, "policy-contradiction", Conflict)
        for text in contradictions.lacking(rules, after.members) if consent else ():
            raise draft.source.fail(draft.places[key], text, "policy-contradiction", Conflict)
    return list(_empty(difference, draft))


def carry_out(edit: Edit, difference: Difference, present: Present) -> None:
    """Do what the difference says, as parts of an act.

    `present` is what the registry held. Raises Conflict registry-changed if that is not what it holds in this act.
    """
    after, members = difference.after, difference.before.members
    roles, named = difference.of("role"), difference.of("group")
    for each in roles:
        if each.name and not each.removed:
            granting.put_role(edit, each.name, after.roles[each.name], replace=True)
    for each in named:
        if each.name and each.added:
            granting.add_members(edit, each.name, [])
    kept = [each.name for each in named if each.name and not each.removed]
    for name in kept:
        if gone := sorted(set(members.get(name, ())) - set(after.members[name])):
            granting.remove_members(edit, name, gone)
    _withdraw(edit, difference, present)
    for name in kept:
        if new := sorted(set(after.members[name]) - set(members.get(name, ()))):
            granting.add_members(edit, name, new)
    _say(edit, difference)
    _forget(edit, difference, present)


def note_applied(edit: Edit, name: str, digest: str, difference: Difference) -> None:
    """Record that a file was applied: its name, the SHA-256 of its bytes, and how much changed."""
    counts = ", ".join(f"{count} {act}" for act, count in tally(difference.changes).items() if count)
    edit.note(APPLIED, f"{name} sha256 {digest}: {counts}")


def tally(changes: Iterable[Change]) -> dict[str, int]:
    """How many of the changes are of each act."""
    acts = [each.act for each in changes]
    return {act: acts.count(act) for act in (ADDED, CHANGED, REMOVED)}


def _withdraw(edit: Edit, difference: Difference, present: Present) -> None:
    for each in difference.of("grant"):
        for row in present.statement_rows[each.before] if each.before else ():
            granting.withdraw_statement(edit, _still(edit, row))
    for each in difference.of("deny", "lockdown"):
        for denied in present.denial_rows[each.before] if each.before else ():
            withdrawing.lift(edit, _still(edit, denied))
    edit.session.flush()


def _still(edit: Edit, row: Row) -> Row:
    """A row, read before, in this act."""
    found = edit.session.get(type(row), row.id)
    if found is None:
        raise Conflict("registry-changed", "somebody else changed who may do what meanwhile")
    return found


def _say(edit: Edit, difference: Difference) -> None:
    for each in difference.of("grant"):
        if each.after:
            granting.put_statement(edit, difference.after.statements[each.after])
    for each in difference.of("deny", "lockdown"):
        if each.after:
            denial = difference.after.denials[each.after]
            withdrawing.put_denial(edit, denial.said, list(denial.devices), denial.name)


def _forget(edit: Edit, difference: Difference, present: Present) -> None:
    """Remove roles and groups, and what has ended and may still name them."""
    roles, named = difference.of("role"), difference.of("group")
    gone = [each for each in [*named, *roles] if each.removed]
    if not gone:
        return
    for row in present.ended:
        if isinstance(row, PolicyRuleRow):
            withdrawing.lift(edit, _still(edit, row))
        else:
            edit.session.execute(delete(StatementRow).where(StatementRow.id == row.id))
    removed = {each.name for each in named if each.removed}
    for name in _outermost_first(difference.before.members, removed):
        granting.remove_group(edit, name)
    for each in roles:
        if each.name and each.removed:
            granting.remove_role(edit, each.name)


def _outermost_first(members: Mapping[str, list[str]], removed: Collection[str | None]) -> Iterator[str]:
    """The groups to be removed, each after those that it is in."""
    left = sorted(name for name in members if name in removed)
    while left:
        inner = {each.removeprefix(groups.GROUP) for name in left for each in members[name]}
        outer = [name for name in left if name not in inner]
        yield from outer
        left = [name for name in left if name in inner]


def _named(kind: str, before: Mapping, after: Mapping) -> Iterator[Change]:
    """Changes among what has a name."""
    for name in sorted({*before, *after}):
        if name not in before or name not in after:
            yield Change(kind, name, added=name not in before, removed=name not in after)
        elif sorted(before[name], key=repr) != sorted(after[name], key=repr):
            yield Change(kind, name)


def _paired(kind: str, before: Mapping[Key, Said], after: Mapping[Key, Said]) -> Iterator[Change]:
    """Changes among what has no name: what is new takes the place of what is gone and most like it."""
    gone = {key: said for key, said in before.items() if key not in after}
    by_subject: dict[object, list[Key]] = {}
    for key, said in gone.items():
        by_subject.setdefault(_about(said), []).append(key)
    for key, said in after.items():
        if key in before:
            continue
        alike = [each for each in by_subject.get(_about(said), ()) if _likeness(gone[each], said)]
        old = max(alike, key=lambda each: _likeness(gone[each], said), default=None)  # noqa: B023
        if old is not None:
            by_subject[_about(said)].remove(old)
            del gone[old]
        yield Change(kind, None, old, key, added=old is None)
    for key in gone:
        yield Change(kind, None, key, None, removed=True)


def _about(said: Statement | Denial) -> object:
    return said.subject if isinstance(said, Statement) else said.effect


def _likeness(one: Said, other: Said) -> int:
    """In how many of its main parts a saying is as another was; 0 where it rather is another one."""
    if isinstance(one, Statement) and isinstance(other, Statement):
        same = [(one.role, one.rules) == (other.role, other.rules), one.audience == other.audience]
        rest = [(one.not_before, one.expires) == (other.not_before, other.expires), one.conditions == other.conditions]
        return sum(same) and 2 * sum(same) + sum(rest)
    assert isinstance(one, Denial) and isinstance(other, Denial)
    if one.name and one.name == other.name:
        return 9
    what = (one.pattern, one.methods) == (other.pattern, other.methods)
    same = [one.subjects == other.subjects and what, one.devices == other.devices and what]
    return sum(same) and 2 * sum(same) + (one.exceptions == other.exceptions)


def _of(policy: Policy, effect: int) -> dict[Key, Denial]:
    return {key: denial for key, denial in policy.denials.items() if denial.effect == effect}


def _empty(difference: Difference, draft: Draft) -> Iterator[str]:
    """What is granted to nobody yet."""
    members = difference.after.members
    for each in difference.of("grant"):
        said = difference.after.statements[each.after] if each.after else None
        if said and said.subject.startswith(groups.GROUP) and not groups.people_of(members, said.subject):
            place = draft.source.place(draft.places[each.after or ()])
            yield f"{place}: {said.subject.removeprefix(groups.GROUP)} has no members yet"
