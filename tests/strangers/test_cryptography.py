"""1,000 random cases: `cryptography` (OpenSSL) and `ecdsa` accept our keys, signatures and secrets, and we theirs.

`ecdsa`, which takes longer than all the rest, is asked about each tenth of them here, and about all in `make bench`.
"""

import hashlib
import os
import random

import ecdsa
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from admit.suite import HostSuite
from admit_protocol import es256, p256, p256_public
from admit_protocol.errors import Malformed
from admit_protocol.p256_comb import COMB
from admit_protocol.p256_curve import COLUMNS, TEETH

CURVE, ES256 = ec.SECP256R1(), ec.ECDSA(SHA256())
G, ORDER = ecdsa.NIST256p.generator, ecdsa.NIST256p.order
BATCHES, CASES = 10, 100
ECDSA_EACH = 1 if os.environ.get("ADMIT_EXHAUST") else 10


class Case:
    """One secret, held by us and by the strangers, and a message. `pure`: ecdsa's, None if it is not asked."""

    def __init__(self, source, number=0):
        self.secret = source.randrange(1, ORDER).to_bytes(32, "big")
        self.message = source.randbytes(source.randrange(100))
        self.ours = p256.PrivateKey(self.secret, source.randbytes)
        self.public = self.ours.public
        self.openssl = ec.derive_private_key(int.from_bytes(self.secret, "big"), CURVE)
        is_asked = number % ECDSA_EACH == 0
        self.pure = ecdsa.SigningKey.from_string(self.secret, ecdsa.NIST256p, hashlib.sha256) if is_asked else None


@pytest.fixture(scope="module", params=range(BATCHES))
def cases(request):
    source = random.Random(f"cases {request.param}")
    return [Case(source, number) for number in range(CASES)]


def both_coordinates(public_key):
    numbers = public_key.public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def test_keys_and_signatures_are_accepted_both_ways(cases):
    for case in cases:
        assert case.public == both_coordinates(case.openssl.public_key())
        signature = case.ours.sign(case.message)
        der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        case.openssl.public_key().verify(der, case.message, ES256)  # raises InvalidSignature
        r, s = decode_dss_signature(case.openssl.sign(case.message, ES256))
        assert es256.verify(case.public, case.message, r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        if case.pure:
            assert case.public == case.pure.verifying_key.to_string()
            assert case.pure.verifying_key.verify(signature, case.message)
            assert es256.verify(case.public, case.message, case.pure.sign_deterministic(case.message))


def test_secrets_are_shared_both_ways(cases):
    for case, peer in zip(cases, cases[1:] + cases[:1], strict=True):
        shared = case.ours.shared_secret(peer.public)
        assert shared == case.openssl.exchange(ec.ECDH(), peer.openssl.public_key())
        assert shared == HostSuite().private_key(case.secret).shared_secret(peer.public[:32])
        if case.pure:
            theirs = ecdsa.VerifyingKey.from_string(peer.public, ecdsa.NIST256p)
            assert shared == ecdsa.ECDH(ecdsa.NIST256p, case.pure, theirs).generate_sharedsecret_bytes()


def test_deterministic_signatures_are_the_same_to_the_byte():
    source = random.Random("rfc 6979")
    for _ in range(50):
        case = Case(source)
        silent = p256.PrivateKey(case.secret, lambda length: b"")
        assert silent.sign(case.message) == case.pure.sign_deterministic(case.message)


def test_points_come_back_from_their_x_as_openssl_has_them():
    source = random.Random("compressed")
    for _ in range(50):
        x = source.randbytes(32)
        try:
            point = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, b"\x02" + x)
        except ValueError:
            with pytest.raises(Malformed):
                p256_public.decompress(x)
        else:
            assert p256_public.decompress(x) == both_coordinates(point)


def test_the_comb_is_what_ecdsa_makes_of_its_description():
    for i in range(1 << TEETH - 1):
        signs = [1 if tooth == TEETH - 1 or i >> tooth & 1 else -1 for tooth in range(TEETH)]
        point = G * (sum(sign << tooth * COLUMNS for tooth, sign in enumerate(signs)) % ORDER)
        assert COMB[i] == int(point.x()).to_bytes(32, "big") + int(point.y()).to_bytes(32, "big")
