"""Commissioning over a cable: the device makes its key, the authority vouches for it, the result is proven.

Each step may be repeated, and the same command after a torn cable finishes what it began: the device answers with the
same key until it is commissioned, and with success to the very credential that it already has.
"""

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from admit import following
from admit.client import Holder, Session, checked, describe
from admit.connection import Connection
from admit_protocol import cbor, coap, cose, credential
from admit_protocol.anchor import Anchor
from admit_protocol.errors import Conflict

# POST and PUT /identity
_CONTRIBUTION, _PUBLIC_KEY, _TEST_ONLY, _SEAL_KEY = 1, 1, 2, 3
_CREDENTIAL, _ANCHOR, _NOW = 1, 2, 3

# GET /release, POST /reset
_VERSION, _SET_HASH, _BOARD, _MICROPYTHON, _MPY, _BOARD_ID = 1, 2, 3, 4, 5, 6
_BOOT = 1
_OPEN_REPL = 1

Ask = Callable[[int, str, bytes], Awaitable[coap.Message]]  # (method, path, CBOR): its response; raises what it tells


class Keys(NamedTuple):
    """What a factory device says of the keys that it made: 64 bytes each; `test_only` if it had no live source of
    randomness.
    """

    public: bytes
    seal_public: bytes
    test_only: bool


@dataclass(frozen=True)
class Release:
    """What a device says of its firmware. `set_hash` is None where it was not installed, but runs from a checkout."""

    version: str
    set_hash: bytes | None
    board: str
    micropython: str
    mpy: int
    board_id: bytes


@dataclass(frozen=True)
class Proof:
    """What a device said under the protection of its credential."""

    release: Release
    health: dict


async def make_key(connection: Connection) -> Keys:
    """Have a factory device make its key, with randomness of ours mixed in, and the other one that follows from it."""
    body = cbor.encode({_CONTRIBUTION: os.urandom(32)})
    response = await _identity(connection, coap.POST, body)
    answer = cbor.expect(cbor.decode(response.payload), dict, "identity-body")
    public, seal_public = [
        cose.decode_key(cbor.expect(answer.get(key), dict, "identity-body"))[0] for key in (_PUBLIC_KEY, _SEAL_KEY)
    ]
    return Keys(public, seal_public, answer.get(_TEST_ONLY) is True)


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


async def prove_release(connection: Connection, holder: Holder, device_credential: bytes) -> Proof:
    """Run EDHOC with the new credential, and ask the device which firmware it runs and how it is."""
    session = Session(connection, holder, device_credential)
    await session.start()
    release = await read_release(session.request)
    health = await session.request(coap.GET, "/health")
    return Proof(release, cbor.expect(cbor.decode(health.payload), dict, "health-body"))


async def read_release(ask: Ask) -> Release:
    """GET /release, by `ask`: a session's `request`, or `unprotected` of a factory device at its cable."""
    body = cbor.expect(cbor.decode((await ask(coap.GET, "/release", b"")).payload), dict, "release-body")
    texts = [cbor.expect(body.get(key), str, "release-body") for key in (_VERSION, _BOARD, _MICROPYTHON)]
    set_hash = cbor.expect(body.get(_SET_HASH), (bytes, type(None)), "release-body")
    mpy = cbor.expect(body.get(_MPY), int, "release-body")
    return Release(texts[0], set_hash, texts[1], texts[2], mpy, cbor.expect(body.get(_BOARD_ID), bytes, "release-body"))


async def open_repl(ask: Ask) -> None:
    """POST /reset: have the device restart with its REPL open, for that one boot."""
    await ask(coap.POST, "/reset", cbor.encode({_BOOT: _OPEN_REPL}))


def unprotected(connection: Connection) -> Ask:
    """How a factory device is asked over its cable."""

    async def ask(method: int, path: str, body: bytes = b"") -> coap.Message:
        content_format = coap.CONTENT_CBOR if body else None
        return checked(await connection.request(coap.request(method, path, body, content_format)))

    return ask


async def commission(
    connection: Connection,
    holder: Holder,
    device_id: str,
    issue: Callable[[Keys], bytes],
    step: Callable[[str], None],
) -> tuple[bytes, dict]:
    """The whole of it: (the device's credential, its health). `issue(keys)` has the authority vouch for them.

    `step(words)` is told before each step. Raises Conflict("device-commissioned") if the device is another's already,
    or another one of this site.
    """
    step("asking the device who it is")
    description = await describe(connection)
    if description.credential is None:
        step("making the device's key")
        device_credential = issue(await make_key(connection))
        step("installing credential and trust anchor")
        await install(connection, device_credential, holder.anchor)
    else:
        device_credential = own(description.credential, holder.anchor, device_id)
    step("proving the device with its new credential")
    return device_credential, await prove(connection, holder, device_credential)


def own(data: bytes, anchor: Anchor, device_id: str) -> bytes:
    """The credential of a device that is already what we want it to be, verified: it must not learn who we are else."""
    parsed = credential.parse(data)
    if parsed.site_id != anchor.site_id:
        raise Conflict("device-commissioned", "it belongs to another site: decommission it there, or reset it by hand")
    following.verify_credential(parsed, anchor)
    if parsed.device_id != device_id:
        raise Conflict("device-commissioned", f"it is {parsed.device_id} of this site already")
    return data


async def _identity(connection: Connection, method: int, body: bytes) -> coap.Message:
    return checked(await connection.request(coap.request(method, "/identity", body, coap.CONTENT_CBOR)))
