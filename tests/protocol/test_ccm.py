"""AES-CCM against RFC 3610 and NIST, at the sizes that OSCORE and EDHOC use, and against every single-bit forgery."""

from admit_protocol import ccm
from admit_protocol.errors import LocalError, Unverified
from support import raises, vectors

KEY = bytes(range(16))
NONCE = bytes(range(13))


def unhex(vector, *names):
    return [bytes.fromhex(vector[name]) for name in names]


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_the_published_vectors_encrypt_and_decrypt():
    for vector in vectors("ccm.json")["vectors"]:
        key, nonce, aad, plaintext, ciphertext = unhex(vector, "key", "nonce", "aad", "plaintext", "ciphertext")
        tag_length = vector["tag_length"]
        assert ccm.encrypt(key, nonce, plaintext, aad, tag_length) == ciphertext, vector["source"]
        assert ccm.decrypt(key, nonce, ciphertext, aad, tag_length) == plaintext, vector["source"]


def test_the_tag_is_eight_bytes_if_nothing_else_is_said():
    sealed = ccm.encrypt(KEY, NONCE, b"open", b"aad")
    assert len(sealed) == 12
    assert ccm.decrypt(KEY, NONCE, sealed, b"aad") == b"open"
    assert ccm.decrypt(KEY, NONCE, ccm.encrypt(KEY, NONCE, b"open", b"aad", 16), b"aad", 16) == b"open"


def test_all_sizes_around_the_blocks_come_back():
    # RFC 8613: a request's plaintext is a code, options and payload; its aad 20 to 30 bytes of Enc_structure.
    for size in (0, 1, 7, 15, 16, 17, 31, 32, 33, 64, 255, 256, 1024):
        plaintext = bytes([i & 0xFF for i in range(size)])
        for aad in (b"", bytes(1), bytes(13), bytes(14), bytes(15), bytes(24), bytes(300)):
            for tag_length in (8, 16):
                sealed = ccm.encrypt(KEY, NONCE, plaintext, aad, tag_length)
                assert len(sealed) == size + tag_length
                assert ccm.decrypt(KEY, NONCE, sealed, aad, tag_length) == plaintext


def test_no_single_bit_may_change():
    sealed = ccm.encrypt(KEY, NONCE, b"open the door", b"aad")
    for bit in range(8 * len(sealed)):
        with raises(Unverified, "ccm-tag"):
            ccm.decrypt(KEY, NONCE, flipped(sealed, bit), b"aad")
    for key, nonce, aad in (
        (flipped(KEY, 0), NONCE, b"aad"),
        (KEY, flipped(NONCE, 103), b"aad"),
        (KEY, NONCE, b"aae"),
        (KEY, NONCE, b"aad\x00"),
        (KEY, NONCE, b""),
    ):
        with raises(Unverified, "ccm-tag"):
            ccm.decrypt(key, nonce, sealed, aad)


def test_a_tag_of_another_length_does_not_pass():
    with raises(Unverified, "ccm-tag"):
        ccm.decrypt(KEY, NONCE, ccm.encrypt(KEY, NONCE, b"open", b"", 16), b"", 8)
    with raises(Unverified, "ccm-tag"):
        ccm.decrypt(KEY, NONCE, ccm.encrypt(KEY, NONCE, b"12345678open", b"", 8), b"", 16)


def test_what_is_shorter_than_its_tag_is_a_forgery_too():
    for length in range(8):
        with raises(Unverified, "ccm-tag"):
            ccm.decrypt(KEY, NONCE, bytes(length), b"")


def test_wrong_sizes_are_our_own_mistake():
    for key, nonce, plaintext, aad, tag_length in (
        (bytes(15), NONCE, b"", b"", 8),
        (bytes(32), NONCE, b"", b"", 8),
        (KEY, bytes(12), b"", b"", 8),
        (KEY, NONCE, bytes(0x10000), b"", 8),
        (KEY, NONCE, b"", bytes(0xFF00), 8),
        (KEY, NONCE, b"", b"", 4),
    ):
        with raises(LocalError, "ccm-parameters"):
            ccm.encrypt(key, nonce, plaintext, aad, tag_length)
