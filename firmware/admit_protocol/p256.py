"""P-256 keys for MicroPython, which has none: ECDH (SEC 1) and ES256 signatures.

Owns: private keys, how they are made and forgotten. Signatures are es256's, curve arithmetic is p256_curve's: both are
imported where they are needed, since a device keeps its key for ever, and those 10 KB only while it computes.
Rules: a prepared nonce is used once, and gone before it is used.
Must not know: what a key is for, and where randomness comes from (`random(length) -> bytes`, handed in).

Public keys are x || y, 64 bytes; signatures r || s, 64 bytes; secrets 32 bytes; all big-endian.
"""

from .errors import EntropyError, LocalError


class PrivateKey:
    """A private key. Its secret stands in no repr and cannot be asked for.

    `secret`: 32 bytes of a number in 1..N-1, else LocalError p256-secret; copied, so the caller may wipe its own.
    A `fresh` key is one for a single exchange: see `generate`. After `erase` the rest raises LocalError p256-erased.
    """

    def __init__(self, secret, random, fresh=False):
        if not _is_secret(secret):
            raise LocalError("p256-secret")
        self._secret = bytearray(secret)
        self._random = random
        self._fresh = fresh
        self._public = None
        self._nonce = None

    @property
    def public(self):
        """x || y of secret * G, 64 bytes; computed when first asked for."""
        if self._public is None:
            from .p256_curve import multiply_base

            x, y = multiply_base(self._scalar(), self._random)
            self._public = x.to_bytes(32, "big") + y.to_bytes(32, "big")
        return self._public

    def shared_secret(self, peer):
        """The x of secret * peer, 32 bytes. SEC 1 section 3.3.1.

        `peer`: 64 bytes x || y, or x alone, 32 bytes, as EDHOC sends it: the sign of y makes no difference to x.
        Raises Malformed p256-point unless that is a point of the curve.
        """
        from .p256_curve import multiply, parse_point

        return multiply(self._scalar(), parse_point(peer), self._random, self._fresh).to_bytes(32, "big")

    def sign(self, message):
        """The ES256 signature r || s, 64 bytes, of a message of any length. FIPS 186-5 section 6.4.1.

        Takes the prepared nonce if there is one; else one by RFC 6979 section 3.6, with 32 random bytes added.
        """
        from .es256 import sign

        commitment, self._nonce = self._nonce, None
        return sign(self._scalar(), message, self._random, commitment)

    def prepare_nonce(self, extra=b""):
        """Do the costly half of the next signature now, and keep it in RAM. One that is there unused is forgotten.

        `extra`: bytes that the caller never repeats for this key (a stored counter). They make the nonce new even if
        the random source fails unseen.
        """
        from .es256 import prepare

        self._nonce = None
        self._nonce = prepare(self._scalar(), extra, self._random)

    def erase(self):
        """Forget the secret and the prepared nonce. Integers made of them stay in freed memory until it is reused."""
        if self._secret is not None:
            self._secret[:] = bytes(32)
        self._secret = self._nonce = None

    def _scalar(self):
        if self._secret is None:
            raise LocalError("p256-erased")
        return int.from_bytes(self._secret, "big")


def new_secret(random):
    """32 bytes for a PrivateKey, uniform over 1..N-1. Raises EntropyError p256-random if the source is stuck."""
    for _ in range(8):  # an honest source fails a try once in 2^32
        secret = random(32)
        if _is_secret(secret):
            return secret
    raise EntropyError("p256-random", "the random source gives nothing that could be a key")


def generate(random):
    """A new private key for a single exchange. Raises EntropyError p256-random.

    Its products with peers hide the scalar less than those of a key that stays: for that one, keep the bytes of
    `new_secret` and make a PrivateKey of them.
    """
    return PrivateKey(new_secret(random), random, fresh=True)


def _is_secret(data):
    """Is it 32 bytes of a number in 1..N-1?"""
    from .p256_curve import N

    return len(data) == 32 and 0 < int.from_bytes(data, "big") < N
