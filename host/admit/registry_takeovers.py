"""Recovery keys and takeovers in the registry; `Takeovers` is mixed into admit.registry.Registry.

Owns: the tables recovery_policies, recovery_held, takeovers_seen and takeovers_begun.
Rules: a recovery policy is written down in the transaction in which it is signed. A device goes by its own word in a
session for which one it holds and what waits there. A takeover that was begun keeps the credential that the device had:
by that key it is known when it belongs to nobody.
Must not know: what a paper says. It is verified by whoever brings it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from admit.registry_models import Device
from admit.takeover_models import BegunTakeoverRow, RecoveryHeldRow, RecoveryPolicyRow, SeenTakeoverRow
from admit_protocol.errors import NotFound


class Takeovers:
    """What a Registry knows of recovery keys and takeovers."""

    _read: Callable[[], AbstractContextManager[Session]]
    _change: Callable[[], AbstractContextManager[Session]]

    def recovery_policy(self) -> RecoveryPolicyRow | None:
        """The recovery policy that counts, or None."""
        with self._read() as session:
            return newest_policy(session)

    def recovery_waiting(self) -> list[str]:
        """The devices that are not known to hold the recovery policy that counts, by id."""
        with self._read() as session:
            policy = newest_policy(session)
            if policy is None:
                return []
            held = {row.device_id: row.number for row in session.scalars(select(RecoveryHeldRow))}
            known = session.scalars(select(Device.id).order_by(Device.id))
            return [each for each in known if held.get(each, 0) < policy.number]

    def recovery_held(self, device_id: str, number: int) -> None:
        """A device said that it holds the recovery policy of this number; 0: none."""
        with self._change() as session:
            session.merge(RecoveryHeldRow(device_id=device_id, number=number))

    def takeovers_seen(self) -> dict[str, SeenTakeoverRow]:
        """What waited at devices of this site when they were last visited, by id."""
        with self._read() as session:
            return {row.device_id: row for row in session.scalars(select(SeenTakeoverRow))}

    def takeover_seen(self, device_id: str, row: SeenTakeoverRow | None) -> None:
        """Keep what waits at a device; None: nothing does."""
        with self._change() as session:
            if row is None:
                session.execute(delete(SeenTakeoverRow).where(SeenTakeoverRow.device_id == device_id))
            else:
                session.merge(row)

    def takeovers_begun(self) -> list[BegunTakeoverRow]:
        """Every takeover that was begun from here, by device."""
        with self._read() as session:
            rows = select(BegunTakeoverRow).order_by(BegunTakeoverRow.device_id, BegunTakeoverRow.site_id)
            return list(session.scalars(rows))

    def takeover_begun(self, device_id: str) -> BegunTakeoverRow:
        """The latest takeover that was begun at a device of this name. Raises NotFound takeover-unknown."""
        with self._read() as session:
            rows = select(BegunTakeoverRow).where(BegunTakeoverRow.device_id == device_id)
            found = session.scalars(rows.order_by(BegunTakeoverRow.seen_at.desc())).first()
        if found is None:
            raise NotFound("takeover-unknown", f"no takeover of {device_id} was begun from here")
        return found

    def keep_begun(self, row: BegunTakeoverRow) -> None:
        """Keep a takeover that was begun, or how it stands."""
        with self._change() as session:
            session.merge(row)


def newest_policy(session: Session) -> RecoveryPolicyRow | None:
    """The recovery policy that counts, or None."""
    return session.scalars(select(RecoveryPolicyRow).order_by(RecoveryPolicyRow.number.desc())).first()
