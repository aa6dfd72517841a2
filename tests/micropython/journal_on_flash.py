"""The device's journal on a real littlefs with the geometry of an ESP32: how it wears, and what a power cut leaves.

    MICROPYPATH=firmware:tests:.frozen micropython tests/micropython/journal_on_flash.py wear|cuts

Prints one line of JSON. Run by test_journal_on_flash.py, and by the bench. Only MicroPython has a littlefs.
"""

import json
import sys

import vfs

from admit_device.clock import Clock
from admit_device.journal import Journal
from admit_device.journal_page import page
from admit_protocol import journal as records
from admit_protocol.errors import StorageError
from admit_protocol.rule import Decision
from limits import TAIL
from memory_ports import HandClock, Memory
from ports.folder import FolderStorage, make_folder

BLOCK = 4096
BLOCKS = 512  # 2 MB, as on a board with a flash of 4 MB
RECORDS = 1200
LONG = 500
PLAIN = 100
FIRST_HEAD = records.first_head(bytes(64))
DATA = "/flash/data"


class PowerCut(BaseException):
    pass


class Flash:
    """A flash in memory. Counts the erases of each block; the power goes in the middle of write `dies_at`."""

    def __init__(self, blocks, image=None):
        self.image = bytearray(image or b"\xff" * (blocks * BLOCK))
        self.erased = [0] * blocks
        self.writes = 0
        self.dies_at = None
        self.is_dead = False

    def readblocks(self, block, buffer, offset=0):
        if self.is_dead:  # the file that was open is closed by the garbage collector, which lets nobody allocate
            return
        at = block * BLOCK + offset
        buffer[:] = self.image[at : at + len(buffer)]

    def writeblocks(self, block, data, offset=0):
        if self.is_dead:
            return
        at, length = block * BLOCK + offset, len(data)
        self.is_dead = self.writes == self.dies_at
        self.writes += 1
        if self.is_dead:
            length //= 2
        self.image[at : at + length] = data[:length]
        if self.is_dead:
            raise PowerCut()

    def ioctl(self, request, argument):
        if request == 4:
            return len(self.erased)
        if request == 5:
            return BLOCK
        if request == 6 and not self.is_dead:
            self.erased[argument] += 1
            self.writeblocks(argument, b"\xff" * BLOCK)
        return 0


def format_flash(blocks=BLOCKS, grants=32):
    """A flash with a file system that holds what a device keeps beside its journal."""
    flash = Flash(blocks)
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    storage = FolderStorage(make_folder(DATA))
    for number in range(grants):
        storage.write("grant-%016x" % number, bytes(420))
    for name, length in (("boots", 3), ("policy", 600), ("time-floor", 5)):
        storage.write(name, bytes(length))
    return flash


def open_journal():
    return Journal(FolderStorage(DATA), Clock(HandClock(), Memory()), FIRST_HEAD)


class Day:
    """What happens at a kiosk: each call of `go_on` writes one record."""

    def __init__(self, journal):
        self._journal = journal
        self._number = 0

    def deny(self):
        """A long one: its reason, its rule, and a time that is not sure."""
        self._number += 1
        self._journal.clock._port.pass_s(4000)
        denial = Decision(False, "rule-outside-window", 1, "", b"g%07d" % self._number, ())
        self._journal.decision(b"%08d" % self._number, "POST /r/front-door", denial)

    def go_on(self):
        number, journal = self._number, self._journal
        self._number += 1
        who, grant = b"%08d" % (number // 5 % 40), b"g%07d" % (number // 5 % 40)
        step = number % 5
        if step == 0:
            journal.record(records.LOGIN, who, "", records.DONE)
        elif step == 1:
            journal.decision(who, "POST /r/open", Decision(True, "rule-allows", 0, "", grant, ()))
        elif step == 2:
            journal.record(records.INVOCATION, who, "/r/open", records.DONE)
        elif step == 3:
            journal.clock._port.pass_s(4000)
            journal.decision(who, "POST /r/light", Decision(False, "rule-outside-window", 1, "", grant, ()))
        else:
            journal.record(records.LOGOUT, who, "", records.DONE)


def wear():
    """Erases of a block for each record, in the long run; the same for a list that is appended to one by one."""
    flash = format_flash()
    journal = open_journal()
    day, before = Day(journal), sum(flash.erased)
    for _ in range(RECORDS):
        day.go_on()
    erases, worst = sum(flash.erased) - before, max(flash.erased)
    length = _length(journal)
    before = sum(flash.erased)
    for _ in range(LONG):
        day.deny()
    long_erases, long = sum(flash.erased) - before, _length(journal)
    storage, before = FolderStorage(DATA), sum(flash.erased)
    for _ in range(PLAIN):
        storage.append("plain", bytes(length))
    return {
        "records": RECORDS,
        "erases": erases / RECORDS,
        "erases of the worst block": worst,
        "bytes": length,
        "erases of long ones": long_erases / LONG,
        "bytes of long ones": long,
        "erases of a plain append": (sum(flash.erased) - before) / PLAIN,
    }


def _length(journal):
    """Bytes of a record, of those that are kept."""
    kept = page(journal, 0, 1 << 20)[2]
    return sum([len(each) for each in kept]) // len(kept)


def cuts():
    """The power goes in the middle of each write to the flash, while two records are written: how many such cuts there
    are, and how many of them lost or kept the record that was under way.
    """
    flash = format_flash(64, 2)
    journal = open_journal()
    day = Day(journal)
    while not _is_due(journal.kept()):
        day.go_on()
    vfs.umount("/flash")
    told = {"cuts": 0, "lost": 0, "kept": 0}
    for ahead in (0, TAIL):  # the tail goes into a segment; at the first of them that is full then, and the next begins
        journal = _mount(flash)
        for _ in range(ahead):
            journal.record(records.LOGIN, b"the past", "", records.DONE)
        vfs.umount("/flash")
        dies_at = 0
        while found := _cut(flash.image, dies_at):
            told["cuts"] += 1
            told[found] += 1
            dies_at += 1
    return told


def _cut(image, dies_at):
    """What became of the record under way when power went in write `dies_at`; None if there are no so many writes."""
    flash = Flash(64, image)
    journal = _mount(flash)
    flash.writes, flash.dies_at = 0, dies_at
    try:
        for number in range(2):
            confirmed = journal.count, journal.head
            journal.record(records.LOGIN, b"%08d" % number, "", records.DONE)
    except (PowerCut, StorageError):  # closing the file says something else again
        assert flash.is_dead
    vfs.umount("/flash")
    return _check(flash.image, confirmed) if flash.is_dead else None


def _mount(flash):
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    return open_journal()


def _is_due(segments):
    """Does its tail go into a segment that is full then, with the next record?"""
    return segments.count % TAIL == 0 and segments.count - segments._first >= segments._size


def _check(image, confirmed):
    """What the device finds when the power is back: whether the record that was under way is there."""
    journal = _mount(Flash(64, image))
    try:
        assert not journal.is_damaged
        count, head = confirmed
        assert journal.count in (count, count + 1), (journal.count, count)
        first, so_far, found = page(journal, 0, 1 << 20)
        for each in found:
            assert first != count or so_far == head
            first, so_far = first + 1, records.chain(so_far, each)
        assert (first, so_far) == (journal.count, journal.head) and (first != count or so_far == head)
        kept = journal.count > count
        journal.record(records.LOGOUT, b"the next", "", records.DONE)
        again = open_journal()
        assert (again.count, again.head) == (journal.count, journal.head)
        return "kept" if kept else "lost"
    finally:
        vfs.umount("/flash")


if __name__ == "__main__":
    print(json.dumps({"wear": wear, "cuts": cuts}[sys.argv[1]]()))
