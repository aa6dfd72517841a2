"""The trust anchor of a site: the authority's first two public keys, to which the site id hashes, the site's name, and
the successions by which other keys took their place.

Owns: the anchor's bytes and the site id.
Rules: the name is a convenience for people and no part of the site id; one anchor has one encoding. That successions
are in order is checked here, their signatures by succession.verify_chain: whoever has an anchor from elsewhere asks it.
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
    """`name`: text of 1..64 bytes; `site_id`: 16 bytes; `first_public`, `first_ecdh_public`: the keys of which it is
    made; `successions`: a tuple of bytes; `sign_public`, `ecdh_public`: the present keys, 64 bytes each; `previous`:
    the key that signed before, and `ends`: until when its grants count, unix seconds; or None.
    """

    def __init__(self, sign_public, ecdh_public, name, successions=()):
        """Raises LocalError anchor-name; Malformed anchor-chain and succession.parse's for what joins to no chain."""
        if not _is_name(name):
            raise LocalError("anchor-name")
        self.first_public = self.sign_public = sign_public
        self.first_ecdh_public = self.ecdh_public = ecdh_public
        self.name = name
        self.site_id = site_id(sign_public, ecdh_public)
        self.successions = tuple(successions)
        self.previous = self.ends = None
        if successions:
            from .succession import succeed

            succeed(self)

    def encode(self):
        """The anchor's one encoding, as `decode` reads it."""
        items = [cose.encode_key(self.first_public), cose.encode_key(self.first_ecdh_public), self.name]
        return cbor.encode(items + ([list(self.successions)] if self.successions else []))


def decode(data):
    """The Anchor in `data`; its successions are not verified yet.

    Raises Malformed or Unsupported cbor-…, cose-…; Malformed anchor-structure, anchor-name, anchor-chain and
    succession-structure.
    """
    items = cbor.expect(cbor.decode(data), list, "anchor-structure")
    if not 3 <= len(items) <= 4:
        raise Malformed("anchor-structure")
    sign_public, sign_kid = cose.decode_key(items[0])
    ecdh_public, ecdh_kid = cose.decode_key(items[1])
    if sign_kid is not None or ecdh_kid is not None:
        raise Malformed("anchor-structure", "a key with a kid")
    if not _is_name(cbor.expect(items[2], str, "anchor-name")):
        raise Malformed("anchor-name")
    if len(items) == 3:
        return Anchor(sign_public, ecdh_public, items[2])
    successions = cbor.expect(items[3], list, "anchor-structure")
    if not successions:
        raise Malformed("anchor-structure")
    return Anchor(sign_public, ecdh_public, items[2], successions)


def _is_name(name):
    return 0 < len(name.encode()) <= _MAX_NAME
