"""Bundles: what an authority tells one device through whoever passes by. Which grants no longer count.

Owns: the bundle's bytes.
Rules: the authority's signature decides, never the carrier; the epoch grows with every bundle, and a device takes only
a greater one, so that a replayed bundle brings nothing back; the revoked ids stand in ascending order, each once.
Must not know: storage, grants, and who carried it.
"""

from collections import namedtuple

from . import cbor, cose
from .const import const
from .errors import Malformed, Untrusted

# Keys of the payload.
SITE_ID = const(1)
DEVICE_ID = const(2)
EPOCH = const(3)
REVOKED = const(4)
ISSUED_AT = const(5)

_CTI_LENGTH = const(8)

# `site_id`: 16 bytes; `device_id`: text; `epoch`: uint; `revoked`: list of 8-byte grant ids (cti); `issued_at`: unix
# seconds; `data`: the whole bundle.
Bundle = namedtuple("Bundle", ("site_id", "device_id", "epoch", "revoked", "issued_at", "sign1", "data"))


def parse(data):
    """The Bundle in `data`, not yet verified. Raises Malformed or Unsupported cbor-…, cose-…; Malformed bundle-…."""
    sign1 = cose.parse_sign1(data)
    payload = cbor.expect(cbor.decode(sign1.payload), dict, "bundle-structure")
    if len(payload) != 5:
        raise Malformed("bundle-structure")
    site_id = cbor.expect(payload.get(SITE_ID), bytes, "bundle-structure")
    device_id = cbor.expect(payload.get(DEVICE_ID), str, "bundle-structure")
    if len(site_id) != 16:
        raise Malformed("bundle-structure", "site id")
    epoch = _unsigned(payload.get(EPOCH))
    issued_at = _unsigned(payload.get(ISSUED_AT))
    revoked = _parse_revoked(payload.get(REVOKED))
    return Bundle(site_id, device_id, epoch, revoked, issued_at, sign1, bytes(data))


def verify(bundle, anchor, device_id, suite):
    """Returns if the anchor's authority made it for this device.

    Raises Untrusted bundle-other-site, Unverified cose-signature, Untrusted bundle-other-device.
    """
    if bundle.site_id != anchor.site_id:
        raise Untrusted("bundle-other-site")
    cose.verify_sign1(bundle.sign1, anchor.sign_public, cose.BUNDLE, suite)
    if bundle.device_id != device_id:
        raise Untrusted("bundle-other-device")


def _unsigned(value):
    if cbor.expect(value, int, "bundle-structure") < 0:
        raise Malformed("bundle-structure")
    return value


def _parse_revoked(value):
    revoked = cbor.expect(value, list, "bundle-revoked")
    previous = b""
    for cti in revoked:
        if len(cbor.expect(cti, bytes, "bundle-revoked")) != _CTI_LENGTH or cti <= previous:
            raise Malformed("bundle-revoked")
        previous = cti
    return revoked
