"""`admit sync`, `admit status`: what devices must hear of, and what they have to tell."""

import time

import rich_click as click

from admit import carrying, overruling, rotating, succeeding, syncing, taking_over
from admit.collect import accept_carried
from admit.editing import editing
from admit.keyfiles import fingerprint
from admit.registry_models import Device
from admit.syncing import Delivered
from admit_cli import strays
from admit_cli.command import Call, command
from admit_cli.hints import cause
from admit_cli.output import confirm, progress, say, warn
from admit_cli.visiting import as_carrier, go, run, via, wallet_of
from admit_cli.words import utc
from admit_protocol.errors import AdmitError


@command("admit sync kiosk-1")
@click.argument("devices", nargs=-1)
@click.option("--overrule", is_flag=True, help="Tell DEVICES everything anew, though they know more: after a restore.")
@click.option("--yes", is_flag=True, help="Overrule without asking.")
@as_carrier
@via
def sync(call: Call, devices, overrule, yes, carrier, link_via):
    """Visit DEVICES (default: all that something waits for): bring them what they have not heard of, and the time, and
    take their journals along.

    If one cannot be reached, the others are; the exit code is then that of its error.

    A registry that was restored may be older than what a device was told. Then sync refuses. What was said after the
    backup has to be said again, and with --overrule the device holds what the registry says, and nothing else. If its
    key was exchanged after the backup, --overrule has the registry follow.
    """
    registry = call.site.registry
    if overrule:
        if not devices:
            raise click.UsageError("name the devices to overrule")
        confirm(f"What {', '.join(devices)} heard after the backup ends, revocations too. Go on?", yes)
    for each in devices:
        registry.device(each)
    call.signer.unlock()  # before somebody waits at a device
    if succeeding.settle(call.site, call.signer, call.now):
        say("What follows of the authority's new key was done only now.")
    rows, missed = [], []
    waiting = {row.device_id for row in registry.pending_bundles()} | set(succeeding.behind(call.site))
    waiting |= set(registry.recovery_waiting())
    for each in devices or sorted(waiting):
        row, error = _sync_one(call, each, carrier, link_via, overrule)
        rows.append(row)
        missed += [error] if error else []
    call.out.rows(
        "devices",
        rows,
        ["device", "epoch", "state", "time", "records", "bytes", "why"],
        "They have heard of everything.",
    )
    if missed:
        raise missed[0]


def _sync_one(
    call: Call, device_id: str, carrier: str | None, link: str | None, overrule: bool
) -> tuple[dict, AdmitError | None]:
    """What became of a visit to one device."""
    row = {"device": device_id, "epoch": call.site.registry.device(device_id).epoch, "state": "not yet"}
    row |= {"time": None, "records": None, "bytes": None, "why": None}
    try:
        told, clock = run(_visit(call, device_id, carrier, link, overrule))
    except AdmitError as error:
        strays.notice(call, device_id, link, error)
        return row | {"why": cause(error)}, error
    strays.notice(call, device_id, link, None)
    if clock:
        warn(f"{device_id} did not take the time: {cause(clock)}")
    row |= {"epoch": told.epoch, "state": "delivered" if told.bundles else "current", "bytes": told.carried}
    row |= {"time": "not taken" if clock else "set", "records": _hand_over(call, device_id)}
    return row, None


async def _visit(call: Call, device_id: str, carrier: str | None, link: str | None, overrule: bool):
    wallet = wallet_of(call, carrier)
    async with go(wallet, device_id, link, vouched=call.site.registry.device(device_id).credential) as session:
        if overrule:
            held = await carrying.held_epoch(session)
            with editing(call.site, call.signer, call.now) as edit:
                if (met := wallet.device(device_id)) is not None:
                    overruling.follow_key(edit, call.signer, met)
                overruling.overrule(edit, device_id, held)
        succeeding.check(call.site)
        progress(f"telling {device_id}")
        await rotating.finish(session, call.site, call.signer, wallet, device_id, call.now)
        told = await syncing.deliver(session, call.site.registry, device_id, wallet)
        if await succeeding.renew(session, call.site, call.signer, wallet, device_id, call.now):
            say(f"{device_id} follows the authority's new key.")
        await taking_over.keep_up(session, call.site, call.signer, device_id, call.now)
        return told, await syncing.set_clock(session, call.signer, device_id, time.time)


def _hand_over(call: Call, device_id: str) -> int:
    """Keep what the wallets have carried here; how many records of the device are new."""
    collected, missed = accept_carried(call.site, call.signer.unseal, call.now)
    for page, error in missed:
        warn(f"what was carried of {page.device_id}'s journal was not kept: {cause(error)}")
    for told in collected:
        if told.gap:
            warn(f"records {told.gap[0]} to {told.gap[1]} of {told.device_id} are missing")
    return sum(len(told.new) for told in collected if told.device_id == device_id)


def deliver_pending(call: Call, carrier: str | None, link: str | None) -> tuple[list[dict], list[AdmitError]]:
    """Carry what waits to each device: what became of each, and why some did not take it."""
    registry, rows, missed = call.site.registry, [], []
    for bundle in registry.pending_bundles():
        row = {"device": bundle.device_id, "epoch": bundle.epoch, "state": "delivered", "why": None}
        try:
            run(_deliver(call, bundle.device_id, carrier, link))
        except AdmitError as error:
            strays.notice(call, bundle.device_id, link, error)
            row |= {"state": "not yet", "why": cause(error)}
            missed.append(error)
        rows.append(row)
    return rows, missed


def tell_at_once(call: Call, later: bool, carrier: str | None, link: str | None) -> None:
    """Carry what an act made urgent to the devices in reach, unless it is to wait; say who has heard of it."""
    told = [] if later else deliver_pending(call, carrier, link)[0]
    for row in told:
        say(f"{row['device']}: {row['state']}" + (f" ({row['why']})" if row["why"] else ""))
    if waiting := [row.device_id for row in call.site.registry.pending_bundles()]:
        warn(f"not heard of it yet: {', '.join(waiting)}. Later: admit sync")


async def _deliver(call: Call, device_id: str, carrier: str | None, link: str | None) -> Delivered:
    wallet = wallet_of(call, carrier)
    async with go(wallet, device_id, link, vouched=call.site.registry.device(device_id).credential) as session:
        progress(f"telling {device_id}")
        return await syncing.deliver(session, call.site.registry, device_id, wallet)


@command("admit status")
@click.argument("devices", nargs=-1)
@click.option("--waiting", is_flag=True, help="Only those that have not heard of everything.")
def status(call: Call, devices, waiting):
    """Which devices have heard of what: the epoch of the policy that each is to hold, and the one that it does; which
    are promised to another site, which were found to be somebody else's, or nobody's, when they were visited; and which
    still follow the authority's old key.
    """
    registry = call.site.registry
    listed = [registry.device(each) for each in devices] or registry.devices()
    since, gone = registry.waiting_since(), registry.dismissed()
    last = {each.id: registry.last_head(each.id) for each in listed}
    rows = [_status(call, each, since.get(each.id), fingerprint(each.public) in gone, last[each.id]) for each in listed]
    old = dict.fromkeys(succeeding.behind(call.site), "still follows the authority's old key")
    remarks = old | strays.remarks(call)
    rows = [row | {"remark": remarks.get(row["device"])} for row in rows if row["state"] == "waiting" or not waiting]
    columns = ["device", "state", "epoch", "held", "since", "seen", "rules"]
    columns += ["remark"] if any(row["remark"] for row in rows) else []
    call.out.rows("status", rows, columns, "Nothing waits." if waiting else "There are no devices.")


def _status(call: Call, device: Device, since: int | None, is_revoked: bool, head) -> dict:
    state = "revoked" if is_revoked else "waiting" if device.held_epoch < device.epoch else "current"
    return {
        "device": device.id,
        "state": state,
        "epoch": device.epoch,
        "held": device.held_epoch,
        "since": utc(since) if state == "waiting" else None,
        "seen": utc(head.seen_at) if head else None,
        "rules": [row.id for row in call.site.registry.policy_rules(device.id)] or None,
    }
