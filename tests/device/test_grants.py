"""Which grants a device knows: once verified, found by their kid, and never more than it has room for."""

from admit_device.grants import Grants
from admit_protocol import coap, edhoc_client, grant, rule
from admit_protocol.errors import Malformed, Untrusted, Unverified
from folders import Folder
from limits import MAX_GRANTS
from memory_ports import Memory, PowerCut
from ports.virtual.storage import Storage
from rig import Site
from support import raises
from visitors import OPEN, SITE, Visitor, grant_of, key_of, new_kiosk


class Identity:
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


def new_grants(storage=None, suite=None):
    return Grants(storage or Memory(), Identity(), suite or CountingSuite())


def many_grants(count):
    """As many grants that were verified before they are kept; what they say does not matter."""
    _, _, *rest = grant.parse(grant_of("alice", OPEN))
    return [grant.Grant(b"grant", number.to_bytes(8, "big"), *rest) for number in range(count)]


def test_a_grant_once_remembered_is_found_by_its_kid_and_never_verified_again():
    storage, suite = Memory(), CountingSuite()
    grants = new_grants(storage, suite=suite)
    verified = grants.verify(grant_of("alice", OPEN))
    assert (suite.verified, storage.changes) == (1, 0)
    grants.remember(verified)
    grants.remember(verified)
    assert storage.changes == 1
    after_a_reset = new_grants(storage, suite=suite)
    assert after_a_reset.find(verified.kid).data == verified.data
    assert after_a_reset.find(bytes(8)) is None
    assert suite.verified == 1


def test_a_grant_comes_back_as_it_was_understood():
    window = {rule.WINDOWS: [[31, 480, 1080]], rule.BOUNDS: {"seconds": [None, 9]}, 99: [[[b"later"]]]}
    for data in (
        SITE.grant(key_of("alice").public, [("/r/*", 3, window), ("/health", 1, {})], audience=("kiosk-*", "locker-1")),
        SITE.grant(key_of("alice").public, OPEN, expires=5, not_before=4, sig_public=key_of("bob").public),
    ):
        grants = new_grants()
        verified = grants.verify(data)
        grants.remember(verified)
        found = grants.find(verified.kid)
        assert found == verified
        assert [type(each) for each in (found, found.rules, found.rules[0], found.audience)] == [
            grant.Grant,
            tuple,
            rule.Rule,
            tuple,
        ]


def test_what_an_older_version_kept_counts_as_unknown():
    storage = Memory()
    data = grant_of("alice", OPEN)
    kid = grant.kid_of(data)
    storage.write("grant-" + kid.hex(), data)
    grants = new_grants(storage)
    assert grants.find(kid) is None
    grants.remember(grants.verify(data))
    assert grants.find(kid).data == data


def test_a_name_that_is_no_kid_names_no_grant():
    with Folder() as folder:
        grants = new_grants(Storage(folder.path))
        verified = grants.verify(grant_of("alice", OPEN))
        grants.remember(verified)
        assert grants.find(verified.kid)
        for kid in (b"", verified.kid[:7], verified.kid + b"x", bytes(200)):
            assert grants.find(kid) is None


def test_a_grant_of_another_site_or_another_hand_is_not_believed():
    public = key_of("alice").public
    with raises(Untrusted, "grant-other-site"):
        new_grants().verify(Site("other", b"other").grant(public, OPEN))
    forger = Site("site", b"forger")
    forger.anchor = SITE.anchor
    with raises(Unverified, "cose-signature"):
        new_grants().verify(forger.grant(public, OPEN))
    with raises(Malformed, "cbor-truncated"):
        new_grants().verify(grant_of("alice", OPEN)[:-1])


def test_one_grant_too_many_takes_the_place_of_any_other():
    for chosen in (0, 7, 200):
        storage = Memory()
        grants = new_grants(storage, suite=CountingSuite(chosen))
        many = many_grants(MAX_GRANTS + 1)
        for each in many[:-1]:
            grants.remember(each)
        storage.write("policy-like", b"not a grant")
        grants.remember(many[-1])
        known = [each.kid for each in many if grants.find(each.kid)]
        assert len(known) == MAX_GRANTS
        assert many[chosen % MAX_GRANTS].kid not in known and many[-1].kid in known
        assert storage.read("policy-like")


def test_a_power_cut_while_room_is_made_loses_one_grant_at_most():
    many = many_grants(MAX_GRANTS + 1)
    for cut in range(2):
        storage = Memory()
        grants = new_grants(storage)
        for each in many[:-1]:
            grants.remember(each)
        storage.cut_after = cut
        try:
            grants.remember(many[-1])
        except PowerCut:
            pass
        storage.cut_after = None
        after = new_grants(storage)
        assert len([each for each in many if after.find(each.kid)]) == MAX_GRANTS - cut
        after.remember(many[-1])
        assert after.find(many[-1].kid)


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
