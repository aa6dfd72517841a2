"""What an admin does from a desk, broken at each message to the device and at each write of the desk's own.

A message is lost; or its answer is; or it comes twice. The device lives on, or loses its power with it. At the desk the
power fails at the n-th thing that is asked of its disk (power_cuts.py). Then the same command is given again, which
must end it. The operations are desk_operations.py's.
"""

import contextlib
from collections import Counter
from unittest import mock

from admit import keyfiles
from admit_protocol.errors import AdmitError, TimedOut
from desk_operations import in_a_thread
from liars import Liar
from operations import Third
from power_cuts import PowerCut, power
from remembered import remembered
from rotating_site import LATER

WAYS = ("lost", "lost, off", "unanswered", "unanswered, off", "twice")


class Breaking(Liar):
    """An honest way that breaks at message number `at` of all that were counted, in one of WAYS."""

    def __init__(self, desk, count, at, way):
        super().__init__(desk.rig)
        self._desk, self._count, self._at, self._way = desk, count, at, way

    def answer(self, request):
        number, self._count[0] = self._count[0], self._count[0] + 1
        if number != self._at:
            return self.truth(request)
        answer = None if self._way.startswith("lost") else self.truth(request)
        if self._way == "twice":
            self.truth(request)
            return answer
        if self._way.endswith("off"):
            in_a_thread(self._desk.restart)
        raise TimedOut("link-lost")

    async def send(self, data):
        try:
            await super().send(data)
        except TimedOut:
            self.values.put_nowait(None)
            raise


def cut(desk, at, way, found, sixteenths):
    """One break of an operation: of message `at` if there is a `way`, else of what the desk's disk is asked as `at`-th.
    Was there such a one? `found` counts what came of it.
    """
    count, broke = [0], False
    try:
        with contextlib.nullcontext() if way else power(at, sixteenths):
            desk.do(lambda: Breaking(desk, count, at if way else -1, way or ""))
    except (PowerCut, TimedOut):
        broke = True
    if not broke and (way is None or count[0] <= at):
        return False
    found["cuts"] += 1
    try:
        if broke:
            desk.settle()
            desk.check()
            found["lost"] += desk.lost()
        desk.do(desk.reach)
        desk.settle()
        desk.over()
        found["lost"] += desk.lost()
    except Third:
        found["thirds"] += 1
    except (AdmitError, AssertionError, TimeoutError):
        found["bricks"] += 1
    return True


def of_messages(kind, folder, step=1, ways=WAYS):
    """A Counter of all breaks of an operation's messages, each `step`-th in each way."""
    found = Counter()
    for way in ways:
        found["messages"] = max(found["messages"], _all(kind, folder, way, 0, step, found))
    return found


def of_writes(kind, folder, step=1, sixteenths=8):
    """A Counter of all breaks of what the desk's disk is asked, each `step`-th."""
    found = Counter()
    found["writes"] = _all(kind, folder, None, 1, step, found, sixteenths) - 1
    return found


def _all(kind, folder, way, at, step, found, sixteenths=8):
    """At `at`, `at + step`, …: the first at which there is nothing to break."""
    while True:
        here = folder / f"{kind.name}-{way}-{at}-{sixteenths}"
        here.mkdir()
        with remembered(), mock.patch("time.time", lambda: LATER), mock.patch.object(keyfiles, "_SCRYPT_N", 2):
            desk = kind(here)
            try:
                if not cut(desk, at, way, found, sixteenths):
                    return at
            finally:
                desk.close()
        at += step
