"""One figure of a bench, and the honest way to compare two times on a machine that others use too."""

import statistics
import time
from collections import namedtuple

Figure = namedtuple("Figure", "what value limit unit least")


def figure(what, value, limit=None, unit="", least=None):
    """`value` of `what`; `limit` is the largest value that keeps the promise, `least` the smallest, or None."""
    return Figure(what, value, limit, unit, least)


def over(each):
    """Is the promise broken?"""
    return (each.limit is not None and each.value > each.limit) or (each.least is not None and each.value < each.least)


def times_by_turns(*calls, rounds=15):
    """Median seconds of each call; they run by turns, so that load on the machine meets them all alike."""
    taken = [[] for _ in calls]
    for _ in range(rounds):
        for call, seconds in zip(calls, taken, strict=True):
            started = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - started)
    return [statistics.median(seconds) for seconds in taken]
