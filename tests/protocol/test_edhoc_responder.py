"""The EDHOC Responder: RFC 9529 section 3 value by value, what it costs online, and Initiators that cheat."""

from admit_protocol import cbor, edhoc, edhoc_client, edhoc_responder
from admit_protocol.errors import LocalError, Malformed, Unsupported, Untrusted, Unverified, WrongSuite
from edhoc_peers import (
    CRED_I,
    CRED_R,
    DEVICE,
    SUITE,
    Spy,
    WatchedKey,
    identity,
    initiator,
    responder,
    rfc9529,
    rfc9529_credential,
    rfc9529_key,
    rfc9529_values,
    to_message_2,
    to_message_3,
)
from support import raises

STEPS = ("message_2", "message_3", "message_4", "PRK_out and PRK_exporter", "OSCORE Parameters", "Key Update")


def test_rfc_9529_section_3_every_value():
    cred_i, cred_r = rfc9529_credential("I"), rfc9529_credential("R")
    key = rfc9529_key("message_2", "Responder's private authentication key")
    ephemeral = rfc9529_key("message_2", "Responder's ephemeral private key")
    assert ephemeral.public[32:] == rfc9529("message_2", "Responder's ephemeral public key, one 'y'")
    with Spy() as spy:
        r = edhoc_responder.Responder(spy, (3,), (2,), key, cred_r.id_cred, cred_r)
        assert r.parse_message_1(rfc9529("message_1 (second time)", "message_1")) == (3, b"\x37", [])
        message_2 = r.message_2(ephemeral, b"\x27")
        assert message_2 == rfc9529("message_2", "message_2")
        assert r.parse_message_3(rfc9529("message_3", "message_3")) == ({4: b"\x2b"}, [])
        r.verify_message_3(cred_i)
        message_4 = r.message_4()
        assert message_4 == rfc9529("message_4", "message_4")
        step = "OSCORE Parameters"
        assert r.oscore() == (rfc9529(step, "OSCORE Master Secret"), rfc9529(step, "OSCORE Master Salt"))
        step = "Key Update"
        r.key_update(rfc9529(step, "context for KeyUpdate (Raw"))
        assert r.oscore() == (rfc9529(step, "OSCORE Master Secret"), rfc9529(step, "OSCORE Master Salt"))
    spy.seen += key.seen + ephemeral.seen + [message_2, rfc9529("message_3", "message_3"), message_4]
    values = rfc9529_values(STEPS)
    assert len(values) == 73
    assert [name for name, value in values if not spy.saw(value)] == []


def test_rfc_9529_suite_6_is_answered_with_suite_2():
    r = responder(suites=(2,))
    with raises(WrongSuite, "edhoc-suite") as caught:
        r.parse_message_1(rfc9529("message_1 (first time)", "message_1"))
    assert edhoc.error_message(caught.error, (2,)) == rfc9529("error", "error (CBOR Sequence)")
    with raises(LocalError, "edhoc-state"):
        r.message_2(SUITE.generate(), b"\x0b")


def test_only_the_first_supported_suite_may_be_selected():
    for supported, suites_i in (((2, 3), (3,)), ((2,), (2,)), ((2,), (6, 3, 2)), ((3,), (2, 3))):
        r = responder(suites=supported)
        r.parse_message_1(initiator(suites=suites_i).message_1())
        assert r.cipher_suite == suites_i[-1]
    for supported, suites_i in (((2,), (3,)), ((2, 3), (2, 3)), ((2,), (2, 6)), ((2, 3), (0, 1)), ((2,), (2, 2))):
        with raises(WrongSuite, "edhoc-suite"):
            responder(suites=supported).parse_message_1(initiator(suites=suites_i).message_1())


def test_a_method_that_is_not_ours_is_unsupported():
    message_1 = initiator(2).message_1()
    for method in (0, 1, 3, 4, -1, 255):
        with raises(Unsupported, "edhoc-method"):
            responder((2,)).parse_message_1(cbor.encode(method) + message_1[1:])


def test_method_2_costs_two_products_and_one_signature():
    key, ephemeral = WatchedKey(DEVICE), WatchedKey(SUITE.generate())
    r = responder((2,), key=key)
    message_1, _, message_3 = to_message_3(initiator(), r, ephemeral=ephemeral)
    assert [call[0] for call in key.calls] == ["sign"]
    g_x = edhoc.parse_message_1(message_1)[2]
    assert ephemeral.calls == [("shared_secret", g_x)]
    r.parse_message_3(message_3)
    assert ephemeral.calls == [("shared_secret", g_x)]  # nothing before we know the peer
    r.verify_message_3(CRED_I)
    assert ephemeral.calls == [("shared_secret", g_x), ("shared_secret", CRED_I.public), ("erase",)]
    assert len(key.calls) == 1


def test_the_other_methods_cost_what_they_must():
    for method, of_key, of_ephemeral in ((0, "sign", 1), (1, "shared_secret", 1), (3, "shared_secret", 2)):
        key, ephemeral = WatchedKey(DEVICE), WatchedKey(SUITE.generate())
        r = responder(key=key)
        message_3 = to_message_3(initiator(method), r, ephemeral=ephemeral)[2]
        r.parse_message_3(message_3)
        r.verify_message_3(CRED_I)
        assert [call[0] for call in key.calls] == [of_key]
        assert [call[0] for call in ephemeral.calls] == ["shared_secret"] * of_ephemeral + ["erase"]


def test_c_r_is_neither_c_i_nor_too_long():
    for c_r in (b"\x0a", bytes(8)):
        r, ephemeral = responder(), WatchedKey(SUITE.generate())
        r.parse_message_1(initiator(c_i=b"\x0a").message_1())
        with raises(LocalError, "edhoc-connection-id"):
            r.message_2(ephemeral, c_r)
        assert ephemeral.calls == [("erase",)]


def test_g_x_must_be_on_the_curve():
    for x in (b"\xff" * 32, bytes(31) + b"\x01"):
        r, ephemeral = responder(), WatchedKey(SUITE.generate())
        r.parse_message_1(edhoc_client.encode_message_1(2, [2], x, b"\x01"))
        with raises(Malformed, "p256-point"):
            r.message_2(ephemeral, b"\x0b")
        assert ephemeral.calls[-1] == ("erase",)


def test_our_own_message_2_reflected_is_no_message_3():
    r = responder()
    _, message_2 = to_message_2(initiator(), r)
    with raises(Unverified, "ccm-tag"):
        r.parse_message_3(message_2)


def test_message_3_of_another_session_is_no_use():
    first, second = responder(), responder()
    _, _, message_3 = to_message_3(initiator(), first)
    to_message_2(initiator(), second)
    with raises(Unverified, "ccm-tag"):
        second.parse_message_3(message_3)


def test_a_replayed_message_1_gets_a_session_that_its_sender_cannot_use():
    message_1, _, message_3 = to_message_3(initiator(), responder())
    r = responder()
    r.parse_message_1(message_1)
    r.message_2(SUITE.generate(), b"\x0b")
    with raises(Unverified, "ccm-tag"):
        r.parse_message_3(message_3)


def test_message_3_is_one_byte_string():
    for data in (b"", b"\x01", cbor.encode(bytes(20)) * 2, bytes.fromhex("0161610a")):
        r = responder()
        to_message_2(initiator(), r)
        with raises(Malformed, "edhoc-message-3"):
            r.parse_message_3(data)
    for length in (0, 7, 8):
        r = responder()
        to_message_2(initiator(), r)
        with raises(Unverified, "ccm-tag"):
            r.parse_message_3(cbor.encode(bytes(length)))


def test_an_initiator_must_prove_the_credential_that_it_names():
    mallory, hers = identity("mallory", CRED_I.id_cred[4])
    reasons = ("edhoc-signature-3", "edhoc-signature-3", "edhoc-mac-3", "edhoc-mac-3")
    for method in edhoc_client.METHODS:
        i, r = initiator(method, key=mallory, cred=hers), responder()
        _, _, message_3 = to_message_3(i, r)
        assert r.parse_message_3(message_3)[0] == CRED_I.id_cred  # she may say so
        with raises(Unverified, reasons[method]):
            r.verify_message_3(CRED_I)
        with raises(LocalError, "edhoc-state"):
            r.oscore()


def test_the_device_does_not_let_itself_in():
    r = responder()
    _, _, message_3 = to_message_3(initiator(), r)
    r.parse_message_3(message_3)
    with raises(Untrusted, "edhoc-reflected"):
        r.verify_message_3(CRED_R)


def test_low_suites_and_oversize_and_truncation_are_named():
    message_1 = initiator().message_1()
    with raises(WrongSuite, "edhoc-suite"):
        responder().parse_message_1(message_1[:1] + b"\x00" + message_1[2:])
    with raises(Malformed, "cbor-too-long"):
        responder().parse_message_1(message_1 + b"\x01\x59\x10\x00" + bytes(4096))
    with raises(Malformed, "edhoc-message-1"):
        responder().parse_message_1(message_1[:-1])
    with raises(Malformed, "cbor-truncated"):
        responder().parse_message_1(message_1[:-2])
