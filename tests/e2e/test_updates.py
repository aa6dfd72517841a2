"""Releases and one kiosk that `admit provision` made: MicroPython, its slots on littlefs, real restarts.

What a device refuses is tested on the device (tests/device/test_releases.py); how many of them are brought a release,
in tests/cli/test_update_commands.py.
"""

import pytest

from admit import device_release
from admit.releases import rows_of
from admit.updating import Patience
from admit_protocol.errors import AdmitError, Conflict, TimedOut
from admit_protocol.release import parse_list
from admit_provisioning import boards, compile
from kiosks import join
from update_bench import Nobody, Way, release
from workbench import workbench


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    with workbench(tmp_path_factory.mktemp("updates")) as made:
        yield made


@pytest.fixture(scope="module")
def board(bench):
    with bench.board("board-1") as running:
        bench.provision(running, "kiosk-1")
        yield running


@pytest.fixture
def way(bench, board):
    return Way(bench, board)


numbers = iter(range(1, 100))


@pytest.fixture
def version():
    return f"1.{next(numbers)}"


def reason(call, *arguments, **more):
    with pytest.raises(AdmitError) as caught:
        call(*arguments, **more)
    return caught.value


def test_one_changed_file_of_4_kb_moves_less_than_6_kb_and_the_device_says_so_itself(bench, way, version):
    """Handshakes, the signed manifest, the proof afterwards: everything that crosses the link, in both directions."""
    made = release(bench, version, "one file")
    before = way.ask(device_release.read)
    number, size = next((number, row[1]) for number, row in enumerate(made.rows, 1) if row[0] == "routines.mpy")
    share = len(made.item(number)) / size
    ours = sum(len(made.blobs[row[2]]) for row in made.rows) / made.manifest.total
    assert made.manifest.total > 100_000 and 4096 <= size <= 4300 and abs(share - ours) < 0.03
    outcome = way.update(made)
    assert outcome.runs.set_hash == made.manifest.set_hash != before.set_hash
    assert (outcome.runs.sequence, outcome.runs.on_trial) == (made.manifest.sequence, False)
    assert outcome.ran == before and outcome.runs.slot != before.slot
    assert len(made.item(number)) < outcome.sent < outcome.moved <= 6 * 1024


def test_a_link_that_drops_is_gone_on_with_and_no_byte_goes_twice(bench, way, version):
    """Links of ten messages each, which carry little: a handshake, and what goes on where it was."""
    made, links = release(bench, version, version), iter(range(20))

    def cut(connection):
        left, send = [10 if next(links, None) is not None else 1000], connection.transport.send

        async def cutting(data):
            left[0] -= 1
            if left[0] < 0:
                raise TimedOut("link-dropped", "it was cut")
            await send(data)

        connection.transport.send = cutting
        connection.transport.layer.max_payload = 400

    way.tap = cut
    outcome = way.update(made, watcher=(nobody := Nobody()))
    assert outcome.runs.set_hash == made.manifest.set_hash
    assert nobody.steps.count("compare") >= 3
    number = next(number for number, row in enumerate(made.rows, 1) if row[0] == "routines.mpy")
    assert nobody.counted[-1] == (len(made.item(number)),) * 2
    assert outcome.sent < len(made.item(number)) + 400  # beside the list; what was in the air may go again
    again = way.update(made)
    assert (again.sent, again.runs.slot, again.runs.sequence) == (0, outcome.runs.slot, made.manifest.sequence)


def test_what_must_wait_has_it_all_and_then_only_switches(bench, way, version):
    """Nobody at this desk knows what runs there: the whole list goes, and still no more than the one file."""
    made = release(bench, version, version)
    before = way.ask(device_release.read)
    error = reason(
        way.update, made, known=lambda set_hash: None, may_switch=lambda: False, watcher=(nobody := Nobody())
    )
    assert error.reason == "update-held" and nobody.counted[-1][1] < 4_000
    assert way.ask(device_release.read).set_hash == before.set_hash
    outcome = way.update(made)
    assert outcome.sent == 0 and outcome.runs.set_hash == made.manifest.set_hash


def test_a_version_that_throws_is_gone_back_from_and_the_reason_is_told(bench, way, version):
    before = way.ask(device_release.read)
    bad = release(bench, version, version, "import nothing_of_the_kind")
    error = reason(way.update, bad)
    assert error.reason == "update-went-back" and "trial-faults" in error.detail
    after = way.ask(device_release.read)
    assert (after.set_hash, after.slot, after.sequence) == (before.set_hash, before.slot, before.sequence)
    assert after.ended[0] == bad.manifest.sequence and after.ended[1].startswith("trial-faults")
    assert after.staged is None


def test_a_device_goes_back_and_forward_again_and_never_below_a_floor_that_was_confirmed(bench, way, version):
    first, second = release(bench, version, version), release(bench, f"{version}.1", f"{version}.1")
    way.update(first)
    way.update(second)
    back = way.roll_back()
    assert (back.ran.sequence, back.runs.sequence) == (second.manifest.sequence, first.manifest.sequence)
    assert back.runs.set_hash == first.manifest.set_hash and back.sent == 0
    third = release(bench, f"{version}.2", f"{version}.2", floor=f"{version}.2")
    outcome = way.update(third)
    assert outcome.runs.floor == third.manifest.sequence and outcome.runs.other is None
    assert reason(way.roll_back).reason == "release-nothing-to-go-back-to"
    assert reason(way.update, second).reason in ("release-floor", "release-replayed")
    assert way.ask(device_release.read).set_hash == third.manifest.set_hash


def test_a_device_that_never_comes_back_has_failed(bench, board, version):
    """Its power fails as it is told to switch, and comes back when nobody waits any longer."""
    made, switching = release(bench, version, version), []

    def die(connection):
        send = connection.transport.send

        async def sending(data):
            await send(data)
            if switching:
                bench.do(board.kill())
                raise TimedOut("link-dropped", "its power failed")

        connection.transport.send = sending

    def may_switch():
        switching.append(True)
        return True

    way, patience = Way(bench, board, tap=die), Patience(back=1.0, pause=0.1, leaves=0.1)
    try:
        error = reason(way.update, made, may_switch=may_switch, patience=patience)
    finally:
        board._expected = board._lines  # what it said at earlier starts does not count
        bench.do(board.start())
        bench.do(board.expect("status ready"))
    assert (type(error), error.reason) == (TimedOut, "update-never-back")
    assert Way(bench, board).update(made).runs.set_hash == made.manifest.set_hash


def test_a_board_without_slots_says_that_it_can_take_nothing(bench, tmp_path, version):
    made = release(bench, version, version)
    with bench.board("from-a-checkout", blank=False) as plain:
        bench.do(plain.expect("status factory"))
        bench.do(join(bench.site, plain, "kiosk-9"))
        error = reason(Way(bench, plain, "kiosk-9").update, made)
    assert (type(error), error.reason) == (Conflict, "release-no-slots")


def test_what_was_provisioned_is_remembered_file_by_file(bench, board):
    row = bench.registry.board_of("kiosk-1")
    assert row is not None and row.set_hash is not None
    made = compile.build(boards.load("virtual"), None, 6)
    assert tuple(parse_list(bench.registry.set_files(made.hash))) == rows_of(made.files)
