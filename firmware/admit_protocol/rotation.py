"""The proof that a device has exchanged its key: the same words, signed by the old key and by the new one.

Owns: its bytes. The old key says which one follows it, the new one that it is held by that device.
Rules: each signature has a purpose of its own, so neither passes for the other; both must hold, over the same words.
Must not know: whether the device keeps to it; a handshake with the new key proves that.
"""

from collections import namedtuple

from . import cbor, cose, papers
from .errors import Malformed, Untrusted

# `site_id`: 16 bytes; `device_id`: text; `old`, `new`: the device's public keys, `seal`: the key to which bundles are
# sealed with the new one; 64 bytes each.
Rotation = namedtuple("Rotation", ("site_id", "device_id", "old", "new", "seal", "sign1"))


def sign(key, label, site_id, device_id, old, new, seal):
    """One half of the proof, bytes: as cose.ROTATION by the old key, as cose.POSSESSION by the new one."""
    fields = {1: site_id, 2: device_id, 3: old, 4: new, 5: seal}
    return cose.sign1(key, cbor.encode(fields), label)


def parse(data):
    """The Rotation in one half, not yet verified.

    Raises Malformed or Unsupported cbor-…, cose-…; Malformed rotation-structure.
    """
    found = Rotation(*papers.read(data, (16, str, 64, 64, 64), "rotation-structure"))
    if found.old == found.new:
        raise Malformed("rotation-structure", "it exchanges nothing")
    return found


def verify(by_old, by_new, public, site_id, device_id, suite):
    """Returns if both halves say that the device's key `public` (64 bytes) is followed by the same other one.

    Raises Untrusted rotation-other-key, rotation-halves, paper-other-site or paper-other-device; Unverified
    cose-signature.
    """
    if by_old.old != public:
        raise Untrusted("rotation-other-key")
    if by_old[:-1] != by_new[:-1]:
        raise Untrusted("rotation-halves")
    papers.verify(by_old, cose.ROTATION, public, site_id, device_id, suite)
    papers.verify(by_new, cose.POSSESSION, by_new.new, site_id, device_id, suite)
