"""Being let in: a key that a device does not know yet gets a grant there, by an invite or by an admin beside it.

Owns: the newcomer's session, in which the device has proven itself and the newcomer nothing but a key; redeeming an
invite in it; asking to be paired, and the admin's side of that.
Rules: the device is proven against the anchor before the invite's proof or a name leaves. Doing it again is as good as
once, for the same key: whatever broke off, the same link finishes it.
Must not know: how a link or a code was typed.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from admit import following, keyfiles
from admit.client import Holder, Session, trusted_anchor, trusted_credential
from admit.connection import Connection
from admit.invites import Link
from admit.sharing import Wish, share
from admit.suite import HostSuite
from admit.transport import Transport
from admit.wallet import Wallet
from admit_protocol import cbor, coap, cose, credential, enrolment, grant, invite, issuing, notice, standing
from admit_protocol.anchor import Anchor
from admit_protocol.errors import Malformed, NotFound, TimedOut, Untrusted

PAUSE_S = 1.0  # over radio, who is not known yet must speak every three seconds
WAIT_S = 600.0

# GET and POST /enrol
_ID, _INVITE, _DELEGATION, _PROOF, _NAME, _SIG_KEY, _KEY, _PAIR, _CODE, _PAIRED = 1, 1, 2, 3, 4, 5, 6, 7, 8, 9
_LEAF, _CHAIN = 2, 3


@asynccontextmanager
async def arrive(
    transport: Transport,
    wallet: Wallet,
    device_id: str,
    site_id: bytes | None = None,
    fingerprint: bytes | None = None,
) -> AsyncIterator[tuple[Session, Anchor]]:
    """A session with the device in which the wallet's key is all that is known of its owner; and the site's anchor.

    `site_id`: which site is meant, for a wallet that has no anchor yet; `fingerprint`: the device's key as its public
    label tells it, 8 bytes. Raises NotFound wallet-no-site, and Untrusted or Unverified if it is not that device.
    """
    async with Connection(transport) as connection:
        told = await trusted_anchor(connection, site_id) if site_id else _known_anchor(wallet)
        is_known = wallet.meets(told)
        site_anchor = (following.further(wallet.anchor, told) or wallet.anchor) if is_known else told
        data = await trusted_credential(connection, site_anchor, device_id)
        known = credential.parse(data)
        if fingerprint not in (None, notice.fingerprint(known.public)):
            raise Untrusted("device-other", "its key is not the one on its label")
        if is_known:
            wallet.check_device(known)
        session = Session(connection, Holder(wallet.login_key, None, site_anchor), data)
        await session.start()
        yield session, site_anchor


def _known_anchor(wallet: Wallet) -> Anchor:
    try:
        return wallet.anchor
    except NotFound:
        raise NotFound("wallet-no-site", "this wallet does not know yet which site to trust") from None


# By an invite


def device_of(link: Link) -> str:
    """The one device at which the link's invite can be redeemed."""
    return grant.parse(link.grant).audience[0]


async def redeem(session: Session, anchor: Anchor, wallet: Wallet, link: Link, name: str | None = None) -> grant.Grant:
    """Redeem an invite in a newcomer's session; the grant that the wallet has of it. `name`: what others may call one.

    Raises Untrusted if the invite has ended or is not the site's, and what the device says: Denied invite-used.
    """
    suite, invited = HostSuite(), grant.parse(link.grant)
    grant.verify_issuer(invited, anchor.sign_public, anchor.site_id, suite, following.previous(anchor))
    now = int(time.time())
    standing.check(invited, device_of(link), (now, now), ())
    key = invite.key(link.secret, suite)
    data = issuing.delegation(
        key,
        invited,
        name or invited.subject,
        list(invited.audience),
        list(invited.rules),
        wallet.publics[0],
        now,
        wallet.publics[1],
        invited.not_before,
        invited.expires,
        invited.selectors,
    )
    proof = issuing.enrolment(key, session.binding, grant.kid_of(data))
    body = cbor.encode({_INVITE: link.grant, _DELEGATION: data, _PROOF: proof})
    try:
        await session.request(coap.POST, "/enrol", body, coap.CONTENT_CBOR)
    except TimedOut:
        wallet.accept(anchor, data, [link.grant])  # perhaps it was let in: the next visit will tell
        raise
    return wallet.accept(anchor, data, [link.grant])


# By an admin: the newcomer's side


async def ask(session: Session, wallet: Wallet, name: str) -> str:
    """Ask to be paired; the code that the admin has to type."""
    body = cbor.encode({_NAME: name, _SIG_KEY: cose.encode_key(wallet.publics[1])})
    response = await session.request(coap.POST, "/enrol", body, coap.CONTENT_CBOR)
    answer = cbor.expect(cbor.decode(response.payload), dict, "enrol-body")
    return enrolment.code(session.binding, cbor.expect(answer.get(_ID), bytes, "enrol-body"))


async def wait(session: Session, anchor: Anchor, wallet: Wallet, wait_s: float = WAIT_S) -> grant.Grant:
    """The grant that the admin passes on, once they have. Raises TimedOut enrol-unanswered."""
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        response = await session.request(coap.GET, "/enrol")
        if response.payload:
            body = cbor.expect(cbor.decode(response.payload), dict, "enrol-body")
            leaf = cbor.expect(body.get(_LEAF), bytes, "enrol-body")
            chain = cbor.expect(body.get(_CHAIN), list, "enrol-body")
            return wallet.accept(anchor, leaf, [cbor.expect(each, bytes, "enrol-body") for each in chain])
        await asyncio.sleep(PAUSE_S)
    raise TimedOut("enrol-unanswered", "no admin has paired this wallet in time")


# The admin's side


@dataclass(frozen=True)
class Newcomer:
    """Somebody who asks to be paired: what they call themselves, and their keys, 64 bytes each."""

    id: bytes
    name: str
    key: bytes
    sig_key: bytes

    @property
    def fingerprint(self) -> str:
        """As their own `admit wallet new` told it."""
        return keyfiles.fingerprint(self.key)


async def newcomers(session: Session) -> list[Newcomer]:
    """Who asks to be paired at the device now."""
    response = await session.request(coap.GET, "/enrol")
    return [_newcomer(each) for each in cbor.expect(cbor.decode(response.payload), list, "enrol-list")]


async def pair(
    session: Session, wallet: Wallet, device_id: str, newcomer: Newcomer, code: str, wish: Wish
) -> grant.Grant:
    """Pass on `wish` out of one of the admin's grants for this device to the newcomer, who shows `code`.

    Raises what sharing.share does; Denied code-wrong, Busy code-wait, NotFound enrol-gone.
    """
    now = int(time.time())
    given = share(wallet, wish, now, wallet.grants_for(device_id, now))
    body = cbor.encode({_PAIR: newcomer.id, _CODE: code, _PAIRED: given.data})
    await session.request(coap.POST, "/enrol", body, coap.CONTENT_CBOR)
    return given


def _newcomer(item) -> Newcomer:
    fields = cbor.expect(item, dict, "enrol-list")
    keys = [cose.decode_key(cbor.expect(fields.get(each), dict, "enrol-list"))[0] for each in (_KEY, _SIG_KEY)]
    identifier = cbor.expect(fields.get(_ID), bytes, "enrol-list")
    name = cbor.expect(fields.get(_NAME), str, "enrol-list")
    if not name or len(identifier) != 8:
        raise Malformed("enrol-list")
    return Newcomer(identifier, name, *keys)
