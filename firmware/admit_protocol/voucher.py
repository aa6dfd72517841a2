"""Vouchers: how a site hands a device on to another, and that one to the next, without anybody asking a server.

Owns: a voucher's bytes, and when a chain of them leads from one site to another; issuing.voucher signs one.
Rules: each is signed by whom the one before it names, the first by the device's own authority; all name one device and
the key that it has, so that a device which has changed its key since belongs to nobody by them. The whole chain is
shown, in order. Every voucher in it must live, and none be taken back.
Must not know: who shows it, and what a device does with it.
"""

from collections import namedtuple

from . import anchor as anchors
from . import cbor, cose, papers
from .const import const
from .errors import Malformed, Untrusted
from .kdf import sha256

MAX_CHAIN = const(5)  # vouchers
ID_LENGTH = const(8)  # of the first bytes of its hash, by which a bundle takes it back

_OPTIONAL_BYTES, _OPTIONAL_INT = (bytes, type(None)), (int, type(None))
_KINDS = (int, str, 64, 16, bytes, _OPTIONAL_BYTES, int, _OPTIONAL_INT)

# `number`: its place in the chain, from 1; `public`: the device's key, 64 bytes; `from_site`: 16 bytes; `to`: the next
# owner's anchor, encoded; `previous`: hash of the voucher before it, 32 bytes, None of the first; `issued_at`,
# `expires`: unix seconds, None: open; `hash`: 32 bytes, its own.
Voucher = namedtuple(
    "Voucher",
    ("number", "device_id", "public", "from_site", "to", "previous", "issued_at", "expires", "sign1", "hash"),
)


def parse(data):
    """The Voucher in `data`, not yet verified.

    Raises Malformed or Unsupported cbor-…, cose-…, anchor-…; Malformed voucher-structure.
    """
    found = Voucher(*(papers.read(data, _KINDS, "voucher-structure") + [sha256(data)]))
    if len(found.previous or bytes(32)) != 32 or (found.expires or 0) < 0:
        raise Malformed("voucher-structure")
    anchors.decode(found.to)
    return found


def parse_chain(items):
    """The Vouchers in a list of their bytes, not yet verified. Raises Malformed voucher-chain, and as `parse` does."""
    if not 0 < len(cbor.expect(items, list, "voucher-chain")) <= MAX_CHAIN:
        raise Malformed("voucher-chain", "1 to %d vouchers" % MAX_CHAIN)
    return [parse(cbor.expect(item, bytes, "voucher-chain")) for item in items]


def verify_chain(chain, anchor, device_id, public, suite):
    """The anchor.Anchor of the site to which a chain of Vouchers leads, for this device and this key of it (64 bytes),
    from the site of `anchor`. Whether it counts at a moment is `check_life`'s.

    Raises Untrusted voucher-order, voucher-other-site, voucher-other-device, voucher-other-key; Unverified
    cose-signature.
    """
    site_id, signer, previous = anchor.site_id, anchor.sign_public, None
    for number, one in enumerate(chain, 1):
        if one.number != number or one.previous != previous:
            raise Untrusted("voucher-order", "the vouchers do not join, or one is missing")
        if one.from_site != site_id:
            raise Untrusted("voucher-other-site", "it is no voucher of the site whose the device is")
        cose.verify_sign1(one.sign1, signer, cose.VOUCHER, suite)
        if one.device_id != device_id:
            raise Untrusted("voucher-other-device", "the voucher is for " + one.device_id)
        if one.public != public:
            raise Untrusted("voucher-other-key", "the device has another key than when the voucher was made")
        target = anchors.decode(one.to)
        site_id, signer, previous = target.site_id, target.sign_public, one.hash
    return target


def check_life(chain, moment, revoked):
    """Returns if every voucher lives at `moment` (earliest, latest that it can be, None where that is open), and its id
    is not among `revoked`. Raises Untrusted voucher-revoked, voucher-expired or voucher-time-unknown.
    """
    earliest, latest = moment
    for one in chain:
        if one.hash[:ID_LENGTH] in revoked:
            raise Untrusted("voucher-revoked", "whoever gave the voucher has taken it back")
        if one.expires is None:
            continue
        if earliest is not None and earliest >= one.expires:
            raise Untrusted("voucher-expired")
        if latest is None or latest >= one.expires:
            raise Untrusted("voucher-time-unknown", "the voucher ends, and the device does not know the time")
