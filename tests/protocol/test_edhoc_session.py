"""What both EDHOC roles share: the key schedule, step by step after RFC 9529, and sessions that end when they must."""

from admit_protocol import cbor, ccs, edhoc, edhoc_client, edhoc_session, kdf
from admit_protocol.errors import LocalError, Unsupported, Untrusted, Unverified
from edhoc_peers import (
    CRED_I,
    CRED_R,
    DEVICE,
    SUITE,
    USER,
    WatchedKey,
    handshake,
    identity,
    initiator,
    responder,
    rfc9529,
    to_message_2,
    to_message_3,
)
from support import raises

M2, M3, M4, OUT = "message_2", "message_3", "message_4", "PRK_out and PRK_exporter"


def test_the_key_schedule_of_rfc_9529_step_by_step():
    g_y = rfc9529(M2, "Responder's ephemeral public key, 'x'-coordinate | G_Y (Raw")
    th_2 = edhoc_session.transcript_2(g_y, rfc9529(M2, "H(message_1) (Raw"))
    assert th_2 == rfc9529(M2, "TH_2 (Raw")
    prk_2e = kdf.hkdf_extract(th_2, rfc9529(M2, "G_XY"))
    assert prk_2e == rfc9529(M2, "PRK_2e")
    assert edhoc_session.derive(prk_2e, 1, th_2, 32) == rfc9529(M2, "SALT_3e2m")
    prk_3e2m = edhoc_session.mix(prk_2e, 1, th_2, rfc9529(M2, "G_RX"))
    assert prk_3e2m == rfc9529(M2, "PRK_3e2m")
    assert edhoc_session.derive(prk_3e2m, 2, rfc9529(M2, "context_2 (CBOR Seq"), 8) == rfc9529(M2, "MAC_2 (Raw")
    plaintext_2 = rfc9529(M2, "PLAINTEXT_2")
    assert edhoc_session.crypt_2(prk_2e, th_2, plaintext_2) == rfc9529(M2, "CIPHERTEXT_2")
    th_3 = edhoc_session.transcript(th_2, plaintext_2, rfc9529(M2, "CRED_R"))
    assert th_3 == rfc9529(M3, "TH_3 (Raw")
    prk_4e3m = edhoc_session.mix(prk_3e2m, 5, th_3, rfc9529(M3, "G_IY"))
    assert prk_4e3m == rfc9529(M3, "PRK_4e3m")
    assert edhoc_session.derive(prk_4e3m, 6, rfc9529(M3, "context_3 (CBOR Seq"), 8) == rfc9529(M3, "MAC_3 (Raw")
    assert edhoc_session.derive(prk_3e2m, 3, th_3, 16) == rfc9529(M3, "K_3")
    assert edhoc_session.derive(prk_3e2m, 4, th_3, 13) == rfc9529(M3, "IV_3")
    th_4 = edhoc_session.transcript(th_3, rfc9529(M3, "PLAINTEXT_3"), rfc9529(M3, "CRED_I"))
    assert th_4 == rfc9529(M3, "TH_4 (Raw")
    assert edhoc_session.derive(prk_4e3m, 7, th_4, 32) == rfc9529(OUT, "PRK_out")
    assert edhoc_session.derive(prk_4e3m, 8, th_4, 16) == rfc9529(M4, "K_4")
    assert edhoc_session.derive(prk_4e3m, 9, th_4, 13) == rfc9529(M4, "IV_4")
    assert edhoc_session.derive(rfc9529(OUT, "PRK_out"), 10, b"", 32) == rfc9529(OUT, "PRK_exporter")


def test_every_method_and_suite_ends_with_the_same_keys_on_both_sides():
    for method in edhoc_client.METHODS:
        for suites in ((2,), (3,), (6, 2)):
            supported = (3,) if suites == (3,) else (2, 3)
            i, r = initiator(method, suites), responder((method,), supported)
            handshake(i, r)
            assert i.oscore() == r.oscore()
            assert i.exporter(7, b"context", 40) == r.exporter(7, b"context", 40)
            assert (i.c_i, i.c_r) == (r.c_i, r.c_r) == (b"\x0a", b"\x0b")
            assert (r.method, r.cipher_suite) == (method, suites[-1]) == (i.method, i.cipher_suite)
            assert i.verify_message_4(r.message_4([(9, b"done"), (0, b"padding")])) == [(9, b"done")]


def test_bytes_on_the_wire_are_as_few_as_the_design_says():
    user, cred_i = identity("user", b"\x2b")
    i = initiator(3, key=user, cred=cred_i)
    assert [len(message) for message in handshake(i, responder(), cred_i)] == [37, 45, 19]
    # Method 2, with a device's kid of one byte and a user's of eight.
    assert [len(message) for message in handshake(initiator(2), responder())] == [37, 102, 28]


def test_ead_travels_in_every_message_and_is_bound_by_the_proofs():
    i, r = initiator(), responder()
    ead_1, ead_2, ead_3 = [(1, b"one")], [(2, None), (3, b"three")], [(4, b"")]
    assert r.parse_message_1(i.message_1([(0, b"pad")] + ead_1)) == (2, b"\x0a", ead_1)
    c_r, id_cred_r, ead = i.parse_message_2(r.message_2(SUITE.generate(), b"\x0b", ead_2 + [(0, bytes(30))]))
    assert (c_r, id_cred_r, ead) == (b"\x0b", CRED_R.id_cred, ead_2)
    i.verify_message_2(CRED_R)
    assert r.parse_message_3(i.message_3(ead_3)) == (CRED_I.id_cred, ead_3)
    r.verify_message_3(CRED_I)
    assert i.oscore() == r.oscore()


def test_an_unknown_critical_ead_ends_the_session():
    critical = [(-5, b"you must understand me")]
    i, r = initiator(), responder()
    with raises(Unsupported, "edhoc-critical-ead"):
        r.parse_message_1(i.message_1(critical))
    i, r = initiator(), responder()
    r.parse_message_1(i.message_1())
    with raises(Unsupported, "edhoc-critical-ead"):
        i.parse_message_2(r.message_2(SUITE.generate(), b"\x0b", critical))
    i, r = initiator(), responder()
    _, message_2 = to_message_2(i, r)
    i.parse_message_2(message_2)
    i.verify_message_2(CRED_R)
    with raises(Unsupported, "edhoc-critical-ead"):
        r.parse_message_3(i.message_3(critical))
    i, r = initiator(), responder()
    handshake(i, r)
    with raises(Unsupported, "edhoc-critical-ead"):
        i.verify_message_4(r.message_4(critical))


def test_a_known_critical_ead_is_handed_over():
    r = responder(known_ead=(5,))
    assert r.parse_message_1(initiator().message_1([(-5, b"x"), (6, None)]))[2] == [(-5, b"x"), (6, None)]


def test_credentials_by_value_travel_whole():
    user, cred_i = identity("user", None)
    device, cred_r = identity("device", None)
    i, r = initiator(key=user, cred=cred_i), responder(key=device, cred=cred_r)
    _, message_2 = to_message_2(i, r)
    assert edhoc.carried(i.parse_message_2(message_2)[1]) == cred_r.data
    i.verify_message_2(cred_r)
    id_cred_i, _ = r.parse_message_3(i.message_3())
    r.verify_message_3(ccs.credential(edhoc.carried(id_cred_i)))
    assert i.oscore() == r.oscore()


def test_nobody_may_be_their_own_peer():
    for method in edhoc_client.METHODS:
        i, r = initiator(method, key=DEVICE, cred=CRED_R), responder()
        _, message_2 = to_message_2(i, r)
        i.parse_message_2(message_2)
        with raises(Untrusted, "edhoc-reflected"):
            i.verify_message_2(CRED_R)


def test_steps_out_of_turn_end_the_session():
    done_i, done_r, new_i, new_r = initiator(), responder(), initiator(), responder()
    message_1, message_2, message_3 = handshake(done_i, done_r)
    for session, step in (
        (done_i, done_i.message_1),
        (done_r, lambda: done_r.parse_message_1(message_1)),
        (new_i, lambda: new_i.parse_message_2(message_2)),
        (new_r, lambda: new_r.parse_message_3(message_3)),
    ):
        for call in (step, session.oscore):
            with raises(LocalError, "edhoc-state"):
                call()


def test_a_message_counts_once():
    i, r = initiator(), responder()
    _, _, message_3 = to_message_3(i, r)
    r.parse_message_3(message_3)
    with raises(LocalError, "edhoc-state"):
        r.parse_message_3(message_3)
    with raises(LocalError, "edhoc-state"):
        r.verify_message_3(CRED_I)


def test_no_keys_come_out_before_the_peer_is_proven():
    i, r = initiator(), responder()
    _, message_2 = to_message_2(i, r)
    i.parse_message_2(message_2)
    for export in (i.oscore, lambda: i.exporter(0, b"", 16), lambda: i.key_update(b""), r.oscore):
        with raises(LocalError, "edhoc-state"):
            export()
    with raises(LocalError, "edhoc-state"):  # and asking ends it
        i.verify_message_2(CRED_R)


def test_a_failed_proof_leaves_nothing_behind():
    i, r = initiator(), responder()
    _, _, message_3 = to_message_3(i, r)
    r.parse_message_3(message_3)
    stranger = identity("stranger", b"\x01")[1]
    with raises(Unverified, "edhoc-mac-3"):
        r.verify_message_3(stranger)
    assert (r._prk, r._th, r._prk_out, r._received, r._key, r._ephemeral) == (None,) * 6
    with raises(LocalError, "edhoc-state"):
        r.oscore()


def forge_mac(session, at):
    """Lets a session send MACs whose byte `at` is wrong."""
    honest = session._mac

    def mac(*arguments):
        made, signed = honest(*arguments)
        return made[:at] + bytes((made[at] ^ 1,)) + made[at + 1 :], signed

    session._mac = mac


def test_every_byte_of_a_mac_counts():
    for suites, length in (((2,), 8), ((3,), 16)):
        for at in range(length):
            i, r = initiator(3, suites), responder(suites=suites)
            forge_mac(r, at)
            i.parse_message_2(to_message_2(i, r)[1])
            with raises(Unverified, "edhoc-mac-2"):
                i.verify_message_2(CRED_R)
            i, r = initiator(3, suites), responder(suites=suites)
            i.parse_message_2(to_message_2(i, r)[1])
            i.verify_message_2(CRED_R)
            forge_mac(i, at)
            r.parse_message_3(i.message_3())
            with raises(Unverified, "edhoc-mac-3"):
                r.verify_message_3(CRED_I)


def test_ephemeral_keys_are_wiped_after_their_last_use_and_on_every_error():
    for method in edhoc_client.METHODS:
        x, y = WatchedKey(SUITE.generate()), WatchedKey(SUITE.generate())
        i, r = initiator(method, ephemeral=x), responder()
        message_3 = to_message_3(i, r, ephemeral=y)[2]
        assert x.calls[-1] == ("erase",)
        r.parse_message_3(message_3)
        r.verify_message_3(CRED_I)
        assert y.calls[-1] == ("erase",) and y.calls.count(("erase",)) == 1
    x, y = WatchedKey(SUITE.generate()), WatchedKey(SUITE.generate())
    i, r = initiator(ephemeral=x), responder()
    _, message_2 = to_message_2(i, r, ephemeral=y)
    with raises(Unverified, "ccm-tag"):
        r.parse_message_3(cbor.encode(bytes(30)))
    assert y.calls[-1] == ("erase",)
    i.parse_message_2(message_2)
    with raises(Unverified, "edhoc-signature-2"):
        i.verify_message_2(identity("stranger", b"\x05")[1])
    assert x.calls[-1] == ("erase",)


def test_a_session_can_be_given_up_at_any_time():
    x = WatchedKey(SUITE.generate())
    i = initiator(ephemeral=x)
    i.message_1()
    i.erase()
    i.erase()
    assert x.calls == [("erase",)]
    with raises(LocalError, "edhoc-state"):
        i.parse_message_2(b"")


def test_key_update_gives_new_keys_and_closes_message_4():
    i, r = initiator(), responder()
    handshake(i, r)
    before = i.oscore()
    i.key_update(b"context")
    assert i.oscore() != r.oscore() == before
    r.key_update(b"other")
    assert i.oscore() != r.oscore()
    i, r = initiator(), responder()
    handshake(i, r)
    i.key_update(b"context")
    r.key_update(b"context")
    assert i.oscore() == r.oscore()
    assert r._prk is None  # the keys of before cannot be found again
    with raises(LocalError, "edhoc-state"):
        r.message_4()


def test_message_4_is_checked_and_comes_once():
    i, r = initiator(), responder()
    handshake(i, r)
    with raises(Unverified, "ccm-tag"):
        i.verify_message_4(cbor.encode(bytes(8)))
    i, r = initiator(), responder()
    handshake(i, r)
    message_4 = r.message_4()
    assert i.verify_message_4(message_4) == []
    assert i.oscore() == r.oscore()
    assert i._prk is r._prk is None  # PRK_out is all that is left
    with raises(LocalError, "edhoc-state"):
        i.verify_message_4(message_4)


def test_no_secret_stands_in_a_repr():
    i, r = initiator(), responder()
    handshake(i, r)
    text = repr(i) + repr(r) + repr(USER) + repr(CRED_I)
    for secret in i.oscore() + (i._prk, i._prk_out):
        assert secret.hex() not in text and repr(secret)[2:-1] not in text
