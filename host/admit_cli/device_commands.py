"""`admit devices`."""

from admit import keyfiles
from admit_cli.command import Call, command
from admit_cli.words import utc


@command("admit devices --json")
def devices(call: Call):
    """List the site's devices, and whether each has heard of the newest revocations."""
    rows = [
        {
            "id": device.id,
            "fingerprint": keyfiles.fingerprint(device.public),
            "epoch": device.epoch,
            "held_epoch": device.held_epoch,
            "policy": "has not heard of the newest" if device.held_epoch < device.epoch else "newest",
            "added": utc(device.added_at),
        }
        for device in call.site.registry.devices()
    ]
    call.out.rows("devices", rows, ["id", "fingerprint", "policy", "added"], "There are no devices.")
