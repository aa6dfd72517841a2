"""Successions: how keys follow one another under one site id, and what is no succession."""

from admit_protocol import anchor, cbor, cose, succession
from admit_protocol.anchor import Anchor
from admit_protocol.errors import Malformed, RemoteError, Untrusted, Unverified
from admit_protocol.suite import Suite
from memory_ports import WEDNESDAY, Dice
from support import raises, vectors

SUITE = Suite(Dice(b"succession").random)
FIRST, SECOND, THIRD, ECDH = [SUITE.generate() for _ in range(4)]
SITE_ID = anchor.site_id(FIRST.public, ECDH.public)
VECTORS = vectors("succession.json")


def step(old=FIRST, new=SECOND, number=1, site_id=SITE_ID, issued_at=WEDNESDAY, ends=WEDNESDAY + 5):
    return succession.sign(old, new, site_id, number, new.public, issued_at, ends)


def anchor_of(*items):
    return Anchor(FIRST.public, ECDH.public, "site", items)


def read(each):
    return anchor.decode(bytes.fromhex(each["anchor"]))


def test_the_last_ones_keys_are_the_present_ones_and_the_site_id_stays():
    home = anchor.decode(anchor_of(step(), step(SECOND, THIRD, 2, ends=WEDNESDAY + 9)).encode())
    succession.verify_chain(home, SUITE)
    assert home.site_id == SITE_ID and (home.first_public, home.first_ecdh_public) == (FIRST.public, ECDH.public)
    assert home.sign_public == home.ecdh_public == THIRD.public
    assert (home.previous, home.ends) == (SECOND.public, WEDNESDAY + 9)
    assert anchor_of().previous is None and anchor_of().successions == ()


def test_the_vectors_are_read_and_verified_as_they_say():
    for each in VECTORS["good"]:
        found = read(each)
        succession.verify_chain(found, SUITE)
        assert found.encode().hex() == each["anchor"] and found.site_id.hex() == each["site_id"]
        assert (found.sign_public.hex(), found.ecdh_public.hex()) == (each["sign_public"], each["ecdh_public"])
        before = each["previous"] or {"sign_public": None, "ends": None}
        assert (found.previous and found.previous.hex(), found.ends) == (before["sign_public"], before["ends"])
    for each in VECTORS["malformed"]:
        with raises(Malformed, each["reason"]):
            read(each)
    for each in VECTORS["unverified"]:
        found, why = read(each), None
        try:
            succession.verify_chain(found, SUITE)
        except RemoteError as error:
            why = error.reason
        assert why == each["reason"], each["what"]


def test_each_follows_the_one_before_it_and_no_other():
    good = succession.parse(step())
    succession.verify(good, FIRST.public, SITE_ID, 1, SUITE)
    for kind, why, data, public, number in (
        (Untrusted, "succession-order", step(), FIRST.public, 2),
        (Untrusted, "succession-order", step(number=2), FIRST.public, 1),
        (Untrusted, "paper-other-site", step(site_id=bytes(16)), FIRST.public, 1),
        (Untrusted, "paper-other-site", step(site_id=bytes(16), number=2), FIRST.public, 1),
        (Untrusted, "succession-same-key", step(FIRST, FIRST), FIRST.public, 1),
        (Unverified, "cose-signature", step(), THIRD.public, 1),
    ):
        with raises(kind, why):
            succession.verify(succession.parse(data), public, SITE_ID, number, SUITE)


def test_who_does_not_hold_the_new_key_cannot_have_it_named():
    fields = cbor.decode(cose.parse_sign1(step()).payload)
    for changed in ({3: THIRD.public}, {6: WEDNESDAY + 6}, {4: THIRD.public}, {7: bytes(64)}):
        other = dict(fields)
        other.update(changed)
        data = cose.sign1(FIRST, cbor.encode(other), cose.SUCCESSION)
        with raises(Unverified, "cose-signature"):
            succession.verify(succession.parse(data), FIRST.public, SITE_ID, 1, SUITE)


def test_what_is_verified_before_is_not_verified_again():
    chain = anchor_of(step(THIRD, SECOND), step(SECOND, THIRD, 2))
    succession.verify_chain(chain, SUITE, 1)
    with raises(Unverified, "cose-signature"):
        succession.verify_chain(chain, SUITE)


def test_what_joins_to_no_chain_is_no_anchor():
    one, two = step(), step(SECOND, THIRD, 2)
    for items in ((two,), (one, one), (two, one), (one, two, two), (step(site_id=bytes(16)),), (one,) * 9):
        with raises(Malformed, "anchor-chain"):
            anchor_of(*items)


def test_a_succession_ends_no_earlier_than_it_begins():
    assert succession.parse(step(ends=WEDNESDAY)).ends == WEDNESDAY
    with raises(Malformed, "succession-structure"):
        step(ends=WEDNESDAY - 1)
    with raises(Malformed, "succession-structure"):
        step(number=0)
