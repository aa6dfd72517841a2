"""Takeovers at devices: what waits there, who may take it over; a beginning, a veto, and the end of an orphan.

Owns: the requests of /takeover, and what the registry keeps of their answers.
Rules: a device is proven by its credential before it is asked for anything. Whoever begins a takeover keeps that
credential: the device's key stays, so the next site signs for it without asking an orphan, whom nobody can prove.
Must not know: how a device is reached, how people are asked.
"""

import time
from collections.abc import Callable

from admit import journal_store, takeovers
from admit.authority import Authority
from admit.client import Holder, Session, check_credential, describe, trusted_anchor, unproven
from admit.collect import fetch_journal
from admit.connection import Connection
from admit.editing import first_bundle
from admit.site import Site
from admit.suite import HostPrivateKey
from admit.takeover_models import BegunTakeoverRow, SeenTakeoverRow
from admit.takeovers import Recovery, Takeover
from admit.waiting import PATH, Standing, ask
from admit.wallet import Wallet
from admit_protocol import anchor, cbor, coap, credential, journal, takeover
from admit_protocol.errors import Conflict, Untrusted

ORPHAN = "orphan"  # the state of a device whose wait is over
_POLICY, _SAID, _SIGNATURES, _VETO = 1, 2, 3, 4  # POST
_CREDENTIAL, _ANCHOR = 1, 2  # PUT /identity


# At devices of this site


async def keep_up(session: Session, site: Site, signer: Authority, device_id: str, now: int) -> Standing:
    """On an admin's visit: the device hears who may take it over, and the registry what waits there."""
    registry = site.registry
    told, policy = await ask(session), registry.recovery_policy()
    row = None
    if told.said:
        row = SeenTakeoverRow(device_id=device_id, words=told.said, left_s=told.left_s, seen_at=now)
    if row or device_id in registry.takeovers_seen():
        registry.takeover_seen(device_id, row)
    number = told.number
    if policy and number < policy.number and not told.said:  # while something waits it takes no other
        data = takeovers.signed_now(site, signer, policy)
        await session.request(coap.POST, PATH, cbor.encode({_POLICY: data}))
        number = policy.number
    if number or device_id in registry.recovery_waiting():
        registry.recovery_held(device_id, number)
    return told


async def veto(session: Session) -> None:
    """End what waits there, as somebody whom a rule lets. Raises NotFound takeover-none, and what the device says."""
    await session.request(coap.DELETE, PATH)


async def hand_in_veto(session: Session, paper: bytes) -> None:
    """End it by the authority's veto, whoever brings that."""
    await session.request(coap.POST, PATH, cbor.encode({_VETO: paper}))


# At devices of another site


async def recovery_of(connection: Connection, site_id: bytes, key: HostPrivateKey) -> Recovery:
    """Whom a device of that site would follow, as a file would tell. Raises Conflict takeover-no-keys."""
    session, origin, _ = await _arrive(connection, site_id, key)
    told = await ask(session)
    if told.policy is None:
        raise Conflict("takeover-no-keys", "nobody has told the device whom it may follow")
    return takeovers.open_recovery(Recovery(origin, told.policy).encode())


async def begin(
    connection: Connection, signed: Takeover, device_id: str, key: HostPrivateKey
) -> tuple[bytes, Standing]:
    """Begin a takeover that enough have signed: (the device's credential as it has it, how that stands now).

    The same again is no harm. Raises Untrusted takeover-other-device, and what the device says.
    """
    session, _, data = await _arrive(connection, signed.recovery.origin.site_id, key)
    name = credential.parse(data).device_id
    if name != device_id or not takeover.means(signed.words, name):
        raise Untrusted("takeover-other-device", f"the device is {name}")
    told = await ask(session)  # first something small: the device still has in its heap what the handshake took
    if told.said != signed.said:
        body = {_SAID: signed.said, _SIGNATURES: list(signed.signatures)}
        await session.request(coap.POST, PATH, cbor.encode(body))
        told = await ask(session)
    return data, told


async def left(connection: Connection, row: BegunTakeoverRow, key: HostPrivateKey) -> int:
    """For how many seconds it still waits. Raises Conflict takeover-gone if it was vetoed, or is another one."""
    told = await describe(connection)
    if told.state == ORPHAN:
        return 0
    session, _, data = await _arrive(connection, bytes.fromhex(row.site_id), key)
    standing = await ask(session)
    if data != row.credential or standing.said != row.words:
        raise Conflict("takeover-gone", "the device does not wait for it any more: it was vetoed")
    return standing.left_s


def begun(signed: Takeover, data: bytes, told: Standing, now: int) -> BegunTakeoverRow:
    """What the registry keeps of it."""
    row = BegunTakeoverRow(site_id=signed.words.site_id.hex(), device_id=credential.parse(data).device_id)
    row.credential, row.words, row.left_s, row.seen_at = data, signed.said, told.left_s, now
    return row


async def adopt(
    connection: Connection,
    site: Site,
    signer: Authority,
    wallet: Wallet,
    row: BegunTakeoverRow,
    device_id: str,
    step: Callable[[str], None],
) -> credential.Credential:
    """Make a device whose wait is over one of this site, called `device_id` here. Again goes on where it broke off.

    Raises Conflict takeover-waits while it belongs to the other site, and what the registry says of the name.
    """
    step("asking the device who it is")
    told, was = await describe(connection), credential.parse(row.credential)
    shown = credential.parse(told.credential) if told.credential else None
    if shown is None or shown.public != was.public:
        raise Untrusted("takeover-other-key", "it is another device than the one that was begun with, or was reset")
    data = told.credential or b""
    if shown.site_id != site.anchor.site_id:
        if told.state != ORPHAN:
            raise Conflict("takeover-waits", "its wait is not over, or was vetoed: admit takeover status")
        step("taking it in")
        data = _credential_for(site, signer, was, device_id)
        body = {_CREDENTIAL: data} | ({_ANCHOR: site.anchor.encode()} if site.anchor.successions else {})
        put = coap.request(coap.PUT, "/identity", cbor.encode(body), coap.CONTENT_CBOR)
        unproven(await connection.request(put))
    check_credential(data, site.anchor, device_id)
    step("proving the device with its new credential")
    given = wallet.grant_for(device_id, int(time.time()))
    session = Session(connection, Holder(wallet.login_key, given.data, site.anchor), data)
    await session.start()
    await _begin_journal(session, site, device_id, was.public)
    return wallet.add_device(data)


async def _begin_journal(session: Session, site: Site, device_id: str, public: bytes) -> None:
    """A journal that an earlier key of the device began, which nobody here knows, is kept from its second record on."""
    begun_with = await fetch_journal(session, 0)
    if begun_with.first == 0 and begun_with.base != journal.first_head(public):
        journal_store.store(site.registry, device_id, await fetch_journal(session, 1), int(time.time()))


def _credential_for(site: Site, signer: Authority, was: credential.Credential, device_id: str) -> bytes:
    """The credential, once the registry knows the device."""
    now = int(time.time())
    data = signer.issue_credential(device_id, was.public, was.seal_public, now, was.test_only)
    site.registry.add_device(data, now, lambda session, device: first_bundle(signer, session, device, now))
    return data


async def _arrive(connection: Connection, site_id: bytes, key: HostPrivateKey) -> tuple[Session, anchor.Anchor, bytes]:
    """A session as somebody of whom nothing is known but a key; the site's anchor and the device's credential."""
    origin = await trusted_anchor(connection, site_id)
    data = (await describe(connection)).credential or b""
    check_credential(data, origin, credential.parse(data).device_id)
    session = Session(connection, Holder(key, None, origin), data)
    await session.start()
    return session, origin, data
