"""`admit why`."""

import rich_click as click

from admit import access, forms
from admit_cli.command import Call, command
from admit_cli.output import say
from admit_cli.types import ARGUMENT, REQUEST, parse_date
from admit_cli.words import utc
from admit_protocol import grant


@command("admit why alice open seconds=20 --on kiosk-1 --at '2026-12-24 23:10'")
@click.argument("user")
@click.argument("what", type=REQUEST)
@click.argument("arguments", nargs=-1, type=ARGUMENT)
@click.option("--on", "device_id", required=True, metavar="DEVICE", help="At which device.")
@click.option("--at", metavar="DATE", help="When, like '2026-12-24 23:10'. Default: now.")
def why(call: Call, user, what, arguments, device_id, at):
    """Would USER be allowed to do WHAT, and by which grant and rule? Or why not?

    WHAT is a routine, or a path and a method like health:GET. The answer is computed by the code that runs on the
    device; it is about a device that has heard of every revocation, and knows the time.
    """
    registry = call.site.registry
    device = registry.device(device_id)
    moment = parse_date(at, call.zone, "--at") if at else call.now
    grants = [grant.parse(row.data) for row in registry.grants(user)]
    revoked = {bytes.fromhex(each) for each in registry.revoked()}
    verdict = access.decide(grants, device_id, (*what, dict(arguments)), moment, revoked)
    call.out.fields(
        "decision", _fields(verdict) | {"at": utc(moment)}, ["decision", "reason", "detail", "grant", "rule"]
    )
    if device.held_epoch < device.epoch:
        say(f"{device_id} has not heard of the newest revocations yet, and may still honour a grant taken back.")


def _fields(verdict: access.Verdict) -> dict:
    decision = verdict.decision
    return {
        "decision": "allowed" if decision.allowed else "denied",
        "reason": decision.reason,
        "detail": decision.detail or None,
        "grant": verdict.grant.id.hex() if verdict.grant else None,
        "rule": forms.rule_text(verdict.rule) if verdict.rule else None,
        "grants": [
            {"grant": each.grant.id.hex(), "reason": each.decision.reason, "detail": each.decision.detail or None}
            for each in verdict.opinions
        ],
    }
