"""The wipe certificate: a device's last word, by which its site knows that nothing of it is left there.

Owns: its bytes. The dying device signs it with the key that it then erases.
Rules: it names the key that signed it, and the journal as it ended, so that a site can say whether it has all of it.
Must not know: how a device wipes, and whose key a verifier believes in.
"""

from collections import namedtuple

from . import cose, papers
from .const import const
from .errors import Malformed, Untrusted
from .kdf import sha256

MAX_REASON = const(64)  # bytes of UTF-8

_KINDS = (16, str, 32, int, 32, int, (int, type(None)), str)

# `site_id`: 16 bytes; `device_id`: text; `fingerprint`: SHA-256 of the device's public key; `count`, `head`: how many
# records its journal had, and their head (32 bytes); `boots`: how often it had started; `at`: unix seconds, None if the
# device did not know; `reason`: what the admin said, at most 64 bytes.
WipeCertificate = namedtuple(
    "WipeCertificate", ("site_id", "device_id", "fingerprint", "count", "head", "boots", "at", "reason", "sign1")
)


def sign(key, site_id, device_id, count, head, boots, at, reason):
    """The certificate, bytes, signed by the device's `key`."""
    values = site_id, device_id, sha256(key.public), count, head, boots, at, reason
    return papers.sign(key, cose.WIPE_CERTIFICATE, values)


def parse(data):
    """The WipeCertificate in `data`, not yet verified.

    Raises Malformed or Unsupported cbor-…, cose-…; Malformed wipe-structure.
    """
    found = WipeCertificate(*papers.read(data, _KINDS, "wipe-structure"))
    if (found.at or 0) < 0 or len(found.reason.encode()) > MAX_REASON:
        raise Malformed("wipe-structure")
    return found


def verify(certificate, public, site_id, device_id, suite):
    """Returns if the device `device_id` of the site signed it with its key `public` (64 bytes).

    Raises Untrusted wipe-other-key, paper-other-site or paper-other-device; Unverified cose-signature.
    """
    if certificate.fingerprint != sha256(public):
        raise Untrusted("wipe-other-key")
    papers.verify(certificate, cose.WIPE_CERTIFICATE, public, site_id, device_id, suite)
