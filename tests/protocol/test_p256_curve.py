"""The group of P-256: the comb's table, products from every corner, points that must not pass, and regular steps."""

from admit_protocol import p256_curve as curve
from admit_protocol.errors import Malformed
from admit_protocol.p256_comb import COMB
from admit_protocol.p256_curve import COLUMNS, TEETH
from memory_ports import Dice
from support import raises

P, N = curve.P, curve.N
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
# Where windows, combs and carries begin and end; N - 2 and small ones meet a point's own double on the way.
CORNERS = [1, 2, 3, 4, 5, 14, 15, 16, 17, 30, 31, 32, 33, (1 << 44) - 1, 1 << 44, 1 << 128, 1 << 255, N >> 1]
CORNERS += [N - k for k in (1, 2, 3, 4, 5, 15, 16, 17, 30, 31, 32, 33, 1 << 44)]


def zeros(length):
    return bytes(length)


def ones(length):
    return b"\xff" * length


def affine(jacobian):
    x, y, z = jacobian
    inverse = pow(z, P - 2, P)
    return x * inverse * inverse % P, y * inverse * inverse * inverse % P


def add(first, second):
    return affine(curve._chain(((0, first), (0, second)), 1))


def doubled(point, times):
    return affine(curve._chain(((0, point), (times, None)), 1))


def negative(point):
    return point[0], P - point[1]


def walk(scalar):
    """scalar * G by plain double and add: the slow way that the fast ones must agree with."""
    steps = [(1, G if scalar >> bit & 1 else None) for bit in range(255, -1, -1)]
    return affine(curve._chain(steps, 1))


def test_the_base_point_is_on_the_curve_and_has_order_n():
    assert curve.parse_point(G[0].to_bytes(32, "big") + G[1].to_bytes(32, "big")) == G
    assert walk(N - 1) == negative(G)


def test_the_comb_holds_the_sums_that_it_says():
    teeth = [doubled(G, tooth * COLUMNS) for tooth in range(TEETH)]
    assert len(COMB) == 1 << TEETH - 1
    for i in range(1 << TEETH - 1):
        steps = [(0, teeth[t] if t == TEETH - 1 or i >> t & 1 else negative(teeth[t])) for t in range(TEETH)]
        x, y = affine(curve._chain(steps, 1))
        assert COMB[i] == x.to_bytes(32, "big") + y.to_bytes(32, "big"), i


def test_sums_of_equal_and_opposite_points_and_infinity_are_right():
    infinity = curve._chain(((0, G), (0, negative(G))), 7)
    assert infinity[2] == 0
    assert curve._chain(((5, None),), 7)[2] == 0
    assert affine(curve._chain(((0, G), (0, negative(G)), (3, G)), 7)) == G
    assert add(G, G) == doubled(G, 1)
    assert add(add(G, G), G) == add(G, add(G, G)) == walk(3)


def test_all_ways_to_multiply_agree_at_every_corner():
    random = Dice(b"corners").random
    for scalar in CORNERS:
        expected = walk(scalar)
        for source in (random, zeros, ones):
            assert curve.multiply_base(scalar, source) == expected, scalar
            assert curve.multiply(scalar, G, source, True) == expected[0], scalar
            assert curve.multiply(scalar, G, source, False) == expected[0], scalar


def test_products_with_another_point_commute():
    random = Dice(b"commute").random
    for _ in range(10):
        a, b = curve.random_nonzero(random, N), curve.random_nonzero(random, N)
        a_point, b_point = curve.multiply_base(a, random), curve.multiply_base(b, random)
        x = curve.multiply(a, b_point, random, True)
        assert x == curve.multiply(b, a_point, random, False) == curve.multiply_base(a * b % N, random)[0]


def test_odd_multiples_are_what_they_are_called():
    for scalar in (1, 2, N - 1, 0x123456789):
        point = walk(scalar)
        table = curve._odd_multiples(point)
        for w in range(16):
            assert table[w] == walk((2 * w - 15) * scalar % N), (scalar, w)


def test_a_secret_makes_the_same_steps_whatever_it_is():
    table = curve._odd_multiples(G)
    for scalar in CORNERS + [0]:
        for blind, digits in ((1, 65), (0, 80), ((1 << 64) - 1, 80)):
            steps = list(curve._windows(curve._odd(scalar, blind), digits, table))
            assert [doublings for doublings, _ in steps] == [0] + [4] * (digits - 1)
            assert all(point in table for _, point in steps)
        for blind in (0, 1, (1 << 48) - 1):
            steps = list(curve._columns(scalar, blind))
            assert [doublings for doublings, _ in steps] == [1] * COLUMNS
            assert all(point for _, point in steps)


def test_a_blinded_scalar_is_odd_and_makes_the_same_multiple():
    for scalar in CORNERS + [0]:
        for blind in (0, 1, 2, 1 << 48, (1 << 64) - 1):
            blinded = curve._odd(scalar, blind)
            assert blinded & 1
            assert (blinded - scalar) % N == 0
            assert (blinded - scalar) // N in (blind, blind + 1)


def test_a_long_term_scalar_and_every_z_are_fresh_each_time():
    asked = []

    def recorder(length):
        asked.append(length)
        return bytes(length)

    curve.multiply_base(5, recorder)
    curve.multiply(5, G, recorder, True)
    curve.multiply(5, G, recorder, False)
    assert asked == [6, 32, 32, 8, 32]


def test_the_random_z_reaches_every_later_coordinate():
    table = curve._odd_multiples(G)
    one, other = [curve._chain(curve._windows(curve._odd(12345, 1), 65, table), z) for z in (1, 99)]
    assert one[0] != other[0] and one[1] != other[1] and one[2] != other[2]
    assert affine(one) == affine(other) == walk(12345)


def test_public_scalars_split_into_sparse_digits():
    for scalar in CORNERS + [0]:
        digits = {place: byte - 16 for place, byte in enumerate(curve._sparse_digits(scalar)) if byte}
        assert sum([digit * (1 << place) for place, digit in digits.items()]) == scalar
        assert all(digit & 1 and -15 <= digit <= 15 for digit in digits.values())
        places = sorted(digits)
        assert all(0 <= place <= 256 for place in places)
        assert all(b - a >= 5 for a, b in zip(places, places[1:]))


def test_sums_of_two_products_are_recognised_by_their_x():
    two, three = walk(2), walk(3)
    assert curve.sum_has_x(0, 1, G, G[0] % N)
    assert curve.sum_has_x(1, 0, G, G[0] % N)
    assert curve.sum_has_x(1, 1, G, two[0] % N)  # meets its own double
    assert curve.sum_has_x(1, 1, two, three[0] % N)
    assert curve.sum_has_x(N - 1, 2, two, three[0] % N)
    assert not curve.sum_has_x(1, 1, two, two[0] % N)


def test_infinity_has_no_x_at_all():
    for x in (0, 1, G[0] % N):
        assert not curve.sum_has_x(0, 0, G, x)
        assert not curve.sum_has_x(1, N - 1, G, x)
        assert not curve.sum_has_x(N - 1, 1, G, x)


def test_an_x_beyond_the_order_is_compared_modulo_the_order():
    point, excess = None, -1
    while point is None:
        excess += 1
        try:
            point = curve.parse_point((N + excess).to_bytes(32, "big"))
        except Malformed:
            pass
    assert curve.sum_has_x(0, 1, point, excess)
    assert not curve.sum_has_x(0, 1, point, excess + 1)
    # The same x modulo P, from the other side: no candidate at or above P counts.
    low = curve.parse_point(bytes(31) + b"\x05")
    assert not curve.sum_has_x(0, 1, low, 5 + P - N)


def test_inverses_multiply_to_one():
    for modulus in (P, N):
        for value in (1, 2, 3, modulus - 1, modulus - 2, modulus >> 1, G[0] % modulus):
            inverse = curve.invert(value, modulus)
            assert 0 < inverse < modulus
            assert value * inverse % modulus == 1


def test_points_off_the_curve_and_unreduced_coordinates_are_refused():
    x, y = [number.to_bytes(32, "big") for number in G]
    zero_x = curve.parse_point(bytes(32))  # x = 0 is a point, so x = P would be a second name for it
    bad = [
        bytes(64),
        x + bytes(32),
        bytes(32) + y,
        y + x,
        x + (G[1] ^ 1).to_bytes(32, "big"),
        P.to_bytes(32, "big"),
        P.to_bytes(32, "big") + zero_x[1].to_bytes(32, "big"),
        x + P.to_bytes(32, "big"),
        b"\xff" * 64,
        b"\xff" * 32,
        b"",
        x[:31],
        x + y[:31],
        x + y + b"\x00",
        b"\x04" + x + y,
        b"\x02" + x,
    ]
    for data in bad:
        with raises(Malformed, "p256-point"):
            curve.parse_point(data)


def test_a_coordinate_has_one_name_only():
    # The small coordinates are those whose sum with P still fits into 32 bytes.
    x, y = curve.parse_point(bytes(31) + b"\x05")
    assert curve.parse_point(bytes(31) + b"\x05" + y.to_bytes(32, "big")) == (5, y)
    with raises(Malformed, "p256-point"):
        curve.parse_point((5 + P).to_bytes(32, "big") + y.to_bytes(32, "big"))
    with raises(Malformed, "p256-point"):
        curve.parse_point((5 + P).to_bytes(32, "big"))
    x_of_y_5 = bytes.fromhex("d7325d7646cd60d80a92738ceb345f844cffaf35841022cab176f692de8de1d7")
    assert curve.parse_point(x_of_y_5 + bytes(31) + b"\x05")[1] == 5
    with raises(Malformed, "p256-point"):
        curve.parse_point(x_of_y_5 + (5 + P).to_bytes(32, "big"))


def test_from_x_alone_comes_the_even_y_or_an_error():
    points = 0
    for number in range(40):
        try:
            x, y = curve.parse_point(number.to_bytes(32, "big"))
        except Malformed:
            continue
        points += 1
        assert x == number and y & 1 == 0
        for known in (y, P - y):
            assert curve.parse_point(x.to_bytes(32, "big") + known.to_bytes(32, "big")) == (x, known)
    assert 10 < points < 30  # half of all numbers are an x; the other half belongs to the curve's twist
