"""The virtual chip's flash: a block device over an image file.

Owns: blocks of 4 KB, erased to 0xFF, written in pieces. Each write is one call to the system, so a process that is
killed leaves what a power cut leaves. littlefs reads 32 bytes here and 32 there, most of them of one block: that one is
held, or the file would be slower than a chip's flash is.
Rules: reading and writing allocate nothing, for the collector may close forgotten files, in the middle of littlefs.
Must not know of files.
"""

import io
import os

_BLOCK = 4096
_BLOCKS, _BLOCK_SIZE, _ERASE = 4, 5, 6  # what ioctl is asked
_ERASED = b"\xff" * _BLOCK


class Flash:
    """The image at `path`. Power is lost in the middle of write number `dies_at`, if that is given (erasing is one)."""

    def __init__(self, path, dies_at=None):
        self._file = open(path, "r+b")
        self._held, self._content = None, io.BytesIO(_BLOCK)  # the block that was read last
        self._bytes = bytearray(_BLOCK)  # on their way there
        self._blocks = self._file.seek(0, 2) // _BLOCK
        self._left = int(dies_at) if dies_at else 0

    def readblocks(self, block, buffer, offset=0):
        if block != self._held:
            self._file.seek(block * _BLOCK)
            self._file.readinto(self._bytes)
            self._content.seek(0)
            self._content.write(self._bytes)
            self._held = block
        self._content.seek(offset)
        self._content.readinto(buffer)

    def writeblocks(self, block, data, offset=0):
        self._file.seek(block * _BLOCK + offset)
        if self._left:
            self._spend(data)
        self._file.write(data)
        if block == self._held:
            self._held = None

    def ioctl(self, request, argument):
        if request == _BLOCKS:
            return self._blocks
        if request == _BLOCK_SIZE:
            return _BLOCK
        if request == _ERASE:
            self.writeblocks(argument, _ERASED)
        return 0

    def erased(self):
        """Has nobody ever written here?"""
        first = bytearray(_BLOCK)
        self.readblocks(0, first)
        return first == _ERASED

    def _spend(self, data):
        self._left -= 1
        if not self._left:
            self._file.write(data[: len(data) // 2])
            os.system("kill -KILL $PPID")
