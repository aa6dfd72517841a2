"""The notice: what an authority tells phones through its devices."""

from admit_protocol import cose, issuing, notice
from admit_protocol.anchor import Anchor
from admit_protocol.cbor import encode
from admit_protocol.errors import LocalError, Malformed, Untrusted, Unverified
from admit_protocol.suite import Suite
from memory_ports import Dice
from support import raises

SUITE = Suite(Dice(b"notice").random)
AUTHORITY, OTHER = SUITE.generate(), SUITE.generate()
SITE = Anchor(AUTHORITY.public, OTHER.public, "North")
STOLEN = [notice.fingerprint(key.public) for key in (AUTHORITY, OTHER)]
NOW = 1_800_000_000


def test_a_notice_says_which_devices_no_longer_count():
    told = notice.parse(issuing.notice(AUTHORITY, SITE.site_id, 7, NOW, STOLEN + STOLEN))
    notice.verify(told, SITE, SUITE)
    assert (told.number, told.issued_at, told.devices) == (7, NOW, sorted(STOLEN))
    assert all([len(each) == notice.FINGERPRINT_LENGTH for each in told.devices])


def test_only_the_sites_authority_gives_one():
    with raises(Unverified, "cose-signature"):
        notice.verify(notice.parse(issuing.notice(OTHER, SITE.site_id, 7, NOW, STOLEN)), SITE, SUITE)
    with raises(Untrusted, "paper-other-site"):
        notice.verify(notice.parse(issuing.notice(AUTHORITY, bytes(16), 7, NOW, STOLEN)), SITE, SUITE)


def test_devices_stand_in_order_each_once_and_whole():
    one, two = sorted(STOLEN)
    for devices in ([two, one], [one, one], [one[:7]], [one + b"\0"], ["kiosk-1"], [None]):
        data = cose.sign1(AUTHORITY, encode({1: SITE.site_id, 2: 7, 3: NOW, 4: devices}), cose.NOTICE)
        with raises(Malformed, "notice-structure"):
            notice.parse(data)


def test_a_notice_fits_a_message():
    many = [number.to_bytes(8, "big") for number in range(430)]
    assert len(notice.parse(issuing.notice(AUTHORITY, SITE.site_id, 7, NOW, many)).devices) == 430
    with raises(LocalError, "notice-too-long"):
        issuing.notice(AUTHORITY, SITE.site_id, 7, NOW, many + [bytes((255, n)) * 4 for n in range(30)])
