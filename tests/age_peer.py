"""Makes age files, version 1, with a passphrase, without the library that admit uses, and much less work to open.

After age-encryption.org/v1: a header of one scrypt stanza and a MAC, then ChaCha20-Poly1305 in pieces of 64 KiB.
"""

import base64
import hashlib
import hmac
import os

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PIECE = 64 * 1024
SALT_LABEL = b"age-encryption.org/v1/scrypt"


def seal(data, passphrase, work=1):
    """An age file; `work` is log2 of scrypt's N."""
    file_key, salt, nonce = os.urandom(16), os.urandom(16), os.urandom(16)
    body = ChaCha20Poly1305(_wrap_key(passphrase, salt, work)).encrypt(bytes(12), file_key, None)
    head = b"age-encryption.org/v1\n-> scrypt %b %d\n%b\n---" % (_b64(salt), work, _b64(body))
    mac = hmac.digest(_hkdf(file_key, b"", b"header"), head, "sha256")
    stream = ChaCha20Poly1305(_hkdf(file_key, nonce, b"payload"))
    pieces = [data[at : at + PIECE] for at in range(0, len(data), PIECE)] or [b""]
    sealed = [stream.encrypt(_nonce(n, n == len(pieces) - 1), piece, None) for n, piece in enumerate(pieces)]
    return head + b" " + _b64(mac) + b"\n" + nonce + b"".join(sealed)


def _wrap_key(passphrase, salt, work):
    n = 1 << work
    return hashlib.scrypt(passphrase.encode(), salt=SALT_LABEL + salt, n=n, r=8, p=1, maxmem=2048 * n + 2**20, dklen=32)


def _hkdf(key, salt, info):
    return HKDF(hashes.SHA256(), 32, salt or None, info).derive(key)


def _nonce(number, is_last):
    return number.to_bytes(11, "big") + bytes([is_last])


def _b64(data):
    return base64.b64encode(data).rstrip(b"=")
