"""`admit courier`: what other people carry to devices, and cannot read."""

from pathlib import Path

import rich_click as click

from admit import couriers, keyfiles, rounds, succeeding
from admit_cli.command import Call, command
from admit_cli.hints import cause
from admit_cli.output import say, warn
from admit_cli.visiting import as_user, wallet_of
from admit_protocol.errors import AdmitError

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)

_to_file = click.option("-o", "--output", required=True, type=_NEW_FILE, help="The file to write.")


@command("admit courier pack --output round.admit")
@click.argument("devices", nargs=-1)
@_to_file
def pack(call: Call, devices, output):
    """Write what waits for DEVICES (default: all) into a file, for somebody who will pass by.

    Each part is sealed to its device and signed: whoever carries it can read and change nothing of it.
    """
    for each in devices:
        call.site.registry.device(each)
    waiting = {row.device_id for row in call.site.registry.pending_bundles()} | set(succeeding.behind(call.site))
    packed = {each: _parts(call, each) for each in sorted(waiting) if not devices or each in devices}
    listed = [
        {"device": each, "epoch": call.site.registry.device(each).epoch, "bytes": sum(map(len, some))}
        for each, some in packed.items()
    ]
    if packed:
        data = couriers.encode(packed)
        keyfiles.write_file(output, data, secret=False)
        say(f"{output} is for whoever passes by: {len(data)} bytes.")
    call.out.rows("packed", listed, ["device", "epoch", "bytes"], "They have heard of everything.")


def _parts(call: Call, device_id: str) -> list[bytes]:
    """What waits for a device, in its order: the authority's keys first, before what those signed."""
    registry = call.site.registry
    rows = registry.bundles_after(device_id, registry.device(device_id).held_epoch)
    return [*call.site.anchor.successions, *(row.data for row in rows)]


@command("admit courier take round.admit")
@click.argument("file", type=_FILE)
@as_user
def take(call: Call, file, user):
    """Take FILE, which admit courier pack wrote, along: each visit of yours to one of its devices hands its part in.

    From then on you bring the journals of devices home, too: admit courier give.
    """
    wallet = wallet_of(call, user)
    bundles = couriers.decode(keyfiles.read_file(file))
    rounds.take(wallet, bundles)
    rows = [{"device": each, "bundles": len(some), "bytes": sum(map(len, some))} for each, some in bundles.items()]
    call.out.rows("taken", rows, ["device", "bundles", "bytes"], "There is nothing in it.")


@command("admit courier give --output home.admit")
@_to_file
@as_user
def give(call: Call, output, user):
    """Write the sealed journals that you bring home into a file, for the admin: admit courier unpack."""
    pages = rounds.home(wallet_of(call, user))
    if pages:
        keyfiles.write_file(output, couriers.encode_home([each.data for each in pages]), secret=False)
        for each in pages:
            each.drop()
        say(f"Send {output} to an admin.")
    rows = [{"device": each.device_id, "from": each.first, "to": each.after - 1} for each in pages]
    call.out.rows("given", rows, ["device", "from", "to"], "You bring nothing home.")


@command("admit courier unpack home.admit")
@click.argument("file", type=_FILE)
def unpack(call: Call, file):
    """Verify and keep the journals in FILE, which admit courier give wrote."""
    pages, rows, refused = couriers.decode_home(keyfiles.read_file(file)), [], []
    for number, told in rounds.unpack(call.site.registry, pages, call.signer.unseal, call.now):
        if isinstance(told, AdmitError):
            refused.append(told)
            warn(f"page {number + 1} of {len(pages)} was not kept: {cause(told)}")
        else:
            rows.append({"device": told.device_id, "records": len(told.new)})
    if rows or not refused:
        call.out.rows("unpacked", rows, ["device", "records"], "There is nothing in it.")
    if refused:
        raise refused[0]
