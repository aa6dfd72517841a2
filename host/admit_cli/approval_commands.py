"""`admit approvals`, `admit approve`: what others want to do at a device and may with one's consent."""

import rich_click as click

from admit import approving, forms
from admit.approving import Request
from admit.wallet import Wallet
from admit_cli.command import Call, command
from admit_cli.hints import cause
from admit_cli.output import confirm, progress, say, warn
from admit_cli.visiting import as_user, go, run, via, wallet_of
from admit_protocol.errors import AdmitError, NotFound

_COLUMNS = ["id", "device", "who", "wants", "approved", "expires_s"]
_on = click.option("--on", "devices", multiple=True, metavar="DEVICE", help="Where. Default: all that you have met.")


@command("admit approvals --on kiosk-1")
@_on
@as_user
@via
def approvals(call: Call, devices, user, link_via):
    """List what waits for your consent, and what of your own waits for others'."""
    owner = wallet_of(call, user)
    found, failed = run(_gather(owner, devices, link_via))
    if failed and not found:
        raise failed[0]
    rows = [request_fields(device, each) for device, each in found]
    call.out.rows("approvals", rows, _COLUMNS, "Nothing waits for approval.")


@command("admit approve 5f3a --on kiosk-1")
@click.argument("identifier", metavar="ID")
@_on
@as_user
@via
@click.option("--yes", is_flag=True, help="Do not ask.")
def approve(call: Call, identifier, devices, user, link_via, yes):
    """Consent, with your signature, to the request ID, of which the first digits will do.

    Whoever asked may then do exactly that, once, if enough others consent too.
    """
    owner = wallet_of(call, user)
    found, failed = run(_gather(owner, devices, link_via))
    meant = [(device, each) for device, each in found if each.id.hex().startswith(identifier.lower())]
    if not meant:
        raise failed[0] if failed else NotFound("approval-unknown", f"no request {identifier} waits there")
    if len(meant) > 1:
        raise click.UsageError(f"several begin with {identifier}: give more digits")
    device, request = meant[0]
    fields = request_fields(device, request)
    confirm(f"{request.who} wants on {device}: {fields['wants']}. Approve?", yes)
    run(_approve(owner, device, request, link_via))
    call.out.fields("approved", fields, ["id", "device", "who", "wants"])
    say(f"Approved; {max(request.needed - request.got - 1, 0)} more needed.")


def request_fields(device: str, request: Request) -> dict:
    """A request as people and programs read it."""
    arguments = request.arguments or {}
    words = [f"{forms.methods_text(request.method)} {request.path}"]
    words += [f"{name}={value}" for name, value in sorted(arguments.items())]
    return {
        "id": request.id.hex(),
        "device": device,
        "who": request.who,
        "key": request.key.hex(),
        "wants": " ".join(words),
        "method": forms.methods_text(request.method),
        "path": request.path,
        "arguments": arguments,
        "approved": f"{request.got} of {request.needed}",
        "got": request.got,
        "needed": request.needed,
        "expires_s": request.expires_s,
    }


async def _gather(owner: Wallet, devices, link: str | None) -> tuple[list[tuple[str, Request]], list[AdmitError]]:
    """(device, request) of all that waits, and what went wrong where it could not be asked."""
    found: list[tuple[str, Request]] = []
    failed: list[AdmitError] = []
    for device in devices or owner.met():
        try:
            async with go(owner, device, link) as session:
                progress("asking what waits")
                found += [(device, each) for each in await approving.pending(session)]
        except AdmitError as error:
            failed.append(error)
            if len(devices) != 1:
                warn(f"{device}: {cause(error)}")
    return found, failed


async def _approve(owner: Wallet, device: str, request: Request, link: str | None) -> None:
    async with go(owner, device, link) as session:
        progress("approving")
        await approving.approve(session, owner, device, request)
