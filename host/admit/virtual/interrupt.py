"""Ctrl-C for a program under MicroPython's Unix port, at a moment that the interpreter survives.

Owns: finding that moment. A chip raises KeyboardInterrupt between two bytecodes. The Unix port raises it at once, even
in the middle of a memory allocation, whose lock is then never released. So the process is stopped, and gets the signal
only if it waits: sleeps, polls, or reads or writes its terminal. One that computes on and on ends instead. Must not
know what the program is.
"""

import contextlib
import os
import platform
import signal
import time
from collections.abc import Callable
from pathlib import Path

TRIES, PAUSE_S = 50, 0.001  # how long a program that computes is given to come to a pause
STOPPING_S = 0.1

# System calls, by machine: those that do nothing but wait, and those that may wait for descriptor 0, 1 or 2.
WAITS = {
    "x86_64": {7, 23, 35, 219, 230, 232, 270, 271, 281},  # poll, select, nanosleep, restart, epoll and their kin
    "aarch64": {22, 72, 73, 101, 115, 128},
}
TALKS = {"x86_64": {0, 1}, "aarch64": {63, 64}}  # read, write


def interrupt(pid: int, wanted: Callable[[], bool], otherwise: signal.Signals) -> None:
    """Raise KeyboardInterrupt in process `pid`, or send it the signal `otherwise` if it never pauses.

    Nothing happens to a process that is gone, or of which, while it stands still, `wanted()` is not true any more.
    """
    with contextlib.suppress(ProcessLookupError):
        for _ in range(TRIES):
            if _interrupted(pid, wanted):
                return
            time.sleep(PAUSE_S)
        os.kill(pid, otherwise)


def _interrupted(pid: int, wanted: Callable[[], bool]) -> bool:
    os.kill(pid, signal.SIGSTOP)
    try:
        if not _waits(pid):
            return not wanted()
        if wanted():
            os.kill(pid, signal.SIGINT)
        return True
    finally:
        os.kill(pid, signal.SIGCONT)


def _waits(pid: int) -> bool:
    """Does the process, which is being stopped, wait for something outside?"""
    give_up = time.monotonic() + STOPPING_S
    try:
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TZ":
            if time.monotonic() > give_up:
                return False
            time.sleep(PAUSE_S / 10)
        call, *arguments = Path(f"/proc/{pid}/syscall").read_text().split()
    except OSError:
        return not Path("/proc/self/syscall").exists()  # a system that does not tell: take the chance
    machine = platform.machine()
    if machine not in WAITS:
        return call != "-1"
    return int(call) in WAITS[machine] or (int(call) in TALKS[machine] and int(arguments[0], 16) < 3)
