"""The proof that one key of a device follows another: both sign the same words, each for its own purpose."""

from admit_protocol import cose, rotation
from admit_protocol.errors import Malformed, Untrusted, Unverified
from rig import Site
from support import raises

SITE, OTHER = Site(), Site("other", b"other")
SITE_ID = SITE.anchor.site_id


def halves(old=SITE.key, new=SITE.ecdh, labels=(cose.ROTATION, cose.POSSESSION), **changed):
    """Both halves, parsed, with some of the words changed."""
    words = {"site": SITE_ID, "device": "kiosk-1", "before": old.public, "after": new.public}
    words["seal"] = bytes(64)
    words.update(changed)
    words = [words[name] for name in ("site", "device", "before", "after", "seal")]
    return [rotation.parse(rotation.sign(key, label, *words)) for key, label in zip((old, new), labels)]


def test_a_proof_is_read_as_it_was_signed():
    by_old, by_new = halves()
    assert by_old[:-1] == by_new[:-1] == (SITE_ID, "kiosk-1", SITE.key.public, SITE.ecdh.public, bytes(64))
    rotation.verify(by_old, by_new, SITE.key.public, SITE_ID, "kiosk-1", SITE.suite)


def test_both_halves_must_hold_over_the_same_words():
    good, elsewhere = halves(), halves(seal=b"\x01" * 64)
    for pair, public, kind, why in (
        ((good[0], elsewhere[1]), SITE.key.public, Untrusted, "rotation-halves"),
        (good, OTHER.key.public, Untrusted, "rotation-other-key"),
        ((good[0], good[0]), SITE.key.public, Unverified, "cose-signature"),
        ((good[1], good[1]), SITE.key.public, Unverified, "cose-signature"),
        (halves(labels=(cose.POSSESSION, cose.ROTATION)), SITE.key.public, Unverified, "cose-signature"),
        (halves(site=OTHER.anchor.site_id), SITE.key.public, Untrusted, "paper-other-site"),
        (halves(device="kiosk-2"), SITE.key.public, Untrusted, "paper-other-device"),
    ):
        with raises(kind, why):
            rotation.verify(pair[0], pair[1], public, SITE_ID, "kiosk-1", SITE.suite)


def test_a_proof_with_a_wrong_value_is_refused():
    for changed in ({"after": SITE.key.public}, {"after": bytes(63)}, {"seal": bytes(65)}, {"device": b"kiosk-1"}):
        with raises(Malformed, "rotation-structure"):
            halves(**changed)
