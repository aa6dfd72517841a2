"""MicroPython's own image in its OTA partition: what is taken, what is refused, and what runs after each kind of start.

In one process: the port's image.py on the flash of tests/chip/board_ota.py. Over the air: test_image_update.py.
"""

import os

from admit_device import trial
from admit_protocol import cbor, coap
from chip.board_ota import NEW as IS_NEW
from chip.board_ota import program
from image_work import FIRST, PAIRS, SECOND, SIZE, OtaBoard, image_of, with_image
from update_work import NEW, OLD, ROLLBACK, SWITCH, manifest, read_set


def test_an_image_alone_is_an_update_too():
    with OtaBoard() as board:
        assert board.update(files=OLD) == ("ota_1", "b") and board.rig.trial == "on"
        trial.prove(board.rig.device)
        assert board.restart() == ("ota_1", "b") and read_set(board.root, "b") == OLD
        assert board.carrier.state()[4] == 2
        assert board.carrier.stage(with_image(files=OLD)) == {1: 0, 2: [], 3: True}


def test_an_image_that_runs_already_does_not_come():
    with OtaBoard() as board:
        assert board.stage_refused(image=image_of(FIRST), bytecode=99) == "release-other-bytecode"
        assert [item for item, _ in board.look(with_image(FIRST))] == [2, 3]
        board.carrier.bring(data=with_image(FIRST))
        board.carrier.switch()
        assert board.restart() == ("ota_0", "b")
        trial.prove(board.rig.device)
        assert board.restart() == ("ota_0", "b")


def test_files_for_another_bytecode_come_with_the_image_that_runs_them():
    with OtaBoard() as board:
        assert board.stage_refused(bytecode=99) == "release-other-bytecode"
        board.bring(bytecode=99)
        board.carrier.switch()
        assert board.restart() == ("ota_1", "b")


def test_what_a_board_cannot_take_is_refused_before_anything_moves():
    with OtaBoard() as board:
        assert board.stage_refused(image=(SIZE + 1, bytes(32))) == "release-image"
        table = board.ota.table
        for missing in ("otadata", "ota_1"):
            board.ota.table = {name: row for name, row in table.items() if name != missing}
            assert board.stage_refused(image=image_of(SECOND)) == "release-image"
        board.ota.table = table
        assert board.carrier.state()[5] is None
        assert board.ota.kept["ota_1"].read(0, 5) == b"stale"


def test_an_image_that_the_chip_does_not_take_changes_nothing():
    with OtaBoard() as board:
        board.bring(program("esp32c3", bytes(9000)))
        assert board.refused(coap.POST, SWITCH) == "release-image"
        assert board.rig.updates().trial() is None and board.carrier.state()[7] is None
        assert board.restart() == ("ota_0", "a")
        assert board.update(sequence=3) == ("ota_1", "b")


def test_what_is_damaged_of_an_image_comes_anew():
    with OtaBoard() as board:
        board.look(with_image())
        for body in ([241, 0, 5, b"x"], [241, 0, len(SECOND) + 1, b""], [241, len(SECOND), len(SECOND), b"x"]):
            assert board.refused(coap.PUT, cbor.encode(body)) == "release-too-long"
        wrong = SECOND[:-1] + b"?"
        have = 0
        while len(wrong) - have > 1000:
            have = board.carrier.piece(241, have, wrong, wrong[have : have + 1000])
        assert board.refused(coap.PUT, cbor.encode([241, have, len(wrong), wrong[have:]])) == "release-damaged"
        assert board.look(with_image())[-1] == [241, 0]
        board.bring()
        board.ota.kept["ota_1"].write(5000, b"damaged")
        assert board.refused(coap.POST, SWITCH) == "release-damaged"
        assert board.refused(coap.POST, SWITCH) == "release-damaged"
        assert board.look(with_image())[-1] == [241, 0]
        assert board.update() == ("ota_1", "b")


def test_a_trial_that_ends_brings_back_the_old_image_with_the_old_files():
    with OtaBoard() as board:
        for soft in (False, True):
            assert board.update() == ("ota_1", "b")
            assert board.restart(soft) == ("ota_0", "a")
            assert board.carrier.state()[6] == [2, "trial-no-answer: power"]
            assert board.restart() == ("ota_0", "a") and board.rig.trial is None
        board.update()
        board.rig.updates().fail("trial-too-long")
        assert board.restart(soft=True) == ("ota_0", "a")
        assert board.carrier.state()[6] == [2, "trial-too-long"]


def test_a_flash_that_takes_no_mark_ends_on_the_old_image_too():
    with OtaBoard() as board:
        board.bring()
        board.carrier.switch()
        os.mkdir(board.root + "/trial.new")
        assert board.restart() == ("ota_0", "a")
        assert board.carrier.state()[6] == [2, "trial-image: power"]
        os.rmdir(board.root + "/trial.new")
        assert board.restart() == ("ota_0", "a") and board.rig.trial is None


def test_a_start_that_was_not_a_reset_goes_on_with_the_switch():
    """Or the bootloader would run the new image at some later reset, with the old files."""
    with OtaBoard() as board:
        board.bring()
        board.carrier.switch()
        assert board.ota._entries()[0][1] == IS_NEW
        assert board.restart(soft=True) == ("ota_1", "b") and board.rig.trial == "on"
        trial.prove(board.rig.device)
        for soft in (True, False):
            assert board.restart(soft) == ("ota_1", "b")


def test_going_back_takes_the_image_along():
    with OtaBoard() as board:
        board.update(floor=0)
        trial.prove(board.rig.device)
        for expected in (PAIRS[0], PAIRS[1], PAIRS[0]):
            board.rig.restarted = None
            assert board.carrier.ask(coap.POST, ROLLBACK).code == coap.CHANGED
            board.rig.pass_s(1)
            assert board.restart() == expected and board.rig.trial == "on"
            trial.prove(board.rig.device)
            assert board.restart() == expected


def test_files_alone_stay_with_the_image_that_runs():
    with OtaBoard() as board:
        board.update(floor=0)
        trial.prove(board.rig.device)
        third, board.rig.restarted = {"start.mpy": b"start 3"}, None
        board.carrier.bring(third, NEW, manifest(third, sequence=3, floor=0))
        board.carrier.switch()
        assert board.restart() == ("ota_1", "a")
        trial.prove(board.rig.device)
        assert board.restart() == ("ota_1", "a")
        board.carrier.ask(coap.POST, ROLLBACK)
        board.rig.pass_s(1)
        assert board.restart() == ("ota_1", "b")
        trial.prove(board.rig.device)
        assert board.restart() == ("ota_1", "b")
