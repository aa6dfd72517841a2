"""Acts that say who may do what: roles, groups, statements. Each is one part of an Edit (editing.py).

Rules: what is said must mean something: an unknown role or group, a group in itself, the same twice are refused with
their reason. What is said and has no effect is warned of.
Must not know: what follows for grants and devices.
"""

from collections.abc import Collection

from sqlalchemy import delete, select

from admit import contradictions, groups, statements
from admit.access_models import GroupRow, InviteRow, MemberRow, PolicyRuleRow, RoleRow, StatementRow
from admit.editing import Edit
from admit.names import check_name
from admit.registry_model import members_of, policy_rule, role_of, roles_of
from admit.registry_models import Key, User
from admit.registry_people import user_of
from admit.statements import Rules, Statement
from admit_protocol import grant, rule, rule_reader
from admit_protocol.errors import Conflict, LocalError, Malformed, NotFound


def put_role(edit: Edit, name: str, rules: Rules, replace: bool = False) -> None:
    """Say what a role allows. Raises Conflict registry-role-exists if it says something else, unless `replace`.

    Invites of a role that now allows less are taken back: nobody else could make them anew.
    """
    check_name(name)
    encoded = statements.encode_rules(rules)
    known = edit.session.get(RoleRow, name)
    if known is None:
        edit.session.add(RoleRow(name=name, rules=encoded, added_at=edit.now))
    elif known.rules == encoded:
        return
    elif not replace:
        raise Conflict("registry-role-exists", f"there is a role {name} already, and it allows something else")
    else:
        known.rules = encoded
        edit.touch_statements(edit.session.scalars(select(StatementRow.id).where(StatementRow.role == name)))
        _take_back_invites(edit, name, rules)
    edit.session.flush()
    edit.note("role add", f"{name}: {len(rules)} rules")


def remove_role(edit: Edit, name: str) -> None:
    """Forget a role. Raises Conflict role-used while something is granted by it."""
    row = role_of(edit.session, name)
    used = [*edit.session.scalars(select(StatementRow.id).where(StatementRow.role == name))]
    used += edit.session.scalars(_counting_invites(edit, name))
    if used:
        raise Conflict("role-used", f"{name} is granted by {_some(used)}")
    for invite in edit.session.scalars(select(InviteRow).where(InviteRow.role == name)):
        invite.role = None
    edit.session.flush()
    edit.session.delete(row)
    edit.note("role remove", name)


def add_members(edit: Edit, name: str, members: Collection[str]) -> None:
    """Put users and groups (selectors) into a group, which is made if need be.

    Raises NotFound registry-no-user or registry-no-group, Conflict group-cycle.
    """
    check_name(name)
    if edit.session.get(GroupRow, name) is None:
        edit.session.add(GroupRow(name=name, added_at=edit.now))
        edit.session.flush()
        edit.note("group add", name)
    before = members_of(edit.session)
    new = [each for each in dict.fromkeys(members) if each not in before[name]]
    for each in new:
        check_subject(edit, each)
        edit.session.add(MemberRow(group_name=name, member=each))
    edit.session.flush()
    after = members_of(edit.session)
    groups.check_acyclic(after)
    edit.touch_users(name for each in new for name in groups.people_of(after, each))
    if new:
        edit.note("group add", f"{name}: {', '.join(map(_plain, new))}")


def remove_members(edit: Edit, name: str, members: Collection[str]) -> None:
    """Take users and groups (selectors) out of a group. Raises NotFound registry-no-group or group-no-member."""
    before = _group(edit, name)
    for each in members:
        if each not in before[name]:
            raise NotFound("group-no-member", f"{_plain(each)} is not in {name}")
        edit.session.execute(delete(MemberRow).where(MemberRow.group_name == name, MemberRow.member == each))
    edit.touch_users(user for each in members for user in groups.people_of(before, each))
    edit.note("group remove", f"{name}: {', '.join(map(_plain, members))}")


def remove_group(edit: Edit, name: str) -> None:
    """Forget a group. Raises NotFound registry-no-group, Conflict group-used while something is said of it."""
    before = _group(edit, name)
    selector = groups.GROUP + name
    used = [*edit.session.scalars(select(StatementRow.id).where(StatementRow.subject == selector))]
    used += [other for other, members in before.items() if selector in members]
    used += [row.id for row in edit.session.scalars(select(PolicyRuleRow)) if selector in _selectors(row)]
    used += [row.id for row in edit.session.scalars(select(StatementRow)) if selector in _approvers(row)]
    if used:
        raise Conflict("group-used", f"{name} is in {_some(used)}")
    edit.touch_users(groups.people(before, name))
    edit.session.execute(delete(MemberRow).where(MemberRow.group_name == name))
    edit.session.execute(delete(GroupRow).where(GroupRow.name == name))
    edit.note("group remove", name)


def grant_access(edit: Edit, said: Statement) -> StatementRow:
    """Grant what a statement says; its row.

    Raises NotFound registry-no-user, -group or -role; Conflict statement-exists, user-revoked; LocalError
    grant-nothing, window-never-opens or grant-form.
    """
    check_subject(edit, said.subject)
    if said.subject.startswith(groups.USER):
        _check_counts(edit, said.subject.removeprefix(groups.USER))
    of_role = roles_of(edit.session)[role_of(edit.session, said.role).name] if said.role else ()
    rules = said.rules_with(of_role)
    check_rules(rules)
    check_devices(said.audience)
    for selector in [name for each in rules for name in each.conditions.get(rule.APPROVALS, (0, ()))[1]]:
        check_subject(edit, selector)
    row = put_statement(edit, said)
    for text in contradictions.of_statement(edit.session, said, rules):
        edit.warn(f"{row.id}: {text}")
    return row


def put_statement(edit: Edit, said: Statement) -> StatementRow:
    """Grant what a statement says that was checked; its row. Raises Conflict statement-exists."""
    terms = said.encode()
    row = StatementRow(id=_new_id(edit, terms), subject=said.subject, role=said.role, terms=terms)
    row.expires, row.who, row.issued_at = said.expires, edit.who, edit.now
    edit.session.add(row)
    edit.session.flush()
    edit.touch_statements([row.id])
    edit.note("grant", f"{row.id} to {_plain(said.subject)} on {', '.join(said.audience)}")
    return row


def withdraw_statement(edit: Edit, row: StatementRow) -> None:
    """Take back what was granted by one statement."""
    edit.touch_statements([row.id])
    edit.session.delete(row)
    edit.note("revoke", f"{row.id} of {_plain(row.subject)}")


def check_subject(edit: Edit, selector: str) -> None:
    """Raises NotFound registry-no-user, registry-no-group or registry-no-role for who is not there."""
    kind, _, name = selector.partition(":")
    if kind == "group":
        _group(edit, name)
    elif kind == "role":
        role_of(edit.session, name)
    elif kind == "user":
        user_of(edit.session, name)


def _new_id(edit: Edit, terms: bytes) -> str:
    for each in statements.ids_of("g", terms):
        known = edit.session.get(StatementRow, each)
        if known is None:
            return each
        if known.terms == terms:
            raise Conflict("statement-exists", f"that is granted already, by {known.id}")
    raise Conflict("statement-exists", "too many statements are alike")


def _check_counts(edit: Edit, name: str) -> None:
    user: User = user_of(edit.session, name)
    if user.revoked_at is not None:
        raise Conflict("user-revoked", f"{name} was revoked")
    if not edit.session.scalar(select(Key).where(Key.user_name == name, Key.revoked_at.is_(None)).limit(1)):
        edit.warn(f"{name} has no key that counts: nothing can be granted until there is one")


def check_rules(rules: list[rule.Rule]) -> None:
    """Whether a grant could say them, and mean something. Raises LocalError grant-nothing or grant-form."""
    if not rules:
        raise LocalError("grant-nothing", "that would allow nothing")
    try:
        for each in rules:
            rule_reader.parse(list(each))
        grant.decode_scope(grant.encode_scope(rules))
    except Malformed as error:
        raise LocalError("grant-form", error.detail or error.reason) from None


def check_devices(patterns: Collection[str]) -> None:
    """Raises LocalError grant-audience for what names no devices."""
    if not patterns:
        raise LocalError("grant-audience", "on no device at all")
    for pattern in patterns:
        if not pattern or "*" in pattern[:-1] or "\n" in pattern:
            raise LocalError("grant-audience", f"'{pattern}' names no devices: '*' stands at the end, once")


def _take_back_invites(edit: Edit, role: str, rules: Rules) -> None:
    kept = {statements.encode_rules((each,)) for each in rules}
    for invite in edit.session.scalars(select(InviteRow).where(InviteRow.id.in_(_counting_invites(edit, role)))):
        given = [(each.pattern, each.methods, each.conditions) for each in grant.parse(invite.data).rules]
        if any(statements.encode_rules((each,)) not in kept for each in given):
            invite.revoked_at = edit.now
            edit.changes.invites.append(invite)
            edit.warn(f"the invite {invite.id} is taken back, since {role} allows less now")


def _counting_invites(edit: Edit, role: str):
    return select(InviteRow.id).where(
        InviteRow.role == role, InviteRow.revoked_at.is_(None), InviteRow.expires > edit.now
    )


def _group(edit: Edit, name: str) -> dict[str, list[str]]:
    """The members of all groups, if this one is among them."""
    found = members_of(edit.session)
    if name not in found:
        raise NotFound("registry-no-group", f"no group {name}")
    return found


def _selectors(row: PolicyRuleRow) -> list[str]:
    one = policy_rule(row)
    return [*one.subjects, *one.exceptions]


def _approvers(row: StatementRow) -> list[str]:
    return statements.decode(row.terms).conditions.get(rule.APPROVALS, (0, ()))[1]


def _plain(selector: str) -> str:
    return selector.removeprefix(groups.USER)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
