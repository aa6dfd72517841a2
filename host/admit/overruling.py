"""A registry that was put back from a backup, and a device that has heard of more since: who is right?

Owns: the one act by which the registry is, told to a device that holds bundles which this registry never made. Of its
key the device is right.
Rules: nothing is overruled in passing: what the device was told meanwhile, a revocation perhaps, ends with it, so an
admin says so, device by device, and it is noted.
Must not know: how the device is reached.
"""

from sqlalchemy import delete

from admit import withdrawing
from admit.access_models import DismissedRow
from admit.authority import Authority
from admit.editing import Edit
from admit.key_models import RotationRow
from admit.keyfiles import fingerprint
from admit.registry_devices import device_of
from admit.registry_models import BundleRow
from admit_protocol import credential
from admit_protocol.errors import Malformed, Untrusted

_MAX_EPOCH = 1 << 30  # one act makes one


def follow_key(edit: Edit, signer: Authority, met: credential.Credential) -> None:
    """Take the key with which a device has proven itself for its own, if it was exchanged after the backup: this site's
    authority has vouched for it, later than for the one that the registry knows.

    Raises Untrusted rotation-unknown-key for an earlier one, and for one that was struck off.
    """
    device = device_of(edit.session, met.device_id)
    known = credential.parse(device.credential)
    if met.public == known.public:
        return
    if met.issued_at <= known.issued_at or edit.session.get(DismissedRow, fingerprint(met.public)):
        raise Untrusted("rotation-unknown-key", f"{device.id} has a key that does not follow the one in the registry")
    edit.session.execute(delete(RotationRow).where(RotationRow.old == known.public, RotationRow.done_at.is_(None)))
    row = RotationRow(public=met.public, old=known.public, device_id=device.id, credential=met.data)
    row.by_old = row.by_new = b""  # the device proved it to a registry that is lost
    row.begun_at = row.done_at = edit.now
    edit.session.add(row)
    device.public, device.credential = met.public, met.data
    edit.session.flush()
    withdrawing.strike_off(edit, signer, device.id, fingerprint(known.public))
    edit.note("overrule", f"device {device.id}, key {fingerprint(known.public)} to {fingerprint(met.public)}")


def overrule(edit: Edit, device_id: str, epoch: int) -> None:
    """Have a device, which holds the policy of `epoch`, told everything anew, whatever it holds.

    Raises NotFound registry-no-device.
    """
    tell_anew(edit, device_id, epoch)
    edit.note("overrule", f"what {device_id} held at epoch {epoch}")


def tell_anew(edit: Edit, device_id: str, epoch: int = 0) -> None:
    """What was made for a device so far is worth nothing: it is told everything, if it was ever told anything.

    Raises Malformed bundle-answer for an epoch after which the registry could not count on.
    """
    device = device_of(edit.session, device_id)
    if epoch > _MAX_EPOCH:
        raise Malformed("bundle-answer", f"{device_id} claims to hold epoch {epoch}, which nobody ever made")
    device.epoch = device.held_epoch = max(device.epoch, epoch)
    edit.session.execute(delete(BundleRow).where(BundleRow.device_id == device_id))
    edit.touch_devices([device_id])
