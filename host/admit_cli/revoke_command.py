"""`admit revoke`: a user, a grant or an invite, a key, a device."""

from collections.abc import Callable

import rich_click as click

from admit import withdrawing
from admit.access_models import InviteRow
from admit.editing import Edit, editing
from admit.registry_models import GrantRow
from admit_cli.command import Call, command
from admit_cli.grant_commands import grant_rows, is_living
from admit_cli.output import confirm, say, warn
from admit_cli.sync_command import deliver_pending
from admit_cli.visiting import as_carrier, via
from admit_protocol.errors import NotFound

_SHOWN = ["id", "user", "on", "allows", "until", "state"]


@command("admit revoke alice")
@click.argument("user", required=False)
@click.option(
    "--grant", "ids", multiple=True, metavar="ID", help="Only this grant or invite; its first digits will do."
)
@click.option("--key", "fingerprint", metavar="FINGERPRINT", help="All that this key has: a phone that was lost.")
@click.option("--device", metavar="DEVICE", help="A device that is not to be trusted any more: it was stolen, say.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show what would be taken back, and stop.")
@click.option("--later", is_flag=True, help="Do not go to the devices now: admit sync does it.")
@as_carrier
@via
def revoke(call: Call, user, ids, fingerprint, device, yes, dry_run, later, carrier, link_via):
    """Take back all that USER may do, a single grant, all that a key has, or the trust in a device.

    A grant that was taken back never counts again, nor does what its holder passed on. Devices learn of it by a bundle,
    which is carried at once to those in reach; the list that this prints says which have heard of it.
    """
    if sum(map(bool, (user or ids, fingerprint, device))) != 1:
        raise click.UsageError("name a user, a grant with --grant, a key with --key, or a device with --device")
    rows, what, work = _plan(call, user, ids, fingerprint, device)
    if dry_run:
        call.out.rows("would_revoke", grant_rows(call, rows), [*_SHOWN], "There is nothing to take back.")
        return
    if what:
        confirm(f"Take back {what}?", yes)
        with editing(call.site, call.signer, call.now) as edit:
            work(edit)
        for text in edit.warnings:
            warn(text)
        say(f"Took back {what}.")
    else:
        say("There is nothing to take back.")
    _tell_devices(call, later, carrier, link_via)


def _plan(call: Call, user, ids, fingerprint, device) -> tuple[list[GrantRow], str, Callable[[Edit], object]]:
    """(the grants that count and would end, what that is in words or "" for nothing, how it is done)."""
    registry = call.site.registry
    if device:
        registry.device(device)
        return [], f"the trust in {device}", lambda edit: withdrawing.revoke_device(edit, call.signer, device)
    if fingerprint:
        rows = [row for row in registry.grants() if row.fingerprint.startswith(fingerprint.lower())]
        rows = [row for row in rows if is_living(call, row)]
        what = f"the key {fingerprint}, with {_many(rows)}"
        return rows, what, lambda edit: withdrawing.revoke_key(edit, fingerprint)
    if not ids:
        rows = [row for row in registry.grants(user) if is_living(call, row)]
        counts = registry.user(user).revoked_at is None
        what = f"{user}, with {_many(rows)}" if counts else ""
        return rows, what, lambda edit: withdrawing.revoke_user(edit, user)
    rows, invites = _named(call, user, ids)
    what = " and ".join([part for part in (_many(rows, of=True) if rows else "", _invites(invites)) if part])
    return rows, what, lambda edit: _take_back(edit, rows, invites)


def _take_back(edit: Edit, rows: list[GrantRow], invites: list[InviteRow]) -> None:
    for row in rows:
        known = edit.session.get(GrantRow, row.id)
        if known and known.revoked_at is None:
            withdrawing.revoke_grant(edit, known)
    for invite in invites:
        withdrawing.revoke_invite(edit, invite)


def _named(call: Call, user: str | None, ids) -> tuple[list[GrantRow], list[InviteRow]]:
    """The grants and invites that are meant and still count. Raises NotFound."""
    rows: dict[str, GrantRow] = {}
    invites: dict[str, InviteRow] = {}
    if user:
        call.site.registry.user(user)
    for each in ids:
        try:
            row = call.site.registry.grant(each)
        except NotFound:
            invite = call.site.registry.invite(each)
            if invite.revoked_at is None and invite.expires > call.now:
                invites[invite.id] = invite
            continue
        if user and row.user_name != user:
            raise click.UsageError(f"grant {row.id} is not {user}'s")
        if is_living(call, row):
            rows[row.id] = row
    return list(rows.values()), list(invites.values())


def _many(rows: list[GrantRow], of: bool = False) -> str:
    text = f"{len(rows)} grant{'s' * (len(rows) != 1)}"
    return f"{text} of {', '.join(sorted({row.user_name for row in rows}))}" if of else text


def _invites(invites: list[InviteRow]) -> str:
    return f"the invite{'s' * (len(invites) > 1)} {', '.join(each.id for each in invites)}" if invites else ""


def _tell_devices(call: Call, later: bool, carrier: str | None, link_via: str | None) -> None:
    if later:
        told = [
            {"device": row.device_id, "epoch": row.epoch, "state": "not yet", "why": None}
            for row in call.site.registry.pending_bundles()
        ]
    else:
        told, _ = deliver_pending(call, carrier, link_via)
    call.out.rows("devices", told, ["device", "epoch", "state", "why"], "No device has to hear of it.")
    if waiting := [row["device"] for row in told if row["state"] != "delivered"]:
        warn(f"not heard of it yet, and perhaps still letting in: {', '.join(waiting)}. Later: admit sync")
