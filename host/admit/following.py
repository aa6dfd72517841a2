"""A site's authority has changed its keys: whoever trusts it follows, from the keys that they trust, and nowhere else.

Owns: when an anchor takes the place of another, and what the key before still says: it signed credentials and grants
that count until the overlap is over, and nothing else that does.
Rules: an anchor from elsewhere is verified before it is looked at further. One takes another's place only if its
successions begin with that one's and go on; a fork or a shorter one never does.
Must not know: where anchors are kept.
"""

import time
from typing import TYPE_CHECKING

from admit.suite import HostSuite
from admit_protocol import anchor as anchors
from admit_protocol import cbor, coap, cose, credential, grant, succession
from admit_protocol.anchor import Anchor
from admit_protocol.errors import AdmitError, Untrusted, Unverified

if TYPE_CHECKING:
    from admit.client import Session
    from admit.wallet import Wallet

_ANCHOR = 8  # in GET /id
_SUCCESSIONS = 1  # in POST /grants


def verified(data: bytes) -> Anchor:
    """The anchor in `data`, whose successions hold. Raises what anchor.decode and succession.verify_chain do."""
    found = anchors.decode(data)
    succession.verify_chain(found, HostSuite())
    return found


def further(known: Anchor, told: Anchor) -> Anchor | None:
    """What takes the place of `known` after `told`, verified, was heard; None if that leads no further.

    Raises Untrusted anchor-other-site, succession-fork.
    """
    if told.site_id != known.site_id:
        raise Untrusted("anchor-other-site", "it is not of the site that was meant")
    count = len(known.successions)
    if told.successions[:count] != known.successions[: len(told.successions)]:
        raise Untrusted("succession-fork", "it follows another key than this one did")
    if len(told.successions) <= count:
        return None
    return Anchor(known.first_public, known.first_ecdh_public, known.name, told.successions)


def previous(anchor: Anchor, now: float | None = None) -> bytes | None:
    """The authority's key before the present one, as long as what it signed counts."""
    if anchor.ends is None or (time.time() if now is None else now) >= anchor.ends:
        return None
    return anchor.previous


def _earlier(anchor: Anchor) -> list[bytes]:
    """The keys that signed for the site before the present one."""
    return [anchor.first_public, *(succession.parse(each).sign_public for each in anchor.successions)][:-1]


def verify_credential(found: credential.Credential, anchor: Anchor) -> None:
    """Returns if the anchor's authority issued it, with a key that counts.

    Raises as credential.verify does, or Unverified device-old-authority for a key that counts no more.
    """
    try:
        credential.verify(found, anchor, HostSuite())
    except Unverified:
        signed = cose.signed(found.sign1, cose.DEVICE_CREDENTIAL)
        signers = [public for public in _earlier(anchor) if HostSuite().verify(public, *signed)]
        if not signers:
            raise
        if signers[-1] != previous(anchor):
            raise Unverified("device-old-authority", f"nobody has vouched anew for {found.device_id}") from None


def verify_ever(found: credential.Credential, anchor: Anchor) -> None:
    """Returns if the anchor's authority issued it, with whichever of its keys: of what is over. Raises as
    credential.verify does.
    """
    try:
        verify_credential(found, anchor)
    except Unverified as error:
        if error.reason != "device-old-authority":
            raise


def is_present(found: credential.Credential | grant.Grant, anchor: Anchor) -> bool:
    """Whether the present key of the anchor's authority signed this credential, or this grant that is no delegation."""
    try:
        if isinstance(found, grant.Grant):
            grant.verify_issuer(found, anchor.sign_public, anchor.site_id, HostSuite())
        else:
            credential.verify(found, anchor, HostSuite())
    except (Untrusted, Unverified):
        return False
    return True


async def catch_up(session: "Session", wallet: "Wallet", number: object) -> None:
    """Follow the authority as far as a device does, which tells that `number` successions have led there.

    That is its word alone: if its anchor does not hold, or leads elsewhere, the wallet keeps its own.
    """
    if not isinstance(number, int) or number <= len(wallet.anchor.successions):
        return
    try:
        told = await session.request(coap.GET, "/id", query="anchor=1")
        body = cbor.expect(cbor.decode(told.payload), dict, "id-body")
        wallet.follow(verified(cbor.expect(body.get(_ANCHOR), bytes, "id-body")))
    except AdmitError:
        pass  # a thief of the key before may have led it elsewhere: nothing changes here


async def lead(session: "Session", anchor: Anchor, number: int) -> None:
    """Hand a device that follows `number` successions the others. Raises what the device says."""
    for step in anchor.successions[number:]:
        await session.request(coap.POST, "/bundle", step)


def steps(anchor: Anchor) -> bytes:
    """The body of POST /grants that leads a device to the present keys."""
    return cbor.encode({_SUCCESSIONS: list(anchor.successions)})


async def fetch(session: "Session", wallet: "Wallet") -> int:
    """Take what the present key has signed anew of the wallet's grants, as far as a device has it; how many."""
    anchor, taken = wallet.anchor, 0
    held = {each.id: each for each in wallet.grants() if not each.chain}
    if not anchor.successions or all(is_present(each, anchor) for each in held.values()):
        return 0
    told = await session.request(coap.GET, "/grants")
    for data in cbor.expect(cbor.decode(told.payload), list, "grants-body"):
        given = grant.parse(cbor.expect(data, bytes, "grants-body"))
        if given.id in held and is_present(given, anchor) and not is_present(held[given.id], anchor):
            wallet.add_grant(given.data)
            taken += 1
    return taken
