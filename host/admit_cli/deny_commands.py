"""`admit deny`, `admit lockdown`, `admit denies`: what counts before any grant."""

import rich_click as click

from admit import condition_forms, forms, withdrawing
from admit.access_models import PolicyRuleRow
from admit.editing import Edit
from admit.registry_model import policy_rule
from admit_cli.command import Call, command
from admit_cli.editing_words import act
from admit_cli.sync_command import tell_at_once
from admit_cli.types import ALLOW, DAYS, HOURS, ROUTINE, ZONE, Form, parse_date
from admit_cli.visiting import as_carrier, via
from admit_cli.words import utc
from admit_protocol import rule
from admit_protocol.errors import NotFound

_SHOWN = ["id", "kind", "whom", "except", "what", "on", "since"]
_EVERYTHING: tuple[str, int, dict] = ("*", rule.ALL_METHODS, {})
_KINDS = {rule.DENY: "deny", rule.LOCKDOWN: "lockdown", rule.ALLOW: "allow"}

WHO = Form("WHO", condition_forms.parse_selector)
later = click.option("--later", is_flag=True, help="Do not go to the devices now: admit sync does it.")


@command("admit deny alice open --on 'kiosk-*'")
@click.argument("whom", required=False, type=WHO)
@click.argument("routines", nargs=-1, type=ROUTINE)
@click.option("--what", multiple=True, type=ALLOW, help="What else: r/open:POST, 'r/*:*'. Default: everything.")
@click.option("--on", "devices", multiple=True, metavar="DEVICE", help="Where: kiosk-1, 'kiosk-*', '*'.")
@click.option("--except", "exceptions", multiple=True, type=WHO, help="Who is spared: role:security, group:leads.")
@click.option("--days", type=DAYS, help="On which days: mon-fri, sat,sun. Default: all.")
@click.option("--hours", type=HOURS, help="In which hours: 22:00-06:00. Default: all.")
@click.option("--tz", type=ZONE, help="The time zone of hours and dates. Default: the site's.")
@click.option("--until", metavar="DATE", help="The last day, or moment. Default: until it is lifted.")
@click.option("--lift", multiple=True, metavar="ID", help="Let this deny be over.")
@later
@as_carrier
@via
def deny(call: Call, whom, routines, what, devices, exceptions, days, hours, tz, until, lift, later, carrier, link_via):
    """Deny to WHOM (a user, group:…, role:…, key:…, everyone) ROUTINES or --what, whatever they were granted.

    A deny counts before every grant, from when a device has heard of it; those in reach are told at once. --lift ID
    ends it.
    """
    if lift:
        _lift(call, [_denial(call, each) for each in lift])
        tell_at_once(call, later, carrier, link_via)
        return
    if not whom or not devices:
        raise click.UsageError("say to whom, and where with --on; or lift a deny with --lift ID")
    zone = tz or call.zone
    end = parse_date(until, zone, "--until", last=True) if until else None
    conditions = forms.window_conditions(days, hours, zone, call.now, end)
    asked = list([*routines, *what] or [_EVERYTHING])
    _put(call, rule.DENY, [whom], devices, asked, conditions | _life(end), exceptions)
    tell_at_once(call, later, carrier, link_via)


@command("admit lockdown --on 'lobby-*' --except role:security")
@click.option("--on", "devices", multiple=True, metavar="DEVICE", help="Where: lobby-1, 'lobby-*', '*'.")
@click.option("--except", "exceptions", multiple=True, type=WHO, help="Who may go on: role:security, group:leads.")
@click.option("--until", metavar="DATE", help="The last day, or moment. Default: until it is lifted.")
@click.option("--lift", is_flag=True, help="Let lockdowns be over: those of --on, or all.")
@later
@as_carrier
@via
def lockdown(call: Call, devices, exceptions, until, lift, later, carrier, link_via):
    """Shut devices to everybody but --except, whatever was granted.

    It counts before all else, from when a device has heard of it; those in reach are told at once. --lift ends it, in
    the same way.
    """
    if lift:
        rows = [row for row in call.site.registry.denials() if row.effect == rule.LOCKDOWN]
        _lift(call, [row for row in rows if not devices or set(devices) & set(row.devices.split("\n"))])
        tell_at_once(call, later, carrier, link_via)
        return
    if not devices:
        raise click.UsageError("say where with --on; '*' is everywhere")
    end = parse_date(until, call.zone, "--until", last=True) if until else None
    _put(call, rule.LOCKDOWN, [rule.EVERYONE], devices, [_EVERYTHING], _life(end), exceptions)
    tell_at_once(call, later, carrier, link_via)


@command("admit denies")
def denies(call: Call):
    """List denies and lockdowns in force."""
    rows = [_fields(row) for row in call.site.registry.denials()]
    call.out.rows("denies", rows, _SHOWN, "Nothing is denied but what no grant allows.")


def _put(call: Call, effect: int, whom: list[str], devices, what: list, conditions: dict, exceptions) -> None:
    with act(call) as edit:
        rows = withdrawing.deny(edit, effect, whom, devices, what, conditions, exceptions)
    call.out.rows("denies", [_fields(row) for row in rows], _SHOWN)


def _lift(call: Call, rows: list[PolicyRuleRow]) -> None:
    if not rows:
        raise NotFound("registry-no-denial", "there is none of that kind")
    with act(call) as edit:
        _lift_all(edit, rows)
    call.out.rows("lifted", [_fields(row) for row in rows], _SHOWN)


def _lift_all(edit: Edit, rows: list[PolicyRuleRow]) -> None:
    for row in rows:
        withdrawing.lift(edit, row)


def _denial(call: Call, wanted: str) -> PolicyRuleRow:
    found = [row for row in call.site.registry.denials() if row.id == wanted]
    if not found:
        raise NotFound("registry-no-denial", f"no deny {wanted}")
    return found[0]


def _life(end: int | None) -> dict:
    return {} if end is None else {rule.LIFE: [None, end]}


def _fields(row: PolicyRuleRow) -> dict:
    one = policy_rule(row)
    return {
        "id": row.id,
        "kind": _KINDS[one.effect],
        "whom": [_plain(each) for each in one.subjects],
        "except": [_plain(each) for each in one.exceptions],
        "what": forms.rule_text(rule.Rule(one.pattern, one.methods, one.conditions)),
        "on": row.devices.split("\n"),
        "since": utc(row.issued_at),
        "who": row.who,
    }


def _plain(selector: str) -> str:
    return selector.removeprefix("user:")
