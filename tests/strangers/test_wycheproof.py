"""Wycheproof's P-256 files against the host's suite. tests/protocol/test_wycheproof.py does so with our arithmetic.

Both must give the same verdicts, so that a host and a device never disagree about a signature or a point.
"""

from admit.suite import HostSuite
from wycheproof import check_ecdh, check_ecdsa


def test_every_ecdsa_verdict_is_right():
    assert check_ecdsa(HostSuite()) in (None, 262)


def test_every_ecdh_verdict_is_right():
    assert check_ecdh(HostSuite()) in (None, 355)
