"""Wycheproof's P-256 files against our own arithmetic, every verdict, on both runtimes."""

from admit_protocol.kdf import sha256
from admit_protocol.suite import Suite
from wycheproof import check_ecdh, check_ecdsa


def random_from(seed):
    """A source of randomness that gives the same bytes each time the tests run."""
    state = [seed]

    def random(length):
        state[0] = sha256(state[0])
        return sha256(state[0], b"out")[:length]

    return random


def test_every_ecdsa_verdict_is_right():
    assert check_ecdsa(Suite(random_from(b"ecdsa"))) in (None, 262)


def test_every_ecdh_verdict_is_right():
    assert check_ecdh(Suite(random_from(b"ecdh"))) in (None, 355)
