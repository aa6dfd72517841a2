"""Devices' keys in the registry, as they follow one another, and how a device ends; `Keys` is mixed into
admit.registry.Registry.

Owns: the tables rotations and wipes.
Rules: a rotation is written down before the device is told of it, so that whoever comes later finds either key known.
What an old key signed counts on: the journal is one, whichever key its heads are signed with.
Must not know: what a proof says. It is verified by whoever brings it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from admit.boards import retire
from admit.key_models import RotationRow, WipeRow
from admit.registry_devices import device_of
from admit.registry_models import Device


class Keys:
    """What a Registry knows of devices' keys."""

    _read: Callable[[], AbstractContextManager[Session]]
    _change: Callable[[], AbstractContextManager[Session]]

    def device_keys(self, device_id: str) -> list[bytes]:
        """The public keys of a device in their order: those that it had, its own, and last one that it may have by now.

        Raises NotFound registry-no-device.
        """
        with self._read() as session:
            public = device_of(session, device_id).public
            coming = [row.public for row in session.scalars(_coming(public))]
            return _before(session, public) + [public] + coming

    def rotation(self, device_id: str) -> RotationRow | None:
        """The rotation that a device is in the middle of, if it is."""
        with self._read() as session:
            return session.scalar(_coming(device_of(session, device_id).public))

    def begin_rotation(self, row: RotationRow) -> RotationRow:
        """Write down which key is to follow, before the device takes it. The same again gives what is there already;
        another one takes the place of one that never came.
        """
        with self._change() as session:
            found = session.get(RotationRow, row.public)
            if found is None:
                session.execute(delete(RotationRow).where(RotationRow.old == row.old, RotationRow.done_at.is_(None)))
                session.add(row)
                found = row
            return found

    def wipes(self) -> list[WipeRow]:
        """Every device that has proven that it was wiped, the oldest first."""
        with self._read() as session:
            return list(session.scalars(select(WipeRow).order_by(WipeRow.seen_at)))


def end_rotation(session: Session, device_id: str, public: bytes, now: int) -> bytes:
    """The device was met with the key that was to follow: that is its key from now on; the old one, 64 bytes."""
    device, row = device_of(session, device_id), session.get_one(RotationRow, public)
    old = device.public
    device.public, device.credential, row.done_at = row.public, row.credential, now
    session.flush()
    return old


def end_device(session: Session, device: Device, certificate: bytes, now: int) -> None:
    """The device was wiped, as `certificate` proves: keep that, and what it had told, where it counts no more."""
    row = WipeRow(public=device.public, device_id=device.id, credential=device.credential, certificate=certificate)
    row.seen_at = now
    session.add(row)
    retire(session, device, None, now)


def _coming(public: bytes):
    return select(RotationRow).where(RotationRow.old == public, RotationRow.done_at.is_(None))


def _before(session: Session, public: bytes) -> list[bytes]:
    """The keys that a key followed, the oldest first."""
    found: list[bytes] = []
    while (row := session.get(RotationRow, public)) is not None and row.done_at is not None:
        public = row.old
        found.insert(0, public)
    return found
