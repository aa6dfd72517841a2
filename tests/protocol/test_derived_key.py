"""Keys derived from secrets: the same on every machine, others for every purpose."""

from admit_protocol import derived_key, kdf
from admit_protocol.errors import LocalError
from admit_protocol.suite import Suite
from support import raises

SUITE = Suite(lambda length: bytes(range(length)))
SECRET = bytes(range(32))


def test_a_key_is_hkdf_of_the_secret_and_its_purpose():
    scalar = kdf.hkdf_expand(kdf.hkdf_extract(b"", SECRET), b"admit:seal", 32)
    assert scalar.hex() == "dd585156df48b49f63e5d39c706285da0d17928e16a0f2b47048989e387f3680"
    assert derived_key.private_key(SECRET, b"admit:seal", SUITE).public == SUITE.private_key(scalar).public


def test_another_purpose_or_secret_makes_another_key():
    publics = [
        derived_key.private_key(secret, info, SUITE).public
        for secret in (SECRET, SECRET[:16], bytes(32))
        for info in (b"admit:seal", b"admit:invite", b"")
    ]
    assert len(set(publics)) == 9


class Picky:
    """Takes the third secret that it is offered; the first two are no scalars, which happens once in 2^32."""

    def __init__(self, reason="p256-secret"):
        self.offered = []
        self.reason = reason

    def private_key(self, secret):
        self.offered.append(secret)
        if len(self.offered) < 3:
            raise LocalError(self.reason)
        return secret


def test_what_is_no_scalar_is_followed_by_the_next():
    suite, prk = Picky(), kdf.hkdf_extract(b"", SECRET)
    assert derived_key.private_key(SECRET, b"info", suite) == kdf.hkdf_expand(prk, b"info\x02", 32)
    assert suite.offered[:2] == [kdf.hkdf_expand(prk, info, 32) for info in (b"info", b"info\x01")]


def test_another_failure_is_not_taken_for_that():
    with raises(LocalError, "p256-erased"):
        derived_key.private_key(SECRET, b"info", Picky("p256-erased"))
