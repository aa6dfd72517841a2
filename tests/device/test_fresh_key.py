"""A new key is random if either the host's randomness or our own is, and one that P-256 knows."""

from admit_device.fresh_key import contribution_in, mixed_secret
from admit_protocol.errors import Malformed
from admit_protocol.suite import Suite
from memory_ports import Dice
from support import raises


def suite(seed=b"device"):
    return Suite(Dice(seed).random)


def test_either_source_makes_another_secret():
    secret = mixed_secret(suite(), bytes(32))
    assert secret == mixed_secret(suite(), bytes(32)) and len(secret) == 32
    assert len({secret, mixed_secret(suite(), b"h" * 32), mixed_secret(suite(b"other"), bytes(32))}) == 3


def test_what_is_no_key_is_drawn_again():
    class Picky:
        """A suite that takes the third secret that it is shown."""

        tries = 0
        random = Dice(b"device").random

        def private_key(self, secret):
            self.tries += 1
            if self.tries < 3:
                raise Malformed("p256-secret")

    picky = Picky()
    assert len(mixed_secret(picky, bytes(32))) == 32 and picky.tries == 3


def test_a_host_adds_at_least_32_bytes():
    assert contribution_in({1: bytes(40)}) == bytes(40)
    for body in ({}, {1: bytes(31)}, {1: "x" * 32}, {1: None}):
        with raises(Malformed, "commissioning-contribution"):
            contribution_in(body)
