"""The time module of a board that counts from 2000: with this folder ahead on MICROPYPATH, the Unix port does too."""

import utime
from utime import *  # noqa: F403

_OFFSET_S = 946_684_800  # 2000-01-01T00:00:00Z in Unix seconds


def time():
    return utime.time() - _OFFSET_S


def time_ns():
    return utime.time_ns() - _OFFSET_S * 1_000_000_000


def gmtime(seconds=None):
    return utime.gmtime(utime.time() if seconds is None else seconds + _OFFSET_S)


def localtime(seconds=None):
    return utime.localtime(utime.time() if seconds is None else seconds + _OFFSET_S)


def mktime(fields):
    return utime.mktime(fields) - _OFFSET_S
