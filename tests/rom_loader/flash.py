"""A NOR flash chip as a file: erased bytes are 0xFF, programming only clears bits."""

import hashlib
import os
from pathlib import Path

SECTOR = 4096


class Flash:
    """`size` bytes of flash in `file`, which is made, erased, if it is not there."""

    def __init__(self, file, size=4 << 20):
        self.file, self.size = Path(file), size
        if not self.file.exists():
            self.file.write_bytes(b"\xff" * size)
        self._file = os.open(self.file, os.O_RDWR)

    def close(self):
        """Close the file."""
        os.close(self._file)

    @property
    def id(self):
        """What the chip answers to RDID: manufacturer, type, capacity, the first one lowest."""
        return 0xEF | 0x40 << 8 | (self.size.bit_length() - 1) << 16

    def read(self, offset, length):
        """Bytes; 0xFF beyond the end."""
        return os.pread(self._file, length, offset).ljust(length, b"\xff")

    def erase(self, offset, length):
        """Erase all sectors that these bytes touch."""
        start, end = offset // SECTOR * SECTOR, -(-(offset + length) // SECTOR) * SECTOR
        os.pwrite(self._file, b"\xff" * (min(end, self.size) - start), start)

    def program(self, offset, data):
        """Clear bits. Raises ValueError beyond the end."""
        if offset + len(data) > self.size:
            raise ValueError("beyond the end of the flash")
        there = self.read(offset, len(data))
        if there.count(0xFF) != len(there):
            mask = int.from_bytes(there, "big") & int.from_bytes(data, "big")
            data = mask.to_bytes(len(data), "big")
        os.pwrite(self._file, data, offset)

    def md5(self, offset, length):
        """The MD5 of a stretch."""
        return hashlib.md5(self.read(offset, length), usedforsecurity=False)

    @property
    def blank(self):
        """Whether there is nothing that a chip could boot."""
        return 0xE9 not in (self.read(0, 1)[0], self.read(0x1000, 1)[0])
