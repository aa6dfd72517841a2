"""A device changes hands: the old owner gives a voucher, the next one fetches it with that, and both hold proof of it.

Owns: the voucher's file, and what is done at either desk. The device's part is firmware/admit_device/ownership.py.
Rules: nothing in a voucher's file is believed but what its chain proves from the anchor in it; whether that is the site
which the device is bought of, people know. A voucher that is taken back stays so. A device has left when its receipt is
here; until then the old site lists it, whatever it says of itself.
Must not know: how people are asked, and how a device is reached: fetching.py.
"""

from dataclasses import dataclass
from functools import cached_property

import cbor2

from admit import following, withdrawing
from admit.authority import Authority
from admit.client import Description
from admit.editing import editing
from admit.keyfiles import cbor_file, fingerprint
from admit.ownership_models import StrayRow, VoucherRow
from admit.registry import Registry
from admit.registry_devices import device_of
from admit.registry_ownership import cancel as cancel_all
from admit.registry_ownership import leave, voucher_of
from admit.site import Site
from admit.suite import HostSuite
from admit_protocol import cbor, credential, receipt, succession, voucher
from admit_protocol.anchor import Anchor
from admit_protocol.credential import Credential
from admit_protocol.errors import Conflict, Malformed, NotFound, Unsupported, Untrusted
from admit_protocol.voucher import Voucher

FACTORY = "factory"  # what a stray said


@dataclass(frozen=True)
class Parcel:
    """What a voucher's file holds, verified: the site whose the device is, its credential there, the chain of vouchers.

    `target`: the anchor of whom it is for.
    """

    origin: Anchor
    credential: Credential
    chain: tuple[bytes, ...]
    target: Anchor

    @property
    def device_id(self) -> str:
        """What the device is called where it is."""
        return self.credential.device_id

    @cached_property
    def vouchers(self) -> list[Voucher]:
        """The chain, read."""
        return voucher.parse_chain(list(self.chain))

    def encode(self) -> bytes:
        """The file's bytes."""
        return cbor.encode([self.origin.encode(), self.credential.data, list(self.chain)])


def open_parcel(data: bytes) -> Parcel:
    """The Parcel in a file. Raises Malformed voucher-file, and what the papers in it are refused for."""
    items = cbor_file(data, "voucher-file")
    if len(items) != 3:
        raise Malformed("voucher-file", "it holds no voucher")
    origin = following.verified(cbor.expect(items[0], bytes, "voucher-file"))
    known = credential.parse(cbor.expect(items[1], bytes, "voucher-file"))
    credential.verify(known, origin, HostSuite())
    chain = voucher.parse_chain(items[2])
    target = voucher.verify_chain(chain, origin, known.device_id, known.public, HostSuite())
    succession.verify_chain(target, HostSuite())
    return Parcel(origin, known, tuple(items[2]), target)


def give(site: Site, signer: Authority, device_id: str, to: Anchor, now: int, ends: int | None = None) -> Parcel:
    """Hand a device of the site to another: the voucher for that site's admin, which lives until `ends`.

    Raises NotFound registry-no-device, Conflict transfer-same-site or transfer-rotating.
    """
    _check_other(site, to)
    if site.registry.rotation(device_id) is not None:
        raise Conflict("transfer-rotating", f"{device_id} is about to change its key")
    with editing(site, signer, now) as edit:
        device = device_of(edit.session, device_id)
        data = signer.issue_voucher(1, device_id, device.public, to, None, now, ends)
        edit.session.add(_row(voucher.parse(data), data, to))
        edit.note("transfer", f"{device_id} to {to.name} ({to.site_id.hex()})")
    return Parcel(site.anchor, credential.parse(device.credential), (data,), to)


def pass_on(site: Site, signer: Authority, parcel: Parcel, to: Anchor, now: int, ends: int | None = None) -> Parcel:
    """Hand on a device that was given to this site and never fetched. Raises Untrusted voucher-other-owner."""
    check_ours(site, parcel)
    _check_other(site, to)
    last = parcel.vouchers[-1]
    data = signer.issue_voucher(last.number + 1, parcel.device_id, last.public, to, last.hash, now, ends)
    with editing(site, signer, now) as edit:
        edit.note("transfer", f"{parcel.device_id} of {parcel.origin.name} to {to.name} ({to.site_id.hex()})")
    return Parcel(parcel.origin, parcel.credential, (*parcel.chain, data), to)


def take_back(site: Site, signer: Authority, device_id: str, now: int) -> list[VoucherRow]:
    """Take back the vouchers that were given for a device; it must hear of that. Raises NotFound voucher-none."""
    with editing(site, signer, now) as edit:
        device_of(edit.session, device_id)
        rows = cancel_all(edit.session, device_id, now)
        if not rows:
            raise NotFound("voucher-none", f"{device_id} was promised to nobody")
        edit.session.flush()
        edit.touch_devices([device_id])
        edit.note("transfer", f"{device_id} stays: {len(rows)} taken back")
    return rows


def check_ours(site: Site, parcel: Parcel) -> None:
    """Raise Untrusted voucher-other-owner unless the device is for this site, under the name that it has here."""
    if parcel.target.encode() != site.anchor.encode():
        raise Untrusted("voucher-other-owner", f"it is for {parcel.target.name} ({parcel.target.site_id.hex()})")


@dataclass(frozen=True)
class Left:
    """A device that has left: when it did so by its own clock, for which site (id, hex), how many records it had, and
    how many of them were never collected here.
    """

    device_id: str
    to_site: str
    to_name: str | None
    at: int | None
    records: int
    missing: int


def accept_receipt(site: Site, signer: Authority, data: bytes, now: int) -> Left:
    """Believe a receipt, and let the device go: it is no device of the site any more, and the key that it had no longer
    counts, since its bytes may lie in the flash of what is somebody else's now. Again is as good as once.

    Raises NotFound voucher-unknown, and what receipt.verify does.
    """
    try:
        told = receipt.parse(data)
    except (Malformed, Unsupported):
        raise Malformed("receipt-structure") from None
    row = site.registry.voucher(told.voucher.hex())
    receipt.verify(told, row.public, site.anchor.site_id, row.device_id, HostSuite())
    if row.receipt is None:
        with editing(site, signer, now) as edit:
            leave(edit.session, voucher_of(edit.session, row.id), data, now)
            withdrawing.strike_off(edit, signer, row.device_id, fingerprint(row.public))
            edit.note("transfer", f"{row.device_id} has left for {told.to_site.hex()}")
    to_site = told.to_site.hex()
    name = row.to_name if row.to_site == to_site else None
    return Left(row.device_id, to_site, name, told.at, told.count, max(told.count - _collected(site.registry, row), 0))


def stray(device_id: str, said: Description, own: Anchor, now: int) -> StrayRow | None:
    """What is to be kept of a device that was met, and could not prove itself; None if it says nothing new."""
    if said.credential is None:
        whose = FACTORY
    else:
        found = credential.parse(said.credential).site_id
        if found == own.site_id:
            return None
        whose = found.hex()
    board_id = said.board_id.hex() if said.board_id else None
    return StrayRow(device_id=device_id, said=whose, board_id=board_id, seen_at=now)


def _check_other(site: Site, to: Anchor) -> None:
    if to.site_id == site.anchor.site_id:
        raise Conflict("transfer-same-site", "that is this site's own file")


def _collected(registry: Registry, row: VoucherRow) -> int:
    """How many records the device had when it was last heard of here."""
    for gone in registry.retired(row.device_id):
        if gone.public == row.public:
            _, heads = cbor2.loads(gone.journal)
            return heads[-1][0] if heads else 0
    head = registry.last_head(row.device_id)
    return head.count if head else 0


def _row(made: Voucher, data: bytes, to: Anchor) -> VoucherRow:
    row = VoucherRow(id=made.hash.hex(), device_id=made.device_id, public=made.public, number=made.number, data=data)
    row.to_site, row.to_name, row.issued_at, row.expires = to.site_id.hex(), to.name, made.issued_at, made.expires
    return row
