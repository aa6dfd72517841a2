"""Updates with MicroPython's own image: it and the files of its release run together or not at all. More of that is in
tests/esp32/test_image.py.
"""

from admit_device import trial
from admit_protocol import journal
from chip.board_ota import BLOCK, VALID
from image_work import SECOND, THIRD, OtaBoard, with_image
from update_work import NEW, manifest, read_set

LIMIT_S = 120


def test_an_image_and_its_files_are_switched_together():
    with OtaBoard() as board:
        assert board.update() == ("ota_1", "b")
        assert board.rig.trial == "on" and read_set(board.root, "b") == NEW
        assert board.ota.kept["ota_1"].read(0, len(SECOND)) == SECOND
        trial.prove(board.rig.device)
        assert board.rig.trial is None and board.ota._entries()[0][1] == VALID
        for soft in (False, True, False):
            assert board.restart(soft) == ("ota_1", "b")
        state = board.carrier.state()
        assert [state[number] for number in range(1, 7)] == ["b", False, 1, 2, None, None]
        assert [each.outcome for each in board.records()] == [journal.DONE]


def test_an_image_comes_on_from_where_it_was():
    with OtaBoard() as board:
        assert board.look(with_image())[-1] == [241, 0]
        data = SECOND[:700]
        assert board.carrier.piece(241, 0, SECOND, data) == 700
        for offset in (0, 699, 701, 5000):
            assert board.carrier.piece(241, offset, SECOND, data) == 700
        have = 700
        while have < 2 * BLOCK:
            have = board.carrier.piece(241, have, SECOND, SECOND[have : have + 999])
        board.restart()
        assert board.carrier.stage(with_image())[1] == 3
        assert board.carrier.look()[2][-1] == [241, 2 * BLOCK]  # of the third block nobody knows how whole it is
        board.carrier.put(241, SECOND)
        assert [item for item, _ in board.carrier.look()[2]] == [2, 3]
        board.restart()
        board.carrier.stage(with_image())
        assert [item for item, _ in board.carrier.look()[2]] == [2, 3]
        board.carrier.stage(manifest(sequence=3))  # another release
        assert board.look(with_image(THIRD))[-1] == [241, 0]


def test_an_image_that_does_not_come_up_is_told():
    with OtaBoard() as board:
        board.bring()
        board.carrier.switch()
        board.ota.start()  # and it crashes
        assert board.restart() == ("ota_0", "a")
        assert board.carrier.state()[6] == [2, "trial-image: power"]
        assert [each.outcome for each in board.records()] == [journal.FAILED]
