"""A registry that was put back from a backup, and a device that has heard of more since: who is right?

Owns: the one act by which the registry is, told to a device that holds bundles which this registry never made.
Rules: nothing is overruled in passing: what the device was told meanwhile, a revocation perhaps, ends with it, so an
admin says so, device by device, and it is noted.
Must not know: how the device is reached.
"""

from sqlalchemy import delete

from admit.editing import Edit
from admit.registry_devices import device_of
from admit.registry_models import BundleRow


def overrule(edit: Edit, device_id: str, epoch: int) -> None:
    """Have a device, which holds the policy of `epoch`, told everything anew, whatever it holds.

    Raises NotFound registry-no-device.
    """
    device = device_of(edit.session, device_id)
    device.epoch = device.held_epoch = max(device.epoch, epoch)
    edit.session.execute(delete(BundleRow).where(BundleRow.device_id == device_id))
    edit.touch_devices([device_id])
    edit.note("overrule", f"what {device_id} held at epoch {epoch}")
