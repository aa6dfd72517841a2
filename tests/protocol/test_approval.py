"""An approval is of one request, at one device, by whoever holds the key."""

from admit_protocol import approval, issuing
from admit_protocol.errors import Untrusted, Unverified
from admit_protocol.suite import Suite
from memory_ports import Dice
from support import raises

SUITE = Suite(Dice(b"approval").random)
BOB, MALLORY = SUITE.generate(), SUITE.generate()
SITE, REQUEST, ALICE = bytes(16), b"12345678", b"alices k"
ASKED = (ALICE, 2, "/r/open", {"seconds": 5})
DIGEST = approval.digest(*ASKED)


def given(key=BOB, site_id=SITE, device_id="kiosk-1", request_id=REQUEST, digest=DIGEST):
    return approval.parse(issuing.approval(key, site_id, device_id, request_id, digest))


def verify(paper):
    approval.verify(paper, BOB.public, SITE, "kiosk-1", REQUEST, DIGEST, SUITE)


def test_bob_approves_what_alice_asks_for():
    verify(given())


def test_an_approval_is_good_for_that_request_alone():
    for paper, kind, reason in (
        (given(MALLORY), Unverified, "cose-signature"),
        (given(site_id=b"\x01" * 16), Untrusted, "paper-other-site"),
        (given(device_id="kiosk-2"), Untrusted, "paper-other-device"),
        (given(request_id=b"87654321"), Untrusted, "approval-other-request"),
        (given(digest=bytes(32)), Untrusted, "approval-other-request"),
    ):
        with raises(kind, reason):
            verify(paper)


def test_what_is_asked_for_has_one_digest_and_every_other_request_another():
    assert approval.digest(ALICE, 2, "/r/open", {"seconds": 5}) == DIGEST
    assert approval.digest(ALICE, 2, "/r/o", {"b": 1, "a": 2}) == approval.digest(ALICE, 2, "/r/o", {"a": 2, "b": 1})
    others = (
        (b"mallorys", 2, "/r/open", {"seconds": 5}),
        (ALICE, 1, "/r/open", {"seconds": 5}),
        (ALICE, 2, "/r/ope", {"nseconds": 5}),
        (ALICE, 2, "/r/open", {"seconds": 50}),
        (ALICE, 2, "/r/open", {"seconds": "5"}),
        (ALICE, 2, "/r/open", {}),
        (ALICE, 2, "/r/open", None),
    )
    assert len({approval.digest(*each) for each in others} | {DIGEST}) == len(others) + 1
