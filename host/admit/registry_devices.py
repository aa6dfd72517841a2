"""Devices in the registry, and the bundles made for them; `Devices` is mixed into admit.registry.Registry.

Owns: the tables devices and bundles.
Rules: a device's epoch only grows, one bundle at a time. Nothing is dropped that the device may still need: the bundle
that it is known to hold, from which the next one differs, and all later ones.
Must not know: what a bundle says.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from admit.access_models import DismissedRow
from admit.keyfiles import fingerprint
from admit.registry_models import BundleRow, Device, RetiredRow
from admit_protocol import credential
from admit_protocol.errors import Conflict, NotFound

Then = Callable[[Session, Device], None]


class Devices:
    """What a Registry knows of devices."""

    _read: Callable[[], AbstractContextManager[Session]]
    _change: Callable[[], AbstractContextManager[Session]]

    def add_device(self, credential_data: bytes, now: int, then: Then | None = None) -> Device:
        """Add a device by its credential; a new one is handed to `then`, in the same transaction.

        The very same device (id and key) again replaces its credential, so that a torn commissioning can be repeated.
        Raises Conflict registry-device-exists, registry-device-key or device-revoked.
        """
        with self._change() as session:
            return put_device(session, credential_data, now, then)

    def devices(self) -> list[Device]:
        """Every device, by id."""
        with self._read() as session:
            return list(session.scalars(select(Device).order_by(Device.id)))

    def device(self, device_id: str) -> Device:
        """A device. Raises NotFound registry-no-device."""
        with self._read() as session:
            return device_of(session, device_id)

    def dismissed(self) -> dict[str, int]:
        """When each device that no longer counts was dismissed, by the fingerprint of its key."""
        with self._read() as session:
            found = session.execute(select(DismissedRow.fingerprint, DismissedRow.dismissed_at))
            return {name: at for name, at in found}

    def pending_bundles(self) -> list[BundleRow]:
        """The newest bundle of each device that is not known to hold it: what is still to be delivered."""
        with self._read() as session:
            newest = (BundleRow.device_id == Device.id) & (BundleRow.epoch == Device.epoch)
            found = select(BundleRow).join(Device, newest).where(Device.held_epoch < Device.epoch)
            return list(session.scalars(found.order_by(BundleRow.device_id)))

    def waiting_since(self) -> dict[str, int]:
        """When the first bundle that a device does not hold was made, by device."""
        unheld = (BundleRow.device_id == Device.id) & (BundleRow.epoch > Device.held_epoch)
        with self._read() as session:
            found = select(BundleRow.device_id, func.min(BundleRow.issued_at)).join(Device, unheld)
            return {name: at for name, at in session.execute(found.group_by(BundleRow.device_id))}

    def bundle(self, device_id: str, epoch: int) -> BundleRow:
        """The bundle of an epoch that the device is not known to hold. Raises Conflict bundle-device-ahead."""
        with self._read() as session:
            found = session.get(BundleRow, (device_id, epoch))
        if found is None:
            raise Conflict("bundle-device-ahead", f"{device_id} holds epoch {epoch}, which this registry never made")
        return found

    def bundles_after(self, device_id: str, epoch: int) -> list[BundleRow]:
        """The bundles that bring a device from `epoch` to the newest one, in order; as few as there can be.

        Raises Conflict bundle-device-ahead if the device holds what this registry never made.
        """
        with self._read() as session:
            device = device_of(session, device_id)
            rows = session.scalars(select(BundleRow).where(BundleRow.device_id == device_id, BundleRow.epoch > epoch))
            left = sorted(rows, key=lambda row: row.epoch)
        if epoch > device.epoch:
            raise Conflict(
                "bundle-device-ahead", f"{device_id} holds epoch {epoch}, and this registry made {device.epoch}"
            )
        way: list[BundleRow] = []
        while epoch < device.epoch:
            way.append(max((row for row in left if row.base <= epoch), key=lambda row: row.epoch))
            epoch = way[-1].epoch
        return way

    def bundle_held(self, device_id: str, epoch: int) -> None:
        """The device said that it holds the bundle of `epoch`. An older report than the last one changes nothing."""
        with self._change() as session:
            older = (Device.id == device_id) & (Device.held_epoch < epoch)
            session.execute(update(Device).where(older).values(held_epoch=epoch))
            held = select(Device.held_epoch).where(Device.id == device_id).scalar_subquery()
            session.execute(delete(BundleRow).where(BundleRow.device_id == device_id, BundleRow.epoch < held))

    def next_epoch(self, device_id: str) -> int:
        """The epoch of the next bundle for a device of this name: larger than any that was ever signed for it."""
        with self._read() as session:
            device = session.get(Device, device_id)
            return (device.epoch if device else last_epoch(session, device_id)) + 1


def put_device(session: Session, credential_data: bytes, now: int, then: Then | None = None) -> Device:
    """A device by its credential."""
    known = credential.parse(credential_data)
    if session.get(DismissedRow, fingerprint(known.public)):
        raise Conflict("device-revoked", f"the key of {known.device_id} was revoked: it needs a new one")
    device = session.get(Device, known.device_id)
    is_new = device is None
    if device is None:
        if other := session.scalar(select(Device).where(Device.public == known.public)):
            raise Conflict("registry-device-key", f"its public key is that of {other.id}")
        device = Device(id=known.device_id, public=known.public, added_at=now, held_epoch=0)
        device.epoch = last_epoch(session, known.device_id)
    elif device.public != known.public:
        raise Conflict("registry-device-exists", f"there is another device {known.device_id} already")
    device.credential = credential_data
    session.add(device)
    session.flush()
    if then and is_new:
        then(session, device)
    return device


def add_bundle(session: Session, row: BundleRow) -> None:
    """Keep a bundle, which must be the next one of its device."""
    device = session.get(Device, row.device_id)
    if device is None or row.epoch != device.epoch + 1:
        raise Conflict("registry-changed", f"somebody else made a bundle for {row.device_id} meanwhile")
    device.epoch = row.epoch
    session.add(row)


def last_epoch(session: Session, device_id: str) -> int:
    """The epoch of the last bundle that retired devices of this name were sent: a new one must not take those again."""
    return session.scalar(select(func.max(RetiredRow.epoch)).where(RetiredRow.device_id == device_id)) or 0


def device_of(session: Session, device_id: str) -> Device:
    """A device. Raises NotFound registry-no-device."""
    found = session.get(Device, device_id)
    if found is None:
        raise NotFound("registry-no-device", f"no device {device_id}")
    return found
