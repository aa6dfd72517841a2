"""Users, their keys and their grants in the registry; `People` is mixed into admit.registry.Registry.

Owns: the tables users, keys and grants.
Rules: a key is one user's for ever, a name too. What was revoked stays in its place and is marked.
Must not know: why a grant was issued, and by whom it is signed.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from admit.access_models import InviteRow
from admit.keyfiles import fingerprint
from admit.registry_models import GrantRow, Key, User
from admit.registry_named import the_only
from admit_protocol.errors import Conflict, NotFound


class People:
    """What a Registry knows of people."""

    _read: Callable[[], AbstractContextManager[Session]]
    _change: Callable[[], AbstractContextManager[Session]]

    def add_user(self, name: str, publics: list[bytes], now: int) -> Key:
        """Add a user with a key: login, and perhaps signing. Raises Conflict registry-user-exists, -key-exists."""
        with self._change() as session:
            return put_user(session, name, publics, now)

    def users(self) -> list[User]:
        """Every user, by name."""
        with self._read() as session:
            return list(session.scalars(select(User).order_by(User.name)))

    def user(self, name: str) -> User:
        """A user. Raises NotFound registry-no-user."""
        with self._read() as session:
            return user_of(session, name)

    def keys(self, user_name: str) -> list[Key]:
        """The keys of a user that count, the newest first. Raises NotFound registry-no-user."""
        with self._read() as session:
            user_of(session, user_name)
            counting = (Key.user_name == user_name) & Key.revoked_at.is_(None)
            return list(session.scalars(select(Key).where(counting).order_by(Key.added_at.desc(), Key.fingerprint)))

    def all_keys(self) -> dict[str, list[Key]]:
        """The keys of each user that count, by the user's name."""
        found: dict[str, list[Key]] = {}
        with self._read() as session:
            for key in session.scalars(select(Key).where(Key.revoked_at.is_(None)).order_by(Key.added_at.desc())):
                found.setdefault(key.user_name, []).append(key)
        return found

    def person(self, key_hash: bytes) -> str | None:
        """Whose key it is that journals and selectors name by its 8 bytes, or None."""
        with self._read() as session:
            key = session.get(Key, key_hash.hex())
            return key.user_name if key else None

    def grants(self, user_name: str | None = None) -> list[GrantRow]:
        """The grants, of one user or all, the oldest first. Raises NotFound registry-no-user."""
        with self._read() as session:
            found = select(GrantRow).order_by(GrantRow.issued_at, GrantRow.id)
            if user_name is not None:
                user_of(session, user_name)
                found = found.where(GrantRow.user_name == user_name)
            return list(session.scalars(found))

    def counting_grants(self, now: int) -> dict[str, int]:
        """How many grants of each user count, by the user's name."""
        counting = GrantRow.revoked_at.is_(None) & (GrantRow.expires.is_(None) | (GrantRow.expires > now))
        with self._read() as session:
            found = select(GrantRow.user_name, func.count()).where(counting).group_by(GrantRow.user_name)
            return {name: count for name, count in session.execute(found)}

    def grant(self, grant_id: str) -> GrantRow:
        """A grant by its id, or by the first digits of it. Raises NotFound registry-no-grant, Conflict -ambiguous."""
        with self._read() as session:
            missing = NotFound("registry-no-grant", f"no grant {grant_id}")
            return the_only(session, GrantRow.id, grant_id, missing)

    def named_grant(self, kid: bytes) -> GrantRow | None:
        """The grant that somebody names by its `kid`, or None."""
        with self._read() as session:
            return session.scalar(select(GrantRow).where(GrantRow.kid == kid))

    def revoked(self, user_name: str | None = None) -> set[str]:
        """Ids of every grant that was taken back, of one user or all; of all, with the invites that were."""
        with self._read() as session:
            found = select(GrantRow.id).where(GrantRow.revoked_at.is_not(None))
            if user_name is not None:
                return set(session.scalars(found.where(GrantRow.user_name == user_name)))
            invites = select(InviteRow.id).where(InviteRow.revoked_at.is_not(None))
            return set(session.scalars(found)) | set(session.scalars(invites))


def put_user(session: Session, name: str, publics: list[bytes], now: int) -> Key:
    """A new user and their key."""
    if session.get(User, name):
        raise Conflict("registry-user-exists", f"there is a user {name} already")
    session.add(User(name=name, added_at=now))
    session.flush()
    return put_key(session, name, publics, now)


def put_key(session: Session, name: str, publics: list[bytes], now: int) -> Key:
    """A further key of a user who is there."""
    known = session.scalar(select(Key).where(Key.public == publics[0]))
    if known:
        raise Conflict("registry-key-exists", f"this key is {known.user_name}'s already")
    sig_public = publics[1] if len(publics) > 1 else None
    key = Key(fingerprint=fingerprint(publics[0]), user_name=name, public=publics[0], sig_public=sig_public)
    key.added_at = now
    session.add(key)
    session.flush()
    return key


def user_of(session: Session, name: str) -> User:
    """A user. Raises NotFound registry-no-user."""
    found = session.get(User, name)
    if found is None:
        raise NotFound("registry-no-user", f"no user {name}")
    return found
