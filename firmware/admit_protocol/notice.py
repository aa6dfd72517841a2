"""The notice: what an authority tells phones through its devices. Which devices no longer count.

Owns: its bytes; issuing.notice signs it.
Rules: its number rises, and a wallet keeps only the highest; each notice is whole. A device carries it and need not
read it.
Must not know: wallets.
"""

from collections import namedtuple

from . import cbor, cose, papers
from .const import const
from .errors import Malformed
from .kdf import sha256

FINGERPRINT_LENGTH = const(8)

# `site_id`: 16 bytes; `number`, `issued_at`: uint, unix seconds; `devices`: list of fingerprints, ascending.
Notice = namedtuple("Notice", ("site_id", "number", "issued_at", "devices", "sign1"))


def fingerprint(public):
    """How a notice names a device: the first 8 bytes of the SHA-256 of its public key."""
    return sha256(public)[:FINGERPRINT_LENGTH]


def parse(data):
    """The Notice in `data`, not yet verified. Raises Malformed or Unsupported cbor-…, cose-…; notice-structure."""
    found = Notice(*papers.read(data, (16, int, int, list), "notice-structure"))
    for each in found.devices:
        if len(cbor.expect(each, bytes, "notice-structure")) != FINGERPRINT_LENGTH:
            raise Malformed("notice-structure")
    papers.check_order(found.devices, "notice-structure")
    return found


def verify(notice, anchor, suite):
    """Returns if the anchor's authority gave it. Raises Untrusted paper-other-site, Unverified cose-signature."""
    papers.verify(notice, cose.NOTICE, anchor.sign_public, anchor.site_id, None, suite)
