"""Successions: how a site's authority changes its keys, and those who trust it follow. The site's id stays.

Owns: a succession's bytes, and when a chain of them leads from the keys that the site id is made of to present ones.
Rules: each is signed by the key before it, and the new key signs the same words, for another purpose: it is held by
whoever names it. They are numbered without a gap. One that was believed is never replaced by another.
Must not know: who may hold on to what the old key signed, and until when; `ends` says it to whoever decides.
"""

from collections import namedtuple

from . import cbor, cose, papers
from .const import const
from .errors import Malformed, Untrusted

MAX_SUCCESSIONS = const(8)  # of a site
_KINDS = (16, int, 64, 64, int, int, 64)
_WORDS = const(6)  # of the fields, signed by the new key too

# `site_id`: 16 bytes; `number`: from 1; `sign_public`, `ecdh_public`: the keys that follow, 64 bytes each; `issued_at`,
# `ends`: unix seconds, until when grants of the key before count beside them; `possession`: 64 bytes, by the new key.
Succession = namedtuple(
    "Succession", ("site_id", "number", "sign_public", "ecdh_public", "issued_at", "ends", "possession", "sign1")
)


def sign(old_key, new_key, site_id, number, ecdh_public, issued_at, ends):
    """The succession, bytes, by which `new_key` follows `old_key`, and `ecdh_public` the other one.

    Raises Malformed for one that `parse` would not take.
    """
    words = (site_id, number, new_key.public, ecdh_public, issued_at, ends)
    possession = cose.parse_sign1(papers.sign(new_key, cose.SUCCESSOR, words)).signature
    data = papers.sign(old_key, cose.SUCCESSION, words + (possession,))
    parse(data)
    return data


def parse(data):
    """The Succession in `data`, not yet verified.

    Raises Malformed or Unsupported cbor-…, cose-…; Malformed succession-structure.
    """
    found = Succession(*papers.read(data, _KINDS, "succession-structure"))
    if not 0 < found.number <= MAX_SUCCESSIONS or found.ends < found.issued_at:
        raise Malformed("succession-structure")
    return found


def verify(found, public, site_id, number, suite):
    """Returns if the holder of `public` (64 bytes), the authority's key so far, says that another one follows, whose
    holder agrees, and this succession is number `number`.

    Raises Untrusted paper-other-site, succession-order, succession-same-key; Unverified cose-signature.
    """
    if found.site_id == site_id and found.number != number:
        raise Untrusted("succession-order", "it is number %d, and %d is due" % (found.number, number))
    if found.sign_public == public:
        raise Untrusted("succession-same-key", "it exchanges nothing")
    papers.verify(found, cose.SUCCESSION, public, site_id, None, suite)
    words = cbor.encode({field + 1: found[field] for field in range(_WORDS)})
    agreed = cose.Sign1(found.sign1.protected, None, words, found.possession)
    cose.verify_sign1(agreed, found.sign_public, cose.SUCCESSOR, suite)


def succeed(anchor):
    """Make the keys of the last succession those of an anchor.Anchor, which has some.

    Raises Malformed anchor-structure, anchor-chain and as `parse` does.
    """
    for number, data in enumerate(anchor.successions, 1):
        found = parse(cbor.expect(data, bytes, "anchor-structure"))
        if found.number != number or found.site_id != anchor.site_id:
            raise Malformed("anchor-chain", "a succession is missing, or another site's")
        anchor.previous, anchor.ends = anchor.sign_public, found.ends
        anchor.sign_public, anchor.ecdh_public = found.sign_public, found.ecdh_public


def verify_chain(anchor, suite, known=0):
    """Returns if each succession of an anchor.Anchor follows from the one before it, the first from the keys that the
    site's id is made of. `known`: so many of them have been verified before.

    Raises as `verify` does.
    """
    public = anchor.first_public
    for number, data in enumerate(anchor.successions, 1):
        found = parse(data)
        if number > known:
            verify(found, public, anchor.site_id, number, suite)
        public = found.sign_public
