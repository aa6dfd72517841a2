"""A host whose power fails: the n-th thing that a program asks of the file system never happens, and nothing after it.

What was written and not synced is torn: half of it is there.
"""

import os
from contextlib import contextmanager
from unittest import mock

_ASKED = ("fsync", "link", "mkdir", "rename", "replace", "rmdir", "unlink", "utime")


class PowerCut(BaseException):
    """What a process that died cannot catch, and so nobody may."""


class Power:
    """Counts what is asked of the file system; at number `at`, and from then on, it is off."""

    def __init__(self, at):
        self.asked = 0
        self.at = at

    def ask(self, name, real, arguments, more):
        self.asked += 1
        if self.asked >= self.at:
            if self.asked == self.at and name == "fsync":
                _tear(arguments[0])
            raise PowerCut
        return real(*arguments, **more)


def _tear(handle):
    size = os.fstat(handle).st_size
    if size and not os.path.isdir(f"/proc/self/fd/{handle}"):
        os.ftruncate(handle, size // 2)


@contextmanager
def power(at=1 << 30):
    """Power that fails at the `at`-th thing asked; it is told how many there were."""
    supply = Power(at)

    def asked(name, real):
        return lambda *arguments, **more: supply.ask(name, real, arguments, more)

    patches = [mock.patch.object(os, name, asked(name, getattr(os, name))) for name in _ASKED]
    for patch in patches:
        patch.start()
    try:
        yield supply
    finally:
        for patch in patches:
            patch.stop()


def cut_everywhere(work, check, step=1):
    """Do `work(number)` with the power failing at each point in turn, then `check(number)` with the power back.

    Returns how many points there were.
    """
    at = 1
    while True:
        with power(at) as supply:
            try:
                work(at)
                return supply.asked
            except PowerCut:
                pass
        check(at)
        at += step
