"""The key of an invite's secret: what the phone of whoever has the link signs with."""

from admit_protocol import invite, kdf
from admit_protocol.errors import Malformed
from admit_protocol.suite import Suite
from support import raises

SUITE = Suite(lambda length: bytes(range(length)))


def test_the_same_secret_is_the_same_key_everywhere():
    secret = bytes(range(16))
    scalar = kdf.hkdf_expand(kdf.hkdf_extract(b"", secret), b"admit:invite", 32)
    assert invite.key(secret, SUITE).public == invite.key(secret, SUITE).public == SUITE.private_key(scalar).public
    assert invite.key(bytes(16), SUITE).public != SUITE.private_key(scalar).public


def test_a_secret_has_128_bits():
    for secret in (b"", bytes(15), bytes(17), bytes(32)):
        with raises(Malformed, "invite-secret"):
            invite.key(secret, SUITE)
