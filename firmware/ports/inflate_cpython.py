"""What CPython has no name for: MicroPython's DeflateIO, of raw deflate in a window of 2^12. A board never loads this.

See updates.py.
"""

import zlib

__all__ = ("Inflating",)


class Inflating:
    """What `file` inflates to."""

    def __init__(self, file):
        self._file = file
        self._inflate = zlib.decompressobj(-12)
        self._waiting = b""

    def read(self, length):
        """At most `length` bytes; b"" at the end. Raises ValueError."""
        while True:
            try:
                piece = self._inflate.decompress(self._waiting or self._file.read(length), length)
            except zlib.error as error:
                raise ValueError(str(error)) from error
            self._waiting = self._inflate.unconsumed_tail
            if piece or self._inflate.eof:
                return piece
            if not self._waiting and not self._more():
                raise EOFError

    def _more(self):
        self._waiting = self._file.read(64)
        return self._waiting
