"""`admit courier`: what other people carry to devices, and cannot read."""

from pathlib import Path

import rich_click as click

from admit import couriers, keyfiles
from admit_cli.command import Call, command
from admit_cli.output import say


@command("admit courier pack --output round.admit")
@click.argument("devices", nargs=-1)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="The file to write.",
)
def pack(call: Call, devices, output):
    """Write what waits for DEVICES (default: all) into a file, for somebody who will pass by.

    Each part is sealed to its device and signed: whoever carries it can read and change nothing of it.
    """
    for each in devices:
        call.site.registry.device(each)
    rows = [row for row in call.site.registry.pending_bundles() if not devices or row.device_id in devices]
    packed = {
        row.device_id: call.site.registry.bundles_after(row.device_id, _held(call, row.device_id)) for row in rows
    }
    listed = [
        {"device": each, "epoch": some[-1].epoch, "bytes": sum(len(row.data) for row in some)}
        for each, some in packed.items()
    ]
    if packed:
        data = couriers.encode({each: [row.data for row in some] for each, some in packed.items()})
        keyfiles.write_file(output, data, secret=False)
        say(f"{output} is for whoever passes by: {len(data)} bytes.")
    call.out.rows("packed", listed, ["device", "epoch", "bytes"], "They have heard of everything.")


def _held(call: Call, device_id: str) -> int:
    return call.site.registry.device(device_id).held_epoch
