"""`admit grant`, `admit revoke`, `admit grants`."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import rich_click as click

from admit import admin, forms, invitation, keyfiles
from admit.admin import Access
from admit.registry_models import GrantRow
from admit_cli.admin_commands import deliver_pending
from admit_cli.command import Call, command
from admit_cli.output import confirm, say, warn
from admit_cli.types import ALLOW, DAYS, HOURS, ROUTINE, ZONE, parse_date
from admit_cli.visiting import as_carrier, via
from admit_cli.words import access_fields, grant_fields, grant_state
from admit_protocol import grant as grants_module
from admit_protocol import rule, standing

_YEAR_S = 365 * 86400
_SHOWN = ["id", "user", "on", "allows", "from", "until"]


@command("admit grant alice open --on kiosk-1 --days mon-fri --hours 08:00-18:00")
@click.argument("user")
@click.argument("routines", nargs=-1, type=ROUTINE)
@click.option(
    "--allow", multiple=True, type=ALLOW, help="What else: r/open:POST, 'r/*:GET', 'r/open:POST{seconds<=10}'."
)
@click.option("--on", "devices", multiple=True, required=True, metavar="DEVICE", help="Where: kiosk-1, 'kiosk-*', '*'.")
@click.option("--days", type=DAYS, help="On which days: mon-fri, sat,sun. Default: all.")
@click.option("--hours", type=HOURS, help="In which hours: 08:00-18:00, 22:00-06:00. Default: all.")
@click.option("--tz", type=ZONE, help="The time zone of hours and dates. Default: the site's.")
@click.option("--from", "begin", metavar="DATE", help="The first day, or moment.")
@click.option("--until", metavar="DATE", help="The last day, or moment; 'never'. Default: in a year.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write an invitation, a file to send.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be granted, and stop.")
def grant(call: Call, user, routines, allow, devices, days, hours, tz, begin, until, output, dry_run):
    """Let USER invoke ROUTINES, or do what --allow says, on some devices, in some hours.

    Devices enforce it offline. A grant to a user of this machine is put into their wallet at once; to one who made
    their keys elsewhere you send the file that --output writes, and they take it with admit wallet accept.
    """
    if not routines and not allow:
        raise click.UsageError("name a routine, or say with --allow what to allow")
    if output and not output.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {output.parent}", param_hint="--output")
    zone = tz or call.zone
    not_before, expires = _life(call.now, zone, begin, until)
    window = forms.window_conditions(days, hours, zone, not_before or call.now, expires)
    rules = [(path, methods, bounds | window) for path, methods, bounds in [*routines, *allow]]
    access = Access(list(devices), rules, not_before, expires)
    call.site.registry.keys(user)
    _warn_of_unknown_devices(call, devices)
    if dry_run:
        fields = access_fields(user, devices, [rule.Rule(*each) for each in rules], (not_before, expires), zone)
        call.out.fields("would_grant", fields, _SHOWN[1:])
        return
    row = admin.give(call.site, call.signer, user, access, call.now)
    if output:
        keyfiles.write_file(output, invitation.encode(call.site.anchor, row.data), secret=False)
        say(f"Send {output} to {user}. They can compare the site's id: {call.site.anchor.site_id.hex()}")
    fields = grant_fields(grants_module.parse(row.data), user, call.now, set(), zone)
    call.out.fields("grant", fields, _SHOWN)


def _life(now: int, zone: ZoneInfo, begin: str | None, until: str | None) -> tuple[int | None, int | None]:
    """The begin and the end that the dates give, unix seconds; None where there is none."""
    not_before = None if begin is None else parse_date(begin, zone, "--from")
    if until == forms.NEVER:
        expires = None
    elif until is None:
        last_day = datetime.fromtimestamp((not_before or now) + _YEAR_S, zone).date()
        expires = forms.parse_moment(last_day.isoformat(), zone, last=True)
    else:
        expires = parse_date(until, zone, "--until", last=True)
    if expires is not None and expires <= (not_before or now):
        raise click.BadParameter("the grant would end before it begins", param_hint="--until")
    return not_before, expires


def _warn_of_unknown_devices(call: Call, patterns) -> None:
    known = [device.id for device in call.site.registry.devices()]
    for pattern in patterns:
        if not any(rule.matches(pattern, device_id) for device_id in known):
            warn(f"there is no device named {pattern} yet")


@command("admit revoke alice")
@click.argument("user", required=False)
@click.option(
    "--grant", "ids", multiple=True, metavar="ID", help="Take back this grant only; its first digits will do."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show what would be taken back, and stop.")
@click.option("--later", is_flag=True, help="Do not go to the devices now: admit deliver does it.")
@as_carrier
@via
def revoke(call: Call, user, ids, yes, dry_run, later, carrier, link_via):
    """Take back all grants of USER, or single ones.

    A grant that was taken back never counts again. Devices learn of it by a bundle, which is carried at once to those
    in reach; the list that this prints says which have heard of it.
    """
    rows = _to_revoke(call, user, ids)
    what = f"{len(rows)} grant{'s' * (len(rows) != 1)} of {', '.join(sorted({row.user_name for row in rows})) or user}"
    if dry_run:
        call.out.rows("would_revoke", _grant_rows(call, rows), [*_SHOWN, "state"], "There is nothing to take back.")
        return
    if rows:
        confirm(f"Take back {what}?", yes)
        admin.revoke(call.site, call.signer, rows, call.now)
        say(f"Took back {what}.")
    else:
        say("There is nothing to take back.")
    if later:
        told = [
            {"device": row.device_id, "epoch": row.epoch, "state": "not yet", "why": None}
            for row in call.site.registry.pending_bundles()
        ]
    else:
        told, _ = deliver_pending(call, (), carrier, link_via)
    call.out.rows("devices", told, ["device", "epoch", "state", "why"], "No device has to hear of it.")
    if waiting := [row["device"] for row in told if row["state"] != "delivered"]:
        warn(f"not heard of it yet, and perhaps still letting in: {', '.join(waiting)}. Later: admit deliver")


def _to_revoke(call: Call, user: str | None, ids) -> list[GrantRow]:
    """The grants that are meant and still count. Raises NotFound."""
    if not user and not ids:
        raise click.UsageError("name a user, or a grant with --grant")
    registry = call.site.registry
    rows = [registry.grant(each) for each in ids]
    if user:
        theirs = registry.grants(user)
        if strangers := [row.id for row in rows if row.user_name != user]:
            raise click.UsageError(f"grant {strangers[0]} is not {user}'s")
        rows = rows or theirs
    revoked = registry.revoked()
    counting = [row for row in rows if grant_state(grants_module.parse(row.data), call.now, revoked) in _LIVING]
    return list({row.id: row for row in counting}.values())


_LIVING = ("counts", "not yet")


@command("admit grants alice --on kiosk-1")
@click.argument("user", required=False)
@click.option("--on", "device", metavar="DEVICE", help="Only those that are for this device.")
@click.option("--all", "everything", is_flag=True, help="Those that were taken back or have ended, too.")
def grants(call: Call, user, device, everything):
    """List grants: who may do what, where and until when."""
    rows = call.site.registry.grants(user)
    if device:
        rows = [row for row in rows if standing.is_for(grants_module.parse(row.data), device)]
    listed = _grant_rows(call, rows)
    if not everything:
        listed = [fields for fields in listed if fields["state"] in _LIVING]
    call.out.rows("grants", listed, ["id", "user", "on", "allows", "until", "state"], "There are no such grants.")


def _grant_rows(call: Call, rows: list[GrantRow]) -> list[dict]:
    revoked = call.site.registry.revoked()
    return [grant_fields(grants_module.parse(row.data), row.user_name, call.now, revoked, call.zone) for row in rows]
