"""`admit rotate`, `admit decommission`, `admit wipe-certificate verify`: a device gets another key, or ends. With
--authority it is the site's authority that gets other keys: authority_keys.py.
"""

from functools import partial
from pathlib import Path

import rich_click as click

from admit import ending, keyfiles, rotating, withdrawing
from admit.editing import editing
from admit_cli import authority_keys
from admit_cli.command import Call, command
from admit_cli.output import confirm, progress, say, warn
from admit_cli.sync_command import tell_at_once
from admit_cli.types import SPAN
from admit_cli.visiting import as_user, run, transport_to, via, wallet_of
from admit_cli.words import many, utc
from admit_protocol import wipe
from admit_protocol.errors import Conflict, NotFound

_FILE = click.Path(dir_okay=False, path_type=Path)
_later = click.option("--later", is_flag=True, help="Do not tell other devices now: admit sync does it.")


@command("admit rotate kiosk-1")
@click.argument("device", required=False)
@click.option("--authority", is_flag=True, help="Give the site's authority other keys.")
@click.option("--overlap", type=SPAN, help="How long grants of its old key go on: 12h, 0. Default: 30d.")
@click.option("--finish", is_flag=True, help="Forget its keys before, to which devices sealed their journals.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show whom other keys of the authority concern, and stop.")
@_later
@as_user
@via
def rotate(call: Call, device, authority, overlap, finish, yes, dry_run, later, user, link_via):
    """Have DEVICE make itself a new key, which takes the place of the old one; or, with --authority, the site itself.

    Both keys of a device sign for it. Users notice nothing: their wallets and phones take the new key for the device's
    because the authority signed for it, at their next visit. Whoever has a copy of the old key is found out. If it is
    cut short anywhere, the same command goes on.

    The authority's old key signs for its new one, and is gone then. Devices, wallets and phones follow at their next
    contact; grants of the old key count for the overlap. If it was stolen: --overlap 0.
    """
    if bool(device) == authority:
        raise click.UsageError("name a device, or give --authority")
    if authority:
        authority_keys.rotate(call, 30 * 86400 if overlap is None else overlap, finish, yes, dry_run)
        return
    if overlap is not None or finish or dry_run:
        raise click.UsageError("--overlap, --finish and --dry-run go with --authority")
    registry = call.site.registry
    old = keyfiles.fingerprint(registry.device(device).public)
    promised = [row.to_name for row in registry.open_vouchers(call.now) if row.device_id == device]
    call.signer.unlock()  # before somebody waits at a device
    wallet = wallet_of(call, user)
    reach = partial(transport_to, link_via, device)
    public = run(rotating.exchange(reach, call.site, call.signer, wallet, device, call.now, progress))
    warn(f"a public label of {device} names its old key: print another with admit labels")
    for name in promised:
        warn(f"{device} was promised to {name}: that voucher counts no more, admit transfer makes another")
    tell_at_once(call, later, user, link_via)
    call.out.fields("rotation", {"device": device, "old": old, "fingerprint": keyfiles.fingerprint(public)})


@command("admit decommission kiosk-1 --reason 'moved house'")
@click.argument("device")
@click.option("--reason", default="decommissioned", show_default=True, help="What its certificate is to say.")
@click.option("-o", "--output", type=_FILE, help="The file for its wipe certificate. Default: DEVICE.cbor, here.")
@click.option("--lost", is_flag=True, help="It is gone for ever: strike it off without going there.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_later
@as_user
@via
def decommission(call: Call, device, reason, output, lost, yes, later, user, link_via):
    """Have DEVICE forget all that it knows of the site, and its key last; and prove that it did.

    Its journal is collected first. Then it wipes itself and signs its wipe certificate: the last that its key does. If
    it is cut short anywhere, the same command goes on; a device that has wiped itself shows its certificate to whoever
    asks, until it joins a site again (its name by radio is admit-factory then: --via ble:admit-factory).

    A device that is LOST proves nothing. All others, and every phone that meets them, learn not to trust its key.
    """
    if len(reason.encode()) > wipe.MAX_REASON:
        raise click.UsageError(f"--reason has room for {wipe.MAX_REASON} bytes")
    if lost:
        _strike_off(call, device, yes)
        tell_at_once(call, later, user, link_via)
        return
    output = output or Path(f"{device}.cbor")
    if output.exists():
        raise Conflict("file-exists", f"{output} exists already")
    data = ending.known(call.site, device)
    if data is None:
        reach = partial(transport_to, link_via, device)
        data = _wiped(call, device, reason, yes, wallet_of(call, user), reach)
    keyfiles.write_file(output, data, secret=False)
    say(f"{device} is wiped. Its certificate: {output}")
    say("A board goes on to write over its flash, for some minutes; what power cuts off, its next start goes on with.")
    tell_at_once(call, later, user, link_via)
    call.out.fields("wiped", _fields(ending.prove(data, call.site.anchor.site_id)))


def _wiped(call: Call, device: str, reason: str, yes: bool, wallet, reach) -> bytes:
    """The file that proves it."""
    call.site.registry.device(device)
    confirm(f"Wipe {device}, for good? It can join a site again, as a new device.", yes)
    call.signer.unlock()
    certificate = run(ending.end(reach, call.site, wallet, device, reason, call.now, progress))
    return ending.keep(call.site, call.signer, device, certificate, call.now)


def _strike_off(call: Call, device: str, yes: bool) -> None:
    call.site.registry.device(device)
    confirm(f"Strike {device} off, for good? Its key never counts again.", yes)
    with editing(call.site, call.signer, call.now) as edit:
        withdrawing.revoke_device(edit, call.signer, device)
    say(f"{device} is struck off. It has proven nothing: whoever finds it finds what it knew.")


@command("admit wipe-certificate verify kiosk-1.cbor")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def verify(call: Call, file):
    """Prove the wipe certificate in FILE: that a device of the site has forgotten all that it knew, by its own word.

    Without a site's folder the signatures are checked all the same; whose site it was is then for you to know.
    """
    try:
        site_id = call.site.anchor.site_id
    except NotFound:
        site_id = None
    proven = ending.prove(keyfiles.read_file(file), site_id)
    if site_id is None:
        warn(f"no site is at hand: believe it if {proven.said.site_id.hex()} is the id of the site that you mean")
    call.out.fields("wiped", _fields(proven))


def _fields(proven: ending.Proven) -> dict:
    said = proven.said
    return {
        "device": said.device_id,
        "site": f"{proven.site_name} ({said.site_id.hex()})",
        "fingerprint": keyfiles.fingerprint(proven.device.public),
        "wiped": utc(said.at) if said.at else "at a time that it did not know",
        "reason": said.reason,
        "journal": f"{many(said.count, 'record')}, head {said.head.hex()[:16]}",
        "starts": said.boots,
    }
