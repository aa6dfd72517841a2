"""The proof that an invite is redeemed here and now, and the code that people compare where there is none."""

from admit_protocol import enrolment, issuing
from admit_protocol.errors import Untrusted, Unverified
from admit_protocol.suite import Suite
from memory_ports import Dice
from support import raises

SUITE = Suite(Dice(b"enrolment").random)
INVITE, MALLORY = SUITE.generate(), SUITE.generate()
BINDING, KID = bytes(range(32)), b"12345678"


def verify(data):
    enrolment.verify(enrolment.parse(data), INVITE.public, BINDING, KID, SUITE)


def test_who_has_the_secret_proves_it_in_this_session():
    verify(issuing.enrolment(INVITE, BINDING, KID))


def test_a_proof_is_good_in_its_session_and_for_its_grant_alone():
    for data, kind, reason in (
        (issuing.enrolment(MALLORY, BINDING, KID), Unverified, "cose-signature"),
        (issuing.enrolment(INVITE, bytes(32), KID), Untrusted, "enrolment-other-session"),
        (issuing.enrolment(INVITE, BINDING, b"87654321"), Untrusted, "enrolment-other-grant"),
    ):
        with raises(kind, reason):
            verify(data)


def test_the_code_has_six_digits_and_is_the_sessions():
    codes = [enrolment.code(bytes((n,)) * 32, bytes(8)) for n in range(50)]
    codes += [enrolment.code(BINDING, bytes((n,)) * 8) for n in range(50)]
    assert all([len(code) == 6 and code.isdigit() for code in codes])
    assert len(set(codes)) > 95 and codes[50] == enrolment.code(BINDING, bytes(8))
