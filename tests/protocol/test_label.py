"""What a sealed label's secret becomes: docs/SPEC.md "Labels"."""

from admit_protocol import label
from admit_protocol.kdf import hmac_sha256
from support import vectors


def test_the_derived_values_are_those_of_the_vectors():
    for each in vectors("labels.json")["sealed"]:
        secret = bytes.fromhex(each["secret"])
        assert len(secret) == label.SECRET_LENGTH
        assert label.master_secret(secret).hex() == each["master_secret"]
        assert label.host_id(secret).hex() == each["host_id"]
        assert label.advertised_name(secret) == each["name"]


def test_they_are_hkdf_as_the_page_says():
    secret = bytes(range(16))
    prk = hmac_sha256(b"admit:sealed-label", secret)
    assert label.master_secret(secret) == hmac_sha256(prk, b"oscore\x01")[:16]
    assert label.host_id(secret) == hmac_sha256(prk, b"kid\x01")[:7]
    assert label.advertised_name(secret) == "admit-" + hmac_sha256(prk, b"name\x01")[:4].hex()


def test_no_derived_value_tells_another():
    secret = bytes(16)
    values = [label.master_secret(secret), label.host_id(secret), bytes.fromhex(label.advertised_name(secret)[6:])]
    assert len({each[:4] for each in values}) == 3
