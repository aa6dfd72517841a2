"""One figure of a bench, and the honest way to compare two times on a machine that others use too."""

import statistics
import time
from collections import namedtuple

Figure = namedtuple("Figure", "what value limit unit")


def figure(what, value, limit=None, unit=""):
    """`value` of `what`; `limit` is the largest value that keeps the promise, in the same unit, or None."""
    return Figure(what, value, limit, unit)


def over(each):
    return each.limit is not None and each.value > each.limit


def times_by_turns(*calls, rounds=15):
    """Median seconds of each call; they run by turns, so that load on the machine meets them all alike."""
    taken = [[] for _ in calls]
    for _ in range(rounds):
        for call, seconds in zip(calls, taken, strict=True):
            started = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - started)
    return [statistics.median(seconds) for seconds in taken]
