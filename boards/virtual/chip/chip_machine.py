"""`machine` on a virtual chip: resets, why there was one, and who it is."""

import os

import line
from machine import *  # noqa: F403

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5

_CAUSES = {"power": PWRON_RESET, "hard": HARD_RESET, "crash": WDT_RESET}
_cause = PWRON_RESET
_frequency = 240_000_000


def begin(cause):
    global _cause
    _cause = _CAUSES.get(cause, SOFT_RESET)


def reset():
    """Begin again from the first instruction: nothing of the program is asked or told."""
    line.kbd_intr(-1)  # Ctrl-C has nothing to interrupt now
    os.system("kill -USR1 $PPID")  # chip.sh knows what that means


def soft_reset():
    """Begin again, with the interpreter kept."""
    raise SystemExit


def reset_cause():
    return _cause


class WDT:
    """A watchdog that nobody feeds: after `timeout` ms it ends the program, if that runs still, and the file
    $ADMIT_CHIP_PID.dog is there. Loss of power ends it too.
    """

    def __init__(self, timeout):
        timeout = int(os.getenv("ADMIT_CHIP_WATCHDOG_MS") or timeout)
        os.system(
            'pid=$PPID; echo $pid >"$ADMIT_CHIP_PID.dog"; ( sleep %d; [ "$(cat "$ADMIT_CHIP_PID.dog")" = $pid ] && '
            '[ "$(cat "$ADMIT_CHIP_PID")" = $pid ] && kill -ABRT $pid ) </dev/null >/dev/null 2>&1 &'
            % (timeout // 1000)
        )


def unique_id():
    """Six bytes, always the same on one flash."""
    return bytes.fromhex(os.getenv("ADMIT_CHIP_ID"))


def freq(hz=None):
    global _frequency
    if hz is None:
        return _frequency
    _frequency = hz
