"""Bundles: what an authority tells one device through whoever passes by. Who no longer counts, and what rules all obey.

Owns: the bundle's bytes, and what becomes of a device's policy when it takes one.
Rules: the authority's signature decides, never the carrier; the epoch grows with every bundle, and a device takes only
a greater one, so that a replayed bundle brings nothing back; a bundle says what changed since its base, or with base 0
everything, and is right for each epoch between. Ids stand in ascending order, each once.
Must not know: storage, grants, and who carried it.
"""

from collections import namedtuple

from . import cose, papers
from .const import const
from .errors import Conflict, Malformed, Replayed, Untrusted

ID_LENGTH = const(8)

_LIST = (list, type(None))
_BYTES = (bytes, type(None))
_KINDS = (16, str, int, int, int, bytes, bytes, _LIST, _LIST, _BYTES)

# `site_id`: 16 bytes; `device_id`: text; `epoch`, `base`: uint; `issued_at`: unix seconds; `added`, `dropped`: ids of
# grants (cti, 8 bytes each) one behind the other; `selectors`: list of text, or None as it was; `rules`: list of policy
# rules, or None as they were; `notice`: bytes, or None as it was; `data`: the whole bundle.
Bundle = namedtuple(
    "Bundle",
    (
        "site_id",
        "device_id",
        "epoch",
        "base",
        "issued_at",
        "added",
        "dropped",
        "selectors",
        "rules",
        "notice",
        "sign1",
        "data",
    ),
)

# A device's policy: (epoch, issued_at, ids of revoked grants one behind the other, revoked selectors, policy rules,
# notice).
NOTHING = (0, 0, b"", (), (), None)


def parse(data):
    """The Bundle in `data`, not yet verified.

    Raises Malformed or Unsupported cbor-…, cose-…; Malformed bundle-structure, bundle-base, bundle-revoked, rule-….
    """
    found = Bundle(*(papers.read(data, _KINDS, "bundle-structure") + [bytes(data)]))
    if found.base >= found.epoch:
        raise Malformed("bundle-base")
    if not found.base and (found.dropped or found.selectors is None or found.rules is None):
        raise Malformed("bundle-base")
    for ids in (found.added, found.dropped):
        if len(ids) % ID_LENGTH:
            raise Malformed("bundle-revoked")
        papers.check_order(_each(ids), "bundle-revoked")
    if found.selectors or found.rules:
        from . import rule_reader

        for selector in found.selectors or ():
            rule_reader.check_selector(selector)
            if selector[0] not in "uk":  # user: or key:
                raise Malformed("bundle-revoked")
        papers.check_order(found.selectors or (), "bundle-revoked")
        rule_reader.parse_policy(found.rules or [])
    return found


def verify(bundle, anchor, device_id, suite):
    """Returns if the anchor's authority made it for this device.

    Raises Untrusted bundle-other-site, Unverified cose-signature, Untrusted bundle-other-device.
    """
    if bundle.site_id != anchor.site_id:
        raise Untrusted("bundle-other-site")
    cose.verify_sign1(bundle.sign1, anchor.sign_public, cose.BUNDLE, suite)
    if bundle.device_id != device_id:
        raise Untrusted("bundle-other-device")


def open_sealed(data, seal_key, suite):
    """The bytes of the bundle that was sealed to a device: see cose_encrypt.unseal."""
    from .cose_encrypt import unseal

    return unseal(suite, seal_key, data)


def merge(state, bundle):
    """The policy (as NOTHING) that a device has once it took `bundle`, verified, on top of `state`.

    Raises Replayed bundle-stale, or Conflict bundle-base if one before it never came.
    """
    if bundle.epoch <= state[0]:
        raise Replayed("bundle-stale", "epoch %d is in force here" % state[0])
    if bundle.base > state[0]:
        raise Conflict("bundle-base", "epoch %d is in force here" % state[0])
    if not bundle.base:
        state = NOTHING
    return (
        bundle.epoch,
        bundle.issued_at,
        _merged(state[2], bundle.added, bundle.dropped),
        state[3] if bundle.selectors is None else bundle.selectors,
        state[4] if bundle.rules is None else bundle.rules,
        state[5] if bundle.notice is None else bundle.notice,
    )


def split(ids):
    """The list of the 8-byte ids that stand in `ids` one behind the other."""
    return list(_each(ids))


def _each(ids):
    return (ids[at : at + ID_LENGTH] for at in range(0, len(ids), ID_LENGTH))


def _merged(kept, added, dropped):
    """`kept` with the ids `added` and without those `dropped`, in order; without a list of objects for each."""
    if not kept:
        return added
    out = bytearray(kept)
    for ids, is_added in ((dropped, False), (added, True)):
        for each in _each(ids):
            at = _place(out, each)
            end = at + ID_LENGTH if out[at : at + ID_LENGTH] == each else at
            out[at:end] = each if is_added else b""
    return bytes(out)


def _place(ids, wanted):
    """Where in `ids` the id `wanted` stands, or would."""
    low, high = 0, len(ids) // ID_LENGTH
    while low < high:
        middle = (low + high) // 2
        if ids[middle * ID_LENGTH : (middle + 1) * ID_LENGTH] < wanted:
            low = middle + 1
        else:
            high = middle
    return low * ID_LENGTH
