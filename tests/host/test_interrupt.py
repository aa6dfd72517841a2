"""Ctrl-C for a program under MicroPython's Unix port: only where the interpreter survives it."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from admit.virtual.files import find_micropython
from admit.virtual.interrupt import interrupt

CATCHING = """
import sys, select, time
poll = select.poll()
poll.register(sys.stdin, select.POLLIN)
zero = open('/dev/zero', 'rb')
try:
    print('ready')
    while True:
        {}
except KeyboardInterrupt:
    print('interrupted')
"""


def run(work, wanted=True, busy=False):
    """(exit status, what it printed) of a program that is interrupted, or of which nobody wants that any more."""
    command = [find_micropython(), "-c", CATCHING.format(work)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    while busy and still_prints(process.pid):
        continue
    try:
        interrupt(process.pid, lambda: wanted, signal.SIGUSR2)
        if not wanted:
            process.terminate()
        return process.wait(10), process.stdout.read()
    finally:
        process.kill()
        process.stdin.close()
        process.stdout.close()


def still_prints(pid):
    """Is the process in the call that wrote what we read?"""
    os.kill(pid, signal.SIGSTOP)
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        continue
    call, first, *_ = Path(f"/proc/{pid}/syscall").read_text().split()
    os.kill(pid, signal.SIGCONT)
    return call != "-1" and int(first, 16) == 1


@pytest.mark.parametrize(
    "work",
    ["time.sleep(10)", "time.sleep_ms(1)", "poll.poll()", "sys.stdin.buffer.read(1)", "time.sleep_ms(2), [0] * 500"],
)
def test_a_program_that_pauses_gets_a_keyboard_interrupt(work):
    assert run(work) == (0, "interrupted\n")


@pytest.mark.parametrize("work", ["pass", "[0] * 100", "zero.read(10)"])
def test_one_that_never_does_is_ended(work):
    assert run(work, busy=True) == (-signal.SIGUSR2, "")


def test_nothing_happens_when_it_is_not_wanted_any_more():
    assert run("time.sleep(10)", wanted=False) == (-signal.SIGTERM, "")
    assert run("pass", wanted=False, busy=True) == (-signal.SIGTERM, "")


def test_a_process_that_is_gone_is_no_error():
    process = subprocess.Popen(["true"])
    process.wait()
    interrupt(process.pid, lambda: True, signal.SIGUSR2)
