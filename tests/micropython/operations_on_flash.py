"""What owners do to a kiosk, on a real littlefs, with power cut in the middle of each write to the flash.

    MICROPYPATH=firmware:tests:tests/micropython:.frozen micropython tests/micropython/operations_on_flash.py \
        NAME FIRST STEP HOW SIXTEENTHS…

Tells the operation NAME of tests/operations.py once, and cuts it at write FIRST, FIRST + STEP, …, after each of so many
sixteenths of that write. After each cut the kiosk starts; what it is then is judged, the operation is gone on with, and
its end is judged too. HOW: "each" cut is judged so; or each "state", since a kiosk sees no more of its flash than its
files: the same ones are judged once, and read thereafter; or "again", as that, and power goes once more at each write
of the start that follows.

Prints one line of JSON: writes of the operation; cuts; how many of them left a kiosk that does not start or cannot be
gone on with (bricks), one that is neither as before nor as after (thirds), one that has lost a record (lost); how many
different ones there were (states).
"""

import json
import sys

import vfs
from journal_on_flash import Flash
from tape import Tape

from admit_device.journal import Journal
from memory_ports import Dice, HandClock
from operations import OPERATIONS, SITE_ID, Third, holds
from ports import slots
from ports.folder import FolderStorage, make_folder
from ports.virtual.keystore import Keystore
from remembered import remembered
from rig import Rig
from visitors import ROUTINES, SITE

ROOT, BLOCKS = "/flash", 64
AGAIN = (0, 8)  # sixteenths of a write of the start that is cut
BRICK, THIRD, LOST = "bricks", "thirds", "lost"


class Kiosk(Rig):
    """One whose key store and storage are on a flash of its own."""

    def __init__(self, flash):
        self.site, self.namespace, self.profile = SITE, ROUTINES, None
        self.start(flash, b"device")
        self.commission(SITE, "kiosk-1")

    def start(self, flash, seed=b"after"):
        """Power on."""
        vfs.mount(vfs.VfsLfs2(flash), ROOT)
        self.runs_on, self.restarted = flash, None
        self.clock, self.dice = HandClock(), Dice(seed)
        self.storage = FolderStorage(make_folder(ROOT + "/data"))
        self.keystore = Keystore(make_folder(ROOT + "/keys"))
        self.boot()

    def settle(self):
        """Start again, if it wants to."""
        if self.restarted is not None:
            off()
            self.start(self.runs_on, b"restarted")


def off():
    """Power off."""
    vfs.umount(ROOT)


def new_flash(blocks=BLOCKS):
    """One with nothing on it but a file system."""
    flash = Flash(blocks)
    vfs.VfsLfs2.mkfs(flash)
    return flash


# -- the story --


def told(kiosk, operation):
    """The tape of all of it. What a journal has written is noted too, as `journal-LIFE`."""
    tape, write, life = Tape(BLOCKS, kiosk.runs_on.image), Journal.record, [0]

    def record(journal, *arguments):
        write(journal, *arguments)
        life[0] += journal.count == 1
        tape.note("journal-%d" % life[0], (journal.count, journal.head))

    Journal.record = record
    kiosk.start(tape, b"told")
    operation.tell(kiosk, tape.note)
    kiosk.settle()
    Journal.record = write
    off()
    return tape


# -- what is left of it --


class Verdict(Exception):
    """(kind, why)."""


class Judge:
    """Who finds out what cuts of one operation have left."""

    def __init__(self, kiosk, operation, how):
        self._kiosk, self._operation, self._how = kiosk, operation, how
        self._past = kiosk.credential, kiosk.public
        self._seen = set()
        self.found = {"cuts": 0, "states": 0, BRICK: 0, THIRD: 0, LOST: 0}

    def cut(self, image, known):
        """Judge the kiosk whose flash holds this; if it is to be cut again, at each write of its start."""
        self._one(image, known)
        if self._how == "again":
            for later, _ in self._start(image).cuts(0, 1, AGAIN):
                self._one(later, known)

    def _one(self, image, known):
        self.found["cuts"] += 1
        flash = Flash(BLOCKS, image)
        if self._is_new(flash, known) or self._how == "each":
            try:
                self._live_on(flash, dict(known))
            except Exception as error:
                kind = error.args[0] if isinstance(error, Verdict) else BRICK
                self.found[kind] += 1
                if self.found[kind] == 1:
                    sys.print_exception(error, sys.stderr)
            off()

    def _is_new(self, flash, known):
        """Were there never the same files, when the same was known?"""
        vfs.mount(vfs.VfsLfs2(flash, readsize=512), ROOT)  # which spares most calls of `readblocks`
        state = slots.hash_of(ROOT) + repr(sorted(known.items())).encode()
        off()
        is_new = state not in self._seen
        self._seen.add(state)
        self.found["states"] += is_new
        return is_new

    def _start(self, image):
        """The tape of a start."""
        tape = Tape(BLOCKS, image)
        self._begin(tape)
        off()
        return tape

    def _begin(self, flash):
        self._kiosk.credential, self._kiosk.public = self._past
        self._kiosk.start(flash)

    def _live_on(self, flash, known):
        kiosk, operation = self._kiosk, self._operation
        self._begin(flash)
        self._check_journal(known)
        judged(operation.check, kiosk, known)
        operation.tell(kiosk, lambda name, value: known.update({name: value}), known)
        kiosk.settle()
        judged(operation.over, kiosk, known)
        self._check_journal(known)
        if getattr(operation, "ended", 1 << 30) < known.get("journal-0", (0,))[0]:
            raise Verdict(LOST, "its last word knows fewer records than it had")

    def _check_journal(self, known):
        identity = self._kiosk.device.identity
        if identity.anchor:
            written = known.get("journal-%d" % (identity.anchor.site_id != SITE_ID))
            if written and not holds(self._kiosk.device.journal, *written):
                raise Verdict(LOST, "a record is gone")


def judged(step, *arguments):
    try:
        step(*arguments)
    except Third as error:
        raise Verdict(THIRD, str(error))


def cut_everywhere(kiosk, operation, first, step, how, parts):
    """What came of all cuts, a dict as above. The kiosk is off, before and after."""
    judge = Judge(kiosk, operation, how)
    tape = told(kiosk, operation)
    for image, known in tape.cuts(first, step, parts):
        judge.cut(image, known)
    judge.found["writes"] = tape.length
    return judge.found


def main(name, first, step, how, *parts):
    kiosk = Kiosk(new_flash())
    operation = [each for each in OPERATIONS if each.name == name][0]()
    operation.past(kiosk)
    off()
    parts = [int(each) for each in parts]
    print(json.dumps(cut_everywhere(kiosk, operation, int(first), int(step), how, parts)))


if __name__ == "__main__":
    with remembered():
        main(*sys.argv[1:])
