"""AES-CCM with a 128-bit key and a 13-byte nonce: NIST SP 800-38C, RFC 3610 with L = 2.

Owns: AES-CCM-16-64-128 and AES-CCM-16-128-128 of RFC 9053 section 4.2, over the platform's AES.
Rules: plaintext leaves `decrypt` only after its tag has held; one call of AES for all blocks, and big-integer XOR,
because a loop over bytes is slow on MicroPython.
Must not know: where keys and nonces come from, and that a nonce is never used twice.
"""

from .const import const
from .errors import LocalError, Unverified
from .kdf import constant_time_equal

try:
    from cryptolib import aes
except ImportError:
    from .ccm_cpython import aes

_ECB = const(1)  # cryptolib's numbers
_CBC = const(2)


def encrypt(key, nonce, plaintext, aad, tag_length=8):
    """Ciphertext, as long as `plaintext` (below 64 KiB), and behind it the tag.

    `key` 16 bytes, `nonce` 13, `aad` below 65,280, `tag_length` 8 or 16. Raises LocalError ccm-parameters.
    """
    _check(key, nonce, plaintext, aad, tag_length)
    tag = _cbc_mac(key, nonce, plaintext, aad, tag_length)
    return _counter_mode(key, nonce, plaintext) + _mask(key, nonce, tag)


def decrypt(key, nonce, ciphertext, aad, tag_length=8):
    """The plaintext, once its tag has held. Raises Unverified ccm-tag; LocalError as `encrypt`."""
    _check(key, nonce, ciphertext, aad, tag_length)
    split = len(ciphertext) - tag_length
    if split < 0:
        raise Unverified("ccm-tag", "shorter than a tag")
    plaintext = _counter_mode(key, nonce, ciphertext[:split])
    tag = _mask(key, nonce, _cbc_mac(key, nonce, plaintext, aad, tag_length))
    if not constant_time_equal(tag, ciphertext[split:]):
        raise Unverified("ccm-tag")
    return plaintext


def _check(key, nonce, text, aad, tag_length):
    if len(key) != 16 or len(nonce) != 13 or tag_length not in (8, 16) or len(text) > 0xFFFF or len(aad) >= 0xFF00:
        raise LocalError("ccm-parameters")


def _cbc_mac(key, nonce, plaintext, aad, tag_length):
    """The unmasked tag. RFC 3610 section 2.2."""
    flags = (0x40 if aad else 0) | (tag_length - 2) // 2 << 3 | 1
    blocks = bytes((flags,)) + nonce + len(plaintext).to_bytes(2, "big")
    if aad:
        blocks += _padded(len(aad).to_bytes(2, "big") + aad)
    return aes(key, _CBC, bytes(16)).encrypt(blocks + _padded(plaintext))[-16:][:tag_length]


def _padded(data):
    return data + bytes(-len(data) % 16)


def _counter_mode(key, nonce, data):
    """`data` under the key stream of counters 1, 2, and so on. RFC 3610 section 2.3."""
    prefix = b"\x01" + nonce
    counters = b"".join([prefix + i.to_bytes(2, "big") for i in range(1, (len(data) + 15) // 16 + 1)])
    return _xor(data, aes(key, _ECB).encrypt(counters)[: len(data)]) if data else b""


def _mask(key, nonce, tag):
    return _xor(tag, aes(key, _ECB).encrypt(b"\x01" + nonce + b"\x00\x00")[: len(tag)])


def _xor(a, b):
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(len(a), "big")
