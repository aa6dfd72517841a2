"""What P-256 costs: 256-bit multiplications and reductions, how near the time comes to theirs alone, and to ecdsa's."""

import random
import time

from counting import counted_p256, measure
from figures import figure
from p256_work import ecdsa_jobs, our_jobs

from admit_protocol.p256_curve import N, P


def main():
    return counts() + times()


def counts():
    """Multiplications of each operation against its limit, and beside them the reductions."""
    counted = counted_p256()
    source = random.Random(1).randbytes
    fresh, key = counted.p256.generate(source), counted.p256.PrivateKey(counted.p256.new_secret(source), source)
    public, signature = key.public, key.sign(b"message")
    rows = [
        ("fixed base", 830, lambda: fresh.public),
        ("variable base, ephemeral scalar", 2900, lambda: fresh.shared_secret(public)),
        ("variable base, blinded long-term scalar", 3600, lambda: key.shared_secret(public)),
        ("sign", None, lambda: key.sign(b"message")),
        ("nonce prepared ahead", None, key.prepare_nonce),
        ("sign with a prepared nonce", None, lambda: key.sign(b"message")),
        ("verify", None, lambda: counted.es256.verify(public, b"message", signature)),
    ]
    found = []
    for what, limit, call in rows:
        multiplications, reductions, _, _ = measure(counted.tally, call)
        found.append(figure(f"{what}: multiplications", multiplications, limit))
        found.append(figure(f"{what}: reductions", reductions))
    return found + [figure("y from x: multiplications in one power", power_multiplications((P + 1) >> 2))]


def power_multiplications(exponent):
    """Squarings and multiplications of plain square-and-multiply, which both runtimes' `pow` is."""
    return exponent.bit_length() - 1 + bin(exponent).count("1") - 1


def times():
    """Milliseconds of each job, their ratio to ecdsa's, and to the bare multiplications and reductions in ECDH."""
    ours, theirs = our_jobs(), ecdsa_jobs()
    seconds = shortest_times(*ours.values(), *theirs.values(), bare_ecdh)
    our_times, their_times = dict(zip(ours, seconds, strict=False)), dict(zip(theirs, seconds[5:], strict=False))
    found = [figure(name, 1000 * taken, unit="ms") for name, taken in our_times.items()]
    found.append(figure("ECDH / its bare multiplications and reductions", our_times["ECDH"] / seconds[-1]))
    found += [figure(f"{name} / pure-Python ecdsa", our_times[name] / their_times[name]) for name in theirs]
    total = sum(our_times[name] for name in theirs) / sum(their_times.values())
    return found + [figure("keygen, ECDH, sign and verify / pure-Python ecdsa", total, 0.9)]


def shortest_times(*calls, rounds=100):
    """The least seconds that each call took, by turns. They only compute: whatever takes longer was disturbed."""
    least = [float("inf")] * len(calls)
    for _ in range(rounds):
        for i, call in enumerate(calls):
            started = time.perf_counter()
            call()
            least[i] = min(least[i], time.perf_counter() - started)
    return least


def bare_ecdh():
    """As many multiplications and reductions of 256-bit numbers as ECDH with a fresh key has, and nothing else."""
    a, b, p = N - 3, N - 5, P
    for _ in range(2530):
        a * b % p
    for _ in range(2851 - 2530):
        a * b
