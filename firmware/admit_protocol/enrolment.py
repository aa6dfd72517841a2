"""The proof by which an invite is redeemed: whoever is in this session knows the invite's secret.

Owns: its bytes, and the code that is compared where no invite is; issuing.enrolment signs it.
Rules: signed with the invite's key; it names the session (a value that EDHOC exports to its two ends alone) and the
grant that was made from the invite, so that overheard or repeated it is worth nothing.
Must not know: how often an invite may be redeemed.
"""

from collections import namedtuple

from . import cose, papers
from .const import const
from .errors import Untrusted
from .kdf import sha256

BINDING_LENGTH = const(32)

# `binding`: 32 bytes of the session's exporter; `kid`: 8 bytes, of the delegation.
Proof = namedtuple("Proof", ("binding", "kid", "sign1"))


def parse(data):
    """The Proof in `data`, not yet verified. Raises Malformed or Unsupported cbor-…, cose-…; enrolment-structure."""
    return Proof(*papers.read(data, (BINDING_LENGTH, 8), "enrolment-structure"))


def verify(proof, invite_public, binding, kid, suite):
    """Returns if the holder of the invite's key (64 bytes) redeems it here, in this session, for the grant `kid`.

    Raises Unverified cose-signature, Untrusted enrolment-other-session or enrolment-other-grant.
    """
    cose.verify_sign1(proof.sign1, invite_public, cose.ENROLMENT, suite)
    if proof.binding != binding:
        raise Untrusted("enrolment-other-session")
    if proof.kid != kid:
        raise Untrusted("enrolment-other-grant")


def code(binding, request_id):
    """The six digits by which people tell whose session it is: the newcomer's phone shows them, an admin types them.

    `request_id`: 8 bytes, by chance, that the device gives once the session is there: the peer speaks last in EDHOC,
    and could else try one message_3 after another until the code is one that it saw on somebody's phone.
    """
    return "%06d" % (int.from_bytes(sha256(b"admit:code", binding, request_id)[:4], "big") % 1000000)
