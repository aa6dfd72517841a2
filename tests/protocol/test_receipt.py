"""Receipts: what a device signs last at a site that gives it away is by its old key, and about that site's voucher."""

from admit_protocol import cbor, cose, receipt
from admit_protocol.errors import Malformed, Untrusted, Unverified
from admit_protocol.kdf import sha256
from admit_protocol.suite import Suite
from memory_ports import Dice
from support import raises

SUITE = Suite(Dice(b"receipts").random)
OLD, NEW = SUITE.generate(), SUITE.generate()
NORTH, EAST, VOUCHER, HEAD = bytes(16), bytes(range(16)), bytes([7]) * 32, bytes(range(32))
DATA = receipt.sign(OLD, NORTH, "kiosk-1", VOUCHER, EAST, NEW.public, 7, HEAD, 3, None)


def verify(data, public=OLD.public, site_id=NORTH, device_id="kiosk-1"):
    receipt.verify(receipt.parse(data), public, site_id, device_id, SUITE)


def test_it_says_where_the_device_went_by_which_voucher_and_what_it_had_told():
    verify(DATA)
    told = receipt.parse(DATA)
    assert (told.site_id, told.device_id, told.voucher, told.to_site) == (NORTH, "kiosk-1", VOUCHER, EAST)
    assert (told.fingerprint, told.new_fingerprint) == (sha256(OLD.public), sha256(NEW.public))
    assert (told.count, told.head, told.boots, told.at) == (7, HEAD, 3, None)


def test_it_is_by_the_old_key_of_that_device_of_that_site():
    with raises(Untrusted, "receipt-other-key"):
        verify(DATA, NEW.public)
    with raises(Untrusted, "paper-other-site"):
        verify(DATA, site_id=EAST)
    with raises(Untrusted, "paper-other-device"):
        verify(DATA, device_id="kiosk-2")
    with raises(Unverified, "cose-signature"):
        verify(cose.sign1(NEW, cose.parse_sign1(DATA).payload, cose.RECEIPT))


def test_every_field_is_of_its_kind():
    good = cbor.decode(cose.parse_sign1(DATA).payload)
    for number in list(good) + [11]:
        for value in (True, -1, bytes(7), [1]):
            changed = dict(good)
            changed[number] = value
            with raises(Malformed, "receipt-structure"):
                receipt.parse(cose.sign1(OLD, cbor.encode(changed), cose.RECEIPT))
