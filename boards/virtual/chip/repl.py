"""The virtual chip's REPL: the friendly one for people, and the raw one for programs such as mpremote.

Owns: the bytes of both, as MicroPython's shared/runtime/pyexec.c has them, raw-paste mode too. Input is read byte by
byte: what follows the end of a command belongs to the command.
"""

import os
import readline
import sys

import line
import pyexec

_A, _B, _C, _D, _E = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"
_GREETING = "raw REPL; CTRL-B to exit\n"
_WINDOW = 128  # bytes that raw-paste takes before the sender must wait: half of the buffer that a chip has


def run(scope, raw, greets):
    """Serve until a soft reset is asked for. Return whether the REPL was the raw one then."""
    while True:
        line.belongs_to_raw_repl(raw)
        leaves = _raw(scope, greets) if raw else _friendly(scope)
        if leaves:
            return raw
        raw, greets = not raw, True


def _raw(scope, greets):
    """Return True for a soft reset, False for the friendly REPL."""
    if greets:
        line.write(_GREETING)
    while True:
        line.write(">")
        command = _raw_command()
        if command is _B:
            line.write("\n")
            return False
        if command is _A:
            line.write(_GREETING)
            continue
        if command is _E:
            if _pasted(scope):
                return True
            continue
        line.write("OK")
        if not command:
            line.write("\n")
            return True
        if pyexec.source(command.decode(), "exec", scope, "\x04"):
            return True


def _raw_command():
    """The next command's text; or _A, _B, or _E if one is to be pasted."""
    read, data = line.read, bytearray()
    while True:
        char = read(1)
        if char == _D:
            return data
        if char == _A:
            return _paste_asked(data)
        if char == _B:
            return _B
        if char == _C:
            data = bytearray()
        else:
            data.extend(char)


def _paste_asked(data):
    if len(data) != 2 or data[:1] != _E:
        return _A
    if data[1:] == b"A":
        return _E
    line.write("R\0")
    return _raw_command()


def _pasted(scope):
    """Receive a command in windows and run it. Return True for a soft reset."""
    sys.stdout.buffer.write(b"R\x01" + _WINDOW.to_bytes(2, "little") + b"\x01")
    read, data, left = line.read, bytearray(), _WINDOW
    while True:
        char = read(1)
        if char == _D or char == _C:
            break
        data.extend(char)
        left -= 1
        if not left:
            line.write("\x01")
            left = _WINDOW
    line.write("\x04")
    if char == _C:
        line.write("\x04")
        pyexec.tell(KeyboardInterrupt())
        line.write("\x04")
        return False
    return pyexec.source(data.decode(), "exec", scope, "\x04")


def _friendly(scope):
    """Return True for a soft reset, False for the raw REPL."""
    _banner()
    while True:
        text, end = readline.read(">>> ")
        if end == _A or end == _D:
            line.write("\n")
            return end == _D
        if end == _B:
            line.write("\n")
            _banner()
        elif end == _E:
            text = _paste()
            if text and pyexec.source(text, "exec", scope):
                return True
        elif text and end != _C:
            text = readline.rest(text)
            if text and pyexec.source(text, "single", scope):
                return True


def _banner():
    title = os.getenv("ADMIT_CHIP_TITLE") or sys.implementation[2]
    line.write(sys.version.split("; ", 1)[1] + "; " + title + "\n")
    line.write('Type "help()" for more information.\n')


def _paste():
    """A text pasted after Ctrl-E, or None if it was cancelled."""
    line.write("\npaste mode; Ctrl-C to cancel, Ctrl-D to finish\n=== ")
    text = bytearray()
    while True:
        char = line.read(1)
        if char == _C or char == _D:
            line.write("\n")
            return text.decode() if char == _D else None
        text.extend(b"\n" if char == b"\r" else char)
        line.write("\n=== " if char == b"\r" else char)
