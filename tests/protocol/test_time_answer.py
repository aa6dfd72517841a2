"""The authority's answer to a device that asks for the time: to this one, to this question."""

from admit_protocol import issuing, time_answer
from admit_protocol.anchor import Anchor
from admit_protocol.errors import Replayed, Untrusted, Unverified
from admit_protocol.suite import Suite
from memory_ports import Dice
from support import raises

SUITE = Suite(Dice(b"time").random)
AUTHORITY, OTHER = SUITE.generate(), SUITE.generate()
SITE = Anchor(AUTHORITY.public, OTHER.public, "North")
NONCE, NOW = b"question", 1_800_000_000


def answer(key=AUTHORITY, site_id=SITE.site_id, device_id="kiosk-1", nonce=NONCE):
    return time_answer.parse(issuing.time_answer(key, site_id, device_id, nonce, NOW))


def verify(told):
    time_answer.verify(told, SITE, "kiosk-1", NONCE, SUITE)


def test_the_authority_says_what_time_it_is():
    told = answer()
    verify(told)
    assert (told.device_id, told.nonce, told.now) == ("kiosk-1", NONCE, NOW)


def test_an_answer_is_good_for_its_device_and_its_question_alone():
    with raises(Untrusted, "paper-other-site"):
        verify(answer(site_id=bytes(16)))
    with raises(Unverified, "cose-signature"):
        verify(answer(OTHER))
    with raises(Untrusted, "paper-other-device"):
        verify(answer(device_id="kiosk-2"))
    with raises(Replayed, "time-nonce"):
        verify(answer(nonce=b"earlier?"))
