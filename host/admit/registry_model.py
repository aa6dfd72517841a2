"""What admins said, in the registry: roles, groups, statements, denies, invites, and who changed what; `Model` is mixed
into admit.registry.Registry.

Owns: the tables of access_models.py, and the turn that whoever changes them has to wait for.
Rules: `editing` is the one way to change who may do what: one at a time, on either database, and each sees what the
one before has done.
Must not know: what follows from a change (compile_access.py, compile_policy.py).
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import cbor2
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from admit.access_models import (
    ChangeRow,
    GroupRow,
    InviteRow,
    MemberRow,
    NoticeRow,
    PolicyRow,
    PolicyRuleRow,
    RoleRow,
    StatementRow,
)
from admit.registry_models import Key, User
from admit.registry_named import the_only
from admit.statements import Rules, decode_rules
from admit_protocol import rule
from admit_protocol.errors import Conflict, NotFound


class Model:
    """What a Registry knows of who may do what."""

    _read: Callable[[], AbstractContextManager[Session]]
    _change: Callable[[], AbstractContextManager[Session]]

    @contextmanager
    def editing(self, version: int | None = None) -> Iterator[Session]:
        """A transaction that changes who may do what; it waits for its turn.

        Raises Conflict registry-changed if there is a `version` that it builds on, and it is not that any more.
        """
        with self._change() as session:
            policy = session.get(PolicyRow, 1, with_for_update=True)
            if policy is None or version not in (None, policy.version):
                raise Conflict("registry-changed", "somebody else changed who may do what meanwhile")
            policy.version += 1
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that changes nothing, and sees one state of all of it."""
        with self._read() as session:
            if session.get_bind().dialect.name == "postgresql":
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    @contextmanager
    def rehearsing(self) -> Iterator[Session]:
        """A transaction whose changes can be looked at within it, and are never kept."""
        with self._change() as session:
            yield session
            session.rollback()

    def version(self) -> int:
        """How often who may do what was changed: what a plan builds on."""
        with self._read() as session:
            return version_of(session)

    def roles(self) -> dict[str, Rules]:
        """What each role allows, by its name."""
        with self._read() as session:
            return roles_of(session)

    def groups(self) -> dict[str, list[str]]:
        """The members of each group, as selectors, by its name."""
        with self._read() as session:
            return members_of(session)

    def statements(self, subject: str | None = None) -> list[StatementRow]:
        """What was granted, the oldest first; to one selector or to all."""
        found = select(StatementRow).order_by(StatementRow.issued_at, StatementRow.id)
        with self._read() as session:
            return list(session.scalars(found.where(StatementRow.subject == subject) if subject else found))

    def denials(self) -> list[PolicyRuleRow]:
        """The denies and lockdowns in force, the oldest first."""
        with self._read() as session:
            return list(session.scalars(select(PolicyRuleRow).order_by(PolicyRuleRow.issued_at, PolicyRuleRow.id)))

    def policy_rules(self, device_id: str | None = None) -> list[rule.PolicyRule]:
        """The rules that a device obeys besides grants, or all there are, by id."""
        with self._read() as session:
            rows = session.scalars(select(PolicyRuleRow).order_by(PolicyRuleRow.id))
            return [policy_rule(row) for row in rows if device_id is None or is_about(row, device_id)]

    def revoked_selectors(self) -> set[str]:
        """`user:` and `key:` of everybody who no longer counts."""
        with self._read() as session:
            return set(revoked_selectors(session))

    def invites(self) -> list[InviteRow]:
        """Every invite, the oldest first."""
        with self._read() as session:
            return list(session.scalars(select(InviteRow).order_by(InviteRow.issued_at, InviteRow.id)))

    def invite(self, invite_id: str) -> InviteRow:
        """An invite by its id, or its first digits. Raises NotFound registry-no-grant, Conflict registry-ambiguous."""
        with self._read() as session:
            missing = NotFound("registry-no-grant", f"no grant or invite {invite_id}")
            return the_only(session, InviteRow.id, invite_id, missing)

    def notice(self) -> NoticeRow | None:
        """The newest notice to wallets, or None."""
        with self._read() as session:
            return newest_notice(session)

    def changes(self, begin: int = 0, end: int | None = None) -> list[ChangeRow]:
        """What admins did from `begin` until before `end`, unix seconds, in order."""
        found = select(ChangeRow).where(ChangeRow.at >= begin).order_by(ChangeRow.id)
        with self._read() as session:
            return list(session.scalars(found if end is None else found.where(ChangeRow.at < end)))

    def note(self, at: int, who: str, act: str, detail: str) -> None:
        """Journal an act of an admin that changes nothing of who may do what."""
        with self._change() as session:
            session.add(ChangeRow(at=at, who=who, act=act, detail=detail))

    def last_done(self, act: str) -> int | None:
        """When an admin last did this (unix seconds), or None."""
        with self._read() as session:
            return session.scalar(select(func.max(ChangeRow.at)).where(ChangeRow.act == act))


def version_of(session: Session) -> int:
    """How often who may do what was changed, as a transaction sees it."""
    return session.scalar(select(PolicyRow.version)) or 0


def roles_of(session: Session) -> dict[str, Rules]:
    """What each role allows."""
    return {row.name: decode_rules(row.rules) for row in session.scalars(select(RoleRow).order_by(RoleRow.name))}


def role_of(session: Session, name: str) -> RoleRow:
    """A role. Raises NotFound registry-no-role."""
    found = session.get(RoleRow, name)
    if found is None:
        raise NotFound("registry-no-role", f"no role {name}")
    return found


def members_of(session: Session) -> dict[str, list[str]]:
    """The members of each group."""
    found: dict[str, list[str]] = {name: [] for name in session.scalars(select(GroupRow.name).order_by(GroupRow.name))}
    rows = select(MemberRow.group_name, MemberRow.member).order_by(MemberRow.group_name, MemberRow.member)
    for group, member in session.execute(rows):
        found[group].append(member)
    return found


def revoked_selectors(session: Session) -> list[str]:
    """`user:` and `key:` of everybody who no longer counts, a revoked user's keys too; the last revoked first."""
    users = session.execute(select(User.revoked_at, User.name).where(User.revoked_at.is_not(None))).all()
    gone = func.coalesce(Key.revoked_at, User.revoked_at)
    keys = session.execute(select(gone, Key.fingerprint).join(User).where(gone.is_not(None))).all()
    found = [(at, f"user:{name}") for at, name in users] + [(at, f"key:{name}") for at, name in keys]
    return [selector for _, selector in sorted(found, key=lambda each: (-(each[0] or 0), each[1]))]


def policy_rule(row: PolicyRuleRow) -> rule.PolicyRule:
    """A row's rule."""
    return rule.PolicyRule(*cbor2.loads(row.data))


def is_about(row: PolicyRuleRow, device_id: str) -> bool:
    """Whether a row's rule is for this device."""
    return any(rule.matches(pattern, device_id) for pattern in row.devices.split("\n"))


def newest_notice(session: Session) -> NoticeRow | None:
    """The newest notice to wallets, or None."""
    return session.scalar(select(NoticeRow).order_by(NoticeRow.number.desc()).limit(1))
