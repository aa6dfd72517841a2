"""Attacks on updates, and accidents in them: a flash that refuses, a release that leaves traces, words that give away.

What they can do must end with a whole set that runs, the next update possible, and the floor where it was or higher.
"""

import os

from admit_device import crash, trial
from admit_protocol import cbor, coap, journal, release
from admit_protocol.errors import LocalError
from memory_ports import PowerCut
from support import raises
from update_work import NEW, OLD, ROLLBACK, Board, manifest, pack, read_set, restart, rows, set_hash
from visitors import reason

LIMIT_S = 120


def test_a_folder_of_an_earlier_release_is_in_no_later_ones_way():
    """MicroPython takes a folder for a package, before it looks for a module of that name."""
    package = {"start.mpy": b"start 2", "door/__init__.mpy": b"", "door/lock/bolt.mpy": b"a bolt", "plain/x.mpy": b"x"}
    module = {"start.mpy": b"start 3", "door.mpy": b"a door", "plain": b"a file now"}
    with Board() as board:
        board.carrier.bring(package, data=manifest(package))
        board.carrier.bring(module, data=manifest(module, sequence=3))
        assert read_set(board.root, "b") == module
        assert sorted(os.listdir(board.root + "/b")) == ["door.mpy", "plain", "start.mpy"]
        board.carrier.switch()
        assert board.restart() == "b"


def test_a_storage_that_is_full_after_a_trial_does_not_end_all_updates():
    with Board() as board:
        board.update()
        board.rig.storage.full = True
        assert board.restart() == "a"
        assert "trial" not in os.listdir(board.root) and not os.listdir(board.root + "/stage")
        board.rig.storage.full = False
        assert board.update() == "b"


def test_a_device_that_was_wiped_in_its_trial_keeps_nothing_of_it():
    with Board() as board:
        board.update()
        board.rig.storage.files.clear()
        board.rig.keystore.files.clear()
        restart(board.rig)
        assert not os.listdir(board.root + "/stage") and "trial" not in os.listdir(board.root)


def test_a_floor_that_could_not_be_stored_is_not_forgotten():
    """Its trial goes on being told of until the floor has risen: meanwhile nothing else runs."""
    with Board() as board:
        board.update(floor=2)
        board.rig.updates().confirm()
        board.rig.storage.full = True
        assert board.restart() == "b" and board.rig.trial == "confirmed"
        board.rig.storage.full = False
        assert reason(board.carrier.ask(coap.POST, ROLLBACK)) == "release-on-trial"
        assert board.restart() == "b" and board.carrier.state()[3] == 2 and board.rig.trial is None


def test_the_same_files_under_a_higher_floor_raise_it():
    """Else who forbids an old version by a release of what runs would have forbidden nothing."""
    with Board() as board:
        board.update(floor=0)
        trial.prove(board.rig.device)
        again = manifest(NEW, sequence=3, floor=3, version="3.0")
        assert board.carrier.state()[7] == 0
        assert board.carrier.stage(again) == {1: 0, 2: [], 3: True}
        state = board.carrier.state()
        assert (state[3], state[4], state[5], state[7]) == (3, 3, None, None)
        assert reason(board.carrier.ask(coap.POST, ROLLBACK)) == "release-floor"
        record = board.records()[-1]
        assert (record.what, record.outcome, record.extra) == ("3.0", journal.DONE, {journal.COUNT: 3})
        for data in (again, manifest(NEW, sequence=2, floor=0)):
            assert board.carrier.stage(data)[3] is True
        assert board.carrier.state()[3] == 3 and len(board.records()) == 2
        assert board.restart() == "b" and board.carrier.state()[4] == 3


def test_power_that_fails_as_a_floor_is_raised_leaves_the_old_one_or_the_new_one():
    with Board() as board:
        for cut in range(4):  # the request's record, the floor, the record of that
            floor = cut + 2
            data = manifest(OLD, sequence=floor, floor=floor)
            board.rig.storage.cut_after = cut
            try:
                board.carrier.stage(data)
            except PowerCut:
                pass
            board.rig.storage.cut_after = None
            assert board.restart() == "a"
            state = board.carrier.state()
            assert state[3] == state[4] and state[3] in (max(floor - 1, 0) if cut else 0, floor), (cut, state)
            assert board.carrier.stage(data)[3] is True and board.carrier.state()[3] == floor
        assert [each.extra[journal.COUNT] for each in board.records()][-1] == 5


def test_the_same_files_raise_no_floor_of_another_board_or_after_their_end():
    with Board() as board:
        for expected, changed in (("release-other-board", {"boards": ["other"]}), ("release-expired", {"expires": 5})):
            changed["issued_at"] = 1
            assert board.stage_refused(files=OLD, **changed) == expected
        assert board.carrier.state()[3] == 0


def test_an_item_that_cannot_be_is_refused_in_words():
    with Board() as board:
        board.carrier.stage(manifest())
        board.carrier.put(0, pack(release.delta(rows(OLD), rows(NEW), set_hash(OLD))))
        board.carrier.look()
        for item in (242, 255, 256, 300, 1 << 40):
            answer = board.carrier.ask(coap.PUT, cbor.encode([item, 0, 5, b"x"]))
            assert (answer.code, reason(answer)) == (0x80, "release-body"), item


def test_a_flash_that_refuses_is_said_to_whoever_brings_it():
    """Each step that writes, or removes: the answer is an error of storage, never silence."""
    with Board() as board:
        board.carrier.bring()
        os.remove(board.root + "/stage/list")
        os.mkdir(board.root + "/stage/list")  # what cannot be read
        for method, body in ((coap.POST, {1: 2}), (coap.PUT, [])):
            assert reason(board.carrier.ask(method, cbor.encode(body))) == "storage-failed"


def test_a_version_that_would_serve_nobody_is_not_confirmed():
    with Board() as board:
        board.update()
        device = board.rig.device

        def broken(*_):
            raise AttributeError("nothing")

        for part, name in ((device.kiosk, "expire"), (device.front, "resources")):
            sound = getattr(part, name)
            setattr(part, name, broken)
            with raises(LocalError, "trial-loop: AttributeError"):
                trial.prove(device)
            assert board.rig.trial == "on"
            setattr(part, name, sound)
        trial.prove(device)
        assert board.rig.trial is None


def test_a_fault_of_the_sites_file_gives_away_no_values():
    for error, expected in (
        (ValueError("a secret"), "ValueError at "),
        (KeyError("a secret"), "KeyError at "),
        (SystemExit("a secret"), "SystemExit at "),
        (ImportError("no module named 'door'"), "ImportError: no module named 'door'"),
        (NameError("name 'door' isn't defined"), "NameError: name 'door' isn't defined"),
        (LocalError("routine-name", "a secret"), "LocalError: routine-name at "),
    ):
        try:
            raise error
        except (Exception, SystemExit) as caught:
            told = crash.fault(caught)
        assert told.startswith("routines: " + expected) and "secret" not in told and len(told) <= 80, told
