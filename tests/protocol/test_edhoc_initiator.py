"""The EDHOC Initiator: RFC 9529 section 3 value by value, suite negotiation, and Responders that cheat."""

from admit_protocol import cbor, edhoc, edhoc_client, edhoc_initiator
from admit_protocol.errors import LocalError, Malformed, Unsupported, Unverified, WrongSuite
from edhoc_peers import (
    CRED_I,
    CRED_R,
    SUITE,
    USER,
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
    key = rfc9529_key("message_3", "Initiator's private authentication key")
    ephemeral = rfc9529_key("message_1 (second time)", "Initiator's ephemeral private key")
    with Spy() as spy:
        i = edhoc_initiator.Initiator(spy, 3, [6, 2], key, cred_i.id_cred, cred_i, b"\x37", ephemeral)
        assert i.message_1() == rfc9529("message_1 (second time)", "message_1")
        assert i.parse_message_2(rfc9529("message_2", "message_2")) == (b"\x27", {4: b"\x32"}, [])
        i.verify_message_2(cred_r)
        assert i.message_3() == rfc9529("message_3", "message_3")
        assert i.verify_message_4(rfc9529("message_4", "message_4")) == []
        step = "OSCORE Parameters"
        assert i.oscore() == (rfc9529(step, "OSCORE Master Secret"), rfc9529(step, "OSCORE Master Salt"))
        assert i.c_r == rfc9529(step, "Client's OSCORE Sender ID")
        assert i.c_i == rfc9529(step, "Server's OSCORE Sender ID")
        step = "Key Update"
        i.key_update(rfc9529(step, "context for KeyUpdate (Raw"))
        assert i.oscore() == (rfc9529(step, "OSCORE Master Secret"), rfc9529(step, "OSCORE Master Salt"))
    messages = [rfc9529(step, step) for step in ("message_2", "message_3", "message_4")]
    spy.seen += key.seen + ephemeral.seen + messages
    values = rfc9529_values(STEPS)
    assert len(values) == 73
    assert [name for name, value in values if not spy.saw(value)] == []


def test_rfc_9529_suites_are_negotiated_down_from_6_to_2():
    first, second = "message_1 (first time)", "message_1 (second time)"
    preferred = [6, 2]
    x = rfc9529_key(first, "Initiator's ephemeral private key")
    cred_i = rfc9529_credential("I")
    i = edhoc_initiator.Initiator(SUITE, 3, preferred[:1], USER, cred_i.id_cred, cred_i, b"\x0e", x)
    assert i.message_1() == rfc9529(first, "message_1")
    assert x.public[:32] == rfc9529(first, "Initiator's ephemeral public key, 'x'-coordinate | G_X (Raw")
    code, suites_r = edhoc_client.parse_error(rfc9529("error", "error (CBOR Sequence)"))
    i.erase()
    assert (code, suites_r) == (2, [2])
    suites_i = edhoc_initiator.select_suites(preferred, suites_r)
    assert suites_i == [6, 2]
    x = rfc9529_key(second, "Initiator's ephemeral private key")
    assert x.public[32:] == rfc9529(second, "Initiator's ephemeral public key, one 'y'")
    i = edhoc_initiator.Initiator(SUITE, 3, suites_i, USER, cred_i.id_cred, cred_i, b"\x37", x)
    assert i.message_1() == rfc9529(second, "message_1")


def test_select_suites_never_drops_or_reorders_what_we_prefer():
    assert edhoc_initiator.select_suites((2, 3), [3]) == [2, 3]
    assert edhoc_initiator.select_suites((2, 3), [3, 2]) == [2]
    assert edhoc_initiator.select_suites((5, 6, 3, 2), [9, 2]) == [5, 6, 3, 2]
    for suites_r in ([], [6], [24, 25]):
        with raises(WrongSuite, "edhoc-suite"):
            edhoc_initiator.select_suites((6, 2, 3), suites_r)


def test_a_suite_that_we_do_not_run_can_be_offered_but_not_used():
    i = initiator(suites=(6,))
    i.message_1()
    with raises(LocalError, "edhoc-suite"):
        i.parse_message_2(cbor.encode(bytes(70)))


def test_the_caller_cannot_ask_for_nonsense():
    with raises(LocalError, "edhoc-method"):
        initiator(method=4)
    with raises(LocalError, "edhoc-connection-id"):
        initiator(c_i=bytes(8))


def test_a_fresh_ephemeral_key_is_made_for_each_session():
    assert initiator().message_1() != initiator().message_1()


def test_our_own_message_1_reflected_is_no_message_2():
    i = initiator()
    with raises(Malformed, "edhoc-message-2"):
        i.parse_message_2(i.message_1())


def test_a_responder_that_takes_our_c_i_is_refused():
    i, r = initiator(), responder()
    r.parse_message_1(i.message_1())
    r.c_i = b"\x7f"  # so that it does not notice
    with raises(Malformed, "edhoc-connection-id"):
        i.parse_message_2(r.message_2(SUITE.generate(), b"\x0a"))


def test_g_y_must_be_on_the_curve():
    for x in (b"\xff" * 32, bytes(31) + b"\x01"):
        i = initiator()
        i.message_1()
        with raises(Malformed, "p256-point"):
            i.parse_message_2(cbor.encode(x + bytes(68)))


def assert_noise(i, message_2):
    """Under the wrong TH_2 a message_2 decrypts to noise: it hardly ever parses, and never verifies."""
    try:
        i.parse_message_2(message_2)
        i.verify_message_2(CRED_R)
    except (Malformed, Unsupported, Unverified):
        return
    raise AssertionError("taken for genuine")


def test_message_2_of_another_session_proves_nothing():
    first, second = initiator(), initiator()
    _, message_2 = to_message_2(first, responder())
    second.message_1()
    assert_noise(second, message_2)


def test_a_responder_must_prove_the_credential_that_we_chose():
    impostor, theirs = identity("impostor", b"\x05")
    for method, reason in ((0, "edhoc-signature-2"), (1, "edhoc-mac-2"), (2, "edhoc-signature-2"), (3, "edhoc-mac-2")):
        i, r = initiator(method), responder(key=impostor, cred=theirs)
        _, message_2 = to_message_2(i, r)
        assert i.parse_message_2(message_2)[1] == CRED_R.id_cred  # it may say so
        with raises(Unverified, reason):
            i.verify_message_2(CRED_R)
        with raises(LocalError, "edhoc-state"):
            i.message_3()


def test_a_manipulated_suite_list_is_found_out():
    i, r = initiator(suites=(3, 2)), responder(suites=(2,))
    message_1 = i.message_1()
    r.parse_message_1(message_1[:1] + b"\x02" + message_1[4:])
    assert_noise(i, r.message_2(SUITE.generate(), b"\x0b"))


def test_message_3_is_made_only_after_message_2_is_verified():
    i, r = initiator(), responder()
    _, message_2 = to_message_2(i, r)
    i.parse_message_2(message_2)
    with raises(LocalError, "edhoc-state"):
        i.message_3()


def test_the_user_key_is_used_once_and_only_for_what_the_method_says():
    for method in edhoc_client.METHODS:
        key = WatchedKey(USER)
        i = initiator(method, key=key)
        to_message_3(i, responder())
        assert [call[0] for call in key.calls] == ["sign" if method < 2 else "shared_secret"]


def test_cred_i_is_bound_to_its_id_cred():
    i, r = initiator(), responder()
    _, _, message_3 = to_message_3(i, r)
    assert r.parse_message_3(message_3)[0] == CRED_I.id_cred
    with raises(Unverified, "edhoc-mac-3"):
        r.verify_message_3(edhoc.Credential(CRED_I.data + b" ", CRED_I.public, CRED_I.id_cred))
