"""A device's key is exchanged, from an admin's side: asked for, vouched for, met, and only then the device's for good.

Owns: the order. What the device will be told is in the registry before; so a visit cut short anywhere is gone on with
by the next one, and meanwhile visitors find one key that works.
Rules: both keys prove that they are one device's. The old one is struck off when the new one was met, not before.
Must not know: how the device is reached.
"""

import contextlib
import os
from collections.abc import Callable

from admit import syncing, withdrawing
from admit.authority import Authority
from admit.client import Session
from admit.editing import editing
from admit.key_models import RotationRow
from admit.keyfiles import fingerprint
from admit.registry import Registry
from admit.registry_keys import end_rotation
from admit.site import Site
from admit.suite import HostSuite
from admit.transport import Transport
from admit.visit import visit
from admit.wallet import Wallet
from admit_protocol import cbor, coap, credential, rotation
from admit_protocol.errors import AdmitError, Refused, Untrusted
from admit_protocol.kdf import sha256

# Bodies of /identity: docs/SPEC.md.
_CONTRIBUTION, _OPERATION, _FINGERPRINT = 1, 4, 5
_ROTATE, _CONFIRM = 1, 2
_CREDENTIAL = 1
_BY_OLD, _BY_NEW, _TEST_ONLY = 1, 2, 3

Step = Callable[[str], None]


async def exchange(
    reach: Callable[[], Transport], site: Site, signer: Authority, wallet: Wallet, device_id: str, now: int, step: Step
) -> bytes:
    """All of it: the device's new key, 64 bytes. `reach()` is a way to it, taken twice: each key proves itself in a
    session of its own. `step(words)` is told of each stage.

    Raises what `begin`, `end` and a visit do; done again after any of that, it goes on.
    """
    async with visit(reach(), wallet, device_id, step) as session:
        step(f"asking {device_id} for a new key")
        public = await begin(session, site.registry, signer, _met(wallet, device_id), now)
        await leave(session)
    async with visit(reach(), wallet, device_id, step) as session:
        step(f"telling {device_id} that its new key was met")
        await end(session, site, wallet, device_id, public)
    keep(site, signer, device_id, public, now)
    return public


async def leave(session: Session) -> None:
    """End a session that the old key began: the device has little room for two of one admin."""
    with contextlib.suppress(AdmitError):
        await session.request(coap.DELETE, "/login")


def _met(wallet: Wallet, device_id: str) -> credential.Credential:
    known = wallet.device(device_id)
    assert known  # a visit keeps it
    return known


async def begin(session: Session, registry: Registry, signer: Authority, met: credential.Credential, now: int) -> bytes:
    """Give a device its next key; that key, 64 bytes. `met`: the credential with which it has proven itself in this
    session.

    If it has the key already that was to follow, nothing is left to do here. Raises what rotation.parse and .verify do,
    Untrusted rotation-unknown-key for a device whose key this registry never knew, and what the device says.
    """
    known, coming = registry.device(met.device_id), registry.rotation(met.device_id)
    if coming is not None and met.public == coming.public:
        return coming.public
    if met.public != known.public:
        raise Untrusted("rotation-unknown-key", f"{met.device_id} has a key that is not the one in the registry")
    row = registry.begin_rotation(await _asked(session, signer, met, now))
    await session.request(coap.PUT, "/identity", cbor.encode({_CREDENTIAL: row.credential}), coap.CONTENT_CBOR)
    return row.public


async def _asked(session: Session, signer: Authority, met: credential.Credential, now: int) -> RotationRow:
    """The device's next key, proven by both, and the authority's word for it."""
    asked = cbor.encode({_OPERATION: _ROTATE, _CONTRIBUTION: os.urandom(32)})
    answer = await session.request(coap.POST, "/identity", asked, coap.CONTENT_CBOR)
    body = cbor.expect(cbor.decode(answer.payload), dict, "rotation-answer")
    halves = [cbor.expect(body.get(each), bytes, "rotation-answer") for each in (_BY_OLD, _BY_NEW)]
    by_old, by_new = map(rotation.parse, halves)
    rotation.verify(by_old, by_new, met.public, met.site_id, met.device_id, HostSuite())
    issued_at = max(now, met.issued_at + 1)  # of two credentials of a device, the later one counts
    test_only = body.get(_TEST_ONLY) is True
    data = signer.issue_credential(met.device_id, by_old.new, by_old.seal, issued_at, test_only)
    row = RotationRow(public=by_old.new, old=met.public, device_id=met.device_id, credential=data)
    row.by_old, row.by_new, row.begun_at = halves[0], halves[1], now
    return row


async def end(session: Session, site: Site, wallet: Wallet, device_id: str, public: bytes) -> None:
    """Tell a device that has proven itself with its new key, `public`, that the old one is no longer needed.

    What waits for it, sealed to the old key, is brought first; if the device was told before, and cannot read that any
    more, `keep` has it sealed to the new one. Raises Untrusted rotation-not-met, and what the device says.
    """
    if _met(wallet, device_id).public != public:
        raise Untrusted("rotation-not-met", f"{device_id} still proves itself with its old key")
    try:
        await syncing.deliver(session, site.registry, device_id, wallet)
    except Refused as error:
        if error.reason != "cose-unsealed":
            raise
    await confirm(session, public)


async def finish(session: Session, site: Site, signer: Authority, wallet: Wallet, device_id: str, now: int) -> None:
    """Do what is left of an exchange that broke off, if the device has proven the key that was to follow in this
    session. A courier who may not tell the device so leaves that to the next exchange.
    """
    coming = site.registry.rotation(device_id)
    if coming is not None and _met(wallet, device_id).public == coming.public:
        with contextlib.suppress(Refused):
            await end(session, site, wallet, device_id, coming.public)
        keep(site, signer, device_id, coming.public, now)


async def confirm(session: Session, public: bytes) -> None:
    """Tell the device that its key `public`, 64 bytes, was met, so that it forgets the one before."""
    body = cbor.encode({_OPERATION: _CONFIRM, _FINGERPRINT: sha256(public)})
    await session.request(coap.POST, "/identity", body, coap.CONTENT_CBOR)


def keep(site: Site, signer: Authority, device_id: str, public: bytes, now: int) -> None:
    """The new key, `public`, is the device's; whoever comes with the old one is somebody else. All wallets are told."""
    with editing(site, signer, now) as edit:
        old = end_rotation(edit.session, device_id, public, now)
        withdrawing.strike_off(edit, signer, device_id, fingerprint(old))
        edit.note("rotate", f"device {device_id}, key {fingerprint(old)} to {fingerprint(public)}")
