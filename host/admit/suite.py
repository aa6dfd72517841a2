"""The operations of EDHOC cipher suites 2 and 3 over `cryptography`: the host's counterpart of admit_protocol.suite.

Owns: the same interface with the same errors, on OpenSSL's constant-time code.
Rules: whatever is malformed is answered as admit_protocol answers it; tests hold the two against each other.
Must not know: what is encrypted or signed, and where keys are kept.
"""

import os

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256

from admit_protocol.errors import LocalError, Malformed, Unverified

_CURVE = ec.SECP256R1()
_ES256 = ec.ECDSA(SHA256())


class HostPrivateKey:
    """A private key held by OpenSSL; used like admit_protocol.p256.PrivateKey. `key`: cryptography's own object."""

    def __init__(self, key):
        self._key = key
        numbers = key.public_key().public_numbers()
        self.public = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")

    def shared_secret(self, peer):
        """The x of secret * peer, 32 bytes; `peer` 64 bytes x || y or 32 bytes x. Raises Malformed p256-point."""
        return self._alive().exchange(ec.ECDH(), _public_key(peer))

    def sign(self, message):
        """The ES256 signature r || s, 64 bytes."""
        r, s = decode_dss_signature(self._alive().sign(message, _ES256))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def prepare_nonce(self, extra=b""):
        """Nothing to do ahead: OpenSSL draws a nonce of its own for each signature, and fast enough."""
        self._alive()

    def erase(self):
        """Let go of the key; OpenSSL wipes it as it frees it."""
        self._key = None

    def _alive(self):
        if self._key is None:
            raise LocalError("p256-erased")
        return self._key


class HostSuite:
    """Like admit_protocol.suite.Suite, with the randomness of the operating system."""

    def random(self, length):
        """`length` random bytes."""
        return os.urandom(length)

    def new_secret(self):
        """32 bytes to keep, and to make a `private_key` of."""
        return ec.generate_private_key(_CURVE).private_numbers().private_value.to_bytes(32, "big")

    def private_key(self, secret):
        """The private key of a secret that is kept, 32 bytes. Raises LocalError p256-secret."""
        if len(secret) != 32:
            raise LocalError("p256-secret")
        try:
            return HostPrivateKey(ec.derive_private_key(int.from_bytes(secret, "big"), _CURVE))
        except ValueError:
            raise LocalError("p256-secret") from None

    def generate(self):
        """A new private key."""
        return HostPrivateKey(ec.generate_private_key(_CURVE))

    def verify(self, public, message, signature):
        """Whether `signature` (64 bytes) of `message` is by the holder of `public` (64 bytes); False if malformed."""
        if len(public) != 64 or len(signature) != 64:
            return False
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        try:
            _public_key(public).verify(encode_dss_signature(r, s), message, _ES256)
        except (InvalidSignature, Malformed):
            return False
        return True

    def encrypt(self, key, nonce, plaintext, aad, tag_length=8):
        """AES-CCM: ciphertext and tag. See admit_protocol.ccm.encrypt."""
        return _ccm(key, nonce, plaintext, aad, tag_length).encrypt(nonce, plaintext, aad)

    def decrypt(self, key, nonce, ciphertext, aad, tag_length=8):
        """AES-CCM: the plaintext, or Unverified ccm-tag. See admit_protocol.ccm.decrypt."""
        try:
            return _ccm(key, nonce, ciphertext, aad, tag_length).decrypt(nonce, ciphertext, aad)
        except InvalidTag:
            raise Unverified("ccm-tag") from None


def _public_key(peer):
    """cryptography's object for x || y, or for x and an even y. Raises Malformed p256-point."""
    if len(peer) not in (32, 64):
        raise Malformed("p256-point")
    prefix = b"\x04" if len(peer) == 64 else b"\x02"
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, prefix + bytes(peer))
    except ValueError:
        raise Malformed("p256-point") from None


def _ccm(key, nonce, text, aad, tag_length):
    """AES-CCM under `key`, with the limits of admit_protocol.ccm."""
    if len(key) != 16 or len(nonce) != 13 or tag_length not in (8, 16) or len(text) > 0xFFFF or len(aad) >= 0xFF00:
        raise LocalError("ccm-parameters")
    return AESCCM(key, tag_length)
