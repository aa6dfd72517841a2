"""The promised multiplications of P-256, counted in the code that ships; the same for every secret."""

import random

from bench.counting import counted_p256, measure

COUNTED = counted_p256()
p256, es256, p256_curve, TALLY = COUNTED.p256, COUNTED.es256, COUNTED.p256_curve, COUNTED.tally
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

# Near both ends and with long runs of equal bits, where a multiplication that looks at its digits would show it.
SECRETS = [0x1234567, 2**128 - 1, 2**255, 2**255 - 1, N // 2, N - 0x1234567, 0xAAAA << 240, 3 << 200]


def source(seed):
    return random.Random(seed).randbytes


def keys(fresh):
    for secret in SECRETS:
        yield p256.PrivateKey(secret.to_bytes(32, "big"), source(secret), fresh)


def multiplications(call):
    return measure(TALLY, call)[0]


PEER = p256.generate(source("peer")).public


def test_a_fixed_base_product_takes_825_multiplications_whatever_the_secret():
    counts = {multiplications(lambda key=key: key.public) for fresh in (True, False) for key in keys(fresh)}
    assert counts == {825}
    assert max(counts) <= 830


def test_an_ephemeral_variable_base_product_takes_2851_with_the_checking_of_the_point():
    counts = {multiplications(lambda key=key: key.shared_secret(PEER)) for key in keys(fresh=True)}
    assert counts == {2851}
    assert max(counts) <= 2900


def test_a_blinded_variable_base_product_takes_3496_with_the_checking_of_the_point():
    counts = {multiplications(lambda key=key: key.shared_secret(PEER)) for key in keys(fresh=False)}
    assert counts == {3496}
    assert max(counts) <= 3600


def test_a_peer_known_by_x_alone_costs_one_power_more():
    key = next(keys(fresh=True))
    with_y = measure(TALLY, lambda: key.shared_secret(PEER))
    x_alone = measure(TALLY, lambda: key.shared_secret(PEER[:32]))
    assert x_alone == (*with_y[:3], with_y[3] + 1)


def test_the_costly_half_of_a_signature_can_be_done_ahead():
    key = p256.PrivateKey(p256.new_secret(source("sign")), source("nonces"))
    for _ in range(3):
        assert multiplications(lambda: key.sign(b"message")) == 830
        assert multiplications(key.prepare_nonce) == 828
        assert measure(TALLY, lambda: key.sign(b"message")) == (2, 1, 0, 0)


def test_verifying_costs_little_more_than_a_product():
    key = next(keys(fresh=False))
    public = key.public
    for number in range(5):
        given = public, bytes([number]), key.sign(bytes([number]))
        assert 2900 < multiplications(lambda given=given: es256.verify(*given)) < 3200


def test_the_tally_counts_what_it_says():
    assert measure(TALLY, lambda: p256_curve.parse_point(PEER)) == (3, 2, 0, 0)
    assert measure(TALLY, lambda: p256_curve.parse_point(PEER[:32])) == (3, 2, 0, 1)
