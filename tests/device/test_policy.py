"""The policy in force: stored before it counts, never older than the last, and missed by name when it is damaged."""

from admit_device.access import Access
from admit_device.policy import stored_notice, stored_rules
from admit_protocol import bundle, cbor, coap, coap_numbers, cose, grant, issuing, rule
from admit_protocol.errors import Conflict, Malformed, Replayed, StorageError, TooLarge, Untrusted, Unverified
from memory_ports import WEDNESDAY, HandClock, Memory, PowerCut
from rig import Site, sealed
from support import raises
from visitors import OPEN, SITE, Visitor, grant_of, id_of, new_kiosk, reason, revocation

LOCKDOWN = [2, ["everyone"], ["role:security"], "*", 127, {}, "night"]
DENY_BOB = [1, ["user:bob"], [], "/r/*", 127, {}, "bob-out"]
IDENTITY = new_kiosk().device.identity


class Clock(HandClock):
    """What a policy asks of a clock: the time, and a floor for it."""

    floor = 0

    def moment(self):
        return self.now(), self.now()

    def raise_floor(self, seconds):
        self.floor = max(self.floor, seconds)


def new_access(storage=None, clock=None):
    return Access(storage or Memory(), clock or Clock(), IDENTITY, SITE.suite)


def ids(*numbers):
    return [number.to_bytes(8, "big") for number in numbers]


def in_force(access):
    """All that there is of a policy."""
    revoked, rules = access.revoked, stored_rules(access)
    return access.epoch, access.issued_at, bundle.split(revoked.ids), revoked.selectors, rules, stored_notice(access)


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
        assert (each.epoch, each.revoked.ids) == (5, alices)
        changes = storage.changes
        assert each.apply_bundle(policy) is False  # a second courier brings the same
        for older in (revocation(5, []), revocation(4, [])):
            with raises(Replayed, "bundle-stale"):
                each.apply_bundle(older)
        assert storage.changes == changes
    assert access.apply_bundle(revocation(6, []))
    assert new_access(storage).revoked.ids == b""


def test_the_same_bundle_sealed_anew_is_the_same():
    access = new_access()
    made = issuing.bundle(SITE.key, SITE.anchor.site_id, "kiosk-1", 1, ids(1), WEDNESDAY)
    first, second = sealed(made), sealed(made, IDENTITY.seal_key.public)
    assert access.apply_bundle(first) is True
    assert access.apply_bundle(second) is False


def test_a_delta_changes_what_it_names_and_leaves_the_rest():
    storage = Memory()
    access = new_access(storage)
    whole = SITE.bundle(3, ids(1, 4, 9), selectors=["user:bob"], rules=[LOCKDOWN], notice=b"notice")
    assert access.apply_bundle(whole)
    assert access.apply_bundle(SITE.bundle(7, ids(2, 4), base=3, dropped=ids(9), issued_at=WEDNESDAY + 5))
    night = rule.PolicyRule(*LOCKDOWN)
    for each in (access, new_access(storage)):
        assert in_force(each) == (7, WEDNESDAY + 5, ids(1, 2, 4), ("user:bob",), (night,), b"notice")
    assert access.apply_bundle(SITE.bundle(8, [], base=5, selectors=[], rules=[DENY_BOB]))
    for each in (access, new_access(storage)):
        assert in_force(each)[2:5] == (ids(1, 2, 4), (), (rule.PolicyRule(*DENY_BOB),))
    assert access.apply_bundle(SITE.bundle(9, ids(7)))  # a whole one says everything
    assert in_force(access) == (9, WEDNESDAY, ids(7), (), (), None)


def test_a_delta_whose_base_never_came_is_refused_by_name():
    storage = Memory()
    access = new_access(storage)
    for epoch, base in ((2, 1), (9, 8)):
        with raises(Conflict, "bundle-base"):
            access.apply_bundle(SITE.bundle(epoch, ids(1), base=base))
    assert storage.changes == 0
    access.apply_bundle(SITE.bundle(3, ids(5)))
    with raises(Conflict, "bundle-base"):
        access.apply_bundle(SITE.bundle(6, ids(1), base=4))
    with raises(Replayed, "bundle-stale"):
        access.apply_bundle(SITE.bundle(3, ids(1), base=2))
    assert in_force(access)[:3] == (3, WEDNESDAY, ids(5))


def test_a_power_cut_leaves_the_old_policy_or_the_new_one_and_the_bundle_may_come_again():
    for cut in range(2):
        storage = Memory()
        new_access(storage).apply_bundle(SITE.bundle(1, ids(1), rules=[LOCKDOWN]))
        delta = SITE.bundle(2, ids(2), base=1, rules=[])
        storage.cut_after = cut
        try:
            new_access(storage).apply_bundle(delta)
        except PowerCut:
            pass
        storage.cut_after = None
        after = new_access(storage)
        assert (after.epoch, after.revoked.ids, after.has_rules) in (
            (1, b"".join(ids(1)), True),
            (2, b"".join(ids(1, 2)), False),
        )
        after.apply_bundle(delta)
        assert in_force(after)[:3] == (2, WEDNESDAY, ids(1, 2))


def test_a_bundle_cut_anywhere_or_with_any_byte_changed_changes_nothing():
    storage = Memory()
    access = new_access(storage)
    whole = SITE.bundle(3, ids(1, 4), rules=[LOCKDOWN])
    for at in range(0, len(whole), 3):
        for data in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]):
            try:
                access.apply_bundle(data)
                raise AssertionError(at)
            except (Malformed, Unverified, Conflict) as error:
                assert error.reason.split("-")[0] in ("cbor", "cose", "p256")
            except Exception as error:
                assert type(error).__name__ == "Unsupported", error
    assert storage.changes == 0 and access.epoch == 0


def test_a_policy_that_cannot_be_stored_is_not_in_force():
    storage, clock = Memory(), Clock()
    access = new_access(storage, clock)
    storage.full = True
    with raises(StorageError, "storage-full"):
        access.apply_bundle(revocation(5, [bytes(8)]))
    assert (access.epoch, access.revoked.ids, clock.floor) == (0, b"", 0)


def test_a_policy_longer_than_the_device_has_room_for_leaves_the_old_one():
    access, epoch = new_access(), 0
    with raises(TooLarge, "policy-too-large"):
        while True:
            base, epoch = epoch, epoch + 1
            access.apply_bundle(SITE.bundle(epoch, ids(*range(epoch * 400, epoch * 400 + 400)), base=base))
    assert epoch == 4
    assert (access.epoch, len(access.revoked.ids)) == (3, 3 * 400 * 8)


def test_a_policy_of_another_hand_changes_nothing():
    storage = Memory()
    other = Site("other", b"other")
    site_id = SITE.anchor.site_id
    forged = issuing.bundle(other.key, site_id, "kiosk-1", 9, [], WEDNESDAY)
    genuine = issuing.bundle(SITE.key, site_id, "kiosk-1", 9, [], WEDNESDAY)
    foreign = issuing.bundle(SITE.key, other.anchor.site_id, "kiosk-1", 9, [], WEDNESDAY)
    for data, kind, slug in (
        (sealed(forged), Unverified, "cose-signature"),
        (sealed(foreign), Untrusted, "bundle-other-site"),
        (SITE.bundle(9, device_id="kiosk-2"), Untrusted, "bundle-other-device"),
        (SITE.bundle(9, to=other.key.public), Unverified, "cose-unsealed"),
        (genuine, Malformed, "cose-tag"),  # couriers would read it
        (sealed(grant_of("alice", OPEN)), Malformed, "bundle-structure"),
        (sealed(cose.sign1(SITE.key, cose.parse_sign1(genuine).payload, cose.NOTICE)), Unverified, "cose-signature"),
    ):
        with raises(kind, slug):
            new_access(storage).apply_bundle(data)
    assert storage.changes == 0


def test_with_a_damaged_policy_no_grant_counts_and_the_reason_is_told():
    access, _, _ = damaged(bytes(8))
    subject = grant.parse(grant_of("alice", OPEN))

    class Session:
        grants, present = [subject], (0, 0)

    assert access.is_damaged
    for decision in (access.decide_standing(subject), access.decide(Session, 2, "/r/open")):
        assert (decision.allowed, decision.reason, decision.rule) == (False, "policy-damaged", None)
    assert access.decide(Session, 2, "/r/open", diagnosing=True).allowed


def test_the_authoritys_next_bundle_mends_a_damaged_policy_and_an_old_one_does_not():
    access, storage, clock = damaged(bytes(8))
    with raises(Replayed, "bundle-stale"):
        access.apply_bundle(SITE.bundle(9, issued_at=clock.floor - 1))
    with raises(Conflict, "bundle-base"):  # what it follows is not known
        access.apply_bundle(SITE.bundle(9, base=5, issued_at=clock.floor + 1))
    assert access.is_damaged
    alices = id_of(grant_of("alice", OPEN))
    assert access.apply_bundle(revocation(6, [alices]))
    for each in (access, new_access(storage, clock)):
        assert (each.is_damaged, each.epoch, each.revoked.ids) == (False, 6, alices)


def test_a_policy_that_is_damaged_while_the_device_runs_is_mended_too():
    storage = Memory()
    access = new_access(storage)
    access.apply_bundle(SITE.bundle(1, rules=[LOCKDOWN]))
    storage.damaged.append("policy")
    assert access.apply_bundle(SITE.bundle(2))
    assert not access.is_damaged and new_access(storage).epoch == 2


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
