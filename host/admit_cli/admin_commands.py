"""`admit provision`, `admit journal`, `admit deliver`: what an admin or technician does at a device."""

import rich_click as click

from admit import admin, journal_store
from admit.client import Holder
from admit.collect import deliver_bundle, fetch_journal
from admit.connection import Connection
from admit.transport import open_transport
from admit_cli.command import Call, command
from admit_cli.output import progress, say, warn
from admit_cli.visiting import as_user, go, run, via, wallet_of
from admit_cli.words import journal_fields
from admit_protocol import credential
from admit_protocol.errors import AdmitError


@command()
@click.argument("port")
@click.option("--name", "device_id", required=True, help="What the device shall be called: kiosk-1.")
@as_user
def provision(call: Call, port, device_id, user):
    """Take the board at PORT into the site, under a name: key, credential, trust anchor, proof.

    PORT is a serial port or anything that pyserial opens. The device makes its own key and keeps it. If the cable falls
    out, the same command goes on where it was.
    """
    from admit_provisioning.commission import commission

    wallet = wallet_of(call, user)
    admin.check_name(device_id)
    call.signer.unlock()

    def issue(public: bytes) -> bytes:
        return admin.commission(call.site, call.signer, device_id, public, call.now)

    async def work():
        async with Connection(open_transport(port)) as connection:
            holder = Holder(wallet.login_key, wallet.grant_for(device_id, call.now).data, wallet.anchor)
            return await commission(connection, holder, device_id, issue, progress)

    data, health = run(work())
    wallet.add_device(data)
    parsed = credential.parse(data)
    fields = {"device": device_id, "state": "commissioned", "key": parsed.public.hex()[:16], "proven": True, **health}
    call.out.fields("device", fields, ["device", "state", "key", "version"])


@command()
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
    rows = [journal_fields(each, registry.grant_holder(each.who) if each.who else None, call.zone) for each in records]
    call.out.rows("journal", rows, ["no", "time", "who", "what", "outcome", "why"], "There are no records yet.")
    say(f"{len(rows)} records, each in its place, under {device}'s signature.")


def _collect(call: Call, device: str, user: str | None, link: str | None) -> None:
    start = journal_store.position(call.site.registry, device)

    async def work():
        async with go(call, wallet_of(call, user), device, link) as session:
            return await fetch_journal(session, start[0])

    first, head, records, signed = run(work())
    told = journal_store.collect(call.site.registry, device, (first, head), records, signed, call.now)
    if told.gap:
        warn(f"{device} had dropped records {told.gap[0]} to {told.gap[1]} before anybody collected them")


@command()
@click.argument("devices", nargs=-1)
@as_user
@via
def deliver(call: Call, devices, user, link_via):
    """Carry to DEVICES (default: all) what they have not heard of yet: revocations."""
    rows = deliver_pending(call, devices, user, link_via)
    call.out.rows("delivered", rows, ["device", "epoch", "state"], "Every device has heard of everything.")


def deliver_pending(call: Call, devices, user: str | None, link: str | None) -> list[dict]:
    """Deliver the newest bundle to each device that lacks it; a device that cannot be reached now is no error."""
    registry, rows = call.site.registry, []
    for bundle in registry.pending_bundles():
        if devices and bundle.device_id not in devices:
            continue
        state = "delivered"
        try:
            registry.bundle_held(bundle.device_id, run(_deliver(call, bundle, user, link)))
        except AdmitError as error:
            state = f"not yet: {error}"
        rows.append({"device": bundle.device_id, "epoch": bundle.epoch, "state": state})
    return rows


async def _deliver(call: Call, bundle, user: str | None, link: str | None) -> int:
    async with go(call, wallet_of(call, user), bundle.device_id, link) as session:
        return await deliver_bundle(session, bundle.data)
