"""Updates over /release: what is taken, what is refused and why, and that the set that runs is never touched."""

from admit_device import trial
from admit_device.journal_page import page
from admit_protocol import cbor, coap, journal, release
from admit_protocol.errors import AdmitError
from admit_protocol.journal_reader import parse_record
from memory_ports import WEDNESDAY
from rig import Phone, Site
from update_work import (
    ABANDON,
    NEW,
    OLD,
    ROLLBACK,
    STAGE,
    SWITCH,
    Board,
    manifest,
    pack,
    read_set,
    rows,
    set_hash,
    write_set,
)
from visitors import SITE, Visitor, reason

LIMIT_S = 120


def test_an_update_from_the_first_byte_to_the_floor():
    with Board() as board:
        board.carrier.bring()
        assert read_set(board.root, "b") == NEW and read_set(board.root, "a") == OLD
        board.carrier.switch()
        assert board.restart() == "b"
        assert board.rig.trial == "on" and board.carrier.state()[2] is True
        trial.prove(board.rig.device)
        state = board.carrier.state()
        assert [state[number] for number in range(1, 8)] == ["b", False, 1, 2, None, None, None]
        (record,) = board.records()
        assert (record.what, record.outcome, record.extra) == ("2.0", journal.DONE, {journal.COUNT: 2})
        assert board.restart() == "b" and board.rig.trial is None


def test_what_is_there_already_does_not_come_again():
    with Board() as board:
        board.carrier.bring()
        assert board.carrier.moved < len(pack(NEW["start.mpy"])) + len(pack(NEW["lib/more.mpy"])) + 200


def test_a_set_that_runs_already_is_done():
    with Board() as board:
        assert board.carrier.stage(manifest(OLD)) == {1: 0, 2: [], 3: True}
        assert board.carrier.state()[5] is None


def test_the_whole_list_may_come_where_nobody_knows_what_runs():
    with Board() as board:
        board.carrier.stage(manifest())
        board.carrier.put(0, pack(release.delta([], rows(NEW))))
        assert [item for item, _ in board.carrier.look()[2]] == [2, 3]


def test_what_is_not_for_this_board_is_refused_by_name():
    with Board() as board:
        other = Site("other", b"other")
        cases = [
            ("release-other-site", {"key": other.key, "site": other.anchor}),
            ("cose-signature", {"key": other.key}),
            ("release-other-board", {"boards": ["esp32_generic"]}),
            ("release-other-port", {"port": "esp32"}),
            ("release-other-bytecode", {"bytecode": 99}),
            ("release-expired", {"expires": WEDNESDAY}),
            ("release-image", {"image": (5, bytes(32))}),
            ("release-no-room", {"room": 1 << 60}),
        ]
        for expected, changed in cases:
            assert board.stage_refused(**changed) == expected
        assert board.carrier.state()[5] is None


def test_a_body_that_says_nothing_is_refused():
    with Board() as board:
        for body in ({}, {1: 9}, {1: True}, {1: 1}, {1: 1, 2: "text"}, {1: 2, 2: b""}, {1: "stage"}, [1]):
            assert board.refused(coap.POST, cbor.encode(body)) == "release-body", body
        for body in ([1], [0, 0, 5], [0, 0, 0, b""], [-1, 0, 5, b""], [0, -1, 5, b""], [0, 0, 5, "x"], {1: 2}):
            assert board.refused(coap.PUT, cbor.encode(body)) == "release-body", body
        assert board.refused(coap.POST, cbor.encode({1: 1, 2: b""})) == "cbor-truncated"


def test_nothing_comes_before_it_is_staged():
    with Board() as board:
        for body in ([], [0, 0, 5, b"x"]):
            assert board.refused(coap.PUT, cbor.encode(body)) == "release-not-staged"
        assert board.refused(coap.POST, SWITCH) == "release-not-staged"
        board.carrier.stage(manifest())
        assert board.refused(coap.PUT, cbor.encode([1, 0, 5, b"x"])) == "release-not-staged"
        assert board.refused(coap.POST, SWITCH) == "release-not-staged"
        board.carrier.put(0, pack(release.delta(rows(OLD), rows(NEW), set_hash(OLD))))
        board.carrier.look()
        assert board.refused(coap.POST, SWITCH) == "release-incomplete"


def test_a_transfer_goes_on_where_it_was():
    with Board() as board:
        board.carrier.stage(manifest())
        board.carrier.put(0, pack(release.delta(rows(OLD), rows(NEW), set_hash(OLD))))
        assert board.carrier.look()[2] == [[2, 0], [3, 0]]
        data = pack(NEW["lib/more.mpy"])
        assert board.carrier.piece(2, 0, data, data[:700]) == 700
        for offset in (0, 699, 701, 1400):
            assert board.carrier.piece(2, offset, data, data[offset : offset + 100]) == 700
        board.restart()
        assert board.carrier.stage(manifest())[1] == 3
        assert board.carrier.look()[2] == [[2, 700], [3, 0]]
        board.carrier.put(2, data)
        assert board.carrier.look()[2] == [[3, 0]]
        assert board.carrier.piece(2, 0, data, data[:5]) == len(data)  # whoever did not hear that it is whole


def test_another_release_begins_anew():
    with Board() as board:
        board.carrier.bring()
        another = dict(NEW)
        another["start.mpy"] = b"start 3"
        assert board.carrier.stage(manifest(another, sequence=3)) == {1: 0, 2: [[0, 0]], 3: False}
        board.carrier.bring(another, data=manifest(another, sequence=3))
        assert read_set(board.root, "b") == another


def test_what_is_damaged_is_refused_and_comes_anew():
    with Board() as board:
        board.carrier.stage(manifest())
        good = pack(release.delta(rows(OLD), rows(NEW), set_hash(OLD)))
        wrong = pack(release.delta(rows(OLD), rows(OLD)[:1], set_hash(OLD)))
        told = {wrong: "release-damaged", b"\xff" * 20: "release-damaged", pack(good): "release-delta", good[:-1]: None}
        for data, expected in told.items():
            refused = board.refused(coap.PUT, cbor.encode([0, 0, len(data), data]))
            assert expected in (refused, None), (refused, expected)
            assert board.carrier.stage(manifest())[2] == [[0, 0]]
        board.carrier.put(0, good)
        assert board.carrier.look()[2] == [[2, 0], [3, 0]]
        for wrong in (pack(b"another"), pack(NEW["start.mpy"] + b"!"), b"\xff" * 9, pack(NEW["start.mpy"])[:-2]):
            assert board.refused(coap.PUT, cbor.encode([3, 0, len(wrong), wrong])) == "release-damaged"
            assert board.carrier.look()[2] == [[2, 0], [3, 0]]


def test_endless_data_is_refused():
    with Board() as board:
        board.carrier.stage(manifest())
        for item, offset, length in ((0, 0, 1 << 20), (0, 5, 10), (0, 0, 5)):
            body = cbor.encode([item, offset, length, b"more than that"])
            assert board.refused(coap.PUT, body) == "release-too-long"
        board.carrier.put(0, pack(release.delta(rows(OLD), rows(NEW), set_hash(OLD))))
        board.carrier.look()
        assert board.refused(coap.PUT, cbor.encode([3, 0, 80, b""])) == "release-too-long"
        bomb = pack(b"x" * 60)  # within what may come, and more than the file has
        assert board.refused(coap.PUT, cbor.encode([3, 0, len(bomb), bomb])) == "release-damaged"


def test_files_mixed_from_two_releases_are_refused():
    with Board() as board:
        board.carrier.bring()
        board.folder.write("b/start.mpy", OLD["start.mpy"])
        assert board.refused(coap.POST, SWITCH) == "release-damaged"
        board.carrier.bring()
        board.folder.write("b/another.mpy", b"")
        assert board.refused(coap.POST, SWITCH) == "release-incomplete"


def test_another_manifest_on_the_flash_is_refused():
    with Board() as board:
        board.carrier.bring()
        data = bytearray(manifest())
        data[-1] ^= 1
        board.folder.write("stage/manifest", data)
        assert board.refused(coap.POST, SWITCH) == "cose-signature"


def test_a_release_is_not_run_after_it_has_expired():
    with Board() as board:
        board.carrier.bring(data=manifest(expires=WEDNESDAY + 500))
        board.rig.clock.pass_s(501)
        assert board.refused(coap.POST, SWITCH) == "release-expired"


def test_replays_and_what_is_below_the_floor():
    with Board() as board:
        board.update(sequence=5, floor=4)
        trial.prove(board.rig.device)
        another = {"start.mpy": b"start 3"}
        board.files = OLD
        told = [(5, "release-replayed"), (4, "release-replayed"), (3, "release-floor"), (1, "release-floor")]
        for sequence, expected in told:
            assert board.stage_refused(files=another, sequence=sequence) == expected
        assert board.carrier.stage(manifest(NEW, sequence=5, floor=4))[3] is True


def test_who_goes_back_has_a_trial_too():
    with Board() as board:
        assert board.refused(coap.POST, ROLLBACK) == "release-nothing-to-go-back-to"
        board.update(floor=0)
        trial.prove(board.rig.device)
        assert board.carrier.state()[7] == 0
        board.rig.restarted = None
        assert board.carrier.ask(coap.POST, ROLLBACK).code == coap.CHANGED
        board.rig.pass_s(1)
        assert board.rig.restarted is False
        assert board.restart() == "a" and board.rig.trial == "on"
        trial.prove(board.rig.device)
        assert board.carrier.state()[7] == 2
        assert board.restart() == "a"


def test_nobody_goes_back_below_the_floor_or_to_what_is_damaged():
    with Board() as board:
        board.update(floor=2)
        trial.prove(board.rig.device)
        assert board.carrier.state()[7] is None
        assert board.refused(coap.POST, ROLLBACK) == "release-floor"
    with Board() as board:
        board.update(floor=0)
        trial.prove(board.rig.device)
        board.folder.write("a/start.mpy", b"damaged")
        answer = board.carrier.ask(coap.POST, ROLLBACK)
        assert reason(answer) == "release-nothing-to-go-back-to"


def test_what_is_staged_can_be_abandoned():
    with Board() as board:
        board.carrier.bring()
        assert board.carrier.state()[5] is not None
        assert board.carrier.ask(coap.POST, ABANDON).code == coap.CHANGED
        assert board.carrier.state()[5] is None
        assert board.refused(coap.POST, SWITCH) == "release-not-staged"


def test_a_factory_device_takes_none_and_a_board_without_slots_neither():
    with Board() as board:
        board.rig.flash = None
        assert reason(board.carrier.ask(coap.POST, STAGE)) == "release-no-slots"
        assert 7 not in cbor.decode(board.carrier.ask(coap.GET, b"").payload)
    cable = Phone(board.rig, server=board.rig.cable)
    assert reason(cable.plain(coap.POST, "/release", STAGE)) == "session-needed"


def test_pieces_leave_no_record_and_operations_do():
    with Board() as board:
        before = board.rig.device.journal.count
        board.carrier.bring()
        board.carrier.switch()
        after = page(board.rig.device.journal, before, 1 << 20)[2]
        assert [parse_record(each).what for each in after] == ["POST /release", "POST /release"]


def test_another_sites_floor_is_none_here():
    with Board() as board:
        board.rig.storage.write("release", cbor.encode([bytes(16), 9, {}, None, []]))
        board.carrier.stage(manifest())
        assert board.carrier.state()[3] == 0


def test_a_damaged_floor_refuses_everything():
    with Board() as board:
        board.rig.storage.write("release", b"")
        board.rig.storage.damaged.append("release")
        assert board.stage_refused() == "storage-corrupt"
        assert board.carrier.state()[3] is None


def test_who_may_only_read_changes_nothing():
    with Board() as board:
        visitor = Visitor(board.rig, "bob", [("/release", 1, {})])
        assert reason(visitor.ask(coap.POST, "/release", SWITCH)) == "rule-method"
        assert reason(visitor.ask(coap.PUT, "/release", SWITCH)) == "rule-method"


def test_a_release_with_a_bit_changed_is_never_staged():
    with Board() as board:
        data = manifest()
        for at in range(0, len(data), 29):
            changed = bytearray(data)
            changed[at] ^= 1 << at % 8
            try:
                parsed = release.parse(bytes(changed))
                release.verify(parsed, SITE.anchor, board.rig.device.suite)
            except AdmitError:
                continue
            raise AssertionError(at)
        write_set(board.root, "b", NEW)
