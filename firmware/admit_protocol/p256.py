"""P-256 keys for MicroPython, which has none: ECDH (SEC 1) and ES256 signatures (FIPS 186-5, RFC 6979).

Owns: private keys, how they are made and forgotten, nonces, signing and verifying. Curve arithmetic is p256_curve's.
Rules: a nonce comes from the key, the message or a counter, and fresh randomness together, so no one of them failing
repeats it; it is used once, and gone before it is used. Secret scalars are multiplied and inverted only blinded.
Must not know: what a key is for, and where randomness comes from (`random(length) -> bytes`, handed in).

Public keys are x || y, 64 bytes; signatures r || s, 64 bytes; secrets 32 bytes; all big-endian.
"""

from .errors import EntropyError, LocalError, Malformed
from .kdf import hmac_sha256, sha256
from .p256_curve import N, invert, multiply, multiply_base, parse_point, random_nonzero, sum_has_x
from .p256_curve import counts as counts  # for whoever measures


class PrivateKey:
    """A private key. Its secret stands in no repr and cannot be asked for.

    `secret`: 32 bytes of a number in 1..N-1, else LocalError p256-secret; copied, so the caller may wipe its own.
    A `fresh` key is one for a single exchange: see `generate`. After `erase` the rest raises LocalError p256-erased.
    """

    def __init__(self, secret, random, fresh=False):
        if len(secret) != 32 or not 0 < int.from_bytes(secret, "big") < N:
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
            x, y = multiply_base(self._scalar(), self._random)
            self._public = _to_bytes(x) + _to_bytes(y)
        return self._public

    def shared_secret(self, peer):
        """The x of secret * peer, 32 bytes. SEC 1 section 3.3.1.

        `peer`: 64 bytes x || y, or x alone, 32 bytes, as EDHOC sends it: the sign of y makes no difference to x.
        Raises Malformed p256-point unless that is a point of the curve.
        """
        return _to_bytes(multiply(self._scalar(), parse_point(peer), self._random, self._fresh))

    def sign(self, message):
        """The ES256 signature r || s, 64 bytes, of a message of any length. FIPS 186-5 section 6.4.1.

        Takes the prepared nonce if there is one; else one by RFC 6979 section 3.6, with 32 random bytes added.
        """
        commitment, self._nonce = self._nonce, None
        digest = int.from_bytes(sha256(message), "big") % N
        secret = self._scalar()
        nonces = _nonces(_to_bytes(secret) + _to_bytes(digest), self._random)
        while True:
            r, factor, blind, product = commitment or self._commit(secret, next(nonces))
            s = factor * (digest * blind + product) % N
            if r and s:
                return _to_bytes(r) + _to_bytes(s)
            commitment = None

    def prepare_nonce(self, extra=b""):
        """Do the costly half of the next signature now, and keep it in RAM. One that is there unused is forgotten.

        `extra`: bytes that the caller never repeats for this key (a stored counter). They make the nonce new even if
        the random source fails unseen.
        """
        self._nonce = None
        secret = self._scalar()
        nonces = _nonces(_to_bytes(secret) + b"admit:nonce" + extra, self._random)
        self._nonce = self._commit(secret, next(nonces))

    def erase(self):
        """Forget the secret and the prepared nonce. Integers made of them stay in freed memory until it is reused."""
        if self._secret is not None:
            self._secret[:] = bytes(32)
        self._secret = self._nonce = None

    def _scalar(self):
        if self._secret is None:
            raise LocalError("p256-erased")
        return int.from_bytes(self._secret, "big")

    def _commit(self, secret, nonce):
        """(r, 1 / (nonce * b), b, r * secret * b) modulo N, for a random b; r is the x of nonce * G modulo N.

        Of these, s = (digest + r * secret) / nonce is 1 / (nonce * b) times (digest * b + r * secret * b).
        """
        r = multiply_base(nonce, self._random)[0] % N
        blind = random_nonzero(self._random, N)
        return r, invert(nonce * blind % N, N), blind, secret * blind % N * r % N


def new_secret(random):
    """32 bytes for a PrivateKey, uniform over 1..N-1. Raises EntropyError p256-random if the source is stuck."""
    for _ in range(8):  # an honest source fails a try once in 2^32
        secret = random(32)
        if 0 < int.from_bytes(secret, "big") < N:
            return secret
    raise EntropyError("p256-random", "the random source gives nothing that could be a key")


def generate(random):
    """A new private key for a single exchange. Raises EntropyError p256-random.

    Its products with peers hide the scalar less than those of a key that stays: for that one, keep the bytes of
    `new_secret` and make a PrivateKey of them.
    """
    return PrivateKey(new_secret(random), random, fresh=True)


def verify(public, message, signature):
    """Whether `signature` (r || s) of `message` is by the holder of `public` (x || y). FIPS 186-5 section 6.4.2.

    False, too, for a wrong length, r or s outside 1..N-1, or a point off the curve.
    """
    if len(signature) != 64 or len(public) != 64:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < N and 0 < s < N):
        return False
    try:
        point = parse_point(public)
    except Malformed:
        return False
    digest = int.from_bytes(sha256(message), "big")
    inverse = invert(s, N)
    return sum_has_x(digest * inverse % N, r * inverse % N, point, r)


def _to_bytes(number):
    """32 bytes of a number below 2^256."""
    return number.to_bytes(32, "big")


def _nonces(seed, random):
    """Endless candidates in 1..N-1 from HMAC-DRBG over `seed` and 32 random bytes. RFC 6979 sections 3.2 and 3.6.

    No randomness is drawn before the first one is asked for.
    """
    seed += random(32)
    key, value = bytes(32), b"\x01" * 32
    for tag in (b"\x00", b"\x01"):
        key = hmac_sha256(key, value + tag + seed)
        value = hmac_sha256(key, value)
    while True:
        value = hmac_sha256(key, value)
        nonce = int.from_bytes(value, "big")
        if 0 < nonce < N:
            yield nonce
        key = hmac_sha256(key, value + b"\x00")
        value = hmac_sha256(key, value)
