"""Device credentials: the CWT by which a site's authority vouches for one device's key.

Owns: its claims (iss, sub, iat, cnf, SEAL_KEY; TEST_ONLY if so; no others) and the device's one-byte `kid`.
Rules: it never expires; it ends when the device leaves the site or makes a new key.
Must not know: whether the peer holds the key; EDHOC proves that.
"""

from collections import namedtuple

from . import cbor, cose, cwt, kdf
from .const import const
from .errors import Malformed, Untrusted

_MAX_DEVICE_ID = const(64)  # bytes of UTF-8

# `public`: 64 bytes; `kid`: 1 byte; `site_id`: 16 bytes; `issued_at`: unix seconds; `data`: the whole token;
# `test_only`: the key was made without a hardware source of randomness, and guards nothing; `seal_public`: 64 bytes: to
# this key bundles for the device are sealed.
Credential = namedtuple(
    "Credential", ("device_id", "public", "kid", "site_id", "issued_at", "sign1", "data", "test_only", "seal_public")
)


def kid(public):
    """The one-byte kid of a device key, from its SHA-256: b"\\x00".."\\x17" or b"\\x20".."\\x37".

    Those are the 48 bytes that EDHOC sends as one-byte CBOR integers. RFC 9528 section 3.5.3.2.
    """
    index = kdf.sha256(public)[0] % 48
    return bytes((index if index < 24 else index + 8,))


def parse(data):
    """The Credential in `data`, not yet verified.

    Raises Malformed or Unsupported cbor-…, cose-…, cwt-…, cwt-issuer; Malformed credential-claims, credential-kid.
    CRED_R is made of these bytes, so they have one form: cose.check_form.
    """
    token = cwt.parse(data)
    cose.check_form(token.sign1)
    claims = token.claims
    test_only = cwt.TEST_ONLY in claims
    if len(claims) != 5 + test_only or not (cwt.ISS in claims and cwt.SUB in claims and cwt.IAT in claims):
        raise Malformed("credential-claims")
    if test_only and claims[cwt.TEST_ONLY] is not True:
        raise Malformed("credential-claims", "test only")
    device_id = claims[cwt.SUB]
    if not 0 < len(device_id.encode()) <= _MAX_DEVICE_ID:
        raise Malformed("credential-claims", "device id")
    public, device_kid = cwt.cnf_key(claims)
    if not _is_one_byte_int(device_kid):
        raise Malformed("credential-kid")
    seal_public, seal_kid = cose.decode_key(cbor.expect(claims.get(cwt.SEAL_KEY), dict, "credential-claims"))
    if seal_kid is not None:
        raise Malformed("credential-claims", "seal key")
    site_id = cwt.parse_issuer(claims[cwt.ISS])
    return Credential(
        device_id, public, device_kid, site_id, claims[cwt.IAT], token.sign1, token.data, test_only, seal_public
    )


def verify(credential, anchor, suite):
    """Returns if the authority of `anchor` issued it.

    Raises Untrusted credential-other-site or Unverified cose-signature.
    """
    if credential.site_id != anchor.site_id:
        raise Untrusted("credential-other-site")
    cose.verify_sign1(credential.sign1, anchor.sign_public, cose.DEVICE_CREDENTIAL, suite)


def _is_one_byte_int(value):
    return value is not None and len(value) == 1 and (value[0] < 0x18 or 0x20 <= value[0] < 0x38)
