"""The trial of a new set: proven in one start, or the old one runs again and says why."""

import os

from admit_device import trial
from admit_protocol import cbor, coap, journal
from admit_protocol.errors import LocalError
from support import raises
from update_work import ABANDON, ROLLBACK, STAGE, SWITCH, Board, Carrier
from visitors import reason

LIMIT_S = 120


class FullHeap:
    """In place of gc: most of the heap is in use."""

    @staticmethod
    def collect():
        pass

    @staticmethod
    def mem_free():
        return 5000


def test_a_second_start_without_a_proof_is_the_old_sets():
    with Board() as board:
        assert board.update() == "b"
        assert board.restart() == "a"
        state = board.carrier.state()
        assert (state[1], state[2], state[3], state[6]) == ("a", False, 0, [2, "trial-no-answer: power"])
        (record,) = board.records()
        assert (record.what, record.outcome) == ("2.0", journal.FAILED)
        assert record.extra == {journal.COUNT: 2, journal.REASON: "trial-no-answer: power"}
        assert board.restart() == "a" and len(board.records()) == 1
        assert board.update() == "b"  # it may be tried again
        trial.prove(board.rig.device)
        assert board.carrier.state()[6] is None


def test_the_reason_that_was_written_down_is_told():
    with Board() as board:
        board.update()
        board.rig.updates().fail("trial-too-long")
        assert board.restart() == "a"
        assert board.carrier.state()[6] == [2, "trial-too-long"]


def test_nothing_is_staged_while_a_trial_is_under_way():
    with Board() as board:
        board.carrier.bring()
        board.carrier.switch()
        for body in (STAGE, SWITCH, ROLLBACK, ABANDON):
            assert reason(board.carrier.ask(coap.POST, body)) == "release-on-trial"
        board.restart()
        assert reason(board.carrier.ask(coap.PUT, cbor.encode([]))) == "release-on-trial"


def test_each_part_of_the_self_test_ends_the_trial():
    with Board() as board:
        board.update()
        device, rig = board.rig.device, board.rig

        def refuse(*_):
            raise LocalError("broken")

        def fails(expected):
            with raises(LocalError, expected):
                trial.prove(device)
            assert rig.trial == "on"

        rig.storage.full = True
        fails("trial-storage: storage-full")
        rig.storage.full = False
        rig.faults = ["radio: OSError"]
        fails("trial-faults: radio: OSError")
        rig.faults = []
        rig.links = [rig.cable]
        fails("trial-links: ble")
        rig.links = [rig.radio, rig.cable]
        key, device.identity.key = device.identity.key, device.suite.generate()
        device.sessions._handshakes = None
        fails("trial-handshake: edhoc-signature-2")
        device.identity.key = key
        device.sessions._handshakes = None
        edhoc, device.sessions.edhoc = device.sessions.edhoc, refuse
        fails("trial-handshake: refused")
        device.sessions.edhoc = edhoc
        credential, device.identity.credential = device.identity.credential, None
        fails("trial-identity: identity-lost")
        device.identity.credential = credential
        own, trial.gc = trial.gc, FullHeap
        fails("trial-heap")
        trial.gc = own
        trial.prove(device)
        assert rig.trial is None and not device.sessions.newcomers()


def test_a_confirmation_that_was_cut_short_is_finished_at_the_next_start():
    with Board() as board:
        board.update(floor=2)
        board.rig.updates().confirm()
        assert board.restart() == "b" and board.rig.trial is None
        assert board.carrier.state()[3] == 2 and len(board.records()) == 1
        assert "trial" not in os.listdir(board.root)


def test_a_trial_that_could_not_be_begun_is_told():
    with Board() as board:
        board.carrier.bring()
        board.carrier.switch()
        board.rig.trial = "waiting"
        board.rig.boot()
        assert Carrier(board.rig).state()[6] == [2, "trial-not-begun"]
