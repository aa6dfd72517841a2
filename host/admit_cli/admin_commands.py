"""`admit journal`, `admit deliver`: what an admin does at a device."""

import rich_click as click

from admit import journal_store
from admit.collect import deliver_bundle, fetch_journal
from admit_cli.command import Call, command
from admit_cli.hints import cause
from admit_cli.output import progress, say, warn
from admit_cli.visiting import as_user, go, run, via, wallet_of
from admit_cli.words import journal_fields
from admit_protocol.errors import AdmitError


@command("admit journal kiosk-1")
@click.argument("device")
@click.option("--stored", is_flag=True, help="Do not go to the device: show what was collected before.")
@as_user
@via
def journal(call: Call, device, stored, user, link_via):
    """Collect the journal of DEVICE, verify all of it, and show it."""
    registry = call.site.registry
    registry.device(device)
    if not stored:
        _collect(call, device, user, link_via)
    records = journal_store.verify_stored(registry, device)
    named = {kid: registry.named_grant(kid) for kid in {each.who for each in records if each.who}}
    rows = [journal_fields(each, named.get(each.who), call.zone) for each in records]
    call.out.rows("journal", rows, ["no", "time", "who", "what", "outcome", "why"], "There are no records yet.")
    say(f"{len(rows)} records, each in its place, under {device}'s signature.")


def _collect(call: Call, device: str, user: str | None, link: str | None) -> None:
    start = journal_store.position(call.site.registry, device)

    async def work():
        async with go(wallet_of(call, user), device, link) as session:
            progress("asking for the journal")
            return await fetch_journal(session, start[0])

    first, head, records, signed = run(work())
    told = journal_store.collect(call.site.registry, device, (first, head), records, signed, call.now)
    if told.gap:
        warn(f"{device} had dropped records {told.gap[0]} to {told.gap[1]} before anybody collected them")


@command("admit deliver kiosk-1")
@click.argument("devices", nargs=-1)
@as_user
@via
def deliver(call: Call, devices, user, link_via):
    """Carry to DEVICES (default: all) what they have not heard of yet: revocations.

    If one cannot be reached, the others are; the exit code is then that of its error.
    """
    for each in devices:
        call.site.registry.device(each)
    rows, missed = deliver_pending(call, devices, user, link_via)
    call.out.rows("delivered", rows, ["device", "epoch", "state", "why"], "They have heard of everything.")
    if missed:
        raise missed[0]


def deliver_pending(call: Call, devices, user: str | None, link: str | None) -> tuple[list[dict], list[AdmitError]]:
    """Carry the newest bundle to each device that lacks it: what became of each, and why some did not take it."""
    registry, rows, missed = call.site.registry, [], []
    for bundle in registry.pending_bundles():
        if devices and bundle.device_id not in devices:
            continue
        row = {"device": bundle.device_id, "epoch": bundle.epoch, "state": "delivered", "why": None}
        try:
            registry.bundle_held(bundle.device_id, run(_deliver(call, bundle, user, link)))
        except AdmitError as error:
            row |= {"state": "not yet", "why": cause(error)}
            missed.append(error)
        rows.append(row)
    return rows, missed


async def _deliver(call: Call, bundle, user: str | None, link: str | None) -> int:
    async with go(wallet_of(call, user), bundle.device_id, link) as session:
        progress(f"telling {bundle.device_id}")
        return await deliver_bundle(session, bundle.data)
