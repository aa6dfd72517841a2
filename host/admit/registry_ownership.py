"""Devices that change hands, in the registry; `Ownership` is mixed into admit.registry.Registry.

Owns: the tables vouchers and strays.
Rules: a voucher is written down in the transaction in which it is signed, so that the site knows of each that is out. A
device leaves by its receipt alone; what else it says of itself is kept as hearsay.
Must not know: what a voucher or a receipt says. It is verified by whoever brings it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from admit.boards import retire
from admit.ownership_models import StrayRow, VoucherRow
from admit.registry_models import Device
from admit_protocol.errors import NotFound


class Ownership:
    """What a Registry knows of devices that change hands."""

    _read: Callable[[], AbstractContextManager[Session]]
    _change: Callable[[], AbstractContextManager[Session]]

    def voucher(self, identifier: str) -> VoucherRow:
        """The voucher with this id (its hash in hex). Raises NotFound voucher-unknown."""
        with self._read() as session:
            return voucher_of(session, identifier)

    def open_vouchers(self, now: int) -> list[VoucherRow]:
        """Every voucher that may still take a device of the site away, the newest first."""
        with self._read() as session:
            return list(session.scalars(_open(now)))

    def strays(self) -> dict[str, StrayRow]:
        """The devices that were found to be none of the site's, by id."""
        with self._read() as session:
            return {row.device_id: row for row in session.scalars(select(StrayRow))}

    def note_stray(self, row: StrayRow) -> None:
        """Keep what answered under a device's name."""
        with self._change() as session:
            session.merge(row)

    def forget_stray(self, device_id: str) -> None:
        """The device was met, and proved to be what it should."""
        with self._change() as session:
            session.execute(delete(StrayRow).where(StrayRow.device_id == device_id))


def voucher_of(session: Session, identifier: str) -> VoucherRow:
    """A voucher. Raises NotFound voucher-unknown."""
    found = session.get(VoucherRow, identifier)
    if found is None:
        raise NotFound("voucher-unknown", "this site gave no voucher like that")
    return found


def cancel(session: Session, device_id: str, now: int) -> list[VoucherRow]:
    """Take back all vouchers that may still take a device away."""
    rows = list(session.scalars(_open(now).where(VoucherRow.device_id == device_id)))
    for row in rows:
        row.cancelled_at = now
    return rows


def leave(session: Session, row: VoucherRow, receipt: bytes, now: int) -> None:
    """The device left by this voucher, as its receipt proves: that is kept, and what it told too; it counts no more."""
    row.receipt, row.left_at = receipt, now
    device = session.get(Device, row.device_id)
    if device is not None and device.public == row.public:
        retire(session, device, None, now)
        session.execute(delete(StrayRow).where(StrayRow.device_id == row.device_id))


def _open(now: int):
    """Those of devices that still have the key which the voucher names."""
    same = (Device.id == VoucherRow.device_id) & (Device.public == VoucherRow.public)
    counts = VoucherRow.expires.is_(None) | (VoucherRow.expires > now)
    open_ones = select(VoucherRow).join(Device, same).where(VoucherRow.cancelled_at.is_(None), counts)
    return open_ones.order_by(VoucherRow.issued_at.desc(), VoucherRow.id)
