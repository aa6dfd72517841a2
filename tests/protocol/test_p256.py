"""P-256 keys: the RFCs' own figures, signatures that must fail, nonces that must not repeat, keys that must be gone."""

from admit_protocol import p256, p256_public
from admit_protocol.errors import EntropyError, LocalError, Malformed
from admit_protocol.kdf import sha256
from admit_protocol.p256_curve import N, P
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
        assert next(p256._nonces(secret + digest, nothing)) == int.from_bytes(k, "big")
        assert key.sign(message) == signature
        assert p256.verify(public, message, signature)


def test_rfc_5903_shared_secret_comes_out_on_both_sides():
    i, gi, r, gr, gir = unhex(vectors("p256.json")["rfc5903_8_1"], "i", "gi", "r", "gr", "gir")
    initiator, responder = p256.PrivateKey(i, Dice(b"i").random), p256.PrivateKey(r, Dice(b"r").random)
    assert initiator.public == gi and responder.public == gr
    assert initiator.shared_secret(gr) == responder.shared_secret(gi) == gir


def test_x_alone_gives_the_same_shared_secret_as_both_coordinates():
    random = Dice(b"x alone").random
    for _ in range(4):
        ephemeral, static = p256.generate(random), p256.PrivateKey(p256.new_secret(random), random)
        shared = ephemeral.shared_secret(static.public)
        assert shared == ephemeral.shared_secret(static.public[:32])
        assert shared == static.shared_secret(ephemeral.public) == static.shared_secret(ephemeral.public[:32])


def test_decompress_gives_the_even_y():
    random = Dice(b"decompress").random
    for _ in range(4):
        public = p256.generate(random).public
        recovered = p256_public.decompress(public[:32])
        p256_public.check_public(recovered)
        assert recovered[:32] == public[:32] and recovered[63] & 1 == 0
        y, other_y = int.from_bytes(public[32:], "big"), int.from_bytes(recovered[32:], "big")
        assert other_y in (y, P - y)


def test_a_wrong_point_is_refused_by_everything_that_takes_one():
    key = key_of(5)
    public = key.public
    off_curve = public[:63] + bytes([public[63] ^ 1])
    for bad in (off_curve, public[:63], public + b"\x00", b"\x04" + public, bytes(64), b"\xff" * 64, b""):
        with raises(Malformed, "p256-point"):
            p256_public.check_public(bad)
        with raises(Malformed, "p256-point"):
            key.shared_secret(bad)
        assert p256.verify(bad, b"", bytes(31) + b"\x01" + bytes(31) + b"\x01") is False
    twist = bytes(31) + b"\x01"  # 1 - 3 + B is no square
    for bad in (twist, P.to_bytes(32, "big"), b"\xff" * 32, public, b""):
        with raises(Malformed, "p256-point"):
            p256_public.decompress(bad)
    with raises(Malformed, "p256-point"):
        key.shared_secret(twist)
    with raises(Malformed, "p256-point"):
        p256_public.check_public(public[:32])


def test_only_numbers_below_the_order_and_above_zero_are_secrets():
    for number in (0, N, N + 1, P, (1 << 256) - 1):
        with raises(LocalError, "p256-secret"):
            key_of(number)
    for secret in (b"", b"\x01", b"\x01" * 31, b"\x01" * 33):
        with raises(LocalError, "p256-secret"):
            p256.PrivateKey(secret, stuck)
    one, last = key_of(1), key_of(N - 1)
    assert one.public[:32] == last.public[:32] and one.public != last.public


def test_a_key_can_be_made_only_from_a_source_that_moves():
    for value in (b"\x00", b"\xff"):
        for make in (p256.generate, p256.new_secret):
            with raises(EntropyError, "p256-random"):
                make(lambda length, value=value: value * length)
    tries = [b"\xff" * 32, bytes(32), N.to_bytes(32, "big"), b"\x01" * 32]
    assert p256.new_secret(lambda length: tries.pop(0)) == b"\x01" * 32


def test_a_signature_holds_for_its_message_and_key_and_nothing_else():
    random = Dice(b"sign").random
    key, other = p256.PrivateKey(p256.new_secret(random), random), p256.generate(random)
    for message in (b"", b"open the door", bytes(200)):
        signature = key.sign(message)
        assert len(signature) == 64
        assert p256.verify(key.public, message, signature) is True
        assert p256.verify(key.public, message + b"!", signature) is False
        assert p256.verify(other.public, message, signature) is False
        assert p256.verify(key.public, message, signature[32:] + signature[:32]) is False


def test_x_alone_is_no_key_to_verify_with():
    number = 1
    while key_of(number).public[63] & 1:
        number += 1
    key = key_of(number)  # its y is the even one that x alone would give
    assert p256_public.decompress(key.public[:32]) == key.public
    assert p256.verify(key.public[:32], b"message", key.sign(b"message")) is False


def test_no_flipped_bit_of_a_signature_passes():
    random = Dice(b"flip").random
    key = p256.generate(random)
    signature = key.sign(b"message")
    for bit in range(0, 512, 17):
        forged = bytearray(signature)
        forged[bit >> 3] ^= 1 << (bit & 7)
        assert p256.verify(key.public, b"message", bytes(forged)) is False, bit


def test_r_and_s_out_of_range_are_refused_before_any_arithmetic():
    key = key_of(7)
    signature = key.sign(b"message")
    good_r, good_s = signature[:32], signature[32:]
    before = p256.counts["verify"]
    for number in (0, N, (1 << 256) - 1):
        bad = number.to_bytes(32, "big")
        for forged in (bad + good_s, good_r + bad, bad + bad):
            assert p256.verify(key.public, b"message", forged) is False
    for length in (0, 1, 32, 63, 65, 128):
        assert p256.verify(key.public, b"message", (signature + signature)[:length]) is False
    assert p256.counts["verify"] == before


def test_a_nonce_depends_on_the_message_even_if_the_random_source_is_stuck():
    key = key_of(11, stuck)
    signatures = [key.sign(message) for message in (b"a", b"b", b"c")]
    assert len({r_of(signature) for signature in signatures}) == 3
    assert key.sign(b"a") == signatures[0]


def test_a_nonce_depends_on_randomness_even_if_the_message_repeats():
    key = key_of(11, Dice(b"hedged").random)
    signatures = [key.sign(b"a") for _ in range(3)]
    assert len({r_of(signature) for signature in signatures}) == 3
    assert all(p256.verify(key.public, b"a", signature) for signature in signatures)


def test_a_nonce_depends_on_the_key():
    assert r_of(key_of(11).sign(b"a")) != r_of(key_of(12).sign(b"a"))


def test_a_prepared_nonce_signs_one_message_and_no_second():
    key = key_of(13, stuck)
    unprepared = key.sign(b"a")
    key.prepare_nonce(b"counter 1")
    fixed_base = p256.counts["fixed_base"]
    first = key.sign(b"a")
    assert p256.counts["fixed_base"] == fixed_base  # its costly half was done ahead
    second = key.sign(b"a")
    assert r_of(first) != r_of(unprepared)
    assert second == unprepared  # back to a nonce of the message's own
    assert p256.verify(key.public, b"a", first) and p256.verify(key.public, b"a", second)


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
    honest, p256.hmac_sha256 = p256.hmac_sha256, lambda key, data: outputs.pop(0)
    try:
        assert next(p256._nonces(b"", nothing)) == int.from_bytes(b"\x01" * 32, "big")
    finally:
        p256.hmac_sha256 = honest
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


def test_an_erased_key_does_nothing_more():
    key = key_of(13)
    public, buffer = key.public, key._secret
    key.prepare_nonce()
    key.erase()
    assert buffer == bytes(32) and key._nonce is None
    for use in (lambda: key.shared_secret(public), lambda: key.sign(b"a"), lambda: key.prepare_nonce()):
        with raises(LocalError, "p256-erased"):
            use()
    key.erase()
    with raises(LocalError, "p256-erased"):
        key.sign(b"a")
    assert key.public == public


def test_a_key_keeps_its_own_copy_of_the_secret():
    secret = bytearray(range(1, 33))
    key = p256.PrivateKey(secret, stuck)
    secret[:] = bytes(32)
    assert key.public == p256.PrivateKey(bytes(range(1, 33)), stuck).public


def test_the_secret_stands_in_no_text():
    secret = bytes(range(100, 132))
    key = p256.PrivateKey(secret, stuck)
    key.prepare_nonce()
    for text in (repr(key), str(key), "%s %r" % (key, [key])):
        assert secret.hex() not in text and str(int.from_bytes(secret, "big")) not in text


def test_each_costly_operation_is_counted_once():
    random = Dice(b"counts").random
    start = dict(p256.counts)

    def since():
        return {name: p256.counts[name] - start[name] for name in start if p256.counts[name] != start[name]}

    key, peer = p256.PrivateKey(p256.new_secret(random), random), p256.generate(random)
    assert since() == {}
    assert key.public and key.public and peer.public
    assert since() == {"fixed_base": 2}
    key.shared_secret(peer.public)
    assert since() == {"fixed_base": 2, "variable_base": 1}
    key.shared_secret(peer.public[:32])
    assert since() == {"fixed_base": 2, "variable_base": 2, "recover_y": 1}
    assert p256.verify(key.public, b"a", key.sign(b"a"))
    assert since() == {"fixed_base": 3, "variable_base": 2, "recover_y": 1, "verify": 1}
