"""`admit health`."""

import rich_click as click

from admit_cli.command import Call, command
from admit_cli.output import progress
from admit_cli.visiting import as_user, go, run, via, wallet_of
from admit_protocol import cbor, coap


@command("admit health kiosk-1")
@click.argument("device")
@as_user
@via
def health(call: Call, device, user, link_via):
    """Ask DEVICE how it is: versions, boots, free memory, and what is wrong with it."""

    async def work():
        async with go(wallet_of(call, user), device, link_via) as session:
            progress("asking how it is")
            return await session.request(coap.GET, "/health")

    body = cbor.expect(cbor.decode(run(work()).payload), dict, "health-body")
    call.out.fields("health", {"device": device, **body}, sorted(body))
