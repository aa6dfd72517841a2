"""An approval: somebody's signature under one request that another person wants to make at one device.

Owns: its bytes, and the hash of the request that it is for; issuing.approval signs it.
Rules: signed with the approver's ES256 key; it names device, request and what is asked for, so it is good for nothing
else. Who counts as an approver, and for how long, is not said here.
Must not know: rules, sessions.
"""

from collections import namedtuple

from . import cbor, cose, papers
from .const import const
from .errors import Untrusted
from .kdf import sha256

ID_LENGTH = const(8)

# `site_id`: 16 bytes; `device_id`: text; `request_id`: 8 bytes; `digest`: 32 bytes.
Approval = namedtuple("Approval", ("site_id", "device_id", "request_id", "digest", "sign1"))


def digest(requester, method, path, arguments):
    """What is approved, 32 bytes. `requester`: the first 8 bytes of the SHA-256 of the login key of who asks; `method`:
    AIF bit; `path`: text; `arguments`: a dict or None.
    """
    return sha256(cbor.encode([requester, method, path, arguments]))


def parse(data):
    """The Approval in `data`, not yet verified. Raises Malformed or Unsupported cbor-…, cose-…; approval-structure."""
    return Approval(*papers.read(data, (16, str, ID_LENGTH, 32), "approval-structure"))


def verify(approval, sig_public, site_id, device_id, request_id, request_digest, suite):
    """Returns if the holder of `sig_public` (64 bytes) approved this very request.

    Raises Untrusted paper-other-site, paper-other-device or approval-other-request; Unverified cose-signature.
    """
    papers.verify(approval, cose.APPROVAL, sig_public, site_id, device_id, suite)
    if approval.request_id != request_id or approval.digest != request_digest:
        raise Untrusted("approval-other-request")
