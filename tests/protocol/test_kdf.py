"""SHA-256, HMAC and HKDF against their RFCs, and the comparison of secrets."""

from admit_protocol import kdf
from admit_protocol.errors import LocalError
from support import raises, vectors


def test_sha256_of_the_standards_examples_whole_and_in_parts():
    for vector in vectors("kdf.json")["sha256"]:
        data = bytes.fromhex(vector["data"])
        digest = bytes.fromhex(vector["digest"])
        assert kdf.sha256(data) == digest
        assert kdf.sha256(data[:2], b"", memoryview(data)[2:]) == digest


def test_hmac_of_rfc_4231_with_keys_short_long_and_longer_than_a_block():
    for vector in vectors("kdf.json")["hmac"]:
        mac = kdf.hmac_sha256(bytes.fromhex(vector["key"]), bytes.fromhex(vector["data"]))
        expected = bytes.fromhex(vector["mac"])
        assert len(mac) == 32 and mac[: len(expected)] == expected, vector["section"]


def test_hmac_pads_its_key_with_zeros_on_the_right_and_hashes_it_only_above_64_bytes():
    for length in (0, 1, 32, 63, 64):
        key = bytes(range(1, length + 1))
        assert kdf.hmac_sha256(key, b"data") == kdf.hmac_sha256(key + bytes(64 - length), b"data")
    key = bytes(range(65))
    assert kdf.hmac_sha256(key, b"data") == kdf.hmac_sha256(kdf.sha256(key), b"data")
    assert kdf.hmac_sha256(b"\x00\x01", b"") != kdf.hmac_sha256(b"\x01", b"")


def test_hkdf_of_rfc_5869():
    for vector in vectors("kdf.json")["hkdf"]:
        prk = kdf.hkdf_extract(bytes.fromhex(vector["salt"]), bytes.fromhex(vector["ikm"]))
        assert prk.hex() == vector["prk"], vector["section"]
        okm = kdf.hkdf_expand(prk, bytes.fromhex(vector["info"]), vector["length"])
        assert okm.hex() == vector["okm"], vector["section"]


def test_hkdf_expand_gives_prefixes_of_one_stream_up_to_its_end():
    prk = kdf.sha256(b"prk")
    stream = kdf.hkdf_expand(prk, b"info", 255 * 32)
    assert len(stream) == 8160
    for length in (0, 1, 31, 32, 33, 64, 100):
        assert kdf.hkdf_expand(prk, b"info", length) == stream[:length]
    for length in (-1, 8161):
        with raises(LocalError, "kdf-length"):
            kdf.hkdf_expand(prk, b"info", length)


def test_equal_means_every_byte():
    secret = kdf.sha256(b"secret")
    assert kdf.constant_time_equal(secret, bytes(bytearray(secret)))
    assert kdf.constant_time_equal(b"", b"")
    for i in range(32):
        for flip in (1, 128):
            assert not kdf.constant_time_equal(secret, secret[:i] + bytes((secret[i] ^ flip,)) + secret[i + 1 :])
    assert not kdf.constant_time_equal(secret, secret[:-1])
    assert not kdf.constant_time_equal(secret[:-1], secret)
