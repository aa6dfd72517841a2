"""The virtual kiosk's storage: a folder of the PC, which can be as small or as stubborn as a test wants it.

Owns: the limit and the refusal. How a write is made safe is ports/folder.py's, as on every board.
"""

import os

from admit_protocol.errors import StorageError
from ports.folder import FolderStorage


class Storage(FolderStorage):
    """`limit` makes it as small as a flash chip of that many bytes; `read_only` refuses every write."""

    def __init__(self, folder, limit=None, read_only=False):
        self._limit = limit
        self._read_only = read_only
        super().__init__(folder)

    def _sweep(self):
        if not self._read_only:
            super()._sweep()

    def _change(self, name, step, *arguments):
        if self._read_only:
            raise StorageError("storage-read-only", name)
        super()._change(name, step, *arguments)

    def space(self):
        """(bytes in all, bytes free) of its limit; None if it has none."""
        return None if self._limit is None else (self._limit, max(self._limit - self._used(), 0))

    def _used(self):
        return sum(os.stat(self._folder + "/" + name)[6] for name in os.listdir(self._folder))

    def _write(self, path, mode, data):
        if self._limit is not None and self._used() + len(data) > self._limit:
            raise OSError(28, "no room")
        super()._write(path, mode, data)
