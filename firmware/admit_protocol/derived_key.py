"""A P-256 key out of a secret that is kept for another purpose, or that fits into a link.

Owns: the derivation.
Rules: HKDF-SHA-256 without salt, over `info`, which says what the key is for; where that gives no scalar (once in 2^32)
`info` gets one more byte: 1, 2, and so on.
Must not know: whose secret it is.
"""

from .errors import LocalError
from .kdf import hkdf_expand, hkdf_extract


def private_key(secret, info, suite):
    """The private key that `secret` and `info` (bytes) make, always the same."""
    prk = hkdf_extract(b"", secret)
    tail = b""
    while True:
        try:
            return suite.private_key(hkdf_expand(prk, info + tail, 32))
        except LocalError as error:
            if error.reason != "p256-secret":
                raise
            tail = bytes((tail[0] + 1 if tail else 1,))
