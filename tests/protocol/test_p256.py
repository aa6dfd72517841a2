"""P-256 keys: the RFCs' own figures, points and secrets that must fail, keys that must be gone."""

from admit_protocol import es256, p256, p256_curve, p256_public
from admit_protocol.errors import EntropyError, LocalError, Malformed
from admit_protocol.p256_curve import N, P
from memory_ports import Dice
from support import raises, vectors


def stuck(length):
    """A random source that has failed unseen."""
    return b"\x17" * length


def unhex(vector, *names):
    return [bytes.fromhex(vector[name]) for name in names]


def key_of(number, random=stuck):
    return p256.PrivateKey(number.to_bytes(32, "big"), random)


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
        assert es256.verify(bad, b"", bytes(31) + b"\x01" + bytes(31) + b"\x01") is False
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
    start = dict(p256_curve.counts)

    def since():
        return {name: p256_curve.counts[name] - start[name] for name in start if p256_curve.counts[name] != start[name]}

    key, peer = p256.PrivateKey(p256.new_secret(random), random), p256.generate(random)
    assert since() == {}
    assert key.public and key.public and peer.public
    assert since() == {"fixed_base": 2}
    key.shared_secret(peer.public)
    assert since() == {"fixed_base": 2, "variable_base": 1}
    key.shared_secret(peer.public[:32])
    assert since() == {"fixed_base": 2, "variable_base": 2, "recover_y": 1}
    assert es256.verify(key.public, b"a", key.sign(b"a"))
    assert since() == {"fixed_base": 3, "variable_base": 2, "recover_y": 1, "verify": 1}
