"""What is asked of the registry when somebody wants to know who may do what; `Asking` is mixed into
admit.registry.Registry.

Rules: what is asked about one user or one device is found by an index, or among the few devices' patterns that are in
use, and never by looking through all grants.
Must not know: what a grant allows.
"""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager

from sqlalchemy import select
from sqlalchemy.orm import Session

from admit.registry_models import BundleRow, Device, GrantRow, Key, User
from admit.registry_people import user_of


class Asking:
    """What a Registry answers about who may do what."""

    _read: Callable[[], AbstractContextManager[Session]]

    def shut_out(self, user_name: str) -> set[str]:
        """`user:` and `key:` of this user, as far as they no longer count. Raises NotFound registry-no-user."""
        with self._read() as session:
            user = user_of(session, user_name)
            keys = select(Key.fingerprint).where(Key.user_name == user_name)
            if user.revoked_at is None:
                return {f"key:{each}" for each in session.scalars(keys.where(Key.revoked_at.is_not(None)))}
            return {f"user:{user_name}"} | {f"key:{each}" for each in session.scalars(keys)}

    def audiences(self) -> list[str]:
        """Every list of device name patterns, one a line, that some grant is for."""
        with self._read() as session:
            return list(session.scalars(select(GrantRow.audience).distinct()))

    def grants_to(self, audiences: Collection[str]) -> list[GrantRow]:
        """The grants for these lists of patterns that were not taken back, whose users count; by user, oldest first."""
        counting = GrantRow.revoked_at.is_(None) & User.revoked_at.is_(None) & GrantRow.audience.in_(list(audiences))
        found = select(GrantRow).join(User, User.name == GrantRow.user_name).where(counting)
        with self._read() as session:
            return list(session.scalars(found.order_by(GrantRow.user_name, GrantRow.issued_at, GrantRow.id)))

    def policy_issued_at(self, device: Device) -> int | None:
        """When the policy was made that a device is known to hold; None if it holds none."""
        with self._read() as session:
            row = session.get(BundleRow, (device.id, device.held_epoch))
            return row.issued_at if row else None
