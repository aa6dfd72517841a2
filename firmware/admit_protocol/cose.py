"""COSE: EC2 keys, and COSE_Sign1 with ES256. RFC 9052, RFC 9053. COSE_Encrypt0 is in cose_encrypt0.

Owns: the COSE structures and headers, and the labels that say what a signature is for.
Rules: one tagged form only; the algorithm stands in the protected header and nowhere else; no header stands twice;
nothing critical is understood, so `crit` is refused; `parse_sign1` believes nothing, `verify_sign1` decides.
What we sign has one form that verifies: `check_form` asks for it where the bytes themselves are a name.
Must not know: what a payload means, nor whose key it is handed.
"""

from collections import namedtuple

from . import cbor
from .const import const
from .errors import LocalError, Malformed, Unsupported, Unverified
from .p256_curve import N

# What a signature is for: its external_aad. A signature of one kind never passes for another.
DEVICE_CREDENTIAL = const(b"admit:device-credential")
GRANT = const(b"admit:grant")
DELEGATION = const(b"admit:delegation")
BUNDLE = const(b"admit:bundle")
JOURNAL_HEAD = const(b"admit:journal-head")
ENROLMENT = const(b"admit:enrolment")
APPROVAL = const(b"admit:approval")
TIME = const(b"admit:time")
NOTICE = const(b"admit:notice")
WIPE_CERTIFICATE = const(b"admit:wipe-certificate")
ROTATION = const(b"admit:rotation")
POSSESSION = const(b"admit:possession")
VOUCHER = const(b"admit:voucher")
RECEIPT = const(b"admit:receipt")
SUCCESSION = const(b"admit:succession")
SUCCESSOR = const(b"admit:successor")
RELEASE = const(b"admit:release")
RECOVERY_POLICY = const(b"admit:recovery-policy")
TAKEOVER = const(b"admit:takeover")
TAKEOVER_VETO = const(b"admit:takeover-veto")

# Header labels of which other modules know, RFC 9052 section 3.1.
KID = const(4)
IV = const(5)

_ALG = const(1)
_CRIT = const(2)

_TAG_SIGN1 = const(18)
_ES256 = const(-7)

# COSE_Key labels, RFC 9052 section 7.1 and RFC 9053 section 7.1.1.
_KEY_KTY = const(1)
_KEY_KID = const(2)
_KEY_CRV = const(-1)
_KEY_X = const(-2)
_KEY_Y = const(-3)
_EC2 = const(2)
_P256 = const(1)

_NONE = type(None)

# `protected`: the header's bytes as signed; `headers`: both headers in one dict; `signature`: 64 bytes r, s.
Sign1 = namedtuple("Sign1", ("protected", "headers", "payload", "signature"))


def encode_key(public, kid=None):
    """The COSE_Key map (a dict) of a P-256 key: `public` 64 bytes x, y; `kid` bytes. RFC 9053 section 7.1.1."""
    key = {_KEY_KTY: _EC2, _KEY_CRV: _P256, _KEY_X: bytes(public[:32]), _KEY_Y: bytes(public[32:])}
    if kid is not None:
        key[_KEY_KID] = kid
    return key


def decode_key(key):
    """(64 bytes x, y; kid or None) of a decoded COSE_Key map. Raises Malformed cose-key.

    Only kty EC2, crv P-256, x, y and perhaps kid may stand in it. Whether the point is on the curve is checked by
    whoever computes with it.
    """
    cbor.expect(key, dict, "cose-key")
    kid = key.get(_KEY_KID)
    x = key.get(_KEY_X)
    y = key.get(_KEY_Y)
    if len(key) != (4 if kid is None else 5) or not isinstance(kid, (bytes, _NONE)):
        raise Malformed("cose-key")
    if not _is_int(key.get(_KEY_KTY), _EC2) or not _is_int(key.get(_KEY_CRV), _P256):
        raise Malformed("cose-key", "not P-256")
    if not isinstance(x, bytes) or not isinstance(y, bytes) or len(x) != 32 or len(y) != 32:
        raise Malformed("cose-key", "coordinates")
    return x + y, kid


def sign1(key, payload, label, protected=None, unprotected=None):
    """A COSE_Sign1, tag 18, ES256, over `payload` (bytes) for the purpose `label`. RFC 9052 section 4.2.

    `key` signs; `protected` and `unprotected` are dicts of further headers. Raises LocalError cose-headers.
    """
    protected = encode_headers(_ES256, protected or {}, unprotected or {})
    signature = _lower(key.sign(_sig_structure(protected, label, payload)))
    return cbor.encode(cbor.Tag(_TAG_SIGN1, [protected, unprotected or {}, payload, signature]))


def parse_sign1(data):
    """The Sign1 in `data`, its signature not yet verified.

    Raises Malformed cbor-…, cose-tag, cose-structure, cose-headers, cose-signature-length; Unsupported cose-algorithm,
    cose-critical.
    """
    protected, unprotected, payload, signature = parse_tagged(data, _TAG_SIGN1, 4)
    headers = parse_headers(protected, unprotected, _ES256)
    cbor.expect(payload, bytes, "cose-structure")
    if len(cbor.expect(signature, bytes, "cose-structure")) != 64:
        raise Malformed("cose-signature-length")
    return Sign1(protected, headers, payload, signature)


def verify_sign1(message, public, label, suite):
    """Returns if the Sign1 `message` was signed by `public` (64 bytes) as `label`; else Unverified cose-signature."""
    if not suite.verify(public, *signed(message, label)):
        raise Unverified("cose-signature")


def signed(message, label):
    """(the bytes that are signed, the signature) of the Sign1 `message` for the purpose `label`."""
    return _sig_structure(message.protected, label, message.payload), message.signature


def check_form(message):
    """Returns if the Sign1 `message` is in the one form that nobody but its signer can change: no unprotected header,
    and s in the lower half, since (r, N - s) verifies too. Raises Malformed cose-form.
    """
    if cbor.encode(message.headers) != message.protected or _s(message.signature) > N // 2:
        raise Malformed("cose-form")


def encode_headers(algorithm, protected, unprotected):
    """The protected header's bytes, `algorithm` in it. Raises LocalError cose-headers if a label stands in both."""
    headers = dict(protected)
    headers[_ALG] = algorithm
    for label in unprotected:
        if label in headers:
            raise LocalError("cose-headers", "a header stands twice")
    return cbor.encode(headers)


def parse_tagged(data, tag, length):
    """The list of `length` items under the CBOR tag `tag`. Raises Malformed cose-tag or cose-structure."""
    message = cbor.decode(data)
    if not isinstance(message, cbor.Tag) or message.number != tag:
        raise Malformed("cose-tag")
    if len(cbor.expect(message.value, list, "cose-structure")) != length:
        raise Malformed("cose-structure")
    return message.value


def parse_headers(protected, unprotected, algorithm):
    """Both headers in one dict, once they hold what RFC 9052 section 3 asks for.

    Raises Malformed cose-headers, Unsupported cose-algorithm or cose-critical.
    """
    headers = cbor.decode(cbor.expect(protected, bytes, "cose-structure"))
    cbor.expect(headers, dict, "cose-headers")
    if not _is_int(headers.get(_ALG), algorithm):
        raise Unsupported("cose-algorithm")
    for label, value in cbor.expect(unprotected, dict, "cose-structure").items():
        if label in headers:
            raise Malformed("cose-headers", "a header stands twice")
        headers[label] = value
    if _CRIT in headers:
        raise Unsupported("cose-critical")
    for label, value in headers.items():
        if isinstance(label, bytes) or (label in (KID, IV) and not isinstance(value, bytes)):
            raise Malformed("cose-headers")
    return headers


def _is_int(value, expected):
    return type(value) is int and value == expected  # True is not 1


def _lower(signature):
    """The same signature, one that holds, with s in the lower half."""
    s = _s(signature)
    return signature if s <= N // 2 else signature[:32] + (N - s).to_bytes(32, "big")


def _s(signature):
    return int.from_bytes(signature[32:], "big")  # of a stranger's it may be N or more


def _sig_structure(protected, external_aad, payload):
    """RFC 9052 section 4.4."""
    return cbor.encode(["Signature1", protected, external_aad, payload])
