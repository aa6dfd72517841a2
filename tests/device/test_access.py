"""Which grants a device knows, what was taken back, and who therefore may do what."""

from admit_device.access import MAX_GRANTS, Access
from admit_protocol import coap, coap_numbers, edhoc_client, grant, issuing
from admit_protocol.aif import GET, POST
from admit_protocol.errors import Malformed, Replayed, StorageError, Untrusted, Unverified
from folders import Folder
from memory_ports import WEDNESDAY, HandClock, Memory, PowerCut
from ports.virtual.storage import Storage
from rig import Phone, Site
from support import raises
from visitors import OPEN, SITE, Visitor, grant_of, id_of, key_of, new_kiosk, revocation

WEEKDAYS = {1: [[31, 0, 0]]}
SUNDAY = WEDNESDAY + 4 * 86400


class Clock(HandClock):
    """What access asks of a clock: the time, and a floor for it."""

    floor = 0

    def raise_floor(self, seconds):
        self.floor = max(self.floor, seconds)


class Identity:
    device_id = "kiosk-1"
    anchor = SITE.anchor


class CountingSuite:
    """Verifies for the site, and chooses what a test wants."""

    def __init__(self, chosen=0):
        self.chosen = chosen
        self.verified = 0

    def verify(self, *given):
        self.verified += 1
        return SITE.suite.verify(*given)

    def random(self, length):
        return bytes([self.chosen]) * length


def new_access(storage=None, clock=None, suite=None):
    return Access(storage or Memory(), clock or Clock(), Identity(), suite or CountingSuite())


def many_grants(count):
    """As many grants that access has verified before it keeps them; their bytes do not matter."""
    data = grant_of("alice", OPEN)
    return [_Kept(data, number) for number in range(count)]


class _Kept:
    def __init__(self, data, number):
        self.data = data
        self.kid = number.to_bytes(8, "big")


def test_a_grant_once_remembered_is_found_by_its_kid_and_never_verified_again():
    storage, suite = Memory(), CountingSuite()
    access = new_access(storage, suite=suite)
    verified = access.verify(grant_of("alice", OPEN))
    assert (suite.verified, storage.changes) == (1, 0)
    access.remember(verified)
    access.remember(verified)
    assert storage.changes == 1
    after_a_reset = new_access(storage, suite=suite)
    assert after_a_reset.find(verified.kid).data == verified.data
    assert after_a_reset.find(bytes(8)) is None
    assert suite.verified == 1


def test_a_name_that_is_no_kid_names_no_grant():
    with Folder() as folder:
        access = new_access(Storage(folder.path))
        verified = access.verify(grant_of("alice", OPEN))
        access.remember(verified)
        assert access.find(verified.kid)
        for kid in (b"", verified.kid[:7], verified.kid + b"x", bytes(200)):
            assert access.find(kid) is None


def test_a_grant_of_another_site_or_another_hand_is_not_believed():
    public = key_of("alice").public
    with raises(Untrusted, "grant-other-site"):
        new_access().verify(Site("other", b"other").grant(public, OPEN))
    forger = Site("site", b"forger")
    forger.anchor = SITE.anchor
    with raises(Unverified, "cose-signature"):
        new_access().verify(forger.grant(public, OPEN))
    with raises(Malformed, "cbor-truncated"):
        new_access().verify(grant_of("alice", OPEN)[:-1])


def test_one_grant_too_many_takes_the_place_of_any_other():
    for chosen in (0, 7, 200):
        storage = Memory()
        access = new_access(storage, suite=CountingSuite(chosen))
        grants = many_grants(MAX_GRANTS + 1)
        for each in grants[:-1]:
            access.remember(each)
        storage.write("policy-like", b"not a grant")
        access.remember(grants[-1])
        known = [each.kid for each in grants if access.find(each.kid)]
        assert len(known) == MAX_GRANTS
        assert grants[chosen % MAX_GRANTS].kid not in known and grants[-1].kid in known
        assert storage.read("policy-like")


def test_a_power_cut_while_room_is_made_loses_one_grant_at_most():
    grants = many_grants(MAX_GRANTS + 1)
    for cut in range(2):
        storage = Memory()
        access = new_access(storage)
        for each in grants[:-1]:
            access.remember(each)
        storage.cut_after = cut
        try:
            access.remember(grants[-1])
        except PowerCut:
            pass
        storage.cut_after = None
        after = new_access(storage)
        assert len([each for each in grants if after.find(each.kid)]) == MAX_GRANTS - cut
        after.remember(grants[-1])
        assert after.find(grants[-1].kid)


def test_a_damaged_grant_counts_as_unknown_until_its_holder_brings_it_again():
    rig = new_kiosk()
    assert Visitor(rig).ask(coap.GET, "/r").code == coap.CONTENT
    (name,) = [each for each in rig.storage.names() if each.startswith("grant-")]
    rig.storage.damaged.append(name)
    refused = Visitor(rig, by_value=False).ask(coap.GET, "/r")
    assert edhoc_client.parse_error(refused.payload) == (3, True)
    assert Visitor(rig).ask(coap.GET, "/r").code == coap.CONTENT
    assert Visitor(rig, by_value=False).ask(coap.GET, "/r").code == coap.CONTENT


def test_a_grant_that_cannot_be_kept_lets_nobody_in():
    rig = new_kiosk()
    rig.storage.full = True
    refused = Visitor(rig).ask(coap.GET, "/r")
    assert edhoc_client.parse_error(refused.payload) == (1, "storage-full")
    rig.storage.full = False
    assert Visitor(rig).ask(coap.GET, "/r").code == coap.CONTENT


def test_whether_a_grant_counts_comes_before_what_it_allows():
    clock = Clock()
    access = new_access(clock=clock)
    data = SITE.grant(key_of("alice").public, [("/r/open", GET | POST, WEEKDAYS)], expires=SUNDAY + 3600, number=77)
    subject = access.verify(data)

    def decide(path="/r/open"):
        decision = access.decide(subject, POST, path)
        return decision.allowed, decision.reason, decision.rule

    assert decide() == (True, "rule-allows", 0)
    assert decide("/health") == (False, "rule-none", None)
    clock.seconds = SUNDAY
    assert decide() == (False, "rule-outside-window", 0)
    assert access.decide_standing(subject).allowed
    clock.seconds = SUNDAY + 3600
    assert decide() == (False, "grant-expired", None)
    clock.seconds = None
    assert decide() == (False, "grant-time-unknown", None)
    clock.seconds = WEDNESDAY
    assert access.apply_bundle(revocation(1, [subject.id]))
    assert decide() == (False, "grant-revoked", None)
    assert access.decide_standing(subject).reason == "grant-revoked"


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
    for data, kind, reason in (
        (issuing.bundle(other.key, SITE.anchor.site_id, "kiosk-1", 9, [], WEDNESDAY), Unverified, "cose-signature"),
        (issuing.bundle(SITE.key, other.anchor.site_id, "kiosk-1", 9, [], WEDNESDAY), Untrusted, "bundle-other-site"),
        (issuing.bundle(SITE.key, SITE.anchor.site_id, "kiosk-2", 9, [], WEDNESDAY), Untrusted, "bundle-other-device"),
        (grant_of("alice", OPEN), Malformed, "bundle-structure"),
    ):
        with raises(kind, reason):
            new_access(storage).apply_bundle(data)
    assert storage.changes == 0


def test_a_device_that_cannot_read_its_policy_does_not_start_without_it():
    storage = Memory()
    new_access(storage).apply_bundle(revocation(5, [bytes(8)]))
    storage.damaged.append("policy")
    with raises(StorageError, "storage-corrupt"):
        new_access(storage)


def test_one_key_may_hold_several_grants_and_each_stands_for_itself():
    rig = new_kiosk()
    narrow, wide = Visitor(rig, "alice", OPEN), Visitor(rig, "alice")
    assert isinstance(narrow, Phone)
    assert narrow.ask(coap.GET, "/health").code == coap_numbers.FORBIDDEN
    assert wide.ask(coap.GET, "/health").code == coap.CONTENT
    assert wide.ask(coap.POST, "/bundle", revocation(1, [id_of(grant_of("alice"))])).code == coap.CHANGED
    assert wide.ask(coap.GET, "/r").code == coap_numbers.FORBIDDEN
    assert narrow.ask(coap.GET, "/r").code == coap.CONTENT
    assert grant.parse(grant_of("alice")).key == grant.parse(grant_of("alice", OPEN)).key
