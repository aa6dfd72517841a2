"""`admit takeover …`: devices of a site for which nobody can sign any more go to another one; and the veto of that."""

from pathlib import Path

import rich_click as click

from admit import keyfiles, takeovers, taking_over
from admit.connection import Connection
from admit.suite import HostSuite
from admit_cli import passphrase
from admit_cli.command import Call, command
from admit_cli.hints import cause
from admit_cli.output import confirm, progress, say, warn
from admit_cli.types import parse_date
from admit_cli.visiting import as_user, go, run, transport_to, via, wallet_of
from admit_cli.words import hours, utc
from admit_protocol.errors import AdmitError, Conflict, NotFound

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)
_MONTH_S = 30 * 86400


@command("admit takeover new recovery-keys.cbor -o takeover.cbor")
@click.argument("file", type=_FILE, required=False)
@click.option("--of", "site_id", metavar="SITE-ID", help="Without FILE: the id of the site whose devices are meant.")
@click.option("--from", "device", metavar="DEVICE", help="Without FILE: a device of that site, which is asked.")
@click.option("--on", "devices", multiple=True, metavar="DEVICE", help="These only; * at the end. Default: all.")
@click.option("--to", "target", type=_FILE, metavar="FILE", help="Where they go: admit anchor -o. Default: this site.")
@click.option("--until", metavar="DATE", help="By when it must have begun. Default: 30 days.")
@click.option("-o", "--output", type=_NEW_FILE, default="takeover.cbor", show_default=True, help="For the holders.")
@via
def new(call: Call, file, site_id, device, devices, target, until, output, link_via):
    """Write down a takeover of another site's devices, for the holders of its recovery keys to sign: admit takeover
    sign.

    FILE says whose keys count there: admit recovery keys wrote it. If nobody has it, any device of that site knows it.
    """
    if bool(file) == bool(site_id and device):
        raise click.UsageError("name the file of recovery keys, or with --of and --from the site and a device of it")
    ends = parse_date(until, call.zone, "--until", last=True) if until else call.now + _MONTH_S
    to = takeovers.open_anchor(keyfiles.read_file(target)) if target else call.site.anchor
    if file:
        recovery = takeovers.open_recovery(keyfiles.read_file(file))
    else:
        recovery = run(_asked(device, link_via, _site_id(site_id)))
    made = takeovers.prepare(recovery, to, devices or None, call.now, ends)
    keyfiles.write_file(output, made.encode(), secret=False)
    call.out.fields("takeover", _fields(made) | {"file": str(output)})


@command("admit takeover sign takeover.cbor --key ada.pem")
@click.argument("file", type=_FILE)
@click.option("--key", "key_file", type=_FILE, required=True, help="Your recovery key.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def sign(call: Call, file, key_file, yes):
    """Sign a takeover with your recovery key. FILE goes from holder to holder, until enough have signed."""
    found = takeovers.open_takeover(keyfiles.read_file(file))
    for name, value in _fields(found).items():
        say(f"{name.replace('_', ' ')}: {', '.join(value) if isinstance(value, list) else value}")
    confirm("Is that what you want, and are the ids of both sites right? Sign it?", yes)
    key = keyfiles.parse_private_pem(keyfiles.read_secret_file(key_file), passphrase.of_file(str(key_file)))
    signed = takeovers.sign(found, key)
    keyfiles.write_file(file, signed.encode(), secret=False)
    call.out.fields("takeover", _fields(signed) | {"file": str(file)})


@command("admit takeover start takeover.cbor kiosk-1")
@click.argument("file", type=_FILE)
@click.argument("devices", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@via
def start(call: Call, file, devices, yes, link_via):
    """Begin a takeover at DEVICES. Each waits and shows it to everybody; whoever is an admin there can veto it.

    Again is as good as once. When a device has waited: admit adopt --taken-over DEVICE
    """
    signed = takeovers.open_takeover(keyfiles.read_file(file))
    takeovers.check_enough(signed)
    if signed.target.site_id != call.site.anchor.site_id:
        raise Conflict("takeover-other-target", f"it leads to {signed.target.name}: begin it at that site's desk")
    confirm(f"Begin to take over {', '.join(devices)} of {signed.recovery.origin.name}?", yes)
    rows, missed = [], []
    for each in devices:
        row: dict = {"device": each, "left": None, "left_s": None, "why": None}
        try:
            data, told = run(_begin(each, link_via, signed))
            call.site.registry.keep_begun(taking_over.begun(signed, data, told, call.now))
            row |= {"left": hours(told.left_s), "left_s": told.left_s}
        except AdmitError as error:
            row["why"] = cause(error)
            missed.append(error)
        rows.append(row)
    call.out.rows("takeovers", rows, ["device", "left", "why"])
    if missed:
        raise missed[0]
    say("The hours count while a device has power. An admin of the old site can end it: admit takeover veto DEVICE")


@command("admit takeover status")
@click.argument("devices", nargs=-1)
@as_user
@via
def status(call: Call, devices, user, link_via):
    """Which takeovers wait: at this site's devices, as they said when they were visited, and those begun from here.

    DEVICES are asked now.
    """
    registry = call.site.registry
    for each in devices:
        run(_ask(call, each, user, link_via))
    rows = []
    for device_id, seen in registry.takeovers_seen().items():
        rows.append(_row(device_id, "leaves", seen))
    for begun in registry.takeovers_begun():
        state = "is here" if begun.adopted_as else "comes"
        rows.append(_row(begun.device_id, state, begun) | {"here": begun.adopted_as})
    rows = [row for row in rows if not devices or row["device"] in devices]
    call.out.rows("takeovers", rows, ["device", "state", "left", "to", "seen"], "No takeover waits.")


@command("admit takeover veto kiosk-1")
@click.argument("devices", nargs=-1, required=True)
@click.option("-o", "--output", type=_NEW_FILE, help="Write the authority's veto into a file, for others to bring.")
@click.option("--paper", type=_FILE, metavar="FILE", help="Bring such a file to DEVICES.")
@as_user
@via
def veto(call: Call, devices, output, paper, user, link_via):
    """End a takeover that waits at DEVICES: it never counts again. Go there as an admin; or bring the authority's veto.

    Then find out whose recovery keys signed (admit journal DEVICE), and leave them out: admit recovery keys
    """
    if output and paper:
        raise click.UsageError("either write a veto with -o, or bring one with --paper")
    if output:
        keyfiles.write_file(output, _veto_of(call, devices), secret=False)
        say(f"Whoever visits {', '.join(devices)} brings it: admit takeover veto DEVICE --paper {output}")
        call.out.fields("veto", {"devices": list(devices), "file": str(output)})
        return
    data, rows, missed = keyfiles.read_file(paper) if paper else None, [], []
    for each in devices:
        row = {"device": each, "state": "vetoed", "why": None}
        try:
            run(_veto(call, each, user, link_via, data))
        except AdmitError as error:
            row |= {"state": "not yet", "why": cause(error)}
            missed.append(error)
        rows.append(row)
    call.out.rows("vetoes", rows, ["device", "state", "why"])
    if missed:
        raise missed[0]
    warn("whose keys signed it may sign again: make new ones without them, admit recovery keys")


async def _asked(device: str, link: str | None, site_id: bytes) -> takeovers.Recovery:
    async with Connection(transport_to(link, device)) as connection:
        return await taking_over.recovery_of(connection, site_id, HostSuite().generate())


async def _begin(device: str, link: str | None, signed: takeovers.Takeover):
    progress(f"going to {device}")
    async with Connection(transport_to(link, device)) as connection:
        return await taking_over.begin(connection, signed, device, HostSuite().generate())


async def _ask(call: Call, device: str, user: str | None, link: str | None) -> None:
    """How it stands there, for the registry."""
    registry = call.site.registry
    if any(each.id == device for each in registry.devices()):
        async with go(wallet_of(call, user), device, link) as session:
            await taking_over.keep_up(session, call.site, call.signer, device, call.now)
        return
    row = registry.takeover_begun(device)
    async with Connection(transport_to(link, device)) as connection:
        row.left_s = await taking_over.left(connection, row, HostSuite().generate())
    row.seen_at = call.now
    registry.keep_begun(row)


async def _veto(call: Call, device: str, user: str | None, link: str | None, paper: bytes | None) -> None:
    async with go(wallet_of(call, user), device, link) as session:
        if paper:
            await taking_over.hand_in_veto(session, paper)
        else:
            await taking_over.veto(session)
    try:
        call.site.registry.takeover_seen(device, None)
    except NotFound:
        pass  # a courier's machine has no site


def _veto_of(call: Call, devices) -> bytes:
    """The authority's veto of what was seen at these devices."""
    seen = call.site.registry.takeovers_seen()
    nonces = {takeovers.nonce_of(seen[each].words) for each in devices if each in seen}
    if len(nonces) != 1 or any(each not in seen for each in devices):
        raise NotFound("takeover-not-seen", "name devices at which the same takeover was seen: admit sync, then again")
    return call.signer.veto_takeover(nonces.pop())


def _row(device_id: str, state: str, kept) -> dict:
    to = takeovers.target_of(kept.words)
    row = {"device": device_id, "state": state, "left": hours(kept.left_s), "left_s": kept.left_s}
    return row | {"to": to.name, "to_site": to.site_id.hex(), "seen": utc(kept.seen_at), "here": None}


def _fields(found: takeovers.Takeover) -> dict:
    words, policy, origin = found.words, found.recovery.policy, found.recovery.origin
    return {
        "of": f"{origin.name} ({origin.site_id.hex()})",
        "to": f"{found.target.name} ({found.target.site_id.hex()})",
        "devices": list(words.devices or ["all of the site"]),
        "begins_by": utc(words.expires),
        "waits": hours(policy.delay_s),
        "signed": f"{len(found.signatures)} of {policy.threshold} that are needed",
    }


def _site_id(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != 16:
        raise click.BadParameter("the id of a site has 32 digits, as admit anchor shows it", param_hint="--of")
    return found
