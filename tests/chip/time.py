"""`time` of an ESP32: it counts from 2000, and begins there whenever power comes; a reset does not stop it.

docs/library/time.rst, ports/esp32/modtime.c. Must not know what the time is good for.
"""

import board_wire
import utime
from utime import *  # noqa: F403

_FROM_1970_TO_2000_S = 946_684_800

_offset_s = board_wire.kept.get("clock", 0) - int(utime.time())


def set_clock(seconds):
    """It is `seconds` after 2000: what machine.RTC does."""
    global _offset_s
    _offset_s = seconds - int(utime.time())
    board_wire.tell(b"C", seconds >> 16, seconds & 0xFFFF)


def time():
    return int(utime.time()) + _offset_s


def time_ns():
    return utime.time_ns() + _offset_s * 1_000_000_000


def gmtime(seconds=None):
    return utime.gmtime((time() if seconds is None else seconds) + _FROM_1970_TO_2000_S)[:8]


def localtime(seconds=None):
    return gmtime(seconds)


def mktime(fields):
    return int(utime.mktime(fields)) - _FROM_1970_TO_2000_S
