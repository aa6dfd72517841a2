"""The host's suite beside the plain one: what one makes the other takes; both refuse the same by one name."""

import pytest

from admit.suite import HostSuite
from admit_protocol.errors import AdmitError, LocalError, Malformed, Unverified
from admit_protocol.suite import Suite
from memory_ports import Dice

HOST, PLAIN = HostSuite(), Suite(Dice(b"host suite").random)
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
both = pytest.mark.parametrize("suite", [HOST, PLAIN], ids=["openssl", "plain"])
crosswise = pytest.mark.parametrize(("mine", "yours"), [(HOST, PLAIN), (PLAIN, HOST)], ids=["host-plain", "plain-host"])


def reason(call):
    """The class and reason of the error that a call raises; None if it raises none of ours."""
    try:
        call()
    except AdmitError as error:
        return type(error), error.reason
    return None


@crosswise
def test_keys_signatures_and_secrets_cross_over(mine, yours):
    secret = mine.new_secret()
    kept, again = mine.private_key(secret), yours.private_key(secret)
    assert kept.public == again.public
    kept.prepare_nonce(b"1")
    for key in (kept, again, mine.generate()):
        assert yours.verify(key.public, b"message", key.sign(b"message")) is True
        assert yours.verify(key.public, b"another", key.sign(b"message")) is False
    ephemeral = yours.generate()
    assert ephemeral.shared_secret(kept.public[:32]) == kept.shared_secret(ephemeral.public)


@crosswise
def test_sealed_data_crosses_over(mine, yours):
    key, nonce = mine.random(16), yours.random(13)
    for aad in (b"", b"aad"):
        for plaintext in (b"", b"open", bytes(1000)):
            for tag_length in (8, 16):
                sealed = mine.encrypt(key, nonce, plaintext, aad, tag_length)
                assert yours.decrypt(key, nonce, sealed, aad, tag_length) == plaintext
                assert len(sealed) == len(plaintext) + tag_length


@both
def test_each_refusal_has_the_same_name_in_both(suite):
    key = suite.generate()
    for bad in (bytes(64), b"\xff" * 64, b"\xff" * 32, bytes(31), b"", key.public[:63], b"\x04" + key.public):
        assert reason(lambda bad=bad: key.shared_secret(bad)) == (Malformed, "p256-point")
        assert suite.verify(bad, b"", key.sign(b"")) is False
    for bad in (b"", bytes(32), bytes(33), b"\x01" * 31, N.to_bytes(32, "big"), b"\xff" * 32):
        assert reason(lambda bad=bad: suite.private_key(bad)) == (LocalError, "p256-secret")


@both
def test_signatures_out_of_range_or_of_another_length_are_false(suite):
    key = suite.private_key(b"\x01" * 32)  # its y is even, so that its x alone would name it too
    assert suite.verify(key.public, b"message", key.sign(b"message")) is True
    signature = key.sign(b"message")
    for number in (0, N, 2**256 - 1):
        bad = number.to_bytes(32, "big")
        assert suite.verify(key.public, b"message", bad + signature[32:]) is False
        assert suite.verify(key.public, b"message", signature[:32] + bad) is False
    assert suite.verify(key.public[:32], b"message", signature) is False
    for bad in (b"", signature[:63], signature + b"\x00", bytes(64)):
        assert suite.verify(key.public, b"message", bad) is False


@both
def test_a_forged_tag_and_wrong_parameters_are_refused(suite):
    key, nonce = bytes(16), bytes(13)
    sealed = suite.encrypt(key, nonce, b"open", b"aad")
    for forged in (b"", sealed[:7], sealed[:-1], sealed + b"\x00", bytes([sealed[0] ^ 1]) + sealed[1:]):
        assert reason(lambda forged=forged: suite.decrypt(key, nonce, forged, b"aad")) == (Unverified, "ccm-tag")
    assert reason(lambda: suite.decrypt(key, nonce, sealed, b"")) == (Unverified, "ccm-tag")
    wrong = (LocalError, "ccm-parameters")
    assert reason(lambda: suite.encrypt(bytes(32), nonce, b"", b"")) == wrong
    assert reason(lambda: suite.encrypt(key, bytes(12), b"", b"")) == wrong
    assert reason(lambda: suite.encrypt(key, nonce, b"", b"", 4)) == wrong
    assert reason(lambda: suite.encrypt(key, nonce, bytes(0x10000), b"")) == wrong
    assert reason(lambda: suite.encrypt(key, nonce, b"", bytes(0xFF00))) == wrong


@both
def test_an_erased_key_does_nothing_more(suite):
    key, peer = suite.generate(), suite.generate().public
    key.erase()
    for use in (lambda: key.shared_secret(peer), lambda: key.sign(b""), key.prepare_nonce):
        assert reason(use) == (LocalError, "p256-erased")


@both
def test_a_key_says_nothing_of_its_secret(suite):
    secret = suite.new_secret()
    text = repr(suite.private_key(secret))
    assert secret.hex() not in text and str(int.from_bytes(secret, "big")) not in text
