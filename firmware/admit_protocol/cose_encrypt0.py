"""COSE_Encrypt0 with AES-CCM-16-64-128: RFC 9052 section 5, RFC 9053 section 4.2.

Owns: the structure; its headers are in the form that cose.py asks for.
Rules: `parse_encrypt0` believes nothing, `decrypt0` decides.
Must not know: what a payload means, nor whose key it is handed.
"""

from collections import namedtuple

from . import cbor, cose
from .const import const
from .errors import Malformed

_TAG = const(16)
_AES_CCM_16_64_128 = const(10)

# `nonce`: 13 bytes, the IV header; `ciphertext`: with its 8-byte tag.
Encrypt0 = namedtuple("Encrypt0", ("protected", "headers", "nonce", "ciphertext"))


def encrypt0(suite, key, nonce, payload, external_aad, kid=None):
    """A COSE_Encrypt0, tag 16, AES-CCM-16-64-128: `key` 16 bytes, `nonce` 13, used once. RFC 9052 section 5.2."""
    unprotected = {cose.IV: nonce}
    if kid is not None:
        unprotected[cose.KID] = kid
    protected = cose.encode_headers(_AES_CCM_16_64_128, {}, unprotected)
    ciphertext = suite.encrypt(key, nonce, payload, _enc_structure(protected, external_aad))
    return cbor.encode(cbor.Tag(_TAG, [protected, unprotected, ciphertext]))


def parse_encrypt0(data):
    """The Encrypt0 in `data`, nothing decrypted. Raises as `cose.parse_sign1`, and Malformed cose-nonce."""
    protected, unprotected, ciphertext = cose.parse_tagged(data, _TAG, 3)
    headers = cose.parse_headers(protected, unprotected, _AES_CCM_16_64_128)
    cbor.expect(ciphertext, bytes, "cose-structure")
    nonce = headers.get(cose.IV)
    if nonce is None or len(nonce) != 13:
        raise Malformed("cose-nonce")
    return Encrypt0(protected, headers, nonce, ciphertext)


def decrypt0(suite, key, message, external_aad):
    """The plaintext of the Encrypt0 `message` under `key` (16 bytes). Raises Unverified ccm-tag."""
    return suite.decrypt(key, message.nonce, message.ciphertext, _enc_structure(message.protected, external_aad))


def _enc_structure(protected, external_aad):
    """RFC 9052 section 5.3."""
    return cbor.encode(["Encrypt0", protected, external_aad])
