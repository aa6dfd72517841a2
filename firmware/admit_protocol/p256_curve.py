"""The group of P-256 on plain big integers (SEC 2 section 2.4.2, SP 800-186): points in, products out.

Owns: the curve's arithmetic, the checking of points, and what hides a secret scalar from a clock.
Rules: big-integer arithmetic is not constant in time, so a secret is never worked on as it is: a scalar gets a random
multiple of the group's order, a point a random Z, an inversion a random factor. The sequence of operations on a secret
is fixed: each of its digits costs the same and none is zero. Work on public data may take its time from the data.
Must not know: keys, hashes, signatures, where randomness comes from (`random(length) -> bytes`, handed in).

A point is a tuple (x, y) of integers in 0..P-1 with y^2 = x^3 - 3x + B; infinity has none. Jacobian coordinates
(X, Y, Z) stand for (X / Z^2, Y / Z^3), with Z = 0 for infinity. A *step* (doublings, point or None) of `_chain` means:
double so many times, then add the point. Multiplying two 256-bit numbers and reducing the product is nearly all the
cost; the figures below count those multiplications, and tests count them in the code.
"""

from .const import const
from .errors import Malformed

P = const(0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF)
N = const(0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551)
B = const(0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B)

# The comb of fixed-base products: see p256_comb.
TEETH = const(7)
COLUMNS = const(44)

# How often each costly operation has run; tests and benchmarks read it.
counts = {"fixed_base": 0, "variable_base": 0, "verify": 0, "recover_y": 0}


def parse_point(data):
    """The point of x || y (64 bytes), or of x (32 bytes) and an even y. Raises Malformed p256-point if there is none.

    The group's order is prime and its cofactor 1, so every point of the curve is in it. SEC 1 sections 2.3.4, 3.2.2.1.
    """
    x = int.from_bytes(data[:32], "big")
    if len(data) not in (32, 64) or x >= P:
        raise Malformed("p256-point")
    square = ((x * x - 3) * x + B) % P
    y = int.from_bytes(data[32:], "big") if len(data) == 64 else _even_root(square)
    if y >= P or y * y % P != square:
        raise Malformed("p256-point")
    return x, y


def multiply_base(scalar, random):
    """The point scalar * G, for a secret scalar in 1..N-1. 825 multiplications."""
    counts["fixed_base"] += 1
    steps = _columns(scalar, int.from_bytes(random(6), "big"))
    x, y, z = _chain(steps, random_nonzero(random, P))
    inverse = invert(z, P)  # blinded by the random Z of the chain
    square = inverse * inverse % P
    return x * square % P, y * square % P * inverse % P


def multiply(scalar, point, random, fresh):
    """The x of scalar * point, for a secret scalar in 1..N-1. 3,493 multiplications, or 2,848 for a `fresh` scalar.

    A fresh scalar lives for one exchange: its points are blinded and its length is hidden, but its digits are its own.
    """
    counts["variable_base"] += 1
    if fresh:
        scalar, digits = _odd(scalar, 1), 65
    else:
        scalar, digits = _odd(scalar, int.from_bytes(random(8), "big")), 80
    x, _, z = _chain(_windows(scalar, digits, _odd_multiples(point)), random_nonzero(random, P))
    inverse = invert(z, P)  # blinded by the random Z of the chain
    return x * inverse % P * inverse % P


def sum_has_x(base_scalar, scalar, point, x_mod_n):
    """Whether base_scalar * G + scalar * point is not infinity and has an x of `x_mod_n` modulo N. Public data only.

    All three numbers in 0..N-1. About 3,080 multiplications.
    """
    counts["verify"] += 1
    x, _, z = _chain(_interleaved(base_scalar, scalar, _odd_multiples(point)), 1)
    zz = z * z % P
    # Cheaper than dividing X by Z^2. Up to two numbers below P may be that x, as N < P.
    return z != 0 and (x_mod_n * zz % P == x or (x_mod_n + N < P and (x_mod_n + N) * zz % P == x))


def random_nonzero(random, modulus):
    """An unpredictable number in 1..modulus-1. It is biased by 2^-32: good enough to blind with, never for a nonce."""
    return int.from_bytes(random(32), "big") % (modulus - 1) + 1


def invert(value, modulus):
    """1 / value modulo a prime, in 1..modulus-1, for a value in 1..modulus-1. Euclid: six times faster than a power.

    Its time depends on the value, which must therefore be public or blinded by a random factor.
    """
    a, b, u, v = value, modulus, 1, 0
    while a:
        quotient = b // a
        a, b = b - quotient * a, a
        u, v = v - quotient * u, u
    return v % modulus


def _even_root(square):
    """The even square root of a number in 0..P-1, or of its negative: exactly one of them has a root."""
    counts["recover_y"] += 1
    root = pow(square, (P + 1) >> 2, P)  # because P is 3 modulo 4
    return P - root if root & 1 else root


def _odd(scalar, blind):
    """An odd number that makes the same multiple of any point: scalar + blind * N, and N once more if that is even.

    `scalar` in 0..N-1, `blind` not negative; the result is below (blind + 2) * N.
    """
    scalar += blind * N
    return scalar + N * (~scalar & 1)


def _columns(scalar, blind):
    """Steps for scalar * G, `scalar` in 0..N-1, `blind` below 2^48: the comb, one column of seven signed bits a step.

    An odd number below 2^308 is a sum of all powers of 2 below 2^308, each with a sign, and bit i of
    (number + 2^308 - 1) / 2 is set where that of 2^i is positive. COMB holds the columns with a positive top tooth;
    the others are their negatives.
    """
    from .p256_comb import COMB  # 4 KB, needed for this alone

    signs = (_odd(scalar, blind) + (1 << TEETH * COLUMNS) - 1) >> 1
    teeth = [signs >> (tooth * COLUMNS) & (1 << COLUMNS) - 1 for tooth in range(TEETH - 1, -1, -1)]
    for column in range(COLUMNS - 1, -1, -1):
        index = 0
        for tooth in teeth:
            index = index << 1 | (tooth >> column) & 1
        positive = index >> (TEETH - 1)
        entry = COMB[(~index, index)[positive] & 63]
        x, y = int.from_bytes(entry[:32], "big"), int.from_bytes(entry[32:], "big")
        yield 1, (x, (P - y, y)[positive])


def _windows(scalar, digits, table):
    """Steps for scalar * point, `table` being _odd_multiples(point): signed odd digits of four bits, never zero.

    `scalar` odd and below 2^(4 * digits). Digit i is 2 * w - 15, where w is the scalar's four bits from bit 4 * i + 1
    up, and w is also that digit's place in the table. Of the top digit only three bits are left, and it is positive.
    """
    shift = 4 * digits - 3
    yield 0, table[(scalar >> shift) + 8]
    while shift > 1:
        shift -= 4
        yield 4, table[(scalar >> shift) & 15]


def _interleaved(base_scalar, scalar, table):
    """Steps for base_scalar * G + scalar * point with shared doublings. Public data only: zero digits are skipped."""
    columns = _columns(base_scalar, 0)
    digits = _sparse_digits(scalar)
    doublings = 0
    for place in range(256, -1, -1):
        doublings += 1
        if digits[place]:
            yield doublings, table[digits[place] >> 1]
            doublings = 0
        if place < COLUMNS:
            yield doublings, next(columns)[1]
            doublings = 0


def _sparse_digits(scalar):
    """Digits with sum(digit << place) == scalar, in 0..N-1: odd in -15..15, at places in 0..256 (wNAF 5).

    Byte `place` is the digit there plus 16, or 0 if there is none. Two are five or more places apart, six on average.
    """
    digits = bytearray(257)
    place = 0
    while scalar:
        if scalar & 1:
            digits[place] = (scalar & 31) ^ 16
            scalar = (scalar - digits[place] + 16) >> 5
            place += 5
        else:
            scalar >>= 1
            place += 1
    return digits


def _odd_multiples(point):
    """The points -15 * point, -13 * point, .., 15 * point: entry w is (2 * w - 15) * point. 90 multiplications.

    Twice the point follows each new multiple to its Z, so that adding the two takes six multiplications (co-Z addition,
    Meloni 2007); `ratio` is the step from one Z to the next, and the ratios make all inverses out of the last.
    """
    x, y = point
    yy = y * y % P
    x1, y1 = 4 * x * yy % P, 8 * yy * yy % P
    slope = 3 * (x * x - 1) % P
    x2 = (slope * slope - 2 * x1) % P
    y2 = (slope * (x1 - x2) - y1) % P
    z = 2 * y  # of the point at (x1, y1) and of its double at (x2, y2)
    multiples = []
    for _ in range(7):
        ratio, rise = x2 - x1, y2 - y1
        square = ratio * ratio % P
        x1, x2 = x1 * square % P, x2 * square % P
        y2 = y2 * (x2 - x1) % P
        x1 = (rise * rise - x1 - x2) % P
        y1 = (rise * (x2 - x1) - y2) % P
        z = z * ratio % P
        multiples.append((x1, y1, ratio))
    inverse = invert(z, P)
    descending = []
    while multiples:  # each goes as soon as it is used: they would not all fit beside what becomes of them
        x, y, ratio = multiples.pop()
        square = inverse * inverse % P
        descending.append((x * square % P, y * square % P * inverse % P))
        inverse = inverse * ratio % P
    descending.append(point)
    return [(x, P - y) for x, y in descending] + list(reversed(descending))


def _chain(steps, first_z):
    """The (X, Y, Z) that the steps make of infinity, each in 0..P-1. Doubling: 8 multiplications; addition: 11.

    The first point enters with Z = `first_z` in 1..P-1; where that is random, so is every later coordinate. All sums
    are right, infinity and equal or opposite points included. Steps from a secret meet those only by a chance of about
    2^-250, or for the few scalars nearest to 0 and N, which nobody has.
    Nearly all the time is spent in this loop, so it calls nothing.
    """
    p = P
    x, y, z = 1, 1, 0
    for doublings, point in steps:
        for _ in range(doublings):
            zz = z * z % p
            yy = y * y % p
            xyy = x * yy % p
            slope = 3 * (x - zz) * (x + zz) % p
            z = 2 * y * z % p
            x = (slope * slope - 8 * xyy) % p
            y = (slope * (4 * xyy - x) - 8 * yy * yy) % p
        if not point:
            continue
        x2, y2 = point
        if not z:
            zz = first_z * first_z % p
            x, y, z = x2 * zz % p, y2 * zz % p * first_z % p, first_z
            continue
        zz = z * z % p
        run = (x2 * zz - x) % p
        rise = (y2 * zz % p * z - y) % p
        if not run:
            x, y, z = (1, 1, 0) if rise else _chain(((0, point), (1, None)), 1)
            continue
        square = run * run % p
        cube = square * run % p
        middle = x * square % p
        x = (rise * rise - cube - 2 * middle) % p
        y = (rise * (middle - x) - y * cube) % p
        z = z * run % p
    return x, y, z
