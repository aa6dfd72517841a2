"""Wycheproof's P-256 files against our own arithmetic, every verdict, on both runtimes."""

from admit_protocol.suite import Suite
from memory_ports import Dice
from wycheproof import check_ecdh, check_ecdsa


def test_every_ecdsa_verdict_is_right():
    assert check_ecdsa(Suite(Dice(b"ecdsa").random)) in (None, 262)


def test_every_ecdh_verdict_is_right():
    assert check_ecdh(Suite(Dice(b"ecdh").random)) in (None, 355)
