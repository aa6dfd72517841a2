"""ES256: signatures on P-256 (FIPS 186-5), with nonces by RFC 6979 and randomness together.

Owns: nonces, signing and verifying. Whose key it is, is p256's; curve arithmetic is p256_curve's.
Rules: a nonce comes from the key, the message or a counter, and fresh randomness together, so no one of them failing
repeats it. Secret scalars are multiplied and inverted only blinded.
Must not know: what is signed, and where randomness comes from (`random(length) -> bytes`, handed in).

Secrets are integers in 1..N-1 here; signatures r || s, 64 bytes; public keys x || y, 64 bytes; all big-endian.
"""

from .errors import Malformed
from .kdf import hmac_sha256, sha256
from .p256_curve import N, invert, multiply_base, parse_point, random_nonzero, sum_has_x


def sign(secret, message, random, commitment=None):
    """The signature of a message of any length. FIPS 186-5 section 6.4.1.

    `commitment`: what `prepare` made for this secret, never used before; else the nonce is by RFC 6979 section 3.6.
    """
    digest = int.from_bytes(sha256(message), "big") % N
    nonces = _nonces(_to_bytes(secret) + _to_bytes(digest), random)
    while True:
        r, factor, blind, product = commitment or _commit(secret, next(nonces), random)
        s = factor * (digest * blind + product) % N
        if r and s:
            return _to_bytes(r) + _to_bytes(s)
        commitment = None


def prepare(secret, extra, random):
    """The costly half of a signature, for `sign`. `extra`: bytes that the caller never repeats for this secret."""
    nonces = _nonces(_to_bytes(secret) + b"admit:nonce" + extra, random)
    return _commit(secret, next(nonces), random)


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


def _commit(secret, nonce, random):
    """(r, 1 / (nonce * b), b, r * secret * b) modulo N, for a random b; r is the x of nonce * G modulo N.

    Of these, s = (digest + r * secret) / nonce is 1 / (nonce * b) times (digest * b + r * secret * b).
    """
    r = multiply_base(nonce, random)[0] % N
    blind = random_nonzero(random, N)
    return r, invert(nonce * blind % N, N), blind, secret * blind % N * r % N


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
