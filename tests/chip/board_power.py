"""How a stand-in chip's process ends when the chip would start again or lose power, and why it runs.

Owns: exit codes and signals, agreed with whoever runs the process: a virtual board that began blank
(boards/virtual/chip/chip.sh), else tests/chip_board.py, which starts it again after 64 + cause and leaves it off after
64. The process ends at once, in the middle of whatever it does. Must not know what asks for it.
"""

import os

import ffi

from micropython import const

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = const(1), const(2), const(3), const(4), const(5)
_POWER_CUT = const(64)

_exit = ffi.open("libc.so.6").func("v", "_exit", "i")
SOFT_EXIT = const(69)  # what SystemExit carries, for the latter runner; the former one sees the exception itself
_virtual = os.getenv("ADMIT_CHIP_LINE") is not None


def leave(cause):
    """End, to start again because of `cause`, one of the constants above."""
    if _virtual and cause == HARD_RESET:
        os.system("kill -USR1 $PPID")
    _exit(_POWER_CUT + cause)


def cut():
    """Lose power now."""
    if _virtual:
        os.system("kill -KILL $PPID")
    _exit(_POWER_CUT)


def cause():
    """Why the chip runs: what reset_cause() tells."""
    if _virtual:
        import chip_machine

        return chip_machine.reset_cause()
    return int(os.getenv("ADMIT_CHIP_RESET_CAUSE") or PWRON_RESET)
