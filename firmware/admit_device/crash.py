"""What is kept of an exception, and the crash record: what ended the last run that did not end well.

Loaded for one exception, or one question. The record is one small value of storage, written at a crash and not at the
next ones like it; so it survives any reset. Of an exception's own words nothing is kept: a site's routine may have put
a secret into them, or a visitor. Its type, the reason of our own errors and errno must do.
"""

import sys

from admit_device import faults
from admit_protocol import cbor
from admit_protocol.const import const
from admit_protocol.errors import AdmitError, StorageError

_NAME = const("crash")
_WHAT = const(72)  # characters, all of them ASCII: the record has 256 bytes at most
_PLACE = const(144)
_FAULT = const(80)
_NAMING = (AttributeError, ImportError, NameError, SyntaxError)  # their words name code, and hold no values


def told(error, text):
    """(what, place) of an exception with the traceback `text`, in ASCII: its type, and where it was raised, the
    innermost function first.
    """
    what = type(error).__name__
    if isinstance(error, AdmitError):
        what += ": " + error.reason
    elif isinstance(error, OSError) and error.args and isinstance(error.args[0], int):
        what += ": errno %d" % error.args[0]
    return _ascii(what)[:_WHAT], _ascii(_place(text))[:_PLACE]


def fault(error):
    """What is told of an exception that ended a site's routines file, at most 80 characters: its type, and the name
    that it lacks, or else where it was raised.
    """
    what, place = told(error, _traceback(error))
    why = ": " + _ascii(str(error)) if isinstance(error, _NAMING) else " at " + place.split(" < ")[0]
    return ("routines: " + what + why)[:_FAULT]


def report(error):
    """Print an exception with its traceback, through `print`: a board whose console is its cable replaces that. Count
    it, and write it into the log.
    """
    text = _traceback(error)
    print(text, end="") if hasattr(sys, "print_exception") else sys.stderr.write(text)
    what, place = told(error, text)
    faults.totals[1] += 1
    faults.note(what + " at " + place)
    faults.last = what, place, faults.lines[-1][1]


def keep(ports, error):
    """Write the crash record of an exception that ended the app. Whatever goes wrong with that, the reset comes."""
    what, place = told(error, _traceback(error))
    _write(ports, what, place, _boots(ports.storage))


def keep_watchdog(ports, boots):
    """The board was reset by its watchdog: the last run did not come back from what it was doing."""
    doing = _ascii([chr(byte) for byte in ports.was_doing[:_PLACE]])
    _write(ports, "watchdog", doing or "-", boots - 1)


def read(storage):
    """The record: (what, place, in which run: its number, seconds since its start or None), or None."""
    try:
        data = storage.read(_NAME)
        return tuple(cbor.decode(data)) if data else None
    except AdmitError:  # damaged: no reason to be silent of the rest
        return None


def _write(ports, what, place, boots):
    known = read(ports.storage)
    if known and known[:2] == (what, place) and 0 <= boots - known[2] < 16:  # a crash at every start wears no flash
        return
    uptime_s = None if what == "watchdog" else ports.clock.monotonic_ms() // 1000
    ports.storage.write(_NAME, cbor.encode([what, place, boots, uptime_s]))


def _boots(storage):
    try:
        stored = storage.read("boots")
        return cbor.decode(stored) if stored else 0
    except StorageError:
        return 0


def _traceback(error):
    if hasattr(sys, "print_exception"):
        import io

        text = io.StringIO()
        sys.print_exception(error, text)
        return text.getvalue()
    import traceback

    return "".join(traceback.format_exception(error))


def _place(text):
    """'kiosk.py:52 expire < device.py:140 run' of a traceback."""
    found = []
    for line in text.split("\n"):
        parts = line[8:].split(", ")
        if line[:8] == '  File "' and len(parts) == 3:
            found.insert(0, "%s:%s %s" % (parts[0][:-1].rpartition("/")[2], parts[1][5:], parts[2][3:]))
    return " < ".join(found) or "-"


def _ascii(text):
    return "".join([each if " " <= each <= "~" else "?" for each in text])
