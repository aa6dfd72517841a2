"""The policy: the authority's latest bundle, which says what grants were taken back.

Loaded at start-up and for a bundle. The whole bundle is kept, in one write, so that a power cut leaves the old policy
in force or the new one.
"""

from admit_device.faults import print_exception
from admit_protocol import bundle
from admit_protocol.const import const
from admit_protocol.errors import Replayed, StorageError

_POLICY = const("policy")


def stored_policy(storage):
    """(is it damaged, its epoch, the ids of grants that were taken back) of the policy in storage."""
    try:
        stored = storage.read(_POLICY)
    except StorageError as error:
        print_exception(error)
        return True, 0, ()
    if not stored:
        return False, 0, ()
    policy = bundle.parse(stored)
    return False, policy.epoch, tuple(policy.revoked)


def apply_bundle(access, data):
    """Take a policy bundle from whoever carried it: the authority's signature decides. Whole or not at all.

    False if it is the very bundle in force, so that two couriers may bring the same one. Raises Untrusted, Unverified,
    Malformed, and Replayed("bundle-stale") for an older one.
    """
    fresh = bundle.parse(data)
    bundle.verify(fresh, access.identity.anchor, access.identity.device_id, access.suite)
    is_new = access.is_damaged or data != access.storage.read(_POLICY)
    if is_new:
        _check_fresh(access, fresh)
        access.storage.write(_POLICY, data)
        # At once: what comes next may be refused.
        access.is_damaged, access.epoch, access.revoked = False, fresh.epoch, tuple(fresh.revoked)
    access.clock.raise_floor(fresh.issued_at)
    return is_new


def _check_fresh(access, fresh):
    """Refuse what is older than the policy in force; where that is damaged its epoch is not known, but its time is."""
    if access.is_damaged:
        if fresh.issued_at < (access.clock.floor or 0):
            raise Replayed("bundle-stale", "it is older than what the device has seen")
    elif fresh.epoch <= access.epoch:
        raise Replayed("bundle-stale", "epoch %d is in force here" % access.epoch)
