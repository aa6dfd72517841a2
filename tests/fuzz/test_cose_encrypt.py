"""Sealed messages and sealed bundles under hypothesis: whole, or refused with a reason."""

from hypothesis import given
from hypothesis import strategies as st

from admit.suite import HostSuite
from admit_protocol import cose_encrypt, issuing
from admit_protocol.errors import Unverified
from fuzz.strategies import FUZZ, Signer, hostile, parsed

SUITE = HostSuite()
KEY, OTHER = SUITE.private_key(bytes(31) + b"\x07"), SUITE.private_key(bytes(31) + b"\x08")
BUNDLE = issuing.bundle(Signer(), bytes(16), "kiosk-1", 1, [b"grant--1"], 1_700_000_000)
SEALED = cose_encrypt.seal(SUITE, KEY.public, BUNDLE)


def unseal(data, key=KEY):
    return cose_encrypt.unseal(SUITE, key, data)


@FUZZ
@given(hostile(st.binary(max_size=100).map(lambda plaintext: cose_encrypt.seal(SUITE, KEY.public, plaintext))))
def test_a_message_opens_whole_or_not_at_all(data):
    """What opens was not touched, so there is one form of it: nobody but its maker can change a bit."""
    plaintext = parsed(unseal, data)
    assert plaintext is None or len(data) - len(plaintext) <= cose_encrypt.OVERHEAD


def test_a_sealed_bundle_with_any_bit_flipped_is_refused():
    for bit in range(8 * len(SEALED)):
        changed = bytearray(SEALED)
        changed[bit // 8] ^= 1 << bit % 8
        assert parsed(unseal, bytes(changed)) is None


def test_a_sealed_bundle_cut_at_every_byte_is_refused():
    for end in range(len(SEALED)):
        assert parsed(unseal, SEALED[:end]) is None
    assert unseal(SEALED) == BUNDLE


@FUZZ
@given(st.binary(max_size=100))
def test_another_key_opens_nothing(plaintext):
    sealed = cose_encrypt.seal(SUITE, KEY.public, plaintext)
    try:
        unseal(sealed, OTHER)
    except Unverified as error:
        assert error.reason == "cose-unsealed"
    else:
        raise AssertionError("it opened")
