"""The wipe certificate: what it says, and whose it is."""

from admit_protocol import cose, wipe
from admit_protocol.errors import Malformed, Untrusted, Unverified
from rig import Site
from support import raises

SITE, OTHER = Site(), Site("other", b"other")
SITE_ID = SITE.anchor.site_id
FIELDS = ("site_id", "device_id", "count", "head", "boots", "at", "reason")


def signed(**changed):
    """A certificate of kiosk-1, with some of its values changed."""
    values = dict(zip(FIELDS, (SITE_ID, "kiosk-1", 7, bytes(32), 3, None, "")))
    values.update(changed)
    return wipe.sign(SITE.key, *[values[name] for name in FIELDS])


def test_a_certificate_is_read_as_it_was_signed():
    certificate = wipe.parse(signed(at=5, reason="sold"))
    assert (certificate.count, certificate.boots, certificate.at, certificate.reason) == (7, 3, 5, "sold")
    wipe.verify(certificate, SITE.key.public, SITE_ID, "kiosk-1", SITE.suite)
    assert wipe.parse(signed(reason="r" * 64)).at is None


def test_a_certificate_of_another_key_site_or_device_is_none():
    certificate = wipe.parse(signed())
    for public, site_id, device_id, why in (
        (OTHER.key.public, SITE_ID, "kiosk-1", "wipe-other-key"),
        (SITE.key.public, OTHER.anchor.site_id, "kiosk-1", "paper-other-site"),
        (SITE.key.public, SITE_ID, "kiosk-2", "paper-other-device"),
    ):
        with raises(Untrusted, why):
            wipe.verify(certificate, public, site_id, device_id, SITE.suite)


def test_a_certificate_with_a_wrong_value_is_refused():
    for changed in (
        {"count": -1},
        {"head": bytes(31)},
        {"at": -1},
        {"at": "now"},
        {"at": False},
        {"reason": "r" * 65},
        {"reason": b""},
        {"boots": None},
    ):
        with raises(Malformed, "wipe-structure"):
            wipe.parse(signed(**changed))


def test_what_was_signed_for_another_purpose_is_no_certificate():
    forged = cose.sign1(SITE.key, cose.parse_sign1(signed()).payload, cose.JOURNAL_HEAD)
    with raises(Unverified, "cose-signature"):
        wipe.verify(wipe.parse(forged), SITE.key.public, SITE_ID, "kiosk-1", SITE.suite)
