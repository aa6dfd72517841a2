"""The suite's one interface: two parties agree on a secret, sign and seal; what is wrong is refused by name."""

from admit_protocol import ccm, p256
from admit_protocol.errors import EntropyError, LocalError, Malformed, Unverified
from admit_protocol.suite import Suite
from memory_ports import Dice
from support import raises

SUITE = Suite(Dice(b"suite").random)


def test_two_ephemeral_keys_agree():
    x, y = SUITE.generate(), SUITE.generate()
    assert len(x.public) == 64 and x.public != y.public
    assert x.shared_secret(y.public) == y.shared_secret(x.public[:32])


def test_a_kept_secret_is_the_same_key_again():
    secret = SUITE.new_secret()
    assert len(secret) == 32
    first, again = SUITE.private_key(secret), SUITE.private_key(secret)
    assert first.public == again.public
    assert SUITE.verify(again.public, b"message", first.sign(b"message"))


def test_a_signature_with_a_prepared_nonce_is_like_any_other():
    key = SUITE.private_key(SUITE.new_secret())
    key.prepare_nonce(b"counter")
    signature = key.sign(b"message")
    assert SUITE.verify(key.public, b"message", signature) is True
    assert SUITE.verify(key.public, b"another", signature) is False
    assert SUITE.verify(key.public, b"message", signature[:63]) is False


def test_what_is_sealed_opens_and_a_forgery_does_not():
    key, nonce = SUITE.random(16), SUITE.random(13)
    for tag_length in (8, 16):
        sealed = SUITE.encrypt(key, nonce, b"open", b"aad", tag_length)
        assert sealed == ccm.encrypt(key, nonce, b"open", b"aad", tag_length)
        assert SUITE.decrypt(key, nonce, sealed, b"aad", tag_length) == b"open"
        with raises(Unverified, "ccm-tag"):
            SUITE.decrypt(key, nonce, sealed, b"aad!", tag_length)
    assert len(SUITE.encrypt(key, nonce, b"open", b"aad")) == 12


def test_wrong_secrets_points_and_dead_keys_are_refused():
    with raises(LocalError, "p256-secret"):
        SUITE.private_key(bytes(32))
    key = SUITE.generate()
    with raises(Malformed, "p256-point"):
        key.shared_secret(bytes(64))
    key.erase()
    with raises(LocalError, "p256-erased"):
        key.shared_secret(SUITE.generate().public)


def test_an_ephemeral_key_costs_the_multiplications_of_one_and_a_kept_key_is_blinded():
    asked = []

    def recorder(length):
        asked.append(length)
        return b"\x01" * length

    suite = Suite(recorder)
    peer = SUITE.generate().public
    ephemeral, kept = suite.generate(), suite.private_key(suite.new_secret())
    asked.clear()
    ephemeral.shared_secret(peer)
    assert asked == [32]
    asked.clear()
    kept.shared_secret(peer)
    assert asked == [8, 32]


def test_a_failed_random_source_makes_no_key():
    def failing(length):
        raise EntropyError("entropy-stuck")

    for make in (Suite(failing).generate, Suite(failing).new_secret):
        with raises(EntropyError, "entropy-stuck"):
            make()
    with raises(EntropyError, "p256-random"):
        Suite(bytes).generate()
    assert isinstance(SUITE.generate(), p256.PrivateKey)
