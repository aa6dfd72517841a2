"""A new device key, of a host's randomness and our own, and the end of what an old one stood for. Loaded for that."""

from admit_protocol import cbor, kdf
from admit_protocol.const import const
from admit_protocol.errors import AdmitError, Malformed

_CONTRIBUTION = const(1)  # in the bodies of /identity
_OF_THE_BOARD = ("boots", "time-floor", "release", "scrubbing")  # in storage: what no site makes obsolete


def forget_site(storage, but=()):
    """Remove all that storage holds, but for the board's own and the names in `but`. Raises StorageError.

    Done again after a power cut it goes on. What decides that it must be is in the key store: see wiping.py.
    """
    for name in storage.names():
        if name not in _OF_THE_BOARD and name not in but:
            storage.remove(name)


def contribution_in(body):
    """The randomness that the host adds, at least 32 bytes. Raises Malformed("commissioning-contribution")."""
    contribution = cbor.expect(body.get(_CONTRIBUTION), bytes, "commissioning-contribution")
    if len(contribution) < 32:
        raise Malformed("commissioning-contribution", "at least 32 bytes")
    return contribution


def mixed_secret(suite, contribution):
    """A private key that is random if either our own source or the host's contribution is."""
    while True:
        secret = kdf.hmac_sha256(contribution, suite.random(32))
        try:
            suite.private_key(secret)
            return secret
        except AdmitError:  # zero or not below the group order: once in 2^32
            continue
