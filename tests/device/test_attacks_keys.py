"""Keys, owners and ends crossed with each other: whatever was begun beside it, a change leaves one owner, one key."""

from admit_device.identity import HEIR, NEXT, OLD, SECRET, SUCCEEDED
from admit_protocol import anchor, cbor, coap, cose, credential, issuing, rotation, succession
from memory_ports import WEDNESDAY
from owners import EAST, SOUTH, Heir, Owner, described, voucher
from remembered import remembering
from rig import Phone, Site
from visitors import SITE, Visitor, new_kiosk, reason

LIMIT_S = 120
ROTATE = cbor.encode({4: 1, 1: bytes(32)})
SOLD = cbor.encode({4: 3, 6: "sold"})


def next_key(admin):
    """The Rotation that the device proves."""
    response = admin.carry(coap.request(coap.POST, "/identity", ROTATE))
    assert response.code == coap.CHANGED, reason(response)
    return rotation.parse(cbor.decode(response.payload)[1])


def vouched(new, site=SITE):
    about = site.anchor.site_id, "kiosk-1", new.new, credential.kid(new.new), WEDNESDAY
    return issuing.credential(site.key, *about, new.seal)


def put(visitor, data):
    response = visitor.ask(coap.PUT, "/identity", cbor.encode({1: data}))
    return None if response.code == coap.CHANGED else reason(response)


@remembering
def test_a_key_that_was_asked_for_and_never_came_goes_with_the_old_site():
    rig = new_kiosk()
    waiting = vouched(next_key(Visitor(rig, "admin")))
    assert Heir(rig, [voucher(rig.public)]).take() is None
    identity = rig.device.identity
    assert [identity.kept(field) for field in (NEXT, OLD, HEIR)] == [None, None, None]
    assert put(Owner(rig), waiting) == "identity-no-rotation"  # whoever held back the last message of the old site's
    new = next_key(Owner(rig))
    assert put(Owner(rig), vouched(new)) == "credential-other-site"
    assert put(Owner(rig), vouched(new, EAST)) is None
    assert identity.key.public == new.new


@remembering
def test_an_exchange_kills_what_was_begun_for_the_next_owner_and_a_new_voucher_goes_on():
    rig = new_kiosk()
    heir = Heir(rig, [voucher(rig.public)])
    publics = heir.make_key()
    admin = Visitor(rig, "admin")
    new = next_key(admin)
    data = vouched(new)
    assert put(admin, data) is None
    assert heir.ask(coap.PUT)[1] == "voucher-other-key"
    assert heir.ask(coap.POST)[1] == "voucher-other-key"
    rig.credential, rig.public = data, new.new
    again = Heir(rig, [voucher(rig.public)])
    assert again.make_key() == publics != [new.new, new.seal]
    assert again.take() is None
    assert rig.device.identity.kept(SECRET) and rig.device.identity.kept(OLD) is None


@remembering
def test_of_two_heirs_the_one_who_is_first_has_it_and_the_other_nothing():
    rig = new_kiosk()
    erin, sam = Heir(rig, [voucher(rig.public)]), Heir(rig, [voucher(rig.public, to=SOUTH)], SOUTH, "sam")
    erin.make_key()
    sam.make_key()
    assert erin.ask(coap.PUT)[1] == "ownership-no-key"
    assert sam.ask(coap.PUT)[0] == coap.CHANGED
    rig.credential, rig.public = sam.paper, sam.publics[0]
    late = Heir(rig, erin.chain)
    for method in (coap.POST, coap.PUT):
        assert late.ask(method, _1=bytes(32) if method == coap.POST else erin.paper)[1] == "voucher-other-site"
    assert described(rig)[2] == sam.paper


@remembering
def test_a_dying_device_goes_to_nobody_and_changes_no_key():
    rig = new_kiosk()
    heir, admin = Heir(rig, [voucher(rig.public)]), Visitor(rig, "admin")
    heir.make_key()
    data = vouched(next_key(admin))
    assert admin.ask(coap.POST, "/identity", SOLD).code == coap.CHANGED
    assert heir.ask(coap.PUT)[1] == "session-needed"
    assert put(admin, data) == "identity-dying"
    rig.pass_s(1)
    assert rig.keystore.files == {}
    rig.boot()
    cable = Phone(rig, server=rig.cable)
    told = cbor.decode(cable.plain(coap.POST, "/identity", cbor.encode({1: b"a" * 32})).payload)
    assert cose.decode_key(told[1])[0] not in (rig.public, heir.publics[0])


@remembering
def test_vouchers_that_lead_back_to_where_it_is_bring_nothing_back():
    """The old site's admin, whom East has given it back before anybody fetched it, with a key that may fetch it."""
    rig = new_kiosk()
    first = voucher(rig.public)
    back = voucher(rig.public, EAST, SITE, first, 2)
    third = voucher(rig.public, SITE, EAST, back, 3)
    round_trip = Heir(rig, [first, back, third])
    assert round_trip.take() is None  # a chain is what those who signed it say: the last one has it
    assert described(rig)[2] == round_trip.paper
    for chain, why in (([first], "voucher-used"), ([back, third], "voucher-order"), ([third], "voucher-order")):
        assert Heir(rig, chain).ask(coap.POST)[1] == why


@remembering
def test_the_old_owners_succession_ends_with_the_old_owner():
    after = Site("site", b"next")
    number = len(SITE.anchor.successions) + 1
    about = SITE.anchor.site_id, number, after.ecdh.public, WEDNESDAY, WEDNESDAY + 86400
    step = succession.sign(SITE.key, after.key, *about)
    after.anchor = anchor.Anchor(SITE.anchor.sign_public, SITE.anchor.ecdh_public, "site", (step,))
    rig = new_kiosk()
    assert Visitor(rig).ask(coap.POST, "/bundle", step).code == coap.CHANGED
    old = Heir(rig, [voucher(rig.public)])
    assert old.ask(coap.POST)[1] == "cose-signature"  # of the key before
    assert Heir(rig, [voucher(rig.public, after, issued_at=WEDNESDAY)]).take() is None
    trusted = rig.device.identity.anchor
    assert (trusted.site_id, trusted.sign_public) == (EAST.anchor.site_id, EAST.anchor.sign_public)
    assert (trusted.number, trusted.previous, rig.device.identity.kept(SUCCEEDED)) == (0, None, None)
    assert "successions" not in rig.storage.names()
    rig.boot()
    assert rig.device.identity.anchor == trusted
    assert Owner(rig).ask(coap.POST, "/bundle", step).code >= 0x80
