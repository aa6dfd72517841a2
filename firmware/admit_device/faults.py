"""Where faults of our own or of a site's routines are told: the debug console, and the log, which admins may read.

Owns: the log: its latest lines in RAM, 2 KB of them at most. How an exception is told is crash.py's.
Rules: no line has anything in it that a visitor or a key could have put there: reasons, names of files and functions.
A line that was there already is counted and moved to the end, so that whoever knocks a thousand times has one.
"""

from admit_protocol.const import const

_LINES = const(24)
_LINE = const(88)  # characters

clock = None
lines = []  # (number, seconds since the start, text, how often so far), the oldest first
totals = [0] * 6  # since the start: lines, exceptions; radio links that began, were ended, made room; bad handshakes
last = None  # of the last exception: (what, place, seconds since the start), as crash.told says it


def note(text):
    """Add a line to the log."""
    text, times = text[:_LINE], 1
    for each in lines:
        if each[2] == text:
            times += each[3]
            lines.remove(each)
            break
    lines.append((totals[0], clock.monotonic_ms() // 1000 if clock else 0, text, times))
    totals[0] += 1
    del lines[:-_LINES]


def print_exception(error):
    """Print an error with its traceback, and write it into the log."""
    try:
        from admit_device.crash import report

        report(error)
    except Exception:  # no memory for that: the fault was handled, and that it cannot be told is no fault more
        print(type(error).__name__)
