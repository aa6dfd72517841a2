"""Vouchers: a chain leads from the device's own site to one other, and nothing else leads anywhere."""

from admit_protocol import anchor, cbor, cose, issuing, voucher
from admit_protocol.errors import Malformed, Untrusted, Unverified
from admit_protocol.kdf import sha256
from admit_protocol.suite import Suite
from memory_ports import Dice
from support import raises

SUITE = Suite(Dice(b"vouchers").random)
KEYS = [SUITE.generate() for _ in range(7)]
NORTH, EAST, SOUTH, WEST = SITES = [
    anchor.Anchor(KEYS[at].public, KEYS[4].public, name) for at, name in enumerate(("North", "East", "South", "West"))
]
DEVICE_KEY, OTHER_KEY = KEYS[5], KEYS[6]
DEVICE, NOW, END = "kiosk-1", 1_800_000_000, 1_800_086_400
KNOWN, UNKNOWN, FLOOR = (NOW, NOW + 5), (None, None), (NOW, None)


def give(giver, to, previous=None, number=1, key=None, **changed):
    """A voucher by which one of SITES hands the device to another."""
    said = {"device_id": DEVICE, "device_public": DEVICE_KEY.public, "from_site": giver.site_id, "issued_at": NOW}
    said.update(changed)
    hash_before = sha256(previous) if previous else None
    return issuing.voucher(key or KEYS[SITES.index(giver)], number, to=to.encode(), previous=hash_before, **said)


FIRST = give(NORTH, EAST)
SECOND = give(EAST, SOUTH, FIRST, 2)
THIRD = give(SOUTH, WEST, SECOND, 3, expires=END)


def verify(*items, site=NORTH, device_id=DEVICE, public=DEVICE_KEY.public):
    return voucher.verify_chain(voucher.parse_chain(list(items)), site, device_id, public, SUITE)


def test_a_chain_leads_to_where_its_last_voucher_goes():
    assert verify(FIRST).encode() == EAST.encode()
    assert verify(FIRST, SECOND).encode() == SOUTH.encode()
    assert verify(FIRST, SECOND, THIRD).encode() == WEST.encode()


def test_only_the_whole_chain_in_its_order_leads_anywhere():
    for items in (
        (SECOND,),
        (SECOND, FIRST),
        (FIRST, FIRST),
        (FIRST, THIRD),
        (FIRST, THIRD, SECOND),
        (FIRST, SECOND, SECOND),
        (FIRST, give(EAST, SOUTH)),  # a first one of another's: it begins no chain of the device's
        (FIRST, give(EAST, SOUTH, FIRST, 3)),
        (FIRST, give(EAST, SOUTH, give(NORTH, EAST, issued_at=NOW + 1), 2)),  # behind a voucher that is not shown
        (give(NORTH, EAST, number=0),),
        (give(NORTH, EAST, FIRST),),
    ):
        with raises(Untrusted, "voucher-order"):
            verify(*items)


def test_each_is_signed_by_whom_the_one_before_it_names():
    for items in (
        (give(NORTH, EAST, key=KEYS[1]),),
        (FIRST, give(EAST, SOUTH, FIRST, 2, key=KEYS[0])),  # the site that gave it away gives it to somebody else
        (FIRST, give(EAST, SOUTH, FIRST, 2, key=KEYS[2])),
        (FIRST[:-1] + bytes([FIRST[-1] ^ 1]),),
    ):
        with raises(Unverified, "cose-signature"):
            verify(*items)
    for items in (
        (give(EAST, SOUTH),),
        (FIRST, give(SOUTH, WEST, FIRST, 2)),
        (give(NORTH, EAST, from_site=EAST.site_id),),
    ):
        with raises(Untrusted, "voucher-other-site"):
            verify(*items)
    with raises(Untrusted, "voucher-other-site"):
        verify(FIRST, site=EAST)


def test_it_is_for_one_device_and_the_key_that_it_has():
    with raises(Untrusted, "voucher-other-device"):
        verify(FIRST, device_id="kiosk-2")
    with raises(Untrusted, "voucher-other-key"):
        verify(FIRST, public=OTHER_KEY.public)
    with raises(Untrusted, "voucher-other-device"):
        verify(FIRST, give(EAST, SOUTH, FIRST, 2, device_id="kiosk-2"))
    with raises(Untrusted, "voucher-other-key"):
        verify(FIRST, give(EAST, SOUTH, FIRST, 2, device_public=OTHER_KEY.public))


def test_a_chain_has_one_to_five_vouchers():
    chain = [FIRST]
    for number in range(2, 7):
        giver, to = SITES[(number - 1) % 4], SITES[number % 4]
        chain.append(give(giver, to, chain[-1], number))
    verify(*chain[:5])
    for wrong in ([], chain, {}, b"", [FIRST, 1]):
        with raises(Malformed, "voucher-chain"):
            voucher.parse_chain(wrong)
    assert len(cbor.encode(chain[:5])) < 2500  # beside a grant and a credential it fits one body


def test_it_lives_until_its_end_and_a_device_must_know_that_it_does():
    ending = [voucher.parse(each) for each in (FIRST, SECOND, THIRD)]
    voucher.check_life(ending, KNOWN, ())
    for moment, why in (
        ((END, END + 3), "voucher-expired"),
        ((END, None), "voucher-expired"),
        ((END - 1, END), "voucher-time-unknown"),
        (FLOOR, "voucher-time-unknown"),
        (UNKNOWN, "voucher-time-unknown"),
    ):
        with raises(Untrusted, why):
            voucher.check_life(ending, moment, ())
        voucher.check_life(ending[:2], moment, ())


def test_any_of_them_may_be_taken_back():
    chain = [voucher.parse(each) for each in (FIRST, SECOND)]
    for one in chain:
        with raises(Untrusted, "voucher-revoked"):
            voucher.check_life(chain, KNOWN, (one.hash[:8],))
    voucher.check_life(chain, KNOWN, (bytes(8),))


def test_every_field_is_of_its_kind():
    good = cbor.decode(cose.parse_sign1(THIRD).payload)
    for number in good:
        for value in (True, -1, bytes(7), [1], "", None):
            if value is None and number in (6, 8) or value == "" and number == 2:
                continue
            changed = dict(good)
            changed[number] = value
            data = cose.sign1(KEYS[2], cbor.encode(changed), cose.VOUCHER)
            with raises(Malformed) as refused:
                voucher.parse(data)
            if number != 5:  # of which the anchor's own reader tells
                assert refused.error.reason == "voucher-structure", (number, value)
