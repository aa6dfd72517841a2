"""An update on a real littlefs, with power cut in the middle of each write to the flash, from manifest to floor.

    MICROPYPATH=firmware:tests:.frozen micropython tests/micropython/update_on_flash.py FIRST STEP SIXTEENTHS…

Cuts at write FIRST, FIRST + STEP, … of each of two stories, after each of so many sixteenths of that write: a good
release that is confirmed; a bad one that is given up. After each cut the board starts as boot.py has it, what it runs
is whole, and whoever goes on with the update ends where an undisturbed one ends. Prints one line of JSON. Run by
test_update_on_flash.py, and by the bench.
"""

import json
import sys

import vfs
from journal_on_flash import BLOCK, Flash, PowerCut

from admit_device import releases, trial
from admit_protocol import cbor, coap, journal, release
from admit_protocol.errors import StorageError
from admit_protocol.journal_reader import parse_record
from memory_ports import HandClock
from ports import slots
from ports.folder import FolderStorage, make_folder
from rig import Rig
from support import HERE
from update_work import NEW, OLD, manifest, pack, rows, set_hash, write_set
from visitors import ROUTINES, SITE

ROOT = "/flash"
BLOCKS = 64
RELEASE = manifest()
ITEMS = {0: pack(release.delta(rows(OLD), rows(NEW), set_hash(OLD)))}
ITEMS.update({number: pack(NEW[row[0]]) for number, row in enumerate(rows(NEW), 1)})
SETS = {set_hash(OLD): OLD, set_hash(NEW): NEW}
PIECE = 1000
SMALL, LARGE = 28, {"start.mpy": bytes(30 * 4096)}


class Torn(Flash):
    """Of the write in which power goes, `sixteenths` arrive."""

    sixteenths = 8

    def writeblocks(self, block, data, offset=0):
        if self.writes == self.dies_at and not self.is_dead:
            length = len(data) * self.sixteenths // 16
            self.image[block * BLOCK + offset : block * BLOCK + offset + length] = data[:length]
            self.is_dead = True
            raise PowerCut()
        super().writeblocks(block, data, offset)


class Identities:
    """The key store: nothing here writes to it."""

    def __init__(self, files):
        self.read = files.get
        self.write = None


class Board(Rig):
    """A kiosk whose storage and slots are on that flash. It is its own board, and its device knows every signature
    that was verified once: each takes MicroPython a tenth of a second.
    """

    verified = {}
    asked = None

    def __init__(self, keystore):
        self.keystore = keystore
        self.dice, self.site, self.namespace, self.profile = DICE, SITE, ROUTINES, None
        self.flash = ROOT

    def start(self, flash):
        """Power on; the slot that runs."""
        vfs.mount(vfs.VfsLfs2(flash), ROOT)
        sys.path[:] = [path for path in sys.path if not path.startswith(ROOT)]
        exec(BOOT, {})
        self.clock = HandClock()
        self.trial, self.faults = slots.trial(ROOT), []
        self.set_hash = slots.installed(ROOT)
        self.storage = FolderStorage(make_folder(ROOT + "/data"))
        self.boot()
        self.device.suite.verify = self.remembered(self.device.suite.verify)
        return slots.active(ROOT)[-1]

    def remembered(self, verify):
        def asked(public, message, signature):
            kind = bytes(public) + message + signature
            if kind not in self.verified:
                self.verified[kind] = verify(public, message, signature)
            return self.verified[kind]

        return asked

    def ask(self, method, body):
        """What /release answers, decoded."""
        request = Request(method, cbor.encode(body))
        answer = releases.answer(request, self.device)
        return cbor.decode(answer.payload) if answer.payload else None

    def records(self):
        pages = self.device.journal.kept().since(0)[2]
        return [each for each in [parse_record(data) for data in pages] if each.kind == journal.RELEASE]


class Request:
    session = True

    def __init__(self, method, payload):
        self.method, self.payload = method, payload


def power_off():
    vfs.umount(ROOT)


def bring(board):
    """Bring the release, from wherever that had come to, and switch."""
    state = board.ask(coap.POST, {1: 1, 2: RELEASE})
    if state[3]:
        return
    for item, have in state[2]:
        put(board, item, have)
    while state[1] or not state[2] or state[2][0][0] == 0:
        state = board.ask(coap.PUT, [])
        if not state[1]:
            break
    for item, have in state[2]:
        put(board, item, have)
    board.ask(coap.POST, {1: 2})


def put(board, item, have):
    data = ITEMS[item]
    while True:
        have = board.ask(coap.PUT, [item, have, len(data), data[have : have + PIECE]])
        if have == len(data):
            return


def good_story(board, flash):
    """Update, trial, confirmation, and a start after it."""
    bring(board)
    power_off()
    if board.start(flash) == "b":
        trial.prove(board.device)
    power_off()
    board.start(flash)


def bad_story(board, flash):
    """Update, a trial that ends without a word, and the old set, which tells of it."""
    bring(board)
    power_off()
    board.start(flash)
    power_off()
    board.start(flash)


def check(board, image):
    """The power is back: what runs is whole, and one or the other; the update can be gone on with."""
    flash = Flash(BLOCKS, image)
    board.start(flash)
    assert board.set_hash in SETS, "a third state"
    usual = slots._usual(ROOT)
    assert slots.hash_of(usual) in SETS, "what would run next is no set"
    began = board.trial
    told = [board.device.journal.count]
    if began == "on":  # the one start that it has: it proves itself, late
        trial.prove(board.device)
    for _ in range(3):
        if slots.active(ROOT)[-1] == "b" and board.trial is None and releases.stored(board.device)[releases.FLOOR] == 1:
            break
        if board.set_hash != set_hash(NEW):
            bring(board)
        power_off()
        board.start(flash)
        if board.trial == "on":
            trial.prove(board.device)
        told.append(board.device.journal.count)
    assert board.set_hash == set_hash(NEW) and slots.trial(ROOT) is None
    known = releases.stored(board.device)
    assert (known[releases.FLOOR], known[releases.LAST]) == (1, None), known
    assert told == sorted(told) and any([each.outcome == journal.DONE for each in board.records()])
    power_off()


def cut(board, image, story, dies_at, sixteenths):
    """True if the power went in that write of the story, and all was well afterwards."""
    flash = Torn(BLOCKS, image)
    flash.sixteenths = sixteenths
    board.start(flash)
    flash.writes, flash.dies_at = 0, dies_at
    try:
        story(board, flash)
    except (PowerCut, Exception):  # closing the file says something else again
        if not flash.is_dead:
            raise
    try:
        power_off()
    except OSError:
        pass
    if flash.is_dead:
        check(board, flash.image)
    return flash.is_dead


def new_flash(blocks):
    """One with a set in slot a."""
    flash = Flash(blocks)
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), ROOT)
    write_set(ROOT, "a", OLD)
    slots.write_whole(ROOT + "/slot", b"a")
    power_off()
    return flash


def full_disk(board):
    """What a board says whose flash has no room for what comes; it goes on as it was."""
    flash = new_flash(SMALL)
    board.start(flash)
    board.ask(coap.POST, {1: 1, 2: manifest(LARGE)})
    data = pack(release.delta(rows(OLD), rows(LARGE), set_hash(OLD)))
    board.ask(coap.PUT, [0, 0, len(data), data])
    assert board.ask(coap.PUT, [])[2] == [[1, 0]]
    length, have = len(LARGE["start.mpy"]) + 5, 0
    try:
        while True:
            have = board.ask(coap.PUT, [1, have, length, bytes(PIECE)])
    except StorageError as error:
        reason = error.reason
    assert have > 5 * BLOCK and board.ask(coap.PUT, [])[2] == [[1, 0]]
    board.storage.write("more", bytes(2 * BLOCK))  # there is room again
    power_off()
    assert board.start(flash) == "a" and board.set_hash == set_hash(OLD)
    power_off()
    return reason


def main(first, step, parts):
    flash = new_flash(BLOCKS)
    board = Board(KEYSTORE)
    board.start(flash)
    power_off()
    told = {"full": full_disk(board)}
    for name, story in (("confirmed", good_story), ("given up", bad_story)):
        told[name] = 0
        for sixteenths in parts:
            at = first
            while cut(board, flash.image, story, at, sixteenths):
                at, told[name] = at + step, told[name] + 1
    print(json.dumps(told))


if __name__ == "__main__":
    with open(HERE + "/../firmware/boot.py") as file:
        BOOT = file.read().replace('"/', '"' + ROOT + "/").replace("micropython.kbd_intr(-1)", "pass")
    made = Rig(ROUTINES, SITE)
    DICE, KEYSTORE = made.dice, Identities(made.keystore.files)
    main(int(sys.argv[1]), int(sys.argv[2]), [int(each) for each in sys.argv[3:]])
