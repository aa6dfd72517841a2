"""COSE: EC2 keys, COSE_Sign1 with ES256, COSE_Encrypt0 with AES-CCM-16-64-128. RFC 9052, RFC 9053.

Owns: the COSE structures and headers, and the labels that say what a signature is for.
Rules: one tagged form only; the algorithm stands in the protected header and nowhere else; no header stands twice;
nothing critical is understood, so `crit` is refused; `parse_…` believes nothing, `verify_sign1` and `decrypt0` decide.
What we sign has one form that verifies: `check_form` asks for it where the bytes themselves are a name.
Must not know: what a payload means, nor whose key it is handed.
"""

from collections import namedtuple

from . import cbor
from .errors import LocalError, Malformed, Unsupported, Unverified
from .p256_curve import N

# What a signature is for: its external_aad. A signature of one kind never passes for another.
DEVICE_CREDENTIAL = b"admit:device-credential"
GRANT = b"admit:grant"
DELEGATION = b"admit:delegation"
BUNDLE = b"admit:bundle"
RELEASE = b"admit:release"
JOURNAL_HEAD = b"admit:journal-head"
RECEIPT = b"admit:receipt"
APPROVAL = b"admit:approval"
VOUCHER = b"admit:voucher"
WIPE_CERTIFICATE = b"admit:wipe-certificate"

_TAG_ENCRYPT0 = 16
_TAG_SIGN1 = 18

_ES256 = -7
_AES_CCM_16_64_128 = 10

# Header labels, RFC 9052 section 3.1.
_ALG = 1
_CRIT = 2
_KID = 4
_IV = 5

# COSE_Key labels, RFC 9052 section 7.1 and RFC 9053 section 7.1.1.
_KEY_KTY = 1
_KEY_KID = 2
_KEY_CRV = -1
_KEY_X = -2
_KEY_Y = -3
_EC2 = 2
_P256 = 1

_NONE = type(None)

# `protected`: the header's bytes as signed; `headers`: both headers in one dict; `signature`: 64 bytes r, s.
Sign1 = namedtuple("Sign1", ("protected", "headers", "payload", "signature"))

# `nonce`: 13 bytes, the IV header; `ciphertext`: with its 8-byte tag.
Encrypt0 = namedtuple("Encrypt0", ("protected", "headers", "nonce", "ciphertext"))


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
    protected = _protect(_ES256, protected or {}, unprotected or {})
    signature = _lower(key.sign(_sig_structure(protected, label, payload)))
    return cbor.encode(cbor.Tag(_TAG_SIGN1, [protected, unprotected or {}, payload, signature]))


def parse_sign1(data):
    """The Sign1 in `data`, its signature not yet verified.

    Raises Malformed cbor-…, cose-tag, cose-structure, cose-headers, cose-signature-length; Unsupported cose-algorithm,
    cose-critical.
    """
    protected, unprotected, payload, signature = _parse(data, _TAG_SIGN1, 4)
    headers = _headers(protected, unprotected, _ES256)
    cbor.expect(payload, bytes, "cose-structure")
    if len(cbor.expect(signature, bytes, "cose-structure")) != 64:
        raise Malformed("cose-signature-length")
    return Sign1(protected, headers, payload, signature)


def verify_sign1(message, public, label, suite):
    """Returns if the Sign1 `message` was signed by `public` (64 bytes) as `label`; else Unverified cose-signature."""
    if not suite.verify(public, _sig_structure(message.protected, label, message.payload), message.signature):
        raise Unverified("cose-signature")


def check_form(message):
    """Returns if the Sign1 `message` is in the one form that nobody but its signer can change: no unprotected header,
    and s in the lower half, since (r, N - s) verifies too. Raises Malformed cose-form.
    """
    if cbor.encode(message.headers) != message.protected or _lower(message.signature) != message.signature:
        raise Malformed("cose-form")


def encrypt0(suite, key, nonce, payload, external_aad, kid=None):
    """A COSE_Encrypt0, tag 16, AES-CCM-16-64-128: `key` 16 bytes, `nonce` 13, used once. RFC 9052 section 5.2."""
    unprotected = {_IV: nonce}
    if kid is not None:
        unprotected[_KID] = kid
    protected = _protect(_AES_CCM_16_64_128, {}, unprotected)
    ciphertext = suite.encrypt(key, nonce, payload, _enc_structure(protected, external_aad))
    return cbor.encode(cbor.Tag(_TAG_ENCRYPT0, [protected, unprotected, ciphertext]))


def parse_encrypt0(data):
    """The Encrypt0 in `data`, nothing decrypted. Raises as `parse_sign1`, and Malformed cose-nonce."""
    protected, unprotected, ciphertext = _parse(data, _TAG_ENCRYPT0, 3)
    headers = _headers(protected, unprotected, _AES_CCM_16_64_128)
    cbor.expect(ciphertext, bytes, "cose-structure")
    nonce = headers.get(_IV)
    if nonce is None or len(nonce) != 13:
        raise Malformed("cose-nonce")
    return Encrypt0(protected, headers, nonce, ciphertext)


def decrypt0(suite, key, message, external_aad):
    """The plaintext of the Encrypt0 `message` under `key` (16 bytes). Raises Unverified ccm-tag."""
    return suite.decrypt(key, message.nonce, message.ciphertext, _enc_structure(message.protected, external_aad))


def _is_int(value, expected):
    return type(value) is int and value == expected  # True is not 1


def _lower(signature):
    """The same signature with s in the lower half."""
    s = int.from_bytes(signature[32:], "big")
    return signature if s <= N // 2 else signature[:32] + (N - s).to_bytes(32, "big")


def _sig_structure(protected, external_aad, payload):
    """RFC 9052 section 4.4."""
    return cbor.encode(["Signature1", protected, external_aad, payload])


def _enc_structure(protected, external_aad):
    """RFC 9052 section 5.3."""
    return cbor.encode(["Encrypt0", protected, external_aad])


def _protect(algorithm, protected, unprotected):
    headers = dict(protected)
    headers[_ALG] = algorithm
    for label in unprotected:
        if label in headers:
            raise LocalError("cose-headers", "a header stands twice")
    return cbor.encode(headers)


def _parse(data, tag, length):
    message = cbor.decode(data)
    if not isinstance(message, cbor.Tag) or message.number != tag:
        raise Malformed("cose-tag")
    if len(cbor.expect(message.value, list, "cose-structure")) != length:
        raise Malformed("cose-structure")
    return message.value


def _headers(protected, unprotected, algorithm):
    """Both headers in one dict, once they hold what RFC 9052 section 3 asks for."""
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
        if isinstance(label, bytes) or (label in (_KID, _IV) and not isinstance(value, bytes)):
            raise Malformed("cose-headers")
    return headers
