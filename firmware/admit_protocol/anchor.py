"""The trust anchor of a site: the authority's two public keys, the site's name, and the site id that they hash to.

Owns: the anchor's bytes and the site id.
Rules: the name is a convenience for people and no part of the site id; one anchor has one encoding.
Must not know: how an anchor reached us, and so whether it may be believed.
"""

from . import cbor, cose, kdf
from .const import const
from .errors import LocalError, Malformed

_MAX_NAME = const(64)  # bytes of UTF-8


def site_id(sign_public, ecdh_public):
    """The 16-byte id of the site whose authority signs with one key and decrypts with the other (64 bytes each)."""
    return kdf.sha256(cbor.encode([cose.encode_key(sign_public), cose.encode_key(ecdh_public)]))[:16]


class Anchor:
    """`sign_public`, `ecdh_public`: 64 bytes each; `name`: text of 1..64 bytes; `site_id`: 16 bytes."""

    def __init__(self, sign_public, ecdh_public, name):
        if not _is_name(name):
            raise LocalError("anchor-name")
        self.sign_public = sign_public
        self.ecdh_public = ecdh_public
        self.name = name
        self.site_id = site_id(sign_public, ecdh_public)

    def encode(self):
        """The anchor's one encoding, as `decode` reads it."""
        return cbor.encode([cose.encode_key(self.sign_public), cose.encode_key(self.ecdh_public), self.name])


def decode(data):
    """The Anchor in `data`. Raises Malformed cbor-…, cose-key, anchor-structure or anchor-name."""
    items = cbor.expect(cbor.decode(data), list, "anchor-structure")
    if len(items) != 3:
        raise Malformed("anchor-structure")
    sign_public, sign_kid = cose.decode_key(items[0])
    ecdh_public, ecdh_kid = cose.decode_key(items[1])
    if sign_kid is not None or ecdh_kid is not None:
        raise Malformed("anchor-structure", "a key with a kid")
    if not _is_name(cbor.expect(items[2], str, "anchor-name")):
        raise Malformed("anchor-name")
    return Anchor(sign_public, ecdh_public, items[2])


def _is_name(name):
    return 0 < len(name.encode()) <= _MAX_NAME
