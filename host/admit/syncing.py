"""An admin's visit to a device: what it has not heard of goes in, the time as an answer, its journal comes out.

Owns: the order. Policy first, since it is what cannot wait; a device that does not take the time still gets it.
Rules: what a device has taken is noted at once, so that a visit cut short is gone on with by the next one.
Must not know: how the device is reached, and how it is told.
"""

from dataclasses import dataclass

from admit import carrying, following, journal_store, telling_time
from admit.authority import Authority
from admit.client import Session
from admit.collect import deliver_bundle
from admit.registry import Registry
from admit.registry_models import BundleRow
from admit.wallet import Wallet
from admit_protocol.errors import AdmitError, Untrusted


@dataclass(frozen=True)
class Delivered:
    """The epoch that a device now holds; how many bundles and bytes went in."""

    epoch: int
    bundles: int
    carried: int


async def deliver(session: Session, registry: Registry, device_id: str, wallet: Wallet) -> Delivered:
    """Bring a device to the newest policy; its journal goes into the wallet, as far as it fits into one visit.

    The bundle that somebody else has brought is handed in again: the device takes it for the same, or it is another.
    Raises Conflict bundle-device-ahead if it holds one that this registry never made, Untrusted rotation-unknown-key if
    it has a key that this registry never knew, and what the device says.
    """
    check_key(registry, device_id, wallet)  # what waits would be sealed to another one
    start, _ = journal_store.position(registry, device_id)
    told = await carrying.take_out(session, wallet, device_id, max(start, carrying.next_record(wallet, device_id)))
    await following.lead(session, wallet.anchor, told.successions)
    held = registry.device(device_id).held_epoch
    rows = registry.bundles_after(device_id, told.epoch)
    if told.epoch > held:  # who brought it? What a registry that was put back makes anew has the same number
        rows.insert(0, registry.bundle(device_id, told.epoch))
    for row in rows:
        await deliver_bundle(session, row.data)
        registry.bundle_held(device_id, row.epoch)
    fresh = [row for row in rows if row.epoch > told.epoch]
    return Delivered(max(told.epoch, held), 0, 0) if not fresh else _delivered(fresh)


def check_key(registry: Registry, device_id: str, wallet: Wallet) -> None:
    """Does the registry know the key with which the device has proven itself? Raises Untrusted rotation-unknown-key."""
    met = wallet.device(device_id)
    if met is not None and met.public not in registry.device_keys(device_id):
        raise Untrusted("rotation-unknown-key", f"{device_id} has a key that is not the one in the registry")


def _delivered(rows: list[BundleRow]) -> Delivered:
    return Delivered(rows[-1].epoch, len(rows), sum(len(row.data) for row in rows))


async def set_clock(session: Session, signer: Authority, device_id: str, clock) -> AdmitError | None:
    """Answer a device's question for the time, `clock()` being that; what the device says against it, or None."""
    try:
        await telling_time.tell(session, lambda nonce: signer.answer_time(device_id, nonce, int(clock())))
    except AdmitError as error:
        return error
    return None
