"""The trust anchor: its bytes, the site id that its keys hash to, and what is no anchor."""

from admit_protocol import anchor, cbor, cose, kdf
from admit_protocol.anchor import Anchor
from admit_protocol.errors import LocalError, Malformed
from support import raises

SIGN = bytes(range(64))
ECDH = bytes(range(64, 128))


def test_an_anchor_comes_back_as_it_went():
    home = Anchor(SIGN, ECDH, "Caf\u00e9 North")
    data = home.encode()
    again = anchor.decode(data)
    assert (again.sign_public, again.ecdh_public, again.name) == (SIGN, ECDH, "Caf\u00e9 North")
    assert again.site_id == home.site_id and again.encode() == data
    assert cbor.decode(data) == [cose.encode_key(SIGN), cose.encode_key(ECDH), "Caf\u00e9 North"]
    assert len(data) == 1 + 2 * 75 + 1 + len("Caf\u00e9 North".encode())


def test_the_site_id_is_the_hash_of_both_keys_in_their_order_and_not_of_the_name():
    encoded_keys = b"\x82" + cbor.encode(cose.encode_key(SIGN)) + cbor.encode(cose.encode_key(ECDH))
    assert anchor.site_id(SIGN, ECDH) == kdf.sha256(encoded_keys)[:16]
    assert Anchor(SIGN, ECDH, "a").site_id == Anchor(SIGN, ECDH, "b").site_id == anchor.site_id(SIGN, ECDH)
    assert len({anchor.site_id(SIGN, ECDH), anchor.site_id(ECDH, SIGN), anchor.site_id(SIGN, SIGN)}) == 3


def test_a_name_has_one_to_64_bytes():
    for name in ("x", "x" * 64, "\u00e9" * 32):
        assert anchor.decode(Anchor(SIGN, ECDH, name).encode()).name == name
    for name in ("", "x" * 65, "\u00e9" * 33):
        with raises(LocalError, "anchor-name"):
            Anchor(SIGN, ECDH, name)
        with raises(Malformed, "anchor-name"):
            anchor.decode(cbor.encode([cose.encode_key(SIGN), cose.encode_key(ECDH), name]))


def test_what_is_no_anchor_is_refused():
    key = cose.encode_key(SIGN)
    for value, reason in (
        ({}, "anchor-structure"),
        ([], "anchor-structure"),
        ([key, key], "anchor-structure"),
        ([key, key, "site", 1], "anchor-structure"),
        ([cose.encode_key(SIGN, b"k"), key, "site"], "anchor-structure"),
        ([key, cose.encode_key(ECDH, b"k"), "site"], "anchor-structure"),
        ([key, key, b"site"], "anchor-name"),
        ([key, SIGN, "site"], "cose-key"),
        ([{}, key, "site"], "cose-key"),
    ):
        with raises(Malformed, reason):
            anchor.decode(cbor.encode(value))
    whole = Anchor(SIGN, ECDH, "site").encode()
    with raises(Malformed, "cbor-truncated"):
        anchor.decode(whole[:-1])
    with raises(Malformed, "cbor-trailing"):
        anchor.decode(whole + b"\x00")
