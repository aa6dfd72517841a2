"""An update with an image of MicroPython, with power cut in the middle of each change: of the files, on a real
littlefs; of the OTA partition; of the bootloader's notes.

    MICROPYPATH=firmware:tests:.frozen micropython tests/micropython/image_on_flash.py FIRST STEP SIXTEENTHS…

As update_on_flash.py, whose stories these are: one that is confirmed, one that is given up; and one that starts softly.
At every start after a cut the image that runs is the one that the files belong to.
"""

import json
import sys

import update_on_flash as plain
from journal_on_flash import PowerCut

from admit_device import releases, trial
from admit_protocol import journal
from chip.board_ota import VALID, Bytes
from chip.board_ota import Flash as Ota
from image_work import PAIRS, SECOND, Reset, images, install, new_flash, table, with_image
from ports import slots
from ports.updates import Updates
from rig import Rig
from support import HERE
from update_work import NEW, set_hash
from visitors import ROUTINES, SITE


class Chip(plain.Torn):
    """The flash for files, `image` its bytes, and OTA partitions, `kept` theirs: one supply of power for both."""

    def __init__(self, image, kept):
        super().__init__(plain.BLOCKS, image)
        self.kept = {name: Bytes(0) for name in kept}
        for name, each in kept.items():
            self.kept[name].data = bytearray(each.data)
        self.ota = Ota(self.kept.get, self.power, table=table())
        self.ota.lost = self.lost

    def power(self, name, length):
        """How much arrives of a change of a partition."""
        if self.writes == self.dies_at:
            return min(length * self.sixteenths // 16, length - 1)
        self.writes += 1
        return length

    def lost(self):
        self.is_dead = True
        raise PowerCut()


class Board(plain.Board):
    """A kiosk on such a chip."""

    def updates(self):
        return Updates(plain.ROOT, images)

    def start(self, flash, soft=False):
        """A reset, or a soft start; the slot that runs. Image and files belong together, whatever came before."""
        while True:
            install(flash.ota)
            if not soft:
                flash.ota.start()
            self.reset_cause, soft, self.restarted = "soft" if soft else "power", False, None
            try:
                slot = super().start(flash)
            except Reset:
                self.restarted = False
            if self.restarted is not None:
                plain.power_off()
                continue
            assert (flash.ota.running, slot) in PAIRS, (flash.ota.running, slot)
            return slot


def soft_story(board, flash):
    """Update, and a start that passes no bootloader: the switch goes on."""
    plain.bring(board)
    plain.power_off()
    assert board.start(flash, soft=True) == "b"
    plain.power_off()
    assert board.start(flash) == "a"


def check(board, dead):
    """The power is back: what runs is whole, and the update can be gone on with, to its end."""
    flash = Chip(dead.image, dead.kept)
    board.start(flash)
    assert board.set_hash in plain.SETS, "a third state"
    for _ in range(4):
        if board.trial == "on":
            trial.prove(board.device)
        elif slots.active(plain.ROOT)[-1] == "b" and board.trial is None and board.device.identity:
            break
        elif board.set_hash != set_hash(NEW):
            plain.bring(board)
        plain.power_off()
        board.start(flash)
    for _ in range(2):
        assert board.set_hash == set_hash(NEW) and slots.trial(plain.ROOT) is None
        known = releases.stored(board.device)
        assert (known[releases.FLOOR], known[releases.LAST]) == (1, None), known
        assert any([each.outcome == journal.DONE for each in board.records()])
        notes = flash.ota._entries()
        assert notes[flash.ota._active(notes)][1] == VALID
        plain.power_off()
        board.start(flash)
    plain.power_off()


def cut(board, begin, story, dies_at, sixteenths):
    """True if the power went in that change of the story, and all was well afterwards."""
    flash = Chip(begin.image, begin.kept)
    flash.sixteenths = sixteenths
    board.start(flash)
    flash.writes, flash.dies_at = 0, dies_at
    try:
        story(board, flash)
    except (PowerCut, Exception):
        if not flash.is_dead:
            raise
    try:
        plain.power_off()
    except OSError:
        pass
    if flash.is_dead:
        check(board, flash)
    return flash.is_dead


def main(first, step, parts):
    begin = Chip(plain.new_flash(plain.BLOCKS).image, new_flash().kept)
    board, told = Board(plain.KEYSTORE), {}
    board.start(begin)
    plain.power_off()
    stories = {"confirmed": plain.good_story, "given up": plain.bad_story, "started softly": soft_story}
    for name, story in stories.items():
        told[name] = 0
        for sixteenths in parts:
            at = first
            while cut(board, begin, story, at, sixteenths):
                at, told[name] = at + step, told[name] + 1
    print(json.dumps(told))


if __name__ == "__main__":
    with open(HERE + "/../firmware/boot.py") as file:
        source = file.read().replace('"/', '"' + plain.ROOT + "/")
    plain.BOOT = source.replace("micropython.kbd_intr(-1)", "pass")
    made = Rig(ROUTINES, SITE)
    plain.DICE, plain.KEYSTORE = made.dice, plain.Identities(made.keystore.files)
    plain.RELEASE = with_image()
    plain.ITEMS[241] = SECOND
    main(int(sys.argv[1]), int(sys.argv[2]), [int(each) for each in sys.argv[3:]])
