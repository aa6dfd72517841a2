"""EDHOC on the wire, RFC 9528: identifiers, credentials, EAD, suites, errors and the parsing of every message."""

from admit_protocol import cbor, cose, cwt, edhoc, edhoc_client
from admit_protocol.errors import Denied, Malformed, UnknownCredential, Unsupported, Unverified, WrongSuite
from edhoc_peers import CRED_I, DEVICE, DEVICE_KID, USER, rfc9529
from support import raises

G_X = bytes(range(32))


def test_a_byte_string_that_reads_as_a_small_int_travels_as_that_int():
    for raw, wire in (("21", "21"), ("0d", "0d"), ("18", "4118"), ("38", "4138"), ("abcd", "42abcd"), ("", "40")):
        raw, wire = bytes.fromhex(raw), bytes.fromhex(wire)
        assert edhoc.encode_identifier(raw) == wire
        assert edhoc.connection_id(cbor.decode(wire)) == raw


def test_every_one_byte_identifier_has_one_encoding():
    for n in range(256):
        wire = edhoc.encode_identifier(bytes((n,)))
        assert len(wire) == (1 if n < 24 or 32 <= n < 56 else 2)
        assert edhoc.connection_id(cbor.decode(wire)) == bytes((n,))
        if len(wire) == 1:
            with raises(Malformed, "edhoc-connection-id"):
                edhoc.connection_id(bytes((n,)))


def test_other_things_are_no_identifiers():
    for item in (24, -25, True, None, "a", [], {4: b"a"}, bytes(8)):
        with raises(Malformed, "edhoc-connection-id"):
            edhoc.connection_id(item)


def test_a_lone_kid_goes_bare_and_never_as_a_map():
    proof = bytes(8)
    for kid, wire in ((b"\xff", "41ff"), (b"\x21", "21"), (b"\x2b", "2b"), (bytes(8), "480000000000000000")):
        assert edhoc.encode_id_cred({4: kid}) == bytes.fromhex(wire)
        plaintext = bytes.fromhex(wire) + cbor.encode(proof)
        assert edhoc.parse_plaintext(plaintext, 8) == ({4: kid}, proof, [], b"")
    for wire in ("a10441ff", "a1044121", "4121", "1818", "f5"):
        with raises(Malformed, "edhoc-id-cred"):
            edhoc.parse_plaintext(bytes.fromhex(wire) + cbor.encode(proof), 8)


def test_credentials_that_we_do_not_speak_are_unsupported():
    certificate_hash = {34: [-15, bytes(8)]}
    for id_cred in (certificate_hash, {4: b"a", 13: b"b"}, {}, {13: [1]}, {13: cbor.Tag(17, [])}, {14: b""}, {15: {}}):
        with raises(Unsupported, "edhoc-id-cred"):
            edhoc.parse_plaintext(cbor.encode_sequence((id_cred, bytes(8))), 8)


def test_a_cwt_enters_cred_x_without_its_tag():
    token = cwt.issue(DEVICE, {cwt.ISS: "site", cwt.CNF: cwt.cnf(USER.public, b"\x07")}, cose.GRANT)
    cred = edhoc.cwt_credential(token)
    assert token[:1] == b"\xd2" and cred.data == token[1:]
    assert cred.public == USER.public
    assert cred.id_cred == {4: b"\x07"}
    assert edhoc.cwt_credential(token, b"12345678").id_cred == {4: b"12345678"}
    bare = cwt.issue(DEVICE, {cwt.CNF: cwt.cnf(USER.public)}, cose.GRANT)
    assert edhoc.cwt_credential(bare).id_cred == {13: cbor.decode(bare)}
    with raises(Malformed, "cwt-cnf"):
        edhoc.cwt_credential(cwt.issue(DEVICE, {cwt.ISS: "site"}, cose.GRANT))


def test_what_travels_by_value_comes_out_as_it_went_in():
    token = cwt.issue(DEVICE, {cwt.CNF: cwt.cnf(USER.public)}, cose.GRANT)
    for data, cred in ((token, edhoc.cwt_credential(token)), (CRED_I.data, CRED_I)):
        plaintext = edhoc.encode_id_cred(edhoc.by_value(cred.data)) + cbor.encode(bytes(8))
        assert edhoc.carried(edhoc.parse_plaintext(plaintext, 8)[0]) == data
    assert edhoc.carried({4: b"\x07"}) is None


def test_ead_items_keep_their_order_and_padding_is_thrown_away():
    ead = [(1, b"one"), (-7, None), (7, b""), (1, None)]
    raw = edhoc.encode_ead([(0, b"pad"), ead[0], ead[1], (0, None), ead[2], ead[3], (0, b"")])
    plaintext = edhoc.encode_identifier(DEVICE_KID) + cbor.encode(bytes(8))
    assert edhoc.parse_plaintext(plaintext + raw, 8)[2:] == (ead, raw)
    assert edhoc.encode_ead([(0, b"\xe9")]) == bytes.fromhex("0041e9")  # section 3.8.1
    assert edhoc.encode_ead([(0, None)]) == b"\x00"


def test_ead_that_is_no_ead():
    for items in ((b"value first",), (1, b"a", b"b"), ("1",), (1, None), (True,), ([1],)):
        with raises(Malformed, "edhoc-ead"):
            edhoc.parse_message_1(edhoc_client.encode_message_1(2, [2], G_X, b"\x01") + cbor.encode_sequence(items))


def test_message_1_is_that_of_rfc_9529():
    first, second = "message_1 (first time)", "message_1 (second time)"
    g_x = rfc9529(first, "Initiator's ephemeral public key, 'x'-coordinate | G_X (Raw")
    assert edhoc_client.encode_message_1(3, [6], g_x, b"\x0e") == rfc9529(first, "message_1")
    assert edhoc.parse_message_1(rfc9529(first, "message_1")) == (3, [6], g_x, b"\x0e", [])
    g_x = rfc9529(second, "Initiator's ephemeral public key, 'x'-coordinate | G_X (Raw")
    assert edhoc_client.encode_message_1(3, [6, 2], g_x, b"\x37") == rfc9529(second, "message_1")
    assert edhoc.parse_message_1(rfc9529(second, "message_1")) == (3, [6, 2], g_x, b"\x37", [])


def test_a_message_1_that_breaks_the_cddl():
    hostile = (
        ((2, 2, G_X), "edhoc-message-1"),
        ((), "edhoc-message-1"),
        (("2", 2, G_X, 1), "edhoc-method"),
        ((True, 2, G_X, 1), "edhoc-method"),
        ((2, [2], G_X, 1), "edhoc-suites"),
        ((2, [], G_X, 1), "edhoc-suites"),
        ((2, [2, "3"], G_X, 1), "edhoc-suites"),
        ((2, b"\x02", G_X, 1), "edhoc-suites"),
        ((2, 2, G_X[1:], 1), "edhoc-g-x"),
        ((2, 2, G_X + b"\x00", 1), "edhoc-g-x"),
        ((2, 2, 5, 1), "edhoc-g-x"),
        ((2, 2, G_X, b"\x01"), "edhoc-connection-id"),
        ((2, 2, G_X, bytes(8)), "edhoc-connection-id"),
        ((2, 2, G_X, 1, b"value"), "edhoc-ead"),
    )
    for items, reason in hostile:
        with raises(Malformed, reason):
            edhoc.parse_message_1(cbor.encode_sequence(items))
    with raises(Malformed, "cbor-too-long"):
        edhoc.parse_message_1(edhoc_client.encode_message_1(2, [2], G_X, b"\x01", [(1, bytes(4096))]))
    with raises(Malformed, "cbor-truncated"):
        edhoc.parse_message_1(edhoc_client.encode_message_1(2, [2], G_X, b"\xff")[:-1])
    with raises(Malformed, "cbor-not-shortest"):
        edhoc.parse_message_1(b"\x18\x02" + edhoc_client.encode_message_1(2, [2], G_X, b"\x01")[1:])


def test_message_2_is_one_byte_string_longer_than_a_key():
    assert edhoc_client.parse_message_2(cbor.encode(G_X + b"cipher")) == (G_X, b"cipher")
    for data in (cbor.encode(G_X), b"", b"\x01", cbor.encode(bytes(40)) + b"\x01", rfc9529("error", "error")):
        with raises(Malformed, "edhoc-message-2"):
            edhoc_client.parse_message_2(data)


def test_a_plaintext_has_an_identity_and_a_proof_of_the_right_length():
    for items in ((), (5,), (5, bytes(7)), (5, bytes(9)), (5, "12345678"), (5, 8)):
        with raises(Malformed, "edhoc-plaintext"):
            edhoc.parse_plaintext(cbor.encode_sequence(items), 8)
    assert edhoc.parse_plaintext(cbor.encode_sequence((5, bytes(64))), 64)[1] == bytes(64)


def test_error_messages():
    assert edhoc.encode_error(2, 2) == rfc9529("error", "error (CBOR Sequence)")
    assert edhoc_client.parse_error(rfc9529("error", "error (CBOR Sequence)")) == (2, [2])
    assert edhoc_client.parse_error(edhoc.encode_error(2, [2, 3])) == (2, [2, 3])
    assert edhoc_client.parse_error(edhoc.encode_error(1, "no")) == (1, "no")
    assert edhoc_client.parse_error(bytes.fromhex("03f5")) == (3, True)
    assert edhoc_client.parse_error(bytes.fromhex("00f6")) == (0, None)
    assert edhoc_client.parse_error(edhoc.encode_error(-9, {1: 2})) == (-9, {1: 2})


def test_what_is_not_an_error_message():
    for data in ("", "01", "0100", "0261", "0280", "028102", "03f4", "f401", "0161610a", "58"):
        assert edhoc_client.parse_error(bytes.fromhex(data)) is None
    assert edhoc_client.parse_error(cbor.encode(bytes(45))) is None  # message_2
    assert edhoc_client.parse_error(edhoc_client.encode_message_1(2, [2], G_X, b"\x01")) is None


def test_each_error_of_ours_has_its_message():
    assert edhoc.error_message(WrongSuite("edhoc-suite"), (2,)) == bytes.fromhex("0202")
    assert edhoc.error_message(WrongSuite("edhoc-suite"), (2, 3)) == bytes.fromhex("02820203")
    assert edhoc.error_message(UnknownCredential("grant-unknown"), (2, 3)) == bytes.fromhex("03f5")
    for error in (Unverified("edhoc-mac-3"), Malformed("cbor-truncated"), Denied("x")):
        assert edhoc_client.parse_error(edhoc.error_message(error, (2, 3))) == (1, error.reason)


def test_what_stands_before_a_message_in_a_coap_request():
    for c_x, prefix in ((None, "f5"), (b"\x0b", "0b"), (b"\x18", "4118"), (b"", "40")):
        data = edhoc_client.encode_prefixed(c_x, b"message")
        assert data == bytes.fromhex(prefix) + b"message"
        assert edhoc.split_prefixed(data) == (c_x, b"message")
    for prefix in ("f4", "f6", "410b", "1818", "6161"):
        with raises(Malformed, "edhoc-connection-id"):
            edhoc.split_prefixed(bytes.fromhex(prefix))
    with raises(Malformed, "cbor-truncated"):
        edhoc.split_prefixed(b"")
