"""The operations of EDHOC cipher suites 2 and 3 on plain Python: P-256, ES256 and AES-CCM. RFC 9528 section 3.6.

Owns: the one interface through which protocol code reaches everything that needs randomness or a private key, so that a
host can put `cryptography` behind it (`admit.suite.HostSuite`) and a board its own hardware.
Rules: a private key is anything with `public`, `shared_secret(peer)`, `sign(message)`, `prepare_nonce(extra)` and
`erase()`, as in p256.PrivateKey; protocol code asks for no more.
Must not know: what is encrypted or signed. Hashes are in kdf: they need neither.
"""

from . import p256


class Suite:
    """`random(length) -> bytes` is the machine's source of randomness; an EntropyError of its own passes through."""

    def __init__(self, random):
        self.random = random

    def new_secret(self):
        """32 bytes to keep, and to make a `private_key` of. Raises EntropyError p256-random."""
        return p256.new_secret(self.random)

    def private_key(self, secret):
        """The private key of a secret that is kept, 32 bytes. Raises LocalError p256-secret."""
        return p256.PrivateKey(secret, self.random)

    def generate(self):
        """A new private key for a single exchange. Raises EntropyError p256-random."""
        return p256.generate(self.random)

    def verify(self, public, message, signature):
        """Whether `signature` (64 bytes) of `message` is by the holder of `public` (64 bytes); False if malformed."""
        from .es256 import verify

        return verify(public, message, signature)

    def encrypt(self, key, nonce, plaintext, aad, tag_length=8):
        """AES-CCM: ciphertext and tag. See ccm.encrypt."""
        from . import ccm

        return ccm.encrypt(key, nonce, plaintext, aad, tag_length)

    def decrypt(self, key, nonce, ciphertext, aad, tag_length=8):
        """AES-CCM: the plaintext, or Unverified ccm-tag. See ccm.decrypt."""
        from . import ccm

        return ccm.decrypt(key, nonce, ciphertext, aad, tag_length)
