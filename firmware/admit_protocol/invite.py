"""An invite's secret, and the key that it stands for. For hosts and phones; a device sees only what that key signs.

Owns: the secret's length and the derivation of its key.
Rules: the secret is in the link, and nowhere else; its key signs one delegation, and the proof that goes with it.
Must not know: links, devices.
"""

from . import derived_key
from .const import const
from .errors import Malformed

SECRET_LENGTH = const(16)


def key(secret, suite):
    """The private key of an invite's secret, 16 bytes. Raises Malformed invite-secret."""
    if len(secret) != SECRET_LENGTH:
        raise Malformed("invite-secret")
    return derived_key.private_key(secret, b"admit:invite", suite)
