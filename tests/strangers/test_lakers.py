"""lakers, an EDHOC in Rust, as our peer in either role: method 3, suite 2, CCS by kid and by value."""

import lakers
import pytest

from admit.suite import HostSuite
from admit_protocol import ccs, edhoc, kdf
from admit_protocol.errors import Unsupported, Unverified
from admit_protocol.suite import Suite
from edhoc_peers import Stream, initiator, responder

SECRET_I, SECRET_R = kdf.sha256(b"lakers: user"), kdf.sha256(b"lakers: device")
C_I, C_R = b"\x0e", b"\x27"
BY_KID, BY_VALUE = lakers.CredentialTransfer.ByReference, lakers.CredentialTransfer.ByValue

suites = pytest.mark.parametrize("suite", [Suite(Stream(b"lakers")), HostSuite()], ids=["plain", "openssl"])
transfers = pytest.mark.parametrize("transfer", [BY_KID, BY_VALUE], ids=["kid", "kccs"])


def credential(suite, secret, name, kid, transfer):
    """(our key, our Credential, lakers' Credential) of one CCS that its owner sends as `transfer` says."""
    key = suite.private_key(secret)
    data = ccs.encode(name, key.public, kid)
    id_cred = {4: kid} if transfer == BY_KID else edhoc.by_value(data)
    return key, edhoc.Credential(data, key.public, id_cred), lakers.Credential(data)


def assert_same_keys(ours, theirs):
    assert ours.oscore() == (theirs.edhoc_exporter(0, b"", 16), theirs.edhoc_exporter(1, b"", 8))
    assert ours.exporter(9, b"context", 33) == theirs.edhoc_exporter(9, b"context", 33)
    theirs.edhoc_key_update(b"a new epoch")
    ours.key_update(b"a new epoch")
    assert ours.oscore() == (theirs.edhoc_exporter(0, b"", 16), theirs.edhoc_exporter(1, b"", 8))


@suites
@transfers
def test_lakers_knocks_at_our_responder(suite, transfer):
    _, cred_i, their_cred_i = credential(suite, SECRET_I, "user", b"\x2b", transfer)
    key, cred_r, their_cred_r = credential(suite, SECRET_R, "device", b"\x05", transfer)
    theirs = lakers.EdhocInitiator()
    ours = responder((3,), (2,), key, cred_r, suite)
    message_1 = theirs.prepare_message_1(C_I, [lakers.EADItem(7, False, b"one")])
    assert ours.parse_message_1(message_1) == (3, C_I, [(7, b"one")])
    message_2 = ours.message_2(suite.generate(), C_R, [(8, b"two")])
    c_r, id_cred_r, ead_2 = theirs.parse_message_2(message_2)
    assert (c_r, id_cred_r, ead_2[0].value()) == (C_R, their_id(cred_r), b"two")
    theirs.verify_message_2(SECRET_I, their_cred_i, their_cred_r)
    message_3, _ = theirs.prepare_message_3(transfer, [lakers.EADItem(9, False, b"three")])
    assert ours.parse_message_3(message_3) == (cred_i.id_cred, [(9, b"three")])
    ours.verify_message_3(cred_i)
    assert theirs.process_message_4(ours.message_4()) == []
    assert_same_keys(ours, theirs)


def their_id(cred):
    """lakers hands out ID_CRED_x as an encoded map."""
    return bytes.fromhex("a10441") + cred.id_cred[4] if 4 in cred.id_cred else bytes.fromhex("a10e") + cred.data


@suites
@transfers
def test_our_initiator_knocks_at_lakers(suite, transfer):
    key, cred_i, their_cred_i = credential(suite, SECRET_I, "user", b"\x2b", transfer)
    _, cred_r, their_cred_r = credential(suite, SECRET_R, "device", b"\x05", transfer)
    theirs = lakers.EdhocResponder(SECRET_R, their_cred_r)
    ours = initiator(3, (2,), C_I, key, cred_i, suite)
    c_i, ead_1 = theirs.process_message_1(ours.message_1([(7, b"one")]))
    assert (c_i, ead_1[0].value()) == (C_I, b"one")
    message_2 = theirs.prepare_message_2(transfer, C_R, [lakers.EADItem(8, False, b"two")])
    assert ours.parse_message_2(message_2) == (C_R, cred_r.id_cred, [(8, b"two")])
    ours.verify_message_2(cred_r)
    id_cred_i, ead_3 = theirs.parse_message_3(ours.message_3([(9, b"three")]))
    assert (id_cred_i, ead_3[0].value()) == (their_id(cred_i), b"three")
    theirs.verify_message_3(their_cred_i)
    assert ours.verify_message_4(theirs.prepare_message_4([lakers.EADItem(1, False, b"four")])) == [(1, b"four")]
    assert_same_keys(ours, theirs)


def test_without_ead_the_bytes_are_as_few_as_can_be():
    suite = HostSuite()
    _, cred_i, their_cred_i = credential(suite, SECRET_I, "user", b"\x2b", BY_KID)
    key, cred_r, their_cred_r = credential(suite, SECRET_R, "device", b"\x05", BY_KID)
    theirs, ours = lakers.EdhocInitiator(), responder((3,), (2,), key, cred_r, suite)
    message_1 = theirs.prepare_message_1(C_I)
    ours.parse_message_1(message_1)
    message_2 = ours.message_2(suite.generate(), C_R)
    theirs.parse_message_2(message_2)
    theirs.verify_message_2(SECRET_I, their_cred_i, their_cred_r)
    message_3, _ = theirs.prepare_message_3(BY_KID)
    ours.parse_message_3(message_3)
    ours.verify_message_3(cred_i)
    assert (len(message_1), len(message_2), len(message_3)) == (37, 45, 19)


def test_lakers_and_we_refuse_the_same_impostor():
    suite = HostSuite()
    _, cred_i, their_cred_i = credential(suite, SECRET_I, "user", b"\x2b", BY_KID)
    key, cred_r, _ = credential(suite, SECRET_R, "device", b"\x05", BY_KID)
    _, expected, their_expected = credential(suite, kdf.sha256(b"another"), "device", b"\x05", BY_KID)
    theirs, ours = lakers.EdhocInitiator(), responder((3,), (2,), key, cred_r, suite)
    ours.parse_message_1(theirs.prepare_message_1(C_I))
    theirs.parse_message_2(ours.message_2(suite.generate(), C_R))
    with pytest.raises(ValueError, match="MacVerificationFailed"):
        theirs.verify_message_2(SECRET_I, their_cred_i, their_expected)

    ours = initiator(3, (2,), C_I, suite.private_key(SECRET_I), cred_i, suite)
    theirs = lakers.EdhocResponder(SECRET_R, lakers.Credential(cred_r.data))
    theirs.process_message_1(ours.message_1())
    ours.parse_message_2(theirs.prepare_message_2(BY_KID, C_R))
    with pytest.raises(Unverified) as caught:
        ours.verify_message_2(expected)
    assert caught.value.reason == "edhoc-mac-2"


def test_a_critical_ead_of_lakers_is_refused():
    ours = responder((3,), (2,))
    with pytest.raises(Unsupported) as caught:
        ours.parse_message_1(lakers.EdhocInitiator().prepare_message_1(C_I, [lakers.EADItem(5, True, b"x")]))
    assert caught.value.reason == "edhoc-critical-ead"
