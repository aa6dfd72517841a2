"""`admit why`, `admit who-can`, `admit what-can`: who may do what, and by what, without going there."""

import rich_click as click

from admit import access, condition_forms, forms, predicting
from admit_cli.command import Call, command
from admit_cli.output import say
from admit_cli.types import ARGUMENT, REQUEST, Form, parse_date
from admit_cli.words import utc
from admit_protocol.errors import LocalError
from admit_protocol.standing import Grant

_UNKNOWN = "unknown"


def _parse_uncertain(text: str) -> int | str:
    """`unknown`, or how many seconds the device's clock may be off: `10m`."""
    try:
        return _UNKNOWN if text == _UNKNOWN else condition_forms.parse_duration(text)
    except LocalError as error:
        raise LocalError(error.reason, error.detail + ", or 'unknown'") from None


_AT = click.option("--at", metavar="DATE", help="When, like '2026-12-24 23:10'. Default: now.")
_UNCERTAIN = click.option(
    "--uncertain",
    type=Form("TIME", _parse_uncertain),
    metavar="TIME",
    help="How far off the device's clock may be: 10m, or 'unknown' if it has no time at all.",
)
_ARGUMENTS = click.argument("arguments", nargs=-1, type=ARGUMENT)


@command("admit why alice open seconds=20 --on kiosk-1 --at '2026-12-24 23:10'")
@click.argument("user")
@click.argument("what", type=REQUEST)
@_ARGUMENTS
@click.option("--on", "device_id", required=True, metavar="DEVICE", help="At which device.")
@_AT
@_UNCERTAIN
def why(call: Call, user, what, arguments, device_id, at, uncertain):
    """Would USER be allowed to do WHAT, and by which grant and rule? Or why not?

    WHAT is a routine, or a path and a method like health:GET. The answer is computed by the code that runs on the
    device; it is about a device that has heard of everything, knows the time, and has counted no use yet.
    """
    now = _instant(call, at)
    request = (*what, dict(arguments))
    verdict = predicting.why(call.site.registry, user, device_id, request, _moment(now, uncertain))
    shown = ["decision", "reason", "detail", "needs", "grant", "rule", "by"]
    call.out.fields("decision", _verdict_fields(verdict) | {"at": utc(now)}, shown)
    _tell_if_stale(call, device_id)


@command("admit who-can open --on kiosk-3")
@click.argument("what", type=REQUEST)
@_ARGUMENTS
@click.option("--on", "device_id", required=True, metavar="DEVICE", help="At which device.")
@_AT
@_UNCERTAIN
def who_can(call: Call, what, arguments, device_id, at, uncertain):
    """Who may do WHAT at a device, by which grant and rule, and what they must show or bring?

    WHAT is a routine, or a path and a method like health:GET.
    """
    moment = _moment(_instant(call, at), uncertain)
    found = predicting.who_can(call.site.registry, device_id, (*what, dict(arguments)), moment)
    rows = [{"user": user} | _allowed_fields(call, verdict) for user, verdict in found]
    call.out.rows("users", rows, ["user", "rule", "needs", "until", "grant"], "Nobody may do that there.")
    _tell_if_stale(call, device_id)


@command("admit what-can alice --on kiosk-3")
@click.argument("user")
@click.option("--on", "device_id", metavar="DEVICE", help="At which device. Default: wherever a grant is for.")
@_AT
@_UNCERTAIN
def what_can(call: Call, user, device_id, at, uncertain):
    """What may USER do: each rule of their grants, whether it holds at the moment, and which denies take of it?"""
    moment = _moment(_instant(call, at), uncertain)
    rows = [_allowance_fields(call, each) for each in predicting.what_can(call.site.registry, user, device_id, moment)]
    call.out.rows(
        "allowances", rows, ["allows", "on", "now", "needs", "denied_by", "until"], f"{user} may do nothing there."
    )


def _instant(call: Call, at: str | None) -> int:
    return parse_date(at, call.zone, "--at") if at else call.now


def _moment(now: int, uncertain: int | str | None) -> access.Moment:
    if uncertain == _UNKNOWN:
        return None, None
    off = uncertain if isinstance(uncertain, int) else 0
    return now - off, now + off


def _tell_if_stale(call: Call, device_id: str) -> None:
    device = call.site.registry.device(device_id)
    if device.held_epoch < device.epoch:
        say(f"{device_id} has not heard of the newest changes yet, and may still honour what was taken back.")


def _verdict_fields(verdict: access.Verdict) -> dict:
    decision = verdict.decision
    return {
        "decision": "allowed" if decision.allowed else "denied",
        "reason": decision.reason,
        "detail": decision.detail or None,
        "needs": list(verdict.needs),
        "grant": verdict.grant.id.hex() if verdict.grant else None,
        "rule": forms.rule_text(verdict.rule) if verdict.rule else None,
        "by": decision.by if isinstance(decision.by, str) else None,
        "grants": [
            {
                "grant": each.grant.id.hex(),
                "reason": each.decision.reason,
                "detail": each.decision.detail or None,
                "needs": list(each.needs),
            }
            for each in verdict.opinions
        ],
    }


def _allowed_fields(call: Call, verdict: access.Verdict) -> dict:
    fields = _verdict_fields(verdict)
    told = {key: fields[key] for key in ("rule", "by", "needs", "grant")}
    return told | (_of_grant(call, verdict.grant) if verdict.grant else {})


def _allowance_fields(call: Call, each: predicting.Allowance) -> dict:
    decision = each.opinion.decision
    return {
        "allows": forms.rule_text(each.rule),
        "on": list(each.grant.audience),
        "now": "yes" if decision.allowed else decision.reason,
        "detail": decision.detail or None,
        "needs": list(each.opinion.needs),
        "denied_by": list(each.denied_by),
        "grant": each.grant.id.hex(),
    } | _of_grant(call, each.grant)


def _of_grant(call: Call, given: Grant) -> dict:
    """When it ends, and how often it may be passed on: to whom, the host cannot know."""
    return {
        "until": forms.NEVER if given.expires is None else forms.end_text(given.expires, call.zone),
        "expires": utc(given.expires),
        "delegate": given.delegate,
    }
