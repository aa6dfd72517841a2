"""The grants that the device has verified, kept so that a repeat visit costs no signature check.

Loaded with a handshake. A grant is kept as it was understood, so that what reads grants need not be loaded for a
repeat visit. There is no list of them beside the files themselves, so a power cut cannot make the two disagree. Whether
a grant counts at this moment is access.py's to say.
"""

from admit_device.ondemand import borrowed
from admit_protocol import cbor
from admit_protocol.const import const
from admit_protocol.errors import StorageError, Unverified
from admit_protocol.rule import Rule
from admit_protocol.standing import Grant

_MAX_GRANTS = const(32)
_GRANT = const("grant-")
_KID_LENGTH = const(8)
_LENGTH = const(12)  # of a Grant, and two places in it
_AUDIENCE = const(5)
_RULES = const(8)
_MAX_STORED = const(3 * 4096)  # bytes: a grant, and what it says once more


class Grants:
    """Grants in `storage`, under the name of their kid."""

    def __init__(self, storage, identity, suite):
        self._storage = storage
        self._identity = identity
        self._suite = suite

    def find(self, kid):
        """The verified grant that `kid` names, or None; what is not 8 bytes long names none."""
        data = self._kept(_name(kid)) if len(kid) == _KID_LENGTH else None
        found = _decode(data) if data else None
        return found if found and found.site_id == self._identity.anchor.site_id else None

    def verify(self, data):
        """A grant that the peer sent by value: parsed, and its signature and site checked against our anchor.

        Whether it counts on this device and at this moment can be told under encryption alone, and so later.
        """
        anchor = self._identity.anchor
        with borrowed():  # and forgotten before the arithmetic, which needs room
            from admit_protocol import grant

            candidate = grant.parse(data)
            signed, signature = grant.signed_for(candidate, anchor.site_id)
        if not self._suite.verify(anchor.sign_public, signed, signature):
            raise Unverified("cose-signature")
        return candidate

    def remember(self, verified):
        """Keep a verified grant whose holder has proven the key; one of many others, at random, makes room for it."""
        name = _name(verified.kid)
        if self.find(verified.kid):
            return
        kept = [each for each in self._storage.names() if each.startswith(_GRANT)]
        if len(kept) >= _MAX_GRANTS:
            self._storage.remove(kept[self._suite.random(1)[0] % len(kept)])
        self._storage.write(name, cbor.encode(verified))

    def _kept(self, name):
        """A damaged grant counts as none: its holder is asked for it, and what they bring is written over it."""
        try:
            return self._storage.read(name)
        except StorageError as error:
            if error.reason != "storage-corrupt":
                raise
            return None


def _decode(data):
    """The Grant that `remember` wrote; None for what another version of this file wrote."""
    items = cbor.decode(data, _MAX_STORED)
    if not isinstance(items, list) or len(items) != _LENGTH:
        return None
    items[_AUDIENCE] = tuple(items[_AUDIENCE])
    items[_RULES] = tuple([Rule(*each) for each in items[_RULES]])
    return Grant(*items)


def _name(kid):
    return _GRANT + bytes(kid).hex()
