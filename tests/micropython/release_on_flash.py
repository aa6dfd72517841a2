"""An update on a real littlefs, with power cut in the middle of each write to the flash, from manifest to floor.

    MICROPYPATH=firmware:tests:tests/micropython:.frozen micropython tests/micropython/release_on_flash.py \
        STORY FIRST STEP HOW SIXTEENTHS…

As operations_on_flash.py has it. STORY: "good", a release that is confirmed; "bad", one that is given up. After each
cut the board starts as boot.py has it, what it runs is whole, and whoever goes on with the update ends where an
undisturbed one ends.
"""

import json
import sys

import vfs
from operations_on_flash import ROOT, Kiosk, cut_everywhere, new_flash, off
from update_on_flash import SETS, Request, bring

from admit_device import releases, trial
from admit_protocol import cbor, journal
from admit_protocol.journal_reader import parse_record
from operations import hold
from ports import slots
from remembered import remembered
from support import HERE
from update_work import NEW, OLD, set_hash, write_set


class Board(Kiosk):
    """A kiosk with slots."""

    flash = ROOT

    def start(self, flash, seed=b"after"):
        self.trial = self.set_hash = None
        super().start(flash, seed)

    def boot(self):
        """As boot.py has it."""
        sys.path[:] = [path for path in sys.path if not path.startswith(ROOT)]
        exec(BOOT, {})
        self.trial, self.faults = slots.trial(ROOT), []
        self.set_hash = slots.installed(ROOT)
        super().boot()

    def again(self):
        """Off, and on."""
        off()
        self.start(self.runs_on, b"again")

    def ask(self, method, body):
        """What /release answers, decoded."""
        request = Request(method, cbor.encode(body))
        answer = releases.answer(request, self.device)
        return cbor.decode(answer.payload) if answer.payload else None

    def records(self):
        pages = self.device.journal.kept().since(0)[2]
        return [each for each in [parse_record(data) for data in pages] if each.kind == journal.RELEASE]

    def is_updated(self):
        return self.set_hash == set_hash(NEW) and self.trial is None and self.floor() == 1

    def floor(self):
        return releases.stored(self.device)[releases.FLOOR]


class Good:
    """A release that proves itself."""

    def past(self, board):
        pass

    def tell(self, board, note, known=None):
        for _ in range(4):
            if board.trial == "on":  # the one start that it has
                trial.prove(board.device)
                note("confirmed", True)
            if board.is_updated():
                break
            if board.set_hash != set_hash(NEW):
                bring(board)
            board.again()
        board.again()

    def check(self, board, known):
        hold(board.set_hash in SETS, "a set that is none")
        hold(slots.hash_of(slots._usual(ROOT)) in SETS, "what would run next is no set")
        hold(not known.get("confirmed") or board.is_updated(), "what was confirmed is not what runs")

    def over(self, board, known):
        hold(board.is_updated() and releases.stored(board.device)[releases.LAST] is None, "it is not updated")
        hold(any([each.outcome == journal.DONE for each in board.records()]), "no record of it")


class Bad(Good):
    """One that ends without a word, once it runs; the old set tells of it. Who goes on has mended it."""

    def tell(self, board, note, known=None):
        if known is not None:
            return super().tell(board, note, known)
        bring(board)
        board.again()
        board.again()


def filled():
    """A flash with a set in slot a."""
    flash = new_flash()
    vfs.mount(vfs.VfsLfs2(flash), ROOT)
    write_set(ROOT, "a", OLD)
    slots.write_whole(ROOT + "/slot", b"a")
    off()
    return flash


def main(story, first, step, how, *parts):
    board = Board(filled())
    off()
    parts = [int(each) for each in parts]
    print(json.dumps(cut_everywhere(board, {"good": Good, "bad": Bad}[story](), int(first), int(step), how, parts)))


if __name__ == "__main__":
    with open(HERE + "/../firmware/boot.py") as file:
        BOOT = file.read().replace('"/', '"' + ROOT + "/").replace("micropython.kbd_intr(-1)", "pass")
    with remembered():
        main(*sys.argv[1:])
