"""AES-CCM against `cryptography` at sizes that hypothesis chooses, empty ones among them."""

from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given
from hypothesis import strategies as st

from admit_protocol import ccm
from fuzz.strategies import FUZZ

keys = st.binary(min_size=16, max_size=16)
nonces = st.binary(min_size=13, max_size=13)


@FUZZ
@given(keys, nonces, st.binary(max_size=100), st.binary(max_size=60), st.sampled_from((8, 16)))
def test_cryptography_makes_the_same_bytes(key, nonce, plaintext, aad, tag_length):
    sealed = AESCCM(key, tag_length).encrypt(nonce, plaintext, aad)
    assert ccm.encrypt(key, nonce, plaintext, aad, tag_length) == sealed
    assert ccm.decrypt(key, nonce, sealed, aad, tag_length) == plaintext
