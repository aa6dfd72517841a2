"""Nothing of files that were removed stays on the flash. Loaded for that alone.

littlefs only forgets a file: its bytes stay where they are until their block is needed again, its name and a small
file's bytes in the log of the folder. So all free blocks are filled once, and each part of the folder's log is written
over twice. A note says that it is under way: where power fails, the next start goes on (board.py).
Must not know what the files were.
"""

import os

from admit_protocol.const import const
from admit_protocol.errors import StorageError

NOTE = const("scrubbing")
_PIECE = const(512)
_FILLING = const("/scrub~")  # a name that a start sweeps away
_LARGEST = const(64 << 20)  # bytes: no chip's flash has more
_TIMES = const(100)  # a log has two blocks; one of 4 KB takes some forty such writes


def scrub(storage, folder, feed, now):
    """Leave nothing there of what was removed from `folder`, which is `storage`'s; unless `now`, at the next start.

    `feed()` is called all the while: a minute for each two megabytes that are free.
    """
    try:
        storage.write(NOTE, b"")
        if now:
            _renew_log(storage, folder, feed)
            _fill(folder + _FILLING, feed)
            storage.remove(NOTE)
    except (OSError, StorageError):  # it was to be removed, and is: that it cannot be written over keeps nobody waiting
        pass


def _renew_log(storage, folder, feed):
    for name in storage.names():
        for _ in range(_TIMES):
            _write(folder + "/" + name + "~", bytes(100))
            feed()
        os.remove(folder + "/" + name + "~")


def _fill(path, feed):
    """Until it is full; where it is no chip's flash, such as a PC in a test, not at all."""
    told = os.statvfs(path.rpartition("/")[0])
    if told[1] * told[2] > _LARGEST:
        return
    try:
        with open(path, "wb") as file:
            while True:
                file.write(bytes(_PIECE))
                feed()
    except OSError:  # it is full
        pass
    os.remove(path)


def _write(path, data):
    with open(path, "wb") as file:
        file.write(data)
