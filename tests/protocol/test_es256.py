"""ES256: signatures that hold for one message and key, and nonces that never repeat, whichever source fails."""

from admit_protocol import es256, p256, p256_curve, p256_public
from admit_protocol.errors import EntropyError
from admit_protocol.kdf import sha256
from admit_protocol.p256_curve import N
from memory_ports import Dice
from support import raises, vectors


def nothing(length):
    """No randomness at all: what is left is the RFC's own deterministic signature."""
    return b""


def stuck(length):
    """A random source that has failed unseen."""
    return b"\x17" * length


def unhex(vector, *names):
    return [bytes.fromhex(vector[name]) for name in names]


def key_of(number, random=stuck):
    return p256.PrivateKey(number.to_bytes(32, "big"), random)


def r_of(signature):
    return signature[:32]


def test_rfc_6979_signatures_are_reproduced_to_the_byte():
    vector = vectors("p256.json")["rfc6979_a_2_5"]
    secret, public = unhex(vector, "secret", "public")
    key = p256.PrivateKey(secret, nothing)
    assert key.public == public
    for case in vector["signatures"]:
        message = case["message"].encode()
        k, signature = unhex(case, "k", "signature")
        digest = (int.from_bytes(sha256(message), "big") % N).to_bytes(32, "big")
        assert next(es256._nonces(secret + digest, nothing)) == int.from_bytes(k, "big")
        assert key.sign(message) == signature
        assert es256.verify(public, message, signature)


def test_a_signature_holds_for_its_message_and_key_and_nothing_else():
    random = Dice(b"sign").random
    key, other = p256.PrivateKey(p256.new_secret(random), random), p256.generate(random)
    for message in (b"", b"open the door", bytes(200)):
        signature = key.sign(message)
        assert len(signature) == 64
        assert es256.verify(key.public, message, signature) is True
        assert es256.verify(key.public, message + b"!", signature) is False
        assert es256.verify(other.public, message, signature) is False
        assert es256.verify(key.public, message, signature[32:] + signature[:32]) is False


def test_x_alone_is_no_key_to_verify_with():
    number = 1
    while key_of(number).public[63] & 1:
        number += 1
    key = key_of(number)  # its y is the even one that x alone would give
    assert p256_public.decompress(key.public[:32]) == key.public
    assert es256.verify(key.public[:32], b"message", key.sign(b"message")) is False


def test_no_flipped_bit_of_a_signature_passes():
    random = Dice(b"flip").random
    key = p256.generate(random)
    signature = key.sign(b"message")
    for bit in range(0, 512, 17):
        forged = bytearray(signature)
        forged[bit >> 3] ^= 1 << (bit & 7)
        assert es256.verify(key.public, b"message", bytes(forged)) is False, bit


def test_r_and_s_out_of_range_are_refused_before_any_arithmetic():
    key = key_of(7)
    signature = key.sign(b"message")
    good_r, good_s = signature[:32], signature[32:]
    before = p256_curve.counts["verify"]
    for number in (0, N, (1 << 256) - 1):
        bad = number.to_bytes(32, "big")
        for forged in (bad + good_s, good_r + bad, bad + bad):
            assert es256.verify(key.public, b"message", forged) is False
    for length in (0, 1, 32, 63, 65, 128):
        assert es256.verify(key.public, b"message", (signature + signature)[:length]) is False
    assert p256_curve.counts["verify"] == before


def test_a_nonce_depends_on_the_message_even_if_the_random_source_is_stuck():
    key = key_of(11, stuck)
    signatures = [key.sign(message) for message in (b"a", b"b", b"c")]
    assert len({r_of(signature) for signature in signatures}) == 3
    assert key.sign(b"a") == signatures[0]


def test_a_nonce_depends_on_randomness_even_if_the_message_repeats():
    key = key_of(11, Dice(b"hedged").random)
    signatures = [key.sign(b"a") for _ in range(3)]
    assert len({r_of(signature) for signature in signatures}) == 3
    assert all(es256.verify(key.public, b"a", signature) for signature in signatures)


def test_a_nonce_depends_on_the_key():
    assert r_of(key_of(11).sign(b"a")) != r_of(key_of(12).sign(b"a"))


def test_a_prepared_nonce_signs_one_message_and_no_second():
    key = key_of(13, stuck)
    unprepared = key.sign(b"a")
    key.prepare_nonce(b"counter 1")
    fixed_base = p256_curve.counts["fixed_base"]
    first = key.sign(b"a")
    assert p256_curve.counts["fixed_base"] == fixed_base  # its costly half was done ahead
    second = key.sign(b"a")
    assert r_of(first) != r_of(unprepared)
    assert second == unprepared  # back to a nonce of the message's own
    assert es256.verify(key.public, b"a", first) and es256.verify(key.public, b"a", second)


def test_the_callers_counter_keeps_prepared_nonces_apart_if_the_random_source_is_stuck():
    found = set()
    for counter in range(4):
        key = key_of(13, stuck)  # as after a reset: nothing is remembered but the counter
        key.prepare_nonce(bytes([counter]))
        found.add(r_of(key.sign(b"same message")))
    assert len(found) == 4


def test_randomness_keeps_prepared_nonces_apart_if_the_counter_repeats():
    key = key_of(13, Dice(b"prepared").random)
    found = set()
    for _ in range(4):
        key.prepare_nonce(b"counter 1")
        found.add(r_of(key.sign(b"same message")))
    assert len(found) == 4


def test_a_prepared_nonce_is_never_that_of_a_message():
    key = key_of(13, stuck)
    digest = int.from_bytes(sha256(b"a"), "big") % N
    key.prepare_nonce(digest.to_bytes(32, "big"))
    assert r_of(key.sign(b"a")) != r_of(key.sign(b"a"))


def test_a_nonce_out_of_range_is_passed_over():
    outputs = [bytes(32)] * 4 + [b"\xff" * 32, bytes(32), bytes(32), bytes(32), bytes(32), bytes(32), b"\x01" * 32]
    honest, es256.hmac_sha256 = es256.hmac_sha256, lambda key, data: outputs.pop(0)
    try:
        assert next(es256._nonces(b"", nothing)) == int.from_bytes(b"\x01" * 32, "big")
    finally:
        es256.hmac_sha256 = honest
    assert outputs == []


def test_a_prepared_nonce_is_gone_even_if_signing_fails():
    key = key_of(13, stuck)
    unprepared = key.sign(b"a")
    key.prepare_nonce(b"counter 1")
    prepared = key.sign(b"a")
    key.prepare_nonce(b"counter 1")  # the same nonce again, which only a test may do
    try:
        key.sign(None)
        raise AssertionError("None is no message")
    except TypeError:
        pass
    assert key.sign(b"a") == unprepared != prepared


def test_preparing_again_forgets_the_nonce_before_and_a_failure_leaves_none():
    healthy = [True]

    def failing(length):
        if not healthy[0]:
            raise EntropyError("entropy-stuck")
        return stuck(length)

    key = key_of(13, failing)
    unprepared = key.sign(b"a")
    key.prepare_nonce(b"1")
    healthy[0] = False
    with raises(EntropyError, "entropy-stuck"):
        key.prepare_nonce(b"2")
    with raises(EntropyError, "entropy-stuck"):
        key.sign(b"a")
    healthy[0] = True
    assert key.sign(b"a") == unprepared


def test_a_prepared_signature_needs_no_randomness_any_more():
    drawn = []

    def recorder(length):
        drawn.append(length)
        return stuck(length)

    key = key_of(13, recorder)
    key.prepare_nonce()
    ahead = len(drawn)
    key.sign(b"a")
    assert ahead == len(drawn) > 0
