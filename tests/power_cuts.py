"""A host whose power fails: the n-th thing that a program asks of the file system never happens, and nothing after it;
nor does what it asks a database to keep.

What was written and not synced is torn: the beginning of it is there. What a database does with its own files is its.
"""

import os
from contextlib import contextmanager
from unittest import mock

from sqlalchemy.engine.default import DefaultDialect

_ASKED = ("fsync", "link", "mkdir", "rename", "replace", "rmdir", "unlink", "utime")


class PowerCut(BaseException):
    """What a process that died cannot catch, and so nobody may."""


class Power:
    """Counts what is asked; at number `at`, and from then on, it is off. Of a torn write some sixteenths are there."""

    def __init__(self, at, sixteenths):
        self.asked = 0
        self.at, self.sixteenths = at, sixteenths

    def ask(self, name, real, arguments, more):
        self.asked += 1
        if self.asked >= self.at:
            if self.asked == self.at and name == "fsync":
                _tear(arguments[0], self.sixteenths)
            raise PowerCut
        return real(*arguments, **more)


def _tear(handle, sixteenths):
    size = os.fstat(handle).st_size
    if size and not os.path.isdir(f"/proc/self/fd/{handle}"):
        os.ftruncate(handle, size * sixteenths // 16)


@contextmanager
def power(at=1 << 30, sixteenths=8):
    """Power that fails at the `at`-th thing asked; it is told how many there were."""
    supply = Power(at, sixteenths)

    def asked(name, real):
        return lambda *arguments, **more: supply.ask(name, real, arguments, more)

    patches = [mock.patch.object(os, name, asked(name, getattr(os, name))) for name in _ASKED]
    patches.append(mock.patch.object(DefaultDialect, "do_commit", asked("commit", DefaultDialect.do_commit)))
    for patch in patches:
        patch.start()
    try:
        yield supply
    finally:
        for patch in patches:
            patch.stop()


def cut_everywhere(work, check, step=1, sixteenths=8):
    """Do `work(number)` with the power failing at each point in turn, then `check(number)` with the power back.

    Returns how many points there were.
    """
    at = 1
    while True:
        with power(at, sixteenths) as supply:
            try:
                work(at)
                return supply.asked
            except PowerCut:
                pass
        check(at)
        at += step
