"""The policy in force: stored before it counts, never older than the last, and missed by name when it is damaged."""

from admit_device.access import Access
from admit_protocol import cbor, coap, coap_numbers, grant, issuing
from admit_protocol.errors import Malformed, Replayed, StorageError, Untrusted, Unverified
from memory_ports import WEDNESDAY, HandClock, Memory
from rig import Site
from support import raises
from visitors import OPEN, SITE, Visitor, grant_of, id_of, new_kiosk, reason, revocation


class Clock(HandClock):
    """What a policy asks of a clock: a floor for the time."""

    floor = 0

    def raise_floor(self, seconds):
        self.floor = max(self.floor, seconds)


class Identity:
    device_id = "kiosk-1"
    anchor = SITE.anchor


def new_access(storage=None, clock=None):
    return Access(storage or Memory(), clock or Clock(), Identity(), SITE.suite)


def damaged(*revoked):
    """(access, storage, clock) of a device that was told epoch 5, and finds it damaged after a reset."""
    storage, clock = Memory(), Clock()
    new_access(storage, clock).apply_bundle(revocation(5, list(revoked)))
    storage.damaged.append("policy")
    return new_access(storage, clock), storage, clock


def test_a_policy_holds_from_the_moment_it_is_stored_and_after_every_reset():
    storage, clock = Memory(), Clock()
    access = new_access(storage, clock)
    alices = id_of(grant_of("alice", OPEN))
    policy = revocation(5, [alices])
    assert access.apply_bundle(policy)
    assert clock.floor == WEDNESDAY
    for each in (access, new_access(storage)):
        assert (each.epoch, each.revoked) == (5, (alices,))
        assert each.apply_bundle(policy) is False  # a second courier brings the same
        for older in (revocation(5, []), revocation(4, [])):
            with raises(Replayed, "bundle-stale"):
                each.apply_bundle(older)
    assert access.apply_bundle(revocation(6, []))
    assert new_access(storage).revoked == ()


def test_a_policy_that_cannot_be_stored_is_not_in_force():
    storage, clock = Memory(), Clock()
    access = new_access(storage, clock)
    storage.full = True
    with raises(StorageError, "storage-full"):
        access.apply_bundle(revocation(5, [bytes(8)]))
    assert (access.epoch, access.revoked, clock.floor) == (0, (), 0)


def test_a_policy_of_another_hand_changes_nothing():
    storage = Memory()
    other = Site("other", b"other")
    for data, kind, slug in (
        (issuing.bundle(other.key, SITE.anchor.site_id, "kiosk-1", 9, [], WEDNESDAY), Unverified, "cose-signature"),
        (issuing.bundle(SITE.key, other.anchor.site_id, "kiosk-1", 9, [], WEDNESDAY), Untrusted, "bundle-other-site"),
        (issuing.bundle(SITE.key, SITE.anchor.site_id, "kiosk-2", 9, [], WEDNESDAY), Untrusted, "bundle-other-device"),
        (grant_of("alice", OPEN), Malformed, "bundle-structure"),
    ):
        with raises(kind, slug):
            new_access(storage).apply_bundle(data)
    assert storage.changes == 0


def test_with_a_damaged_policy_no_grant_counts_and_the_reason_is_told():
    access, _, _ = damaged(bytes(8))
    subject = grant.parse(grant_of("alice", OPEN))
    assert access.is_damaged
    for decision in (access.decide_standing(subject), access.decide(subject, 2, "/r/open")):
        assert (decision.allowed, decision.reason, decision.rule) == (False, "policy-damaged", None)
    assert access.decide(subject, 2, "/r/open", diagnosing=True).allowed


def test_the_authoritys_next_bundle_mends_a_damaged_policy_and_an_old_one_does_not():
    access, storage, clock = damaged(bytes(8))
    old = issuing.bundle(SITE.key, SITE.anchor.site_id, "kiosk-1", 9, [], clock.floor - 1)
    with raises(Replayed, "bundle-stale"):
        access.apply_bundle(old)
    assert access.is_damaged
    alices = id_of(grant_of("alice", OPEN))
    assert access.apply_bundle(revocation(6, [alices]))
    for each in (access, new_access(storage, clock)):
        assert (each.is_damaged, each.epoch, each.revoked) == (False, 6, (alices,))


def test_a_device_with_a_damaged_policy_starts_tells_of_it_and_is_mended_by_a_visitor():
    rig = new_kiosk()
    assert Visitor(rig, "alice").ask(coap.POST, "/bundle", revocation(1, [])).code == coap.CHANGED
    rig.storage.damaged.append("policy")
    rig.boot()
    admin, guest = Visitor(rig, "alice"), Visitor(rig, "bob", OPEN)
    for visitor, path in ((admin, "/journal"), (admin, "/r"), (guest, "/r"), (guest, "/health")):
        answer = visitor.ask(coap.GET, path)
        assert answer.code == coap_numbers.FORBIDDEN, path
        assert reason(answer) == ("rule-none" if path == "/health" else "policy-damaged"), path
    assert "policy: damaged" in cbor.decode(admin.ask(coap.GET, "/health").payload)["faults"]
    assert guest.ask(coap.POST, "/bundle", revocation(2, [])).code == coap.CHANGED
    assert guest.ask(coap.GET, "/r").code == coap.CONTENT
    assert cbor.decode(admin.ask(coap.GET, "/health").payload)["faults"] == []
