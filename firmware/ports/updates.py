"""What an update does to the flash: the slot that does not run is filled, file by file, from what has come so far.

Owns: the folder `/stage` (the manifest, the list, and of each item what has arrived of it), the files of the other
slot, the files `/trial` and `/image` (docs/SPEC.md "Releases"). boot.py and main.py know them too: they cannot import
anything.
Rules: a file gets its name in the slot only when it is whole and its hash is right; nothing of the slot that runs is
written to. So a power cut leaves what was there, or one file more. Loaded when somebody asks.
Must not know: who may update a device, and to what.
"""

import os
from hashlib import sha256

from admit_protocol.const import const
from admit_protocol.errors import StorageError, Unverified
from admit_protocol.release import FileList, is_based, items, merged
from ports import slots

try:
    from deflate import RAW, DeflateIO

    def _inflate(file):
        return DeflateIO(file, RAW, 12)

except ImportError:
    from ports.inflate_cpython import Inflating as _inflate

_PIECE = const(512)
_DIRECTORY = const(0x4000)
_REASONS = {28: "storage-full", 27: "storage-full", 122: "storage-full"}
_DAMAGED = const("release-damaged")


class Updates:
    """The two slots below `root`. `slot`: "a" or "b", which runs; `other` the other one.

    `images()`: the port's module of MicroPython's own image (ports/esp32/image.py); None where there is none.
    """

    def __init__(self, root="", images=None):
        self._root, self._stage, self._images = root, root + "/stage", images
        self.slot = slots.active(root)[-1]
        self.other = "b" if self.slot == "a" else "a"
        self._target = root + "/" + self.other + "/"

    def room(self):
        """Bytes that an update can take: free ones, and what the other slot holds."""
        told = os.statvfs(self._root or "/")
        return told[0] * told[3] + sum([os.stat(self._target + name)[6] for name in self._there()])

    # -- what is staged --

    def staged(self):
        """The manifest that is staged, or None."""
        return _content(self._stage + "/manifest")

    def stage(self, manifest):
        """Begin anew, with this manifest."""
        self.abandon()
        slots.make_folder(self._stage)
        self._do(slots.write_whole, self._stage + "/manifest", manifest)

    def abandon(self):
        """Forget what is staged; the manifest first, so that nothing is taken for a part of it."""
        for name in ["manifest"] + slots.names(self._stage):
            slots.remove(self._stage + "/" + name)

    def is_listed(self):
        """Is the list of files there?"""
        return slots.exists(self._stage + "/list")

    def rows(self):
        """Yield the rows of the list: (name, size, SHA-256)."""
        with open(self._stage + "/list", "rb") as file:
            for row in items(file.read):
                yield tuple(row)

    # -- items, as they arrive --

    def have(self, item):
        """How many bytes of an item are here."""
        try:
            return os.stat(self._part(item))[6]
        except OSError:
            return 0

    def take(self, item, data):
        """Put these bytes behind what is here of an item."""
        self._do(self._append, item, data)

    def drop(self, item):
        """Forget what has come of an item."""
        slots.remove(self._part(item))

    def make_list(self, base, wanted):
        """Item 0 has come: make the list of it, and of the set that runs, which has the hash `base`. `wanted`: the
        hash of the list, the hash of the set, and bytes of all files.

        Raises Malformed, Untrusted release-base, Unverified release-damaged. In any case the item is gone.
        """
        self._do(self._make_list, base, wanted)

    def finish(self, item, row):
        """A file has come: into its place with it. Raises Unverified release-damaged; then the item is gone."""
        self._do(self._finish, item, row)

    # -- the slot --

    def settle(self, row):
        """Is that file in its place? If only the slot that runs has it, it is copied."""
        name, size, digest = row
        if slots.digest(self._target + name) == digest:
            return True
        own = self._root + "/" + self.slot + "/" + name
        if slots.digest(own) != digest:
            return False
        with open(own, "rb") as file:
            self._do(self._place, _pieces(file), row)
        return True

    def keep_only_listed(self):
        """Remove from the other slot what the list does not name."""
        wanted = self.rows()
        row = next(wanted, None)
        for name in self._there():
            while row and row[0] < name:
                row = next(wanted, None)
            if not row or row[0] != name:
                slots.remove(self._target + name)
        if slots.exists(self._target[:-1]):
            _prune(self._target[:-1])  # MicroPython would take a folder for the package that it was

    def count(self):
        """How many files the other slot holds."""
        return len(self._there())

    def digest(self, name):
        """SHA-256 of a file of the other slot; None if it is not there."""
        return slots.digest(self._target + name)

    def installed(self):
        """The hash of the set in the other slot."""
        return slots.hash_of(self._target[:-1])

    # -- the trial --

    def image(self, label=None):
        """Where another image of MicroPython goes, or the partition `label`: an Image of the port's; None if the board
        has no such place, or runs from there.
        """
        return self._images().other(self._stage + "/image", label) if self._images else None

    def begin_trial(self, label=None):
        """The other slot runs at the next start, for once; with `label`, if MicroPython then runs from that partition.
        Power may fail before or after this, not in between.
        """
        self._do(self._begin_trial, label)

    def trial(self):
        """How a trial stands: see slots.trial."""
        return slots.trial(self._root)

    def confirm(self):
        """What runs has proven itself: it runs from now on. `end_trial` follows."""
        self._do(self._confirm)

    def fail(self, reason):
        """What runs, on trial, has failed: so at the next start the other set runs, and tells the reason."""
        self._do(slots.write_whole, self._root + "/trial", (self.slot + "2" + reason).encode())

    def end_trial(self):
        """The trial is over, and has been told of."""
        self._do(self._end_trial)

    # -- steps --

    def _begin_trial(self, label):
        if label:
            slots.write_whole(self._root + "/image", label.encode())
        else:
            slots.remove(self._root + "/image")
        slots.write_whole(self._root + "/trial", self.other.encode() + b"0")

    def _confirm(self):
        if slots.exists(self._root + "/image"):  # the bootloader has notes of its own, and power fails between the two
            slots.write_whole(self._root + "/trial", self.slot.encode() + b"3")
            self._images().keep()
        slots.write_whole(self._root + "/slot", self.slot.encode())

    def _end_trial(self):
        slots.remove(self._root + "/trial")
        slots.remove(self._root + "/image")

    def _there(self):
        return slots.names(self._target[:-1])

    def _part(self, item):
        return self._stage + "/" + str(item)

    def _append(self, item, data):
        try:
            with open(self._part(item), "ab") as file:
                file.write(data)
        except OSError:
            self.drop(item)  # the set that runs needs room for its data
            raise

    def _make_list(self, base, wanted):
        files, path = FileList(), self._stage + "/new"
        try:
            with open(self._part(0), "rb") as part:
                source = _Guarded(_inflate(part))
                found = items(source.read)
                own = slots.rows(self._root + "/" + self.slot) if is_based(found, base) else iter(())
                with open(path, "wb") as file:
                    for row in merged(own, found):
                        file.write(files.add(row))
            if (files.list_hash(), files.set_hash(), files.total) != wanted:
                raise Unverified(_DAMAGED, "the list")
        finally:
            self.drop(0)  # also of one that is right: nobody needs it any longer
        os.rename(path, self._stage + "/list")

    def _finish(self, item, row):
        try:
            with open(self._part(item), "rb") as part:
                self._place(_pieces(_Guarded(_inflate(part))), row)
        finally:
            self.drop(item)

    def _place(self, pieces, row):
        name, size, digest = row
        path, total, left = self._stage + "/new", sha256(), size
        try:
            with open(path, "wb") as file:
                for piece in pieces:
                    left -= len(piece)
                    if left < 0:
                        break
                    total.update(piece)
                    file.write(piece)
            if left or total.digest() != digest:
                raise Unverified(_DAMAGED, name)
            slots.make_folders(self._target + name)
            os.rename(path, self._target + name)
        finally:
            slots.remove(path)

    def _do(self, step, *arguments):
        try:
            return step(*arguments)
        except OSError as error:
            raise StorageError(_REASONS.get(error.errno, "storage-failed"), "errno %s" % error.errno)


class _Guarded:
    """A stream that does not inflate is damaged, however MicroPython says so."""

    def __init__(self, stream):
        self._stream = stream

    def read(self, length):
        try:
            return self._stream.read(length)
        except (OSError, EOFError, ValueError):
            raise Unverified(_DAMAGED, "no deflate")


def _pieces(stream):
    while True:
        piece = stream.read(_PIECE)
        if not piece:
            return
        yield piece


def _prune(folder):
    """Remove what is empty below a folder. Is that empty itself then?"""
    is_empty = True
    for name, kind, *_ in list(slots.ilistdir(folder)):
        path = folder + "/" + name
        if kind & _DIRECTORY and _prune(path):
            os.rmdir(path)
        else:
            is_empty = False
    return is_empty


def _content(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None
