"""Bundles: the authority's word to one device, whoever carries it; and what the device's policy becomes."""

from admit_protocol import bundle, cbor, cose, cose_encrypt, issuing
from admit_protocol.anchor import Anchor
from admit_protocol.errors import Conflict, Malformed, Replayed, Untrusted, Unverified
from admit_protocol.suite import Suite
from support import raises

SUITE = Suite(lambda length: bytes(range(length)))
AUTHORITY = SUITE.private_key(bytes(31) + b"\x05")
MALLORY = SUITE.private_key(bytes(31) + b"\x06")
SITE = Anchor(AUTHORITY.public, MALLORY.public, "North")
ONE, TWO, THREE = b"grant--1", b"grant--2", b"grant--3"
LOCKDOWN = [2, ["everyone"], ["role:security"], "*", 127, {}, "fire"]
ABSENT = object()
FIELDS = ("site", "device", "epoch", "base", "issued_at", "added", "dropped", "selectors", "rules", "notice")


def issue(key=AUTHORITY, site_id=SITE.site_id, device_id="kiosk-1", epoch=7, revoked=(ONE, TWO), **more):
    return issuing.bundle(key, site_id, device_id, epoch, revoked, 1700000000, **more)


def signed(payload, label=cose.BUNDLE):
    return cose.sign1(AUTHORITY, cbor.encode(payload), label)


def payload(**changes):
    """The payload of a good bundle, changed; ABSENT leaves a field out."""
    values = (SITE.site_id, "kiosk-1", 7, 0, 1700000000, ONE + TWO, b"", [], [], None)
    changed = dict(zip(FIELDS, values))
    changed.update(changes)
    return {
        number: changed[name]
        for number, name in enumerate(FIELDS + ("other",), 1)
        if changed.get(name) is not ABSENT and name in changed
    }


def test_a_bundle_tells_its_device_who_no_longer_counts():
    data = issue()
    parsed = bundle.parse(data)
    assert (parsed.site_id, parsed.device_id, parsed.epoch, parsed.base) == (SITE.site_id, "kiosk-1", 7, 0)
    assert (parsed.added, parsed.dropped, parsed.issued_at, parsed.data) == (ONE + TWO, b"", 1700000000, data)
    assert (parsed.selectors, parsed.rules, parsed.notice) == ([], [], None)
    bundle.verify(parsed, SITE, "kiosk-1", SUITE)


def test_the_same_revocations_make_the_same_payload_in_whatever_order_they_are_named():
    straight = bundle.parse(issue(selectors=["key:0000000000000001", "user:a"]))
    jumbled = bundle.parse(issue(revoked=(TWO, ONE, TWO), selectors=["user:a", "key:0000000000000001", "user:a"]))
    assert (
        straight.sign1.payload
        == jumbled.sign1.payload
        == cbor.encode(payload(selectors=["key:0000000000000001", "user:a"]))
    )
    assert bundle.parse(issue(revoked=[])).added == b""


def test_a_bundle_for_another_device_or_site_is_refused():
    parsed = bundle.parse(issue())
    with raises(Untrusted, "bundle-other-device"):
        bundle.verify(parsed, SITE, "kiosk-2", SUITE)
    with raises(Untrusted, "bundle-other-site"):
        bundle.verify(parsed, Anchor(MALLORY.public, AUTHORITY.public, "North"), "kiosk-1", SUITE)


def test_only_the_authority_signs_bundles_and_nothing_else_that_it_signs_is_one():
    with raises(Unverified, "cose-signature"):
        bundle.verify(bundle.parse(issue(key=MALLORY)), SITE, "kiosk-1", SUITE)
    for label in (cose.RELEASE, cose.GRANT, cose.TIME, cose.NOTICE, b""):
        with raises(Unverified, "cose-signature"):
            bundle.verify(bundle.parse(signed(payload(), label)), SITE, "kiosk-1", SUITE)
    with raises(Unverified, "cose-signature"):  # the signature comes first: a forger learns no device's name
        bundle.verify(bundle.parse(issue(key=MALLORY)), SITE, "kiosk-2", SUITE)


def test_an_epoch_raised_by_the_carrier_does_not_verify():
    message = bundle.parse(issue(epoch=7)).sign1
    forged = cbor.encode(cbor.Tag(18, [message.protected, {}, cbor.encode(payload(epoch=8)), message.signature]))
    with raises(Unverified, "cose-signature"):
        bundle.verify(bundle.parse(forged), SITE, "kiosk-1", SUITE)


def test_bundles_out_of_form_are_refused():
    assert bundle.parse(signed(payload())).epoch == 7
    for wrong, reason in (
        ([], "bundle-structure"),
        (payload(site=ABSENT), "bundle-structure"),
        (payload(site=bytes(15)), "bundle-structure"),
        (payload(site=SITE.site_id.hex()), "bundle-structure"),
        (payload(device=b"kiosk-1"), "bundle-structure"),
        (payload(epoch=-1), "bundle-structure"),
        (payload(epoch=True), "bundle-structure"),
        (payload(epoch=ABSENT), "bundle-structure"),
        (payload(epoch=ABSENT, other=7), "bundle-structure"),
        (payload(issued_at=None), "bundle-structure"),
        (payload(other=1), "bundle-structure"),
        (payload(added=None), "bundle-structure"),
        (payload(added=[ONE]), "bundle-structure"),
        (payload(dropped=None), "bundle-structure"),
        (payload(selectors="user:alice"), "bundle-structure"),
        (payload(rules={}), "bundle-structure"),
        (payload(notice="notice"), "bundle-structure"),
        (payload(notice=ABSENT), "bundle-structure"),
        (payload(epoch=0), "bundle-base"),
        (payload(base=7), "bundle-base"),
        (payload(base=8), "bundle-base"),
        (payload(dropped=ONE), "bundle-base"),  # the first bundle has nothing to drop from,
        (payload(selectors=None), "bundle-base"),  # and nothing that it could leave as it was
        (payload(rules=None), "bundle-base"),
        (payload(added=bytes(7)), "bundle-revoked"),
        (payload(added=TWO + ONE), "bundle-revoked"),
        (payload(added=ONE + ONE), "bundle-revoked"),
        (payload(base=6, dropped=bytes(9)), "bundle-revoked"),
        (payload(base=6, dropped=TWO + ONE), "bundle-revoked"),
        (payload(selectors=[b"user:alice"]), "rule-selector"),
        (payload(selectors=["user:bob", "user:alice"]), "bundle-revoked"),
        (payload(selectors=["user:bob", "user:bob"]), "bundle-revoked"),
        (payload(selectors=["user:"]), "rule-selector"),
        (payload(selectors=["alice"]), "rule-selector"),
        (payload(selectors=["everyone"]), "bundle-revoked"),
        (payload(selectors=["group:night"]), "bundle-revoked"),  # whose members are the authority's to know
        (payload(rules=[[]]), "rule-shape"),
        (payload(rules=[["*", 127, {}]]), "rule-shape"),
    ):
        with raises(Malformed, reason):
            bundle.parse(signed(wrong))


def test_a_bundle_has_one_form_that_counts():
    """So that two couriers who bring the same bundle bring the same bytes."""
    message = bundle.parse(issue()).sign1
    with raises(Malformed, "cose-form"):
        bundle.parse(cbor.encode(cbor.Tag(18, [message.protected, {4: b"kid"}, message.payload, message.signature])))


# What a device's policy becomes


def merged(state, **fields):
    return bundle.merge(state, bundle.parse(issue(**fields)))


def test_the_first_bundle_is_the_whole_policy():
    state = merged(bundle.NOTHING, selectors=["user:bob"], rules=[LOCKDOWN], notice=b"notice")
    assert state == (7, 1700000000, ONE + TWO, ["user:bob"], [LOCKDOWN], b"notice")
    assert merged(state, epoch=9, revoked=[THREE]) == (9, 1700000000, THREE, [], [], None)


def test_a_later_bundle_says_what_changed():
    state = merged(bundle.NOTHING, selectors=["user:bob"], rules=[LOCKDOWN], notice=b"notice")
    state = merged(state, epoch=8, base=7, revoked=[THREE, b"grant--0"], dropped=[ONE])
    assert state == (8, 1700000000, b"grant--0" + TWO + THREE, ["user:bob"], [LOCKDOWN], b"notice")
    state = merged(state, epoch=9, base=8, revoked=[], dropped=[THREE], selectors=[], rules=[], notice=b"another")
    assert state == (9, 1700000000, b"grant--0" + TWO, [], [], b"another")


def test_an_epoch_that_goes_back_or_stays_is_refused():
    state = merged(bundle.NOTHING)
    for epoch in (1, 6, 7):
        with raises(Replayed, "bundle-stale"):
            merged(state, epoch=epoch)
        with raises(Replayed, "bundle-stale"):
            merged(state, epoch=epoch, base=epoch - 1, selectors=[], rules=[])


def test_a_bundle_whose_base_never_came_is_refused():
    state = merged(bundle.NOTHING)
    for base in (8, 9):
        with raises(Conflict, "bundle-base"):
            merged(state, epoch=10, base=base)
    with raises(Conflict, "bundle-base"):
        merged(bundle.NOTHING, epoch=10, base=1)
    for base in (0, 1, 7):  # what changed since an earlier one is right here too
        assert merged(state, epoch=10, base=base)[0] == 10


def test_what_is_added_twice_or_dropped_in_vain_changes_nothing():
    state = merged(bundle.NOTHING)
    again = merged(state, epoch=8, base=7, revoked=[ONE], dropped=[THREE])
    assert again[2] == ONE + TWO


def test_changes_are_right_for_each_epoch_between():
    """A device may have heard of an epoch of which the host does not know that it has."""
    states = (
        (3, 100, ONE, ["user:bob"], [], None),
        (4, 200, ONE + TWO, ["user:bob"], [LOCKDOWN], b"notice 1"),
        (5, 300, TWO + THREE, ["user:bob"], [], b"notice 2"),
        (6, 400, THREE, ["user:bob"], [], b"notice 2"),
    )
    change = issuing.changes(states)
    assert change["selectors"] is None and change["rules"] == []  # the lockdown came and went: it is said
    made = bundle.parse(issuing.bundle(AUTHORITY, SITE.site_id, "kiosk-1", **change))
    assert (made.base, made.added, made.dropped) == (3, THREE, ONE + TWO)
    for state in states[:-1]:
        assert bundle.merge(state, made) == states[-1]
    with raises(Conflict, "bundle-base"):
        bundle.merge((2,) + states[0][1:], made)


def test_changes_since_nothing_are_everything():
    states = (bundle.NOTHING, (1, 100, ONE, ["user:bob"], [LOCKDOWN], None), (2, 200, TWO, (), (), b"notice"))
    made = bundle.parse(issuing.bundle(AUTHORITY, SITE.site_id, "kiosk-1", **issuing.changes(states)))
    assert (made.base, made.added, made.dropped, made.selectors, made.rules) == (0, TWO, b"", [], [])
    for state in states[:-1]:
        assert bundle.merge(state, made) == (2, 200, TWO, [], [], b"notice")


def test_ids_stand_one_behind_the_other():
    assert bundle.split(ONE + TWO) == [ONE, TWO] and bundle.split(b"") == []


# Sealed


DEVICE = SUITE.private_key(bytes(31) + b"\x07")


def test_a_sealed_bundle_opens_for_its_device_alone():
    sealed = cose_encrypt.seal(SUITE, DEVICE.public, issue())
    assert bundle.open_sealed(sealed, DEVICE, SUITE) == issue()
    with raises(Unverified, "cose-unsealed"):
        bundle.open_sealed(sealed, MALLORY, SUITE)
    with raises(Malformed, "cose-tag"):
        bundle.open_sealed(issue(), DEVICE, SUITE)  # a bundle that anybody could read is none


def test_a_bundle_cut_anywhere_is_refused():
    data = issue()
    for end in range(len(data)):
        with raises(Malformed):
            bundle.parse(data[:end])
