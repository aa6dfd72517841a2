"""SHA-256, HMAC (RFC 2104), HKDF (RFC 5869) and comparison of secrets.

Owns: every hash and derived key of the protocol, over the platform's SHA-256.
Rules: no secret outlives its function here.
Must not know: what a key or a digest is for.
"""

from hashlib import sha256 as _sha256

from .errors import LocalError

_INNER = int.from_bytes(b"\x36" * 64, "big")
_OUTER = int.from_bytes(b"\x5c" * 64, "big")


def sha256(*parts):
    """The 32-byte SHA-256 of the parts (bytes-like), one after the other."""
    state = _sha256()
    for part in parts:
        state.update(part)
    return state.digest()


def hmac_sha256(key, data):
    """HMAC-SHA-256, 32 bytes; `key` of any length. RFC 2104 section 2."""
    if len(key) > 64:
        key = sha256(key)
    # One big-integer XOR pads the key in 0.4 of the instructions that a loop over its bytes takes.
    padded = int.from_bytes(key, "big") << 8 * (64 - len(key))
    inner = sha256((padded ^ _INNER).to_bytes(64, "big"), data)
    return sha256((padded ^ _OUTER).to_bytes(64, "big"), inner)


def hkdf_extract(salt, ikm):
    """The 32-byte PRK; an empty salt means 32 zeros. RFC 5869 section 2.2."""
    return hmac_sha256(salt, ikm)


def hkdf_expand(prk, info, length):
    """`length` bytes (0..8160) of key material. RFC 5869 section 2.3. Raises LocalError kdf-length."""
    if not 0 <= length <= 255 * 32:
        raise LocalError("kdf-length")
    out = block = b""
    count = 0
    while len(out) < length:
        count += 1
        block = hmac_sha256(prk, block + info + bytes((count,)))
        out += block
    return out[:length]


def constant_time_equal(a, b):
    """Whether two byte strings are equal, in a time that depends on nothing but their lengths."""
    if len(a) != len(b):
        return False
    difference = 0
    for i in range(len(a)):
        difference |= a[i] ^ b[i]
    return difference == 0
