"""MicroPython's own image: the OTA partition that does not run, filled piece by piece, proven, and booted.

Owns: that partition, and the file that says that it is being filled. The bootloader does the rest: an image that it was
told to boot has one start (ESP-IDF, "App Rollback", which MicroPython's images have had since 1.22), after which the
one before it runs again, unless `keep` was called. Loaded when somebody asks.
Rules: before the first byte of a block is written the next one is erased, so that whoever looks for the first erased
block finds how far it came, whatever lay there before. The partition that runs is never written to.
Must not know: whose image it is, and which files go with it.
"""

from hashlib import sha256

from admit_protocol.const import const
from esp32 import Partition
from ports import slots

_BLOCK = const(4096)
_PIECE = const(512)
_ERASE = const(6)  # of ioctl
_OTADATA = const(0)  # the subtype of the bootloader's notes
_NO_NOTES = const(1)  # ESP_FAIL: it needs no mark, as what came over the cable
_LABEL = const(4)  # of info()
_ERASED = b"\xff" * _PIECE


def other(mark, label=None):
    """Where another image goes, or the partition `label`; None if the board has no such place, or runs from there.
    `mark`: the path of the file that says that it is being filled.
    """
    runs = Partition(Partition.RUNNING)
    try:
        found = Partition(label) if label else runs.get_next_update()
    except OSError:
        return None
    kind, _, _, _, name, is_encrypted = found.info()
    own = runs.info()[_LABEL]
    if name == own or kind != Partition.TYPE_APP or is_encrypted or not Partition.find(Partition.TYPE_DATA, _OTADATA):
        return None
    return Image(found, own, mark)


def keep():
    """What runs, and was booted for a trial, is booted from now on. Raises OSError."""
    try:
        Partition.mark_app_valid_cancel_rollback()
    except OSError as error:
        if error.errno != _NO_NOTES:
            raise


class Image:
    """Such a partition: `label` and `size` are its own, `runs_from` is the label of the one that runs."""

    def __init__(self, partition, runs_from, mark):
        self._partition, self.runs_from, self._mark = partition, runs_from, mark
        self.size, self.label = partition.info()[3:5]

    def runs(self, size):
        """SHA-256 of the first `size` bytes of what runs."""
        return _digest(Partition(Partition.RUNNING), size)

    def holds(self, size):
        """The same of what is here."""
        return _digest(self._partition, size)

    def begin(self):
        """Nothing of what is here counts any longer. Raises OSError, as all that follows."""
        slots.remove(self._mark)
        self._partition.ioctl(_ERASE, 0)
        slots.write_whole(self._mark, b"")

    def is_begun(self):
        """Has it begun, since the update was staged?"""
        return slots.exists(self._mark)

    def have(self, size):
        """How many bytes of an image of `size` have come since then. Of the last block nobody knows how whole it is."""
        block = 0
        while block * _BLOCK < size and not self._is_erased(block):
            block += 1
        return max(block - 1, 0) * _BLOCK

    def write(self, at, data, size):
        """Put bytes behind what is here of an image of `size`: they begin at `at`."""
        data = memoryview(data)
        while len(data):
            block, offset = divmod(at, _BLOCK)
            piece = data[: _BLOCK - offset]
            if not offset:
                if at + _BLOCK < size:
                    self._erase(block + 1)
                self._erase(block)
            self._partition.writeblocks(block, piece, offset)
            at += len(piece)
            data = data[len(piece) :]

    def boot(self):
        """The next start is this image's. Raises OSError if this chip cannot run it; then nothing has changed."""
        self._partition.set_boot()

    def _erase(self, block):
        if not self._is_erased(block):
            self._partition.ioctl(_ERASE, block)

    def _is_erased(self, block):
        for piece in _pieces(self._partition, block * _BLOCK, _BLOCK):
            if piece != _ERASED:
                return False
        return True


def _digest(partition, size):
    total = sha256()
    for piece in _pieces(partition, 0, size):
        total.update(piece)
    return total.digest()


def _pieces(partition, at, size):
    """Yield `size` bytes of a partition, in one buffer again and again."""
    buffer = bytearray(_PIECE)
    end = at + size
    while at < end:
        partition.readblocks(at // _BLOCK, buffer, at % _BLOCK)
        yield buffer if end - at >= _PIECE else memoryview(buffer)[: end - at]
        at += _PIECE
