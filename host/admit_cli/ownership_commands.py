"""`admit anchor`, `admit transfer`, `admit adopt`, `admit receipt`: a device goes from one site to another."""

from pathlib import Path

import rich_click as click

from admit import admin, fetching, following, keyfiles, ownership, taking_over
from admit.connection import Connection
from admit.transport import open_transport
from admit_cli.command import Call, command
from admit_cli.output import confirm, progress, say, warn
from admit_cli.sync_command import tell_at_once
from admit_cli.types import parse_date
from admit_cli.visiting import as_carrier, as_user, run, transport_to, via, wallet_of
from admit_cli.words import utc
from admit_protocol.anchor import Anchor
from admit_protocol.errors import Malformed, Unsupported

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


@command("admit anchor -o our-house.pub")
@click.option("-o", "--output", type=_NEW_FILE, help="Write it into this file.")
def show_anchor(call: Call, output):
    """Show this site's name and id, or write its public part for another site: admit transfer --to takes that file.

    Nothing in it is secret. Whoever gets it compares the id with the one that you read to them.
    """
    site = call.site
    fields = {"name": site.name, "id": site.anchor.site_id.hex(), "file": str(output) if output else None}
    if output:
        keyfiles.write_file(output, site.anchor.encode(), secret=False)
        say(f"{output} is for the admin of another site; the id that they should see: {fields['id']}")
    call.out.fields("anchor", fields, ["name", "id", "file"])


@command("admit transfer kiosk-3 --to OTHER-SITE.pub -o voucher.cbor")
@click.argument("device")
@click.option("--to", "target", type=_FILE, metavar="FILE", help="The other site, as its admit anchor -o wrote it.")
@click.option(
    "-o", "--output", type=_NEW_FILE, default="voucher.cbor", show_default=True, help="The voucher, for its admin."
)
@click.option("--until", metavar="DATE", help="The last day, or moment, on which it counts. Default: it does not end.")
@click.option("--from", "given", type=_FILE, metavar="VOUCHER", help="DEVICE was given to you, and never fetched.")
@click.option("--cancel", is_flag=True, help="DEVICE stays: take back what was given for it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_carrier
@via
def transfer(call: Call, device, target, output, until, given, cancel, yes, carrier, link_via):
    """Give DEVICE to another site: its admin takes it over with this voucher, and admit adopt.

    Until then it stays as it is, and yours. Then all that it holds of your site goes, its journal too (admit sync
    brings that home before), and you get a receipt: admit receipt.

    A voucher counts once, for this device, as long as it has its present key. One that ends counts only while the
    device knows the time: it forgets that without power.
    """
    if cancel == bool(target) or cancel and (until or given):
        raise click.UsageError("say with --to whom it goes to, or that it stays with --cancel")
    if cancel:
        ownership.take_back(call.site, call.signer, device, call.now)
        say(f"{device} stays: whatever was given for it counts no more once it has heard of that.")
        tell_at_once(call, False, carrier, link_via)
        return
    to = _anchor_in(target)
    ends = None if until is None else parse_date(until, call.zone, "--until", last=True)
    mine = ownership.open_parcel(keyfiles.read_file(given)) if given else None
    if mine and mine.device_id != device:
        raise click.BadParameter(f"that voucher is for {mine.device_id}", param_hint="--from")
    confirm(f"Give {device} to {to.name}, whose id is {to.site_id.hex()}?", yes)
    if output.exists():
        confirm(f"Replace {output}, which may be another device's voucher?", yes)
    if mine:
        parcel = ownership.pass_on(call.site, call.signer, mine, to, call.now, ends)
    else:
        parcel = ownership.give(call.site, call.signer, device, to, call.now, ends)
    keyfiles.write_file(output, parcel.encode(), secret=False)
    fields = {"device": device, "to": to.name, "to_site": to.site_id.hex(), "number": len(parcel.chain)}
    fields |= {"until": utc(ends) if ends else None, "file": str(output)}
    call.out.fields("voucher", fields, ["device", "to", "to_site", "until", "file"])


def _anchor_in(file: Path) -> Anchor:
    try:
        return following.verified(keyfiles.read_file(file))
    except (Malformed, Unsupported):
        raise Malformed("anchor-file", f"{file} is not the file of another site") from None


@command("admit adopt voucher.cbor")
@click.argument("file", required=False)
@click.argument("port", required=False)
@click.option("--taken-over", metavar="DEVICE", help="Without FILE: the device whose takeover was begun from here.")
@click.option("--name", "device_id", help="What the device shall be called here. Default: as it was called.")
@click.option("-o", "--output", type=_NEW_FILE, help="The receipt, for whose it was. Default: DEVICE.receipt.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_user
def adopt(call: Call, file, port, taken_over, device_id, output, yes, user):
    """Take over the device that another site has given you: FILE is its voucher; or one that waited for it, since its
    takeover was begun: admit adopt --taken-over DEVICE [PORT].

    PORT is ble, its serial port, or another way to it. Default: ADMIT_VIA, else by radio. Grants, secrets, journal and
    policy of the other site are gone from the device then. Whatever breaks off, the same command finishes it.
    """
    if taken_over:
        if output or port:
            raise click.UsageError("--taken-over goes with a PORT and --name alone: nobody waits for a receipt")
        _adopt_orphan(call, taken_over, file, device_id or taken_over, user)
        return
    if not file:
        raise click.UsageError("name the voucher's file, or the device with --taken-over")
    parcel = ownership.open_parcel(keyfiles.read_file(Path(file)))
    ownership.check_ours(call.site, parcel)
    name = device_id or parcel.device_id
    admin.check_name(name)
    wallet = wallet_of(call, user)
    origin = parcel.origin
    confirm(f"Take over {parcel.device_id} of {origin.name}, whose id is {origin.site_id.hex()}?", yes)
    call.signer.unlock()
    done = run(_fetch(call, wallet, parcel, name, port))
    receipt = output or Path(f"{parcel.device_id}.receipt")
    keyfiles.write_file(receipt, done.receipt, secret=False)
    fields = {"device": name, "fingerprint": keyfiles.fingerprint(done.credential.public)}
    fields |= {"from": origin.name, "from_site": origin.site_id.hex(), "receipt": str(receipt)}
    call.out.fields("adopted", fields, ["device", "fingerprint", "from", "receipt"])
    say(f"Send {receipt} to the admin of {origin.name}. What {name} must hear of: admit sync {name}")


def _adopt_orphan(call: Call, device: str, port: str | None, name: str, user: str | None) -> None:
    """Take in a device that waited and belongs to nobody now."""
    admin.check_name(name)
    row, wallet = call.site.registry.takeover_begun(device), wallet_of(call, user)
    call.signer.unlock()
    found = run(_take_in(call, wallet, row, name, port))
    row.adopted_as = name
    call.site.registry.keep_begun(row)
    fields = {"device": name, "fingerprint": keyfiles.fingerprint(found.public), "from_site": row.site_id}
    call.out.fields("adopted", fields)
    say(f"What {name} must hear of: admit sync {name}")


async def _take_in(call: Call, wallet, row, name: str, port: str | None):
    link = f"ble:{row.device_id}" if port == "ble" else port
    async with Connection(transport_to(link, row.device_id)) as connection:
        return await taking_over.adopt(connection, call.site, call.signer, wallet, row, name, progress)


async def _fetch(call: Call, wallet, parcel, name: str, port: str | None):
    link = f"ble:{parcel.device_id}" if port == "ble" else port
    transport = open_transport(link) if link else transport_to(None, parcel.device_id)
    async with Connection(transport) as connection:
        return await fetching.fetch(connection, call.site, call.signer, wallet, parcel, name, progress)


@command("admit receipt kiosk-3.receipt")
@click.argument("file", type=_FILE)
def receipt(call: Call, file):
    """Prove the receipt of a device that you gave away, and strike it off: it is no device of this site any more."""
    left = ownership.accept_receipt(call.site, call.signer, keyfiles.read_file(file), call.now)
    if left.missing:
        warn(f"{left.missing} of the {left.records} records that {left.device_id} had were never collected")
    fields: dict = {"device": left.device_id, "to": left.to_name, "to_site": left.to_site}
    fields |= {"at": utc(left.at) if left.at else None, "records": left.records, "missing": left.missing}
    call.out.fields("receipt", fields, ["device", "to", "to_site", "at", "records", "missing"])
