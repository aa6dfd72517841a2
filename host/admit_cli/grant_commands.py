"""`admit grant`, `admit grants`."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import rich_click as click

from admit import admin, condition_forms, contradictions, forms, granting, groups, invitation, keyfiles
from admit.admin import Access
from admit.registry_models import GrantRow
from admit.statements import Statement
from admit_cli.command import Call, command
from admit_cli.editing_words import act, rehearse
from admit_cli.handing import handing_options, printed
from admit_cli.output import say, warn
from admit_cli.pages import page_setting
from admit_cli.types import ALLOW, DAYS, HOURS, ROUTINE, ZONE, Form, parse_date
from admit_cli.words import access_fields, grant_fields, grant_state
from admit_protocol import grant as grants_module
from admit_protocol import rule, standing
from admit_protocol.errors import LocalError

_YEAR_S = 365 * 86400
_SHOWN = ["id", "user", "role", "on", "allows", "from", "until", "may_pass_on", "people"]
LIVING = ("counts", "not yet")

SUBJECT = Form("USER|group:NAME", condition_forms.parse_subject)
DURATION = Form("DURATION", condition_forms.parse_duration)


@command("admit grant alice open --on kiosk-1 --days mon-fri --hours 08:00-18:00")
@click.argument("subject", type=SUBJECT)
@click.argument("routines", nargs=-1, type=ROUTINE)
@click.option(
    "--allow", multiple=True, type=ALLOW, help="What else: r/open:POST, 'r/*:GET', 'r/open:POST{seconds<=10}'."
)
@click.option("--role", metavar="ROLE", help="What a role allows: admit role list.")
@click.option("--on", "devices", multiple=True, required=True, metavar="DEVICE", help="Where: kiosk-1, 'kiosk-*', '*'.")
@click.option("--days", type=DAYS, help="On which days: mon-fri, sat,sun. Default: all.")
@click.option("--hours", type=HOURS, help="In which hours: 08:00-18:00, 22:00-06:00. Default: all.")
@click.option("--tz", type=ZONE, help="The time zone of hours and dates. Default: the site's.")
@click.option("--from", "begin", metavar="DATE", help="The first day, or moment.")
@click.option("--until", metavar="DATE", help="The last day, or moment; 'never'. Default: in a year.")
@click.option("--uses", type=click.IntRange(1), help="How often, in all, on each device.")
@click.option("--rate", type=Form("N/TIME", condition_forms.parse_rate), help="How often in some time: 5/1h.")
@click.option(
    "--presence",
    type=click.Choice(["code", "button"]),
    help="What they show first: the code that the kiosk shows who stands there, or that its button was pressed",
)
@click.option(
    "--approvals",
    type=Form("N:WHO", condition_forms.parse_approvals),
    help="How many others of whom must approve: 2:group:leads.",
)
@click.option("--fresh", type=DURATION, help="How old a device's policy may be: 7d. Default: any age.")
@click.option("--timeless", is_flag=True, help="Hours and ends count as open while a device does not know the time.")
@click.option("--delegate", type=click.IntRange(1, grants_module.MAX_DELEGATE), help="How often it may be passed on.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write an invitation, a file to send.",
)
@handing_options
@click.option("--dry-run", is_flag=True, help="Show what would be granted, and stop.")
def grant(call: Call, subject, routines, allow, role, devices, days, hours, tz, begin, until, output, dry_run, **more):
    """Let SUBJECT, a user or all of a group, invoke ROUTINES, do what --allow says, or what a role allows.

    Devices enforce it offline. A grant to a user of this machine is put into their wallet at once; to one who made
    their keys elsewhere you send the file that --output writes, and they take it with admit wallet accept; to a phone
    the link, or its QR code.
    """
    if not routines and not allow and not role:
        raise click.UsageError("name a routine or a role, or say with --allow what to allow")
    as_qr, page = more.pop("as_qr"), more.pop("page")
    as_link = more.pop("as_link") or as_qr
    if output and (not output.absolute().parent.is_dir() or not subject.startswith(groups.USER)):
        raise click.BadParameter(
            f"one user's invitation, in a folder that is there: not {output}", param_hint="--output"
        )
    if as_link and not subject.startswith(groups.USER):
        raise click.BadParameter("an invitation is one user's", param_hint="--link")
    page = page_setting(call, page) if as_link else None
    zone = tz or call.zone
    not_before, expires = _life(call.now, zone, begin, until)
    window = forms.window_conditions(days, hours, zone, not_before or call.now, expires)
    if contradictions.never_opens(window, not_before or call.now, expires):
        raise LocalError("window-never-opens", "between its begin and its end there are no such hours")
    delegate = more.pop("delegate") or 0
    conditions = window | condition_forms.conditions(**more)
    said = admin.statement(
        subject, Access(list(devices), [*routines, *allow], not_before, expires, role, conditions, delegate)
    )
    _warn_of_unknown_devices(call, devices)
    if dry_run:
        edit = rehearse(call, lambda edit: granting.grant_access(edit, said))
        fields = _statement_fields(call, said, zone) | {"people": len({row.user_name for row in edit.changes.issued})}
        call.out.fields("would_grant", fields, _SHOWN[1:])
        return
    with act(call) as edit:
        row = granting.grant_access(edit, said)
    data = _invitation(call, edit.changes.issued) if output or as_link else b""
    if output:
        keyfiles.write_file(output, data, secret=False)
    if data:
        user, site_id = edit.changes.issued[0].user_name, call.site.anchor.site_id.hex()
        say(f"Send {output or 'it'} to {user}. They can compare the site's id: {site_id}")
    fields = _granted_fields(call, row.id, said, edit.changes.issued, zone)
    if as_link:
        lines = printed(data, page, as_qr)
        call.out.lines("grant", fields | {"link": lines[-1]}, lines)
    else:
        call.out.fields("grant", fields, _SHOWN)


def _granted_fields(call: Call, statement_id: str, said: Statement, issued: list[GrantRow], zone: ZoneInfo) -> dict:
    """Of the one grant that was issued, or of the statement, with how many people it means."""
    if len(issued) == 1:
        fields = grant_fields(grants_module.parse(issued[0].data), issued[0].user_name, call.now, set(), zone)
    else:
        fields = {"id": statement_id} | _statement_fields(call, said, zone)
    people = sorted({row.user_name for row in issued})
    fields |= {"statement": statement_id, "role": said.role, "may_pass_on": said.delegate or None}
    return fields | {"people": people if said.subject.startswith(groups.GROUP) else None}


def _statement_fields(call: Call, said: Statement, zone: ZoneInfo) -> dict:
    of_role = call.site.registry.roles().get(said.role, ()) if said.role else ()
    rules = said.rules_with(of_role)
    fields = access_fields(
        said.subject.removeprefix(groups.USER), said.audience, rules, (said.not_before, said.expires), zone
    )
    return fields | {"role": said.role, "may_pass_on": said.delegate or None}


def _invitation(call: Call, issued: list[GrantRow]) -> bytes:
    """With the grant for the user's newest key."""
    newest = call.site.registry.keys(issued[0].user_name)[0].fingerprint
    data = next(row.data for row in issued if row.fingerprint == newest)
    return invitation.encode(call.site.anchor, data)


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


@command("admit grants alice --on kiosk-1")
@click.argument("user", required=False)
@click.option("--on", "device", metavar="DEVICE", help="Only those that are for this device.")
@click.option("--all", "everything", is_flag=True, help="Those that were taken back or have ended, too.")
def grants(call: Call, user, device, everything):
    """List grants: who may do what, where and until when."""
    rows = call.site.registry.grants(user)
    if device:
        rows = [row for row in rows if standing.is_for(grants_module.parse(row.data), device)]
    listed = grant_rows(call, rows)
    if not everything:
        listed = [fields for fields in listed if fields["state"] in LIVING]
    call.out.rows("grants", listed, ["id", "user", "on", "allows", "until", "state"], "There are no such grants.")


def grant_rows(call: Call, rows: list[GrantRow]) -> list[dict]:
    """The fields of grants."""
    return [_grant_row(call, row) for row in rows]


def _grant_row(call: Call, row: GrantRow) -> dict:
    revoked = {row.id} if row.revoked_at is not None else set()
    fields = grant_fields(grants_module.parse(row.data), row.user_name, call.now, revoked, call.zone)
    return fields | {"statement": row.statement_id}


def is_living(call: Call, row: GrantRow) -> bool:
    """Whether a grant counts, or will."""
    revoked = {row.id} if row.revoked_at is not None else set()
    return grant_state(grants_module.parse(row.data), call.now, revoked) in LIVING
