"""The grants that the device has verified, kept so that a repeat visit costs no signature check.

Loaded with a handshake. A grant is kept as it was understood, with what stands behind it, so that what reads grants
need not be loaded for a repeat visit. There is no list of them beside the files themselves, so a power cut cannot make
the two disagree. Whether a grant counts at this moment is access.py's to say.
"""

from admit_device.ondemand import borrowed
from admit_protocol import cbor
from admit_protocol.const import const
from admit_protocol.errors import StorageError, Untrusted, Unverified
from admit_protocol.shapes import Grant, Rule

_MAX_GRANTS = const(32)
_GRANT = const("grant-")
_KID_LENGTH = const(8)
_LENGTH = const(17)  # of a Grant, and some places in it
_AUDIENCE = const(5)
_RULES = const(8)
_SELECTORS = const(12)
_CHAIN = const(16)
_MAX_STORED = const(3 * 4096)  # bytes: a grant, and what it says once more, and those behind it say
_MAX_LINKS = const(5)  # of a chain
_TAG_SIGN1 = const(0xD2)  # a CWT's first byte; a raw key's CCS begins with another


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
        """What a peer sent by value to prove its key: a grant, its signature and site checked against our anchor.

        A newcomer (see `newcomer`) for a key without a grant, and for a delegation whose parent we do not know. Whether
        a grant counts on this device and at this moment can be told under encryption alone, and so later.
        """
        if data[0] != _TAG_SIGN1:
            return self._raw(data)
        candidate = self._parse(data)
        known = self._same(candidate)
        if known:
            return known
        if candidate.parent is None:
            return self._by_authority(candidate)
        parent = self.find(candidate.parent)
        if parent:
            return self._by_parent(candidate, parent)
        return newcomer(candidate.data, candidate.kid, candidate.site_id, candidate.subject, candidate.key)

    def verify_chain(self, data, others):
        """The grant `data`, verified with the help of the grants that stand behind it, as far as `others` are those.

        `others`: {kid: grant bytes}. Raises Untrusted("grant-parent-missing"), ("delegation-depth") and what `verify`
        raises.
        """
        chain = [self._parse(data)]
        known = self._same(chain[0])
        if known:
            return known
        while chain[-1].parent is not None:
            known, handed_in = self.find(chain[-1].parent), others.get(chain[-1].parent)
            if known is None and handed_in is None:
                raise Untrusted("grant-parent-missing", "hand in the grant that it was made from")
            if len(chain) == _MAX_LINKS:
                raise Untrusted("delegation-depth", "no chain has so many links")
            if known:
                break
            chain.append(self._parse(handed_in))
        else:
            known = self._by_authority(chain.pop())
        while chain:
            known = self._by_parent(chain.pop(), known)
        return known

    def remember(self, verified):
        """Keep a verified grant whose holder has proven the key; one of many others, at random, makes room for it."""
        name = _name(verified.kid)
        if self.find(verified.kid):
            return
        data = _encode(verified)
        if len(data) > _MAX_STORED:
            raise Untrusted("grant-chain-too-long", "with all that stands behind it, it is too long to be kept")
        kept = [each for each in self._storage.names() if each.startswith(_GRANT)]
        if len(kept) >= _MAX_GRANTS:
            self._storage.remove(kept[self._suite.random(1)[0] % len(kept)])
        self._storage.write(name, data)

    def _raw(self, data):
        with borrowed():
            from admit_protocol import ccs
            from admit_protocol.journal import person

            public = ccs.parse(data)[0]
            return newcomer(data, person(public), self._identity.anchor.site_id, "", public)

    def _parse(self, data):
        with borrowed():
            from admit_protocol import grant

            parsed = grant.parse(data)
        if parsed.site_id != self._identity.anchor.site_id:
            raise Untrusted("grant-other-site", "the grant is another site's")
        return parsed

    def _same(self, candidate):
        """The very grant, verified before, or None."""
        known = self.find(candidate.kid)
        return known if known and known.data == candidate.data else None

    def _by_authority(self, candidate):
        anchor = self._identity.anchor
        with borrowed():  # and forgotten before the arithmetic, which needs room
            from admit_protocol import grant

            signed, signature = grant.signed_for(candidate, anchor.site_id)
        if not anchor.previous or not self._suite.verify(anchor.sign_public, signed, signature):
            self._check(anchor.previous or anchor.sign_public, signed, signature)
        return candidate

    def _by_parent(self, candidate, parent):
        with borrowed():
            from admit_protocol import cose, delegation

            linked, public = delegation.prepare(candidate, parent)
            signed, signature = cose.signed(cose.parse_sign1(candidate.data), cose.DELEGATION)
        self._check(public, signed, signature)
        return linked

    def _check(self, public, signed, signature):
        if not self._suite.verify(public, signed, signature):
            raise Unverified("cose-signature")

    def _kept(self, name):
        """A damaged grant counts as none: its holder is asked for it, and what they bring is written over it."""
        try:
            return self._storage.read(name)
        except StorageError as error:
            if error.reason != "storage-corrupt":
                raise
            return None


def newcomer(data, kid, site_id, subject, key):
    """Who has no more than a key, or a delegation of which nothing is proven yet: a grant of nothing, on no device."""
    return Grant(data, kid, b"", site_id, subject, (), key, None, (), 0, None, None, (), 0, None, 0, ())


def _encode(grant):
    """A grant and those behind it, each in bytes of its own, since together they would be too deep for CBOR."""
    fields = list(grant)
    fields[_CHAIN] = [cbor.encode(link) for link in grant.chain]
    return cbor.encode(fields)


def _decode(data):
    """The Grant that `_encode` wrote; None for what another version of this file wrote."""
    items = cbor.decode(data, _MAX_STORED)
    if not isinstance(items, list) or len(items) != _LENGTH:
        return None
    items[_AUDIENCE] = tuple(items[_AUDIENCE])
    items[_RULES] = tuple([Rule(*each) for each in items[_RULES]])
    items[_SELECTORS] = tuple(items[_SELECTORS])
    items[_CHAIN] = tuple([_decode(each) for each in items[_CHAIN]])
    return Grant(*items)


def _name(kid):
    return _GRANT + bytes(kid).hex()
