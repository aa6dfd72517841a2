"""The receipt: by it the old owner of a device knows that it went to whom they gave it, and what it had told by then.

Owns: its bytes. The device signs it with the key that it had at the old site, as that key's last act.
Rules: it names the voucher that the old owner signed, whoever was behind that one in the chain, and the site that the
device is of since.
Must not know: vouchers, and how a device changes its site.
"""

from collections import namedtuple

from . import cose, papers
from .errors import Malformed, Untrusted
from .kdf import sha256

_KINDS = (16, str, 32, 32, 16, 32, int, 32, int, (int, type(None)))

# `site_id`: of the old site, 16 bytes; `device_id`: text, what the device was called there; `fingerprint`: SHA-256 of
# the key that it had there; `voucher`: hash of the old site's voucher; `to_site`: 16 bytes; `new_fingerprint`: SHA-256
# of the key that it has now; `count`, `head`: how many records its journal had, and their head; `boots`: how often it
# had started; `at`: unix seconds, None if the device did not know.
Receipt = namedtuple(
    "Receipt",
    (
        "site_id",
        "device_id",
        "fingerprint",
        "voucher",
        "to_site",
        "new_fingerprint",
        "count",
        "head",
        "boots",
        "at",
        "sign1",
    ),
)


def sign(key, site_id, device_id, voucher, to_site, new_public, count, head, boots, at):
    """The receipt, bytes, signed with the `key` that the device had; `new_public`: the one that it will have."""
    values = site_id, device_id, sha256(key.public), voucher, to_site, sha256(new_public), count, head, boots, at
    return papers.sign(key, cose.RECEIPT, values)


def parse(data):
    """The Receipt in `data`, not yet verified. Raises Malformed or Unsupported cbor-…, cose-…; receipt-structure."""
    found = Receipt(*papers.read(data, _KINDS, "receipt-structure"))
    if (found.at or 0) < 0:
        raise Malformed("receipt-structure")
    return found


def verify(receipt, public, site_id, device_id, suite):
    """Returns if the device `device_id` of the site signed it with its key `public` (64 bytes).

    Raises Untrusted receipt-other-key, paper-other-site or paper-other-device; Unverified cose-signature.
    """
    if receipt.fingerprint != sha256(public):
        raise Untrusted("receipt-other-key")
    papers.verify(receipt, cose.RECEIPT, public, site_id, device_id, suite)
