"""Commissioning over a cable: the device makes its key, the authority vouches for it, the result is proven.

Each step may be repeated, and the same command after a torn cable finishes what it began: the device answers with the
same key until it is commissioned, and with success to the very credential that it already has.
"""

import os
import time
from collections.abc import Callable

from admit.client import Holder, Session, checked, describe
from admit.connection import Connection
from admit.suite import HostSuite
from admit_protocol import cbor, coap, cose, credential
from admit_protocol.anchor import Anchor
from admit_protocol.errors import Conflict

# POST and PUT /identity
_CONTRIBUTION, _PUBLIC_KEY = 1, 1
_CREDENTIAL, _ANCHOR, _NOW = 1, 2, 3


async def device_public_key(connection: Connection) -> bytes:
    """Have a factory device make its key, with randomness of ours mixed in; its public key, 64 bytes."""
    body = cbor.encode({_CONTRIBUTION: os.urandom(32)})
    response = await _identity(connection, coap.POST, body)
    answer = cbor.expect(cbor.decode(response.payload), dict, "identity-body")
    return cose.decode_key(cbor.expect(answer.get(_PUBLIC_KEY), dict, "identity-body"))[0]


async def install(connection: Connection, device_credential: bytes, anchor: Anchor) -> None:
    """Hand the device its credential and the site's anchor: from here on it belongs to the site."""
    body = cbor.encode({_CREDENTIAL: device_credential, _ANCHOR: anchor.encode(), _NOW: int(time.time())})
    await _identity(connection, coap.PUT, body)


async def prove(connection: Connection, holder: Holder, device_credential: bytes) -> dict:
    """Run EDHOC with the new credential and ask the device how it is: /health, decoded."""
    session = Session(connection, holder, device_credential)
    await session.start()
    response = await session.request(coap.GET, "/health")
    return cbor.expect(cbor.decode(response.payload), dict, "health-body")


async def commission(
    connection: Connection,
    holder: Holder,
    device_id: str,
    issue: Callable[[bytes], bytes],
    step: Callable[[str], None],
) -> tuple[bytes, dict]:
    """The whole of it: (the device's credential, its health). `issue(public key)` has the authority vouch for a key.

    `step(words)` is told before each step. Raises Conflict("device-commissioned") if the device is another's already,
    or another one of this site.
    """
    step("asking the device who it is")
    description = await describe(connection)
    if description.credential is None:
        step("making the device's key")
        device_credential = issue(await device_public_key(connection))
        step("installing credential and trust anchor")
        await install(connection, device_credential, holder.anchor)
    else:
        device_credential = _own(description.credential, holder.anchor, device_id)
    step("proving the device with its new credential")
    return device_credential, await prove(connection, holder, device_credential)


def _own(data: bytes, anchor: Anchor, device_id: str) -> bytes:
    """The credential of a device that is already what we want it to be, verified: it must not learn who we are else."""
    parsed = credential.parse(data)
    if parsed.site_id != anchor.site_id:
        raise Conflict("device-commissioned", "it belongs to another site: decommission it there, or reset it by hand")
    credential.verify(parsed, anchor, HostSuite())
    if parsed.device_id != device_id:
        raise Conflict("device-commissioned", f"it is {parsed.device_id} of this site already")
    return data


async def _identity(connection: Connection, method: int, body: bytes) -> coap.Message:
    return checked(await connection.request(coap.request(method, "/identity", body, coap.CONTENT_CBOR)))
