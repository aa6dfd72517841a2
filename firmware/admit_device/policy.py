"""The policy: what the authority's bundles have told, and how a new one takes its place.

Loaded at start-up, for a bundle, and where its rules are asked for. What a bundle changes is merged into what is kept,
and all of it is stored in one write, so that a power cut leaves the old policy in force or the new one.
"""

from admit_device.access import Revoked
from admit_device.faults import print_exception
from admit_device.identity import OLD
from admit_protocol import cbor
from admit_protocol.const import const
from admit_protocol.errors import AdmitError, Conflict, Replayed, TooLarge, Unverified
from admit_protocol.kdf import sha256

_POLICY = const("policy")
_MAX_STORED = const(12 * 1024)  # bytes
_MAX_RULES = const(4096)  # of them for the rules

# What is stored: [epoch, issued at, revoked ids, revoked selectors, rules as CBOR, notice, hash of the bundle].
_EPOCH = const(0)
_ISSUED_AT = const(1)
_REVOKED = const(2)
_SELECTORS = const(3)
_RULES = const(4)
_NOTICE = const(5)
_HASH = const(6)


def load(access):
    """Put the policy in storage into force. If it is damaged none is, and no grant counts."""
    access.index = None
    access.is_damaged, access.has_rules = False, False
    access.epoch, access.issued_at, access.revoked = 0, 0, Revoked(b"", ())
    _enforce(access, _kept(access))


def apply_bundle(access, data):
    """Take a sealed bundle from whoever carried it: the authority's signature decides. Whole or not at all.

    False if it is the very bundle in force, so that two couriers may bring the same one. Raises Unverified, Untrusted,
    Malformed; Replayed("bundle-stale") for an older one, Conflict("bundle-base") for one whose forerunner never came.
    """
    from admit_protocol import bundle

    fresh = bundle.parse(_unsealed(access, data))
    bundle.verify(fresh, access.identity.anchor, access.identity.device_id, access.suite)
    digest = sha256(fresh.data)[:16]
    kept = _kept(access)
    is_new = not kept or kept[_HASH] != digest
    if is_new:
        if access.is_damaged:  # its epoch is not known then, but about when it was made is
            if fresh.issued_at < (access.clock.floor or 0):
                raise Replayed("bundle-stale", "it is older than what the device has seen")
            if fresh.base:
                raise Conflict("bundle-base", "the policy is damaged: a bundle that says everything is needed")
        _store(access, bundle.merge(_policy(kept) if kept else bundle.NOTHING, fresh), digest)
    access.clock.raise_floor(fresh.issued_at)
    return is_new


def stored_rules(access):
    """The policy's rules, rule.PolicyRule. Raises StorageError."""
    from admit_protocol.rule_reader import parse_policy

    kept = _stored(access.storage)
    return parse_policy(_rules(kept)) if kept else ()


def stored_notice(access):
    """What the policy tells phones, or None."""
    kept = _kept(access)
    return kept[_NOTICE] if kept else None


def _unsealed(access, data):
    """What a bundle says; while a key is being exchanged it may be sealed to either."""
    from admit_protocol.bundle import open_sealed

    identity = access.identity
    try:
        return open_sealed(data, identity.seal_key, access.suite)
    except Unverified:
        old = identity.kept(OLD)
        if old is None:
            raise
        return open_sealed(data, identity.seal_key_of(old), access.suite)


def _store(access, policy, digest):
    """Store the policy (bundle.NOTHING) and put it into force: at once, since what comes next may be refused."""
    epoch, issued_at, ids, selectors, rules, notice = policy
    kept = [epoch, issued_at, ids, selectors, cbor.encode(rules) if rules else b"", notice, digest]
    data = cbor.encode(kept)
    if len(data) > _MAX_STORED or len(kept[_RULES]) > _MAX_RULES:
        raise TooLarge("policy-too-large", "more revocations or rules than the device has room for")
    access.storage.write(_POLICY, data)
    access.is_damaged, access.index = False, None
    access.pending = []
    _enforce(access, kept)


def _enforce(access, kept):
    if kept:
        access.epoch, access.issued_at = kept[_EPOCH], kept[_ISSUED_AT]
        access.revoked = Revoked(kept[_REVOKED], tuple(kept[_SELECTORS]))
        access.has_rules = bool(kept[_RULES])


def _policy(kept):
    """As bundle.merge wants it."""
    return kept[_EPOCH], kept[_ISSUED_AT], kept[_REVOKED], kept[_SELECTORS], _rules(kept), kept[_NOTICE]


def _rules(kept):
    return cbor.decode(kept[_RULES], _MAX_RULES) if kept[_RULES] else []


def _kept(access):
    """What is stored; None, too, if that is damaged, which it then is known to be."""
    try:
        return _stored(access.storage)
    except AdmitError as error:
        print_exception(error)
        access.is_damaged = True
        return None


def _stored(storage):
    """What is stored, or None."""
    stored = storage.read(_POLICY)
    return cbor.decode(stored, _MAX_STORED) if stored else None
