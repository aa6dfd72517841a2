"""Storage in a folder, whose writes are whole or absent whenever the power goes.

Owns: the bytes of each file (docs/SPEC.md "Storage") and the order of steps that makes them safe, on littlefs as on a
PC. A value is written beside its file and renamed over it; a record is appended in one frame, and a torn last frame is
dropped. littlefs keeps what a file was until it is closed, and renames in one step; there is nothing to sync. Every
byte goes out through `_write`, so that a test can cut the power at each one. Must not know what the values mean.
"""

import os
from binascii import crc32

from admit_protocol.const import const
from admit_protocol.errors import LocalError, StorageError

_CHECK = const(4)
_FRAME_HEADER = const(6)
_MAX_RECORD = const(4096)
_NAME_BYTES = const(b"abcdefghijklmnopqrstuvwxyz0123456789-_.")
_PARTIAL = const("~")  # cannot end a name, so a partial file is never taken for a whole one

# errno values, the same on Linux and on an ESP32
_REASONS = {28: "storage-full", 27: "storage-full", 122: "storage-full"}
_REASONS.update({30: "storage-read-only", 13: "storage-read-only", 1: "storage-read-only"})


class FolderStorage:
    """Named values and named lists of records in `folder`, which exists already."""

    def __init__(self, folder):
        self._folder = folder
        self.writes = 0  # files written since boot
        self._whole = set()  # lists whose last frame was seen to be whole since boot
        self._sweep()

    def read(self, name):
        """Return the value of `name`, or None. StorageError("storage-corrupt") if its checksum fails."""
        path = self._path(name)
        if not self._exists(path):
            return None
        data = self._do(name, _content, path)
        if len(data) < _CHECK or _check(data[_CHECK:]) != data[:_CHECK]:
            raise StorageError("storage-corrupt", name)
        return data[_CHECK:]

    def write(self, name, data):
        """Make `data` the value of `name`: after a power cut it is the old value or the new one."""
        path = self._path(name)
        self._change(name, self._replace, path, _check(data) + bytes(data))
        self._whole.discard(name)

    def put(self, name, data):
        """Make `data` the value of `name` in its place, at a third of the wear of `write`: after a power cut it is the
        old value, the new one, or one of which `read` says storage-corrupt.
        """
        self._change(name, self._write, self._path(name), "wb", _check(data) + bytes(data))
        self._whole.discard(name)

    def remove(self, name):
        """Remove `name`, value or list; absent is no error."""
        if self._exists(self._path(name)):
            self._change(name, self._remove, self._path(name))
        self._whole.discard(name)

    def overwrite(self, name):
        """Put zeros in the place of the bytes of `name`, which is damaged thereby."""
        path = self._path(name)
        self._change(name, self._write, path, "r+b", bytes(os.stat(path)[6]))

    def names(self):
        """Return the names of all values and lists, sorted."""
        return sorted(name for name in os.listdir(self._folder) if not name.endswith(_PARTIAL) and name[0] != ".")

    def append(self, name, record):
        """Add `record` (at most 4096 bytes) to the list `name`: after a power cut it is there whole or not at all."""
        if len(record) > _MAX_RECORD:
            raise LocalError("storage-record-too-long")
        path = self._path(name)
        if name not in self._whole and self._exists(path):
            self._repair(name, path)
        length = len(record).to_bytes(2, "big")
        self._whole.discard(name)  # until this frame is whole, too
        self._change(name, self._write, path, "ab", length + _check(length + record) + record)
        self._whole.add(name)

    def records(self, name):
        """Yield the records of the list `name`. StorageError("storage-corrupt") at a bad one, but for a torn last."""
        path = self._path(name)
        if self._exists(path):
            try:
                yield from _records(name, path)
            except OSError as error:
                raise _refusal(name, error)

    # -- steps --

    def _repair(self, name, path):
        """Cut off a torn last frame, or whatever is appended next would be lost behind it."""
        whole, size = self._do(name, _whole, name, path)
        if whole < size:
            self._change(name, self._replace, path, self._do(name, _content, path)[:whole])

    def _replace(self, path, data):
        try:
            self._write(path + _PARTIAL, "wb", data)
        except OSError:
            if self._exists(path + _PARTIAL):
                self._remove(path + _PARTIAL)  # the rest of a full storage stays usable
            raise
        self._rename(path + _PARTIAL, path)

    def _sweep(self):
        """Remove what power cuts left half written. It is never read, so it may stay where nothing can be removed."""
        for name in os.listdir(self._folder):
            if name.endswith(_PARTIAL):
                try:
                    self._remove(self._folder + "/" + name)
                except OSError:
                    pass

    def _change(self, name, step, *arguments):
        self._do(name, step, *arguments)

    def _do(self, name, step, *arguments):
        try:
            return step(*arguments)
        except OSError as error:
            raise _refusal(name, error)

    def _path(self, name):
        data = name.encode()
        if not 0 < len(data) <= 40 or data[0] == 46 or any(byte not in _NAME_BYTES for byte in data):
            raise LocalError("storage-name", name)
        return self._folder + "/" + name

    def _exists(self, path):
        try:
            os.stat(path)
            return True
        except OSError:
            return False

    # -- the lowest calls: where a test cuts the power --

    def _write(self, path, mode, data):
        self.writes += 1
        with open(path, mode) as file:
            file.write(data)

    def _rename(self, old, new):
        os.rename(old, new)

    def _remove(self, path):
        os.remove(path)


def make_folder(path):
    """Make the folder `path` if it is not there, and return it."""
    try:
        os.mkdir(path)
    except OSError:
        pass
    return path


def _check(data):
    return (crc32(data) & 0xFFFFFFFF).to_bytes(_CHECK, "big")


def _content(path):
    with open(path, "rb") as file:
        return file.read()


def _records(name, path):
    """Yield the record of each whole frame."""
    end, size = 0, os.stat(path)[6]
    with open(path, "rb") as file:
        while end < size:
            header = file.read(_FRAME_HEADER)
            length = int.from_bytes(header[:2], "big")
            end += _FRAME_HEADER + length
            record = file.read(length)
            if end > size or _check(header[:2] + record) != header[2:]:
                if end < size:  # something follows: no power cut leaves that
                    raise StorageError("storage-corrupt", name)
                break
            yield record


def _whole(name, path):
    """(bytes of whole frames, bytes of the file)."""
    return sum(_FRAME_HEADER + len(record) for record in _records(name, path)), os.stat(path)[6]


def _refusal(name, error):
    return StorageError(_REASONS.get(error.errno, "storage-failed"), "%s, errno %s" % (name, error.errno))
