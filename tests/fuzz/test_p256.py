"""P-256 under any input: nothing but the named errors, and the same verdicts as OpenSSL."""

from hypothesis import given
from hypothesis import strategies as st

from admit.suite import HostSuite
from admit_protocol import es256, p256, p256_public
from admit_protocol.errors import Malformed
from admit_protocol.p256_curve import N, P
from fuzz.strategies import FUZZ
from memory_ports import Dice

HOST = HostSuite()
KEY = p256.PrivateKey(bytes(range(32)), Dice(b"fuzz").random)
SIGNATURE = KEY.sign(b"message")

corners = st.sampled_from([0, 1, 2, 3, 5, N - 1, N, N + 1, P - 1, P, P + 1, P + 5, 2**256 - 1])
numbers = st.one_of(corners, st.integers(0, 2**256 - 1)).map(lambda number: number.to_bytes(32, "big"))
pairs = st.tuples(numbers, numbers).map(b"".join)
anything = st.one_of(st.binary(max_size=80), numbers, pairs)


def spoilt(data):
    """`data` with one byte changed, or its halves mixed with other numbers."""
    changed = st.tuples(st.integers(0, len(data) - 1), st.integers(1, 255)).map(
        lambda change: data[: change[0]] + bytes([data[change[0]] ^ change[1]]) + data[change[0] + 1 :]
    )
    halves = st.one_of(numbers.map(lambda half: half + data[32:]), numbers.map(lambda half: data[:32] + half))
    return st.one_of(st.just(data), changed, halves)


def outcome(call):
    try:
        return call()
    except Malformed as error:
        return error.reason


@FUZZ
@given(st.one_of(anything, spoilt(KEY.public)))
def test_a_peer_gives_a_secret_or_the_error_that_openssl_gives(peer):
    ours = outcome(lambda: KEY.shared_secret(peer))
    assert ours == outcome(lambda: HOST.private_key(bytes(range(32))).shared_secret(peer))
    assert isinstance(ours, bytes) or ours == "p256-point"


@FUZZ
@given(st.one_of(anything, spoilt(KEY.public)))
def test_a_public_key_passes_only_as_64_bytes_of_a_point(public):
    checked = outcome(lambda: p256_public.check_public(public))
    secret = outcome(lambda: KEY.shared_secret(public))
    assert (checked is None) == (len(public) == 64 and isinstance(secret, bytes))


@FUZZ
@given(anything)
def test_what_decompresses_is_a_point_with_that_x_and_an_even_y(x32):
    public = outcome(lambda: p256_public.decompress(x32))
    if public != "p256-point":
        p256_public.check_public(public)
        assert public[:32] == x32 and public[63] & 1 == 0


@FUZZ
@given(st.one_of(anything, spoilt(SIGNATURE)), st.one_of(st.just(KEY.public), anything, spoilt(KEY.public)))
def test_a_signature_is_true_or_false_and_openssl_agrees(signature, public):
    verdict = es256.verify(public, b"message", signature)
    assert verdict is HOST.verify(public, b"message", signature)
    assert verdict is (signature == SIGNATURE and public == KEY.public)


@FUZZ
@given(st.binary(max_size=300), st.integers(1, N - 1))
def test_any_message_signed_by_any_key_verifies(message, secret):
    key = p256.PrivateKey(secret.to_bytes(32, "big"), Dice(message).random)
    assert es256.verify(key.public, message, key.sign(message))
