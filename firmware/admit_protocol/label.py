"""The sealed label: what device and host derive from the secret that is printed on it. docs/SPEC.md "Labels".

Owns: the lengths, the name that a labelled factory device advertises, and the OSCORE context of those who know the
secret. Both sides put fresh randomness into the ID Context (as in RFC 8613 appendix B.2), so no key is made twice,
whatever restarts, and nothing need be stored to keep nonces apart.
Must not know: where the secret is kept, and what the context is used for.
"""

from .const import const
from .kdf import hkdf_expand, hkdf_extract

SECRET_LENGTH = const(16)
CHALLENGE_LENGTH = const(8)  # of either side's randomness: the ID Context is the device's, then the host's

_SALT = const(b"admit:sealed-label")


def advertised_name(secret):
    """What a factory device with this label is called on the air: whoever holds the label finds it among others."""
    return "admit-" + _derive(secret, b"name", 4).hex()


def master_secret(secret):
    """The Master Secret, 16 bytes; there is no Master Salt."""
    return _derive(secret, b"oscore", 16)


def host_id(secret):
    """The host's Sender ID, 7 bytes; the device's is empty. Who does not know the label cannot even name it."""
    return _derive(secret, b"kid", 7)


def _derive(secret, info, length):
    return hkdf_expand(hkdf_extract(_SALT, secret), info, length)
