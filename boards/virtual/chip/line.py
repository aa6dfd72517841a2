"""The virtual chip's UART: a terminal of which the chip has the inner end.

Owns: its modes. What is printed gets \r\n for \n, and what goes to `sys.stdout.buffer` nothing, as on a chip. Whether
Ctrl-C interrupts or is a byte like any other stands in modes that a raw terminal has no use for: the other end reads
them as the byte comes, and does what a chip's interrupt handler does (host/admit/virtual/line.py). The flags' values
differ between systems, so the other end has told them.
"""

import io
import os
import sys
import termios

_OUTPUT, _LOCAL = 1, 3  # places in what tcgetattr returns
_COOKED = int(os.getenv("ADMIT_CHIP_COOKED"))
_INTERRUPTS = int(os.getenv("ADMIT_CHIP_INTERRUPTS"))
_RAW_REPL = int(os.getenv("ADMIT_CHIP_RAW_REPL"))
_POLL, _WRITABLE = 3, 4

_mark = 0
_modes = termios.tcgetattr(0)
read = sys.stdin.buffer.read
write = sys.stdout.write


def begin():
    """The modes that a program finds."""
    _set(_OUTPUT, _COOKED)
    _set(_LOCAL, 0)


def kbd_intr(char):
    """micropython.kbd_intr: Ctrl-C (3) interrupts, or with -1 nothing does."""
    _set(_LOCAL, 0 if char < 0 else _INTERRUPTS | _mark)


def belongs_to_raw_repl(it_does):
    """Is it the raw REPL that runs programs from now on?"""
    global _mark
    _mark = _RAW_REPL if it_does else 0


def _set(place, flags):
    _modes[place] = flags
    termios.tcsetattr(0, 0, _modes)


class _Bytes(io.IOBase):
    """sys.stdout.buffer."""

    def write(self, data, *place):
        _set(_OUTPUT, 0)
        try:
            return write(data, *place)
        finally:
            _set(_OUTPUT, _COOKED)

    def ioctl(self, request, argument):
        return argument & _WRITABLE if request == _POLL else 0

    def flush(self):
        """Nothing is kept back."""


class Out(io.IOBase):
    """sys.stdout."""

    def __init__(self):
        self.buffer = _Bytes()

    def write(self, data, *place):
        return write(data, *place)

    def ioctl(self, request, argument):
        return argument & _WRITABLE if request == _POLL else 0

    def flush(self):
        """Nothing is kept back."""
