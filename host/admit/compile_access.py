"""From what admins said to the grants that say it: one CWT for each statement and each key of those whom it means.

Owns: which grants there should be, which of those issued still say what is meant, and which are taken back.
Rules: what is there and right is left alone, so that doing it again does nothing, and a small change touches little. A
grant that says anything else than is meant is taken back, in the transaction that issues its successor.
Must not know: devices (compile_policy.py), and what was asked for.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

import cbor2
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from admit import groups, statements
from admit.access_models import InviteRow, StatementRow
from admit.authority import Authority
from admit.registry_model import members_of, roles_of
from admit.registry_models import GrantRow, Key, User
from admit.statements import Statement
from admit_protocol import grant, rule
from admit_protocol.kdf import sha256

_FORM = 16  # bytes
_CHUNK = 500  # values in one statement of SQL; both databases take more


@dataclass
class Changes:
    """What a compilation did: rows of grants, of invites, and devices with a new bundle."""

    issued: list[GrantRow] = field(default_factory=list)
    revoked: list[GrantRow] = field(default_factory=list)
    invites: list[InviteRow] = field(default_factory=list)  # taken back
    devices: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Scope:
    """What a change may concern: some statements, or some users, or (both None) everything."""

    statements: Collection[str] | None = None
    users: Collection[str] | None = None

    @property
    def everything(self) -> bool:
        return self.statements is None and self.users is None

    def has(self, statement_id: str | None, user: str) -> bool:
        """Whether the grant of a user for a statement is concerned."""
        if self.everything:
            return True
        return statement_id in (self.statements or ()) or user in (self.users or ())


@dataclass(frozen=True)
class _Person:
    key: Key
    selectors: tuple[str, ...]
    part: bytes  # of a grant's form


@dataclass(frozen=True)
class _Meant:
    id: str
    statement: Statement
    rules: list[rule.Rule]
    part: bytes  # of a grant's form

    def selectors(self, person: _Person) -> list[str]:
        """The groups that the holder is in, and the role in which they may do it."""
        return sorted([*person.selectors, *([f"role:{self.statement.role}"] if self.statement.role else [])])


def compile_grants(session: Session, signer: Authority | None, now: int, scope: Scope) -> Changes:
    """Issue and take back what the statements in `scope` call for; without a signer, only find out what that is."""
    issued_before = _living(session, now, scope)
    missing: list[tuple[_Meant, _Person]] = []
    for meant, person in _meant(session, now, scope):
        rows = issued_before.get((meant.id, person.key.fingerprint), [])
        right = next((row for row in rows if _says(row, meant, person)), None)
        if right:
            rows.remove(right)
        else:
            missing.append((meant, person))
    wrong = [row for rows in issued_before.values() for row in rows]
    if signer is None:
        return Changes(issued=[_unsigned(meant, person, now) for meant, person in missing], revoked=wrong)
    issued = [_issue(signer, meant, person, now) for meant, person in missing]
    _insert(session, issued)
    take_back(session, [row.id for row in wrong], now)
    return Changes(issued=issued, revoked=wrong)


def take_back(session: Session, grant_ids: list[str], now: int) -> None:
    """Mark grants as taken back."""
    for some in chunks(grant_ids):
        session.execute(update(GrantRow).where(GrantRow.id.in_(some)).values(revoked_at=now))


def chunks(values: Iterable) -> Iterator[list]:
    """Values by as many as one statement of SQL may hold."""
    left = list(values)
    for begin in range(0, len(left), _CHUNK):
        yield left[begin : begin + _CHUNK]


def _living(session: Session, now: int, scope: Scope) -> dict[tuple[str | None, str], list[GrantRow]]:
    """The grants in scope that were neither taken back nor have ended, by statement and key."""
    counting = GrantRow.revoked_at.is_(None) & (GrantRow.expires.is_(None) | (GrantRow.expires > now))
    found: dict[tuple[str | None, str], list[GrantRow]] = {}
    for some in _narrowed(select(GrantRow).where(counting), GrantRow.statement_id, GrantRow.user_name, scope):
        for row in session.scalars(some):
            if scope.has(row.statement_id, row.user_name):
                found.setdefault((row.statement_id, row.fingerprint), []).append(row)
    return found


def _narrowed(query, statement_id, user, scope: Scope) -> list:
    """`query`, asked for as little as the scope allows."""
    wanted, column = (scope.statements, statement_id) if scope.users is None else (scope.users, user)
    if wanted is None or (scope.users is not None and scope.statements is not None):
        return [query]
    return [query.where(column.in_(some)) for some in chunks(wanted)]


def _meant(session: Session, now: int, scope: Scope) -> Iterator[tuple[_Meant, _Person]]:
    """Each statement in scope with each key of those whom it means."""
    members, roles = members_of(session), roles_of(session)
    concerned = None if scope.users is None or scope.statements is not None else set(scope.users)
    subjects = None if concerned is None else _subjects(members, concerned)
    people = _people(session, members, concerned)
    encoded_roles = {name: statements.encode_rules(rules) for name, rules in roles.items()}
    inside: dict[str, set[str]] = {}  # the people in a group: many statements are about the same one
    for row in _statements(session, now, scope, subjects):
        said = statements.decode(row.terms)
        rules = said.rules_with(roles[said.role] if said.role else ())
        meant = _Meant(row.id, said, rules, row.terms + encoded_roles.get(said.role or "", b""))
        if said.subject not in inside:
            inside[said.subject] = groups.people_of(members, said.subject)
        for name in sorted(inside[said.subject]):
            for person in people.get(name, ()):
                if scope.has(row.id, name):
                    yield meant, person


def _subjects(members: groups.Members, users: set[str]) -> set[str]:
    """The selectors of statements that may mean one of the users."""
    theirs = groups.memberships(members)
    return {groups.USER + name for name in users} | {each for name in users for each in theirs.get(name, ())}


def _statements(session: Session, now: int, scope: Scope, subjects: set[str] | None) -> Iterator[StatementRow]:
    counting = select(StatementRow).where(StatementRow.expires.is_(None) | (StatementRow.expires > now))
    if subjects is not None:
        queries = [counting.where(StatementRow.subject.in_(some)) for some in chunks(sorted(subjects))]
    elif scope.statements is not None and scope.users is None:
        queries = [counting.where(StatementRow.id.in_(some)) for some in chunks(scope.statements)]
    else:
        queries = [counting]
    for query in queries:
        yield from session.scalars(query.order_by(StatementRow.issued_at, StatementRow.id))


def _people(session: Session, members: groups.Members, users: set[str] | None) -> dict[str, list[_Person]]:
    """The keys that count, with what is known of their holders."""
    counting = select(Key).join(User).where(Key.revoked_at.is_(None), User.revoked_at.is_(None)).order_by(Key.added_at)
    queries = [counting] if users is None else [counting.where(Key.user_name.in_(some)) for some in chunks(users)]
    theirs = groups.memberships(members)
    found: dict[str, list[_Person]] = {}
    for query in queries:
        for key in session.scalars(query):
            selectors = tuple(theirs.get(key.user_name, ()))
            part = cbor2.dumps([key.user_name, key.public, key.sig_public, selectors])
            found.setdefault(key.user_name, []).append(_Person(key, selectors, part))
    return found


def _form(meant: _Meant, person: _Person) -> bytes:
    """The hash of all that a grant says, beside its id and when it was issued."""
    return sha256(meant.part + person.part)[:_FORM]


def _says(row: GrantRow, meant: _Meant, person: _Person) -> bool:
    """Whether a grant says what is meant. One from before forms were kept is read."""
    if row.form is not None:
        return row.form == _form(meant, person)
    given, said = grant.parse(row.data), meant.statement
    return (given.subject, given.key, given.sig_key, list(given.rules), given.audience) == (
        person.key.user_name,
        person.key.public,
        person.key.sig_public,
        meant.rules,
        said.audience,
    ) and (given.not_before, given.expires, list(given.selectors), given.delegate) == (
        said.not_before,
        said.expires,
        meant.selectors(person),
        said.delegate,
    )


def _issue(signer: Authority, meant: _Meant, person: _Person, now: int) -> GrantRow:
    said, key = meant.statement, person.key
    data = signer.issue_grant(
        key.user_name,
        said.audience,
        meant.rules,
        key.public,
        now,
        key.sig_public,
        said.not_before,
        said.expires,
        meant.selectors(person),
        said.delegate,
    )
    row = grant_row(data, key.fingerprint)
    row.statement_id, row.form = meant.id, _form(meant, person)
    return row


def _unsigned(meant: _Meant, person: _Person, now: int) -> GrantRow:
    said = meant.statement
    row = GrantRow(user_name=person.key.user_name, fingerprint=person.key.fingerprint, data=b"", issued_at=now)
    row.statement_id, row.expires, row.delegate = meant.id, said.expires, said.delegate
    row.audience = "\n".join(said.audience)
    return row


def grant_row(data: bytes, fingerprint: str) -> GrantRow:
    """The row of a grant."""
    given = grant.parse(data)
    row = GrantRow(id=given.id.hex(), kid=given.kid, user_name=given.subject, data=data, expires=given.expires)
    row.fingerprint, row.issued_at = fingerprint, given.issued_at
    row.audience, row.delegate = "\n".join(given.audience), given.delegate
    row.statement_id = row.form = row.revoked_at = None
    return row


def _insert(session: Session, rows: list[GrantRow]) -> None:
    columns = [column.name for column in GrantRow.__table__.columns]
    for some in chunks(rows):
        session.execute(insert(GrantRow), [{name: getattr(row, name) for name in columns} for row in some])
