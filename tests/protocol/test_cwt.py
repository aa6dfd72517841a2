"""CWT: the examples of RFC 8392, the types of claims, the window, and keys in `cnf`."""

from admit_protocol import cbor, cose, cose_encrypt0, cwt
from admit_protocol.errors import Malformed, Unverified
from admit_protocol.suite import Suite
from support import raises, vectors

SUITE = Suite(lambda length: bytes(range(length)))
KEY = SUITE.private_key(bytes(31) + b"\x05")

RFC_8392 = vectors("rfc8392_cwt.json")
RFC_LABEL = b""  # the examples are signed and encrypted without an external_aad


def example(name):
    return bytes.fromhex(RFC_8392[name]["hex"])


def rfc_public():
    return bytes.fromhex(RFC_8392["p256"]["x"] + RFC_8392["p256"]["y"])


def rfc_claims():
    expected = RFC_8392["claims"]
    claims = {number: expected[name] for number, name in enumerate(("iss", "sub", "aud", "exp", "nbf", "iat"), 1)}
    claims[cwt.CTI] = bytes.fromhex(expected["cti"])
    return claims


def decrypted(name):
    key = bytes.fromhex(RFC_8392["symmetric_128"]["k"])
    return cose_encrypt0.decrypt0(SUITE, key, cose_encrypt0.parse_encrypt0(example(name)), RFC_LABEL)


def test_the_private_key_of_rfc_8392_a_2_3_has_its_public_key():
    assert SUITE.private_key(bytes.fromhex(RFC_8392["p256"]["d"])).public == rfc_public()


def test_the_signed_cwt_of_rfc_8392_a_3_verifies():
    token = cwt.parse(example("signed"))
    assert token.claims == rfc_claims() and token.data == example("signed")
    assert cbor.encode(token.claims) == example("claims")
    assert token.sign1.headers[4] == b"AsymmetricECDSA256"
    cwt.verify(token, rfc_public(), RFC_LABEL, SUITE)
    with raises(Unverified, "cose-signature"):
        cwt.verify(token, rfc_public(), cose.GRANT, SUITE)
    with raises(Unverified, "cose-signature"):
        cwt.verify(token, KEY.public, RFC_LABEL, SUITE)


def test_the_encrypted_claims_of_rfc_8392_a_5_open():
    assert cbor.decode(decrypted("encrypted")) == rfc_claims()


def test_the_nested_cwt_of_rfc_8392_a_6_opens_and_verifies():
    token = cwt.parse(decrypted("nested"))
    assert token.claims == rfc_claims()
    cwt.verify(token, rfc_public(), RFC_LABEL, SUITE)


def test_the_maced_cwt_of_rfc_8392_a_4_is_refused():
    with raises(Malformed, "cose-tag"):
        cwt.parse(example("maced"))
    with raises(Malformed, "cose-tag"):  # and without its CWT tag, 61
        cwt.parse(example("maced")[2:])


def test_the_floating_point_date_of_rfc_8392_a_7_is_refused():
    with raises(Malformed, "cose-tag"):  # it is a COSE_Mac0
        cwt.parse(example("maced_float"))
    claims = cbor.decode(example("maced_float")).value[2]
    with raises(Malformed, "cbor-type"):
        cwt.parse(cose.sign1(KEY, claims, RFC_LABEL))


def test_the_key_of_rfc_8392_a_2_3_is_refused_as_published_because_it_is_not_in_order():
    with raises(Malformed, "cbor-key-order"):
        cbor.decode(bytes.fromhex(RFC_8392["p256"]["cose_key_as_published"]))


def test_an_issued_token_verifies_for_its_purpose_only():
    token = cwt.parse(cwt.issue(KEY, {cwt.SUB: "alice", -70000: [1, 2], "x": None}, cose.GRANT))
    assert token.claims == {cwt.SUB: "alice", -70000: [1, 2], "x": None}
    cwt.verify(token, KEY.public, cose.GRANT, SUITE)
    with raises(Unverified, "cose-signature"):
        cwt.verify(token, KEY.public, cose.DELEGATION, SUITE)


def test_claims_of_the_wrong_type_are_refused():
    for claims in (
        {cwt.ISS: b"site"},
        {cwt.SUB: 5},
        {cwt.AUD: b"device"},
        {cwt.AUD: []},
        {cwt.AUD: ["device", 5]},
        {cwt.AUD: None},
        {cwt.EXP: "tomorrow"},
        {cwt.EXP: True},
        {cwt.EXP: -1},
        {cwt.NBF: None},
        {cwt.IAT: cbor.Tag(1, 0)},
        {cwt.CTI: "id"},
        {cwt.CNF: []},
        {cwt.SCOPE: 1},
        {cwt.SIG_KEY: b"key"},
        {b"claim": 1},
        [],
        5,
    ):
        with raises(Malformed, "cwt-claims"):
            cwt.parse(cose.sign1(KEY, cbor.encode(claims), cose.GRANT))


def test_claims_of_every_right_type_pass():
    for claims in (
        {cwt.AUD: "kiosk-1"},
        {cwt.AUD: ["kiosk-1", "kiosk-2"]},
        {cwt.EXP: 0, cwt.NBF: 2**40, cwt.IAT: 1},
        {cwt.SCOPE: b"\x80"},
        {cwt.SCOPE: "read"},
        {cwt.SIG_KEY: cose.encode_key(KEY.public)},
        {},
    ):
        assert cwt.parse(cose.sign1(KEY, cbor.encode(claims), cose.GRANT)).claims == claims


def test_cnf_holds_one_cose_key_and_nothing_else():
    assert cwt.cnf_key({cwt.CNF: cwt.cnf(KEY.public, b"\x05")}) == (KEY.public, b"\x05")
    assert cwt.cnf_key({cwt.CNF: cwt.cnf(KEY.public)}) == (KEY.public, None)
    key = cose.encode_key(KEY.public)
    for claims in ({}, {cwt.CNF: {}}, {cwt.CNF: {3: b"kid"}}, {cwt.CNF: {1: key, 3: b"kid"}}, {cwt.CNF: None}):
        with raises(Malformed, "cwt-cnf"):
            cwt.cnf_key(claims)
    with raises(Malformed, "cose-key"):
        cwt.cnf_key({cwt.CNF: {1: {}}})


def test_an_issuer_of_ours_is_a_site_id_in_lower_case_hex():
    site = bytes(range(0xA0, 0xB0))
    text = site.hex()
    assert cwt.parse_issuer(text) == site
    wrong = (text[:-1], text[:-2], text + "00", text[:-2] + "AB", text[:-2] + " 0", text[:-2] + "0g", "", site, None)
    for issuer in wrong:
        with raises(Malformed, "cwt-issuer"):
            cwt.parse_issuer(issuer)
