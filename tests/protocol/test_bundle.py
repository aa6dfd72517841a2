"""Bundles: the authority's word to one device, whoever carries it."""

from admit_protocol import bundle, cbor, cose, cose_reserved, issuing
from admit_protocol.anchor import Anchor
from admit_protocol.errors import Malformed, Untrusted, Unverified
from admit_protocol.suite import Suite
from support import raises

SUITE = Suite(lambda length: bytes(range(length)))
AUTHORITY = SUITE.private_key(bytes(31) + b"\x05")
MALLORY = SUITE.private_key(bytes(31) + b"\x06")
SITE = Anchor(AUTHORITY.public, MALLORY.public, "North")
REVOKED = [b"grant--1", b"grant--2"]
ABSENT = object()


def issue(key=AUTHORITY, site_id=SITE.site_id, device_id="kiosk-1", epoch=7, revoked=REVOKED, issued_at=1700000000):
    return issuing.bundle(key, site_id, device_id, epoch, revoked, issued_at)


def signed(payload, label=cose.BUNDLE):
    return cose.sign1(AUTHORITY, cbor.encode(payload), label)


def payload(**changes):
    """The payload of a good bundle, changed; ABSENT leaves a field out."""
    changed = {"site": SITE.site_id, "device": "kiosk-1", "epoch": 7, "revoked": REVOKED, "issued_at": 1700000000}
    changed.update(changes)
    numbers = {"site": 1, "device": 2, "epoch": 3, "revoked": 4, "issued_at": 5, "other": 6}
    return {numbers[name]: value for name, value in changed.items() if value is not ABSENT}


def test_a_bundle_tells_its_device_what_is_revoked():
    data = issue()
    parsed = bundle.parse(data)
    assert (parsed.site_id, parsed.device_id, parsed.epoch) == (SITE.site_id, "kiosk-1", 7)
    assert (parsed.revoked, parsed.issued_at, parsed.data) == (REVOKED, 1700000000, data)
    bundle.verify(parsed, SITE, "kiosk-1", SUITE)


def test_the_same_revocations_make_the_same_payload_in_whatever_order_they_are_named():
    straight = bundle.parse(issue())
    jumbled = bundle.parse(issue(revoked=(REVOKED[1], REVOKED[0], REVOKED[1])))
    assert straight.sign1.payload == jumbled.sign1.payload == cbor.encode(payload())
    assert bundle.parse(issue(revoked=[])).revoked == []


def test_a_bundle_for_another_device_or_site_is_refused():
    parsed = bundle.parse(issue())
    with raises(Untrusted, "bundle-other-device"):
        bundle.verify(parsed, SITE, "kiosk-2", SUITE)
    with raises(Untrusted, "bundle-other-site"):
        bundle.verify(parsed, Anchor(MALLORY.public, AUTHORITY.public, "North"), "kiosk-1", SUITE)


def test_only_the_authority_signs_bundles_and_nothing_else_that_it_signs_is_one():
    with raises(Unverified, "cose-signature"):
        bundle.verify(bundle.parse(issue(key=MALLORY)), SITE, "kiosk-1", SUITE)
    with raises(Unverified, "cose-signature"):
        bundle.verify(bundle.parse(signed(payload(), cose_reserved.RELEASE)), SITE, "kiosk-1", SUITE)
    with raises(Unverified, "cose-signature"):  # the signature comes first: a forger learns no device's name
        bundle.verify(bundle.parse(issue(key=MALLORY)), SITE, "kiosk-2", SUITE)


def test_an_epoch_raised_by_the_carrier_does_not_verify():
    parsed = bundle.parse(issue(epoch=7))
    message = parsed.sign1
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
        (payload(revoked=None), "bundle-revoked"),
        (payload(revoked=[bytes(7)]), "bundle-revoked"),
        (payload(revoked=["grant--1"]), "bundle-revoked"),
        (payload(revoked=[b"grant--2", b"grant--1"]), "bundle-revoked"),
        (payload(revoked=[b"grant--1", b"grant--1"]), "bundle-revoked"),
    ):
        with raises(Malformed, reason):
            bundle.parse(signed(wrong))
