"""Commissioning by radio: a factory board with a sealed label becomes a device of the site, without a cable.

Owns: the order of the steps, and which of the board's words count when.
Rules: nothing is believed of a board before it has proven that it knows its label, and the board learns who we are only
then. The name and what the authority issued are kept in the journal of the run, so the same call finishes what a torn
link broke off: once the device has joined, the label is dead, and its credential is what proves it.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import cast

from admit.client import Holder, describe, description_in
from admit.connection import Connection
from admit.transport import open_transport
from admit_protocol import coap
from admit_protocol.errors import NotFound, Unsupported
from admit_provisioning import commission as device
from admit_provisioning import sealed
from admit_provisioning.journal import Journal
from admit_provisioning.pipeline import Provisioned


def provision(link: str, secret: bytes, journal: Journal, holder: Holder) -> Provisioned:
    """Take the board of this label into the site. `link`: "ble" for the board that it names, or another way.

    Blocks; raises AdmitError, and leaves what the same call then finishes.
    """
    return asyncio.run(_provision(link, secret, journal, holder))


async def _provision(link: str, secret: bytes, journal: Journal, holder: Holder) -> Provisioned:
    journal.tell("detect")
    async with AsyncExitStack() as stack:
        line = await _open(stack, link, secret, journal.device_id)
        described = (await describe(line)).credential
        if described is None:
            described = await _join(line, secret, journal, holder)
        else:
            device.own(described, holder.anchor, journal.device_id)
        proof = await device.prove_release(line, holder, described)
    journal.open(proof.release.board_id.hex())
    with journal.step("prove") as facts:
        journal.bind(described)
        facts |= {"board": proof.release.board, "set_hash": proof.release.set_hash}
    journal.mark("label")
    return Provisioned(journal.device_id, journal.board_id, described, proof, True, 0, journal.seconds)


async def _open(stack: AsyncExitStack, link: str, secret: bytes, device_id: str) -> Connection:
    """A connection to the board: under its label's name, or under its own if it joined in a run that was broken off."""
    by_label = sealed.link_name(secret)
    try:
        return await stack.enter_async_context(Connection(open_transport(by_label if link == "ble" else link)))
    except NotFound:
        if link != "ble":
            raise
    try:
        return await stack.enter_async_context(Connection(open_transport(f"ble:{device_id}")))
    except NotFound as error:
        raise NotFound(
            error.reason, f"neither {by_label}, the board of this label, was heard, nor {device_id}"
        ) from None


async def _join(line: Connection, secret: bytes, journal: Journal, holder: Holder) -> bytes:
    """From the label's proof, in both directions, to a device that has its credential."""
    identity = cast(Connection, await sealed.unseal(line, secret))  # of which make_key and install use `request`
    proven = description_in(await identity.request(coap.request(coap.GET, "/id")))
    if proven.board_id is None:
        raise Unsupported("board-nameless", "the firmware on it does not say which board it is")
    journal.open(proven.board_id.hex())
    journal.expect_factory()
    with journal.step("key"):
        keys = await device.make_key(identity)
    with journal.step("issue"):
        credential_data = journal.issue(keys)
    with journal.step("lock"):
        await device.install(identity, credential_data, holder.anchor)
    return credential_data
