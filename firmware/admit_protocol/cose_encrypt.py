"""COSE_Encrypt to one P-256 key: ECDH-ES + HKDF-256, AES-CCM-16-64-128. RFC 9052 section 5.1, RFC 9053 section 6.3.

Owns: the structure, its headers and the key derivation. For what others carry, and must not read.
Rules: a new ephemeral key for each message, so a key encrypts once; one recipient, and no header but those needed.
Whoever knows the public key can seal: what is inside says for itself who made it.
Must not know: what is sealed, and whose key it is handed.
"""

from . import cbor, cose
from .const import const
from .errors import Malformed, Unsupported, Unverified
from .kdf import hkdf_expand, hkdf_extract

OVERHEAD = const(128)  # bytes that sealing adds at most

_TAG = const(96)
_EPHEMERAL_KEY = const(-1)  # RFC 9053 section 6.3.1

# What never changes, encoded.
_PROTECTED = const(b"\xa1\x01\x0a")  # {alg: AES-CCM-16-64-128}
_RECIPIENT = const(b"\xa1\x01\x38\x18")  # {alg: ECDH-ES + HKDF-256}
# RFC 9052 section 5.3: ["Encrypt", _PROTECTED, h'']
_AAD = const(b"\x83\x67Encrypt\x43\xa1\x01\x0a\x40")
# RFC 9053 section 5.2: [AES-CCM-16-64-128, [null, null, null], [null, null, null], [128 bits, _RECIPIENT]]
_CONTEXT = const(b"\x84\x0a\x83\xf6\xf6\xf6\x83\xf6\xf6\xf6\x82\x18\x80\x44\xa1\x01\x38\x18")


def seal(suite, public, plaintext):
    """`plaintext` (bytes) for the holder of `public`, 64 bytes."""
    ephemeral = suite.generate()
    recipient = [_RECIPIENT, {_EPHEMERAL_KEY: cose.encode_key(ephemeral.public)}, b""]
    key = _content_key(ephemeral, public)
    ephemeral.erase()
    nonce = suite.random(13)
    ciphertext = suite.encrypt(key, nonce, plaintext, _AAD)
    return cbor.encode(cbor.Tag(_TAG, [_PROTECTED, {cose.IV: nonce}, ciphertext, [recipient]]))


def unseal(suite, private_key, data):
    """What was sealed to `private_key`.

    Raises Malformed cbor-…, cose-tag, cose-structure, cose-nonce, cose-key or p256-point; Unsupported cose-algorithm;
    Unverified cose-unsealed for what is another key's, or was changed on its way.
    """
    protected, headers, ciphertext, recipients = cose.parse_tagged(data, _TAG, 4)
    if len(cbor.expect(recipients, list, "cose-structure")) != 1:
        raise Malformed("cose-structure")
    recipient = cbor.expect(recipients[0], list, "cose-structure")
    if len(recipient) != 3 or recipient[2] != b"":
        raise Malformed("cose-structure")
    if protected != _PROTECTED or recipient[0] != _RECIPIENT:
        raise Unsupported("cose-algorithm")
    nonce = _only(headers, cose.IV)
    if len(cbor.expect(nonce, bytes, "cose-nonce")) != 13:
        raise Malformed("cose-nonce")
    key = _content_key(private_key, cose.decode_key(_only(recipient[1], _EPHEMERAL_KEY))[0])
    try:
        return suite.decrypt(key, nonce, cbor.expect(ciphertext, bytes, "cose-structure"), _AAD)
    except Unverified:
        raise Unverified("cose-unsealed")


def _only(headers, label):
    """The value of the one header that there may be."""
    if len(cbor.expect(headers, dict, "cose-structure")) != 1:
        raise Malformed("cose-structure")
    return headers.get(label)


def _content_key(private_key, public):
    """The 16-byte key, without a salt: RFC 9053 section 5.1."""
    return hkdf_expand(hkdf_extract(b"", private_key.shared_secret(public)), _CONTEXT, 16)
