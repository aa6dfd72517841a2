"""The cable is pulled at every message of a whole provision, all of them, and the same command finishes each time.

A message is what goes one way until something goes the other way; half of the pulls take the power along, and of the
message that is cut, none, half or all arrives. A pull before the app runs is followed by the same command until it
would make the key, since from there on all are in the same state; each eighth, and each later one, to the end.
"""

import itertools
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from admit.site import Site
from admit_protocol.errors import AdmitError
from admit_provisioning import boards, detect, pipeline
from sites import new_site
from workbench import Notes, Workbench

AT_ONCE = 6  # boards, whose waits overlap


class Enough(BaseException):
    """What the test does not need to see again."""


@pytest.fixture(autouse=True)
def no_time_is_lost(monkeypatch):
    """No port comes back by itself here, no app is busy, and the firmware is compiled once. A board that starts beside
    five others on a slow machine is asked again: who answers at last answers."""
    monkeypatch.setattr(detect, "GONE_S", 0.0)
    questions = [(question, min(quiet_s, detect.QUIET_S)) for question, quiet_s in detect._QUESTIONS]
    monkeypatch.setattr(detect, "_QUESTIONS", questions * 8)
    firmware = pipeline.build(boards.load("virtual"), None, 6)
    monkeypatch.setattr(pipeline, "build", lambda board, routines, mpy_version: firmware)


@pytest.fixture(scope="module")
def installed(tmp_path_factory, beside):
    """The flash and the registry of a board whose provision was stopped when the app first ran."""
    bench = Workbench(tmp_path_factory.mktemp("installed"), beside)
    with bench.board() as board, pytest.raises(Enough):
        bench.provision(board, watcher=Notes(until("key")))
    bench.site.registry.close()
    return bench.folder


def until(step):
    def at(name):
        if name == step:
            raise Enough

    return at


def pull(bench, n, watcher):
    """Provision a board whose cable is pulled at message `n`; the step in which, or None if there was no such one."""
    with bench.board() as board:
        board.cut_at(n, part=n % 3 / 2, power=n % 2 == 0)
        notes = Notes(watcher.at)
        try:
            bench.provision(board, watcher=notes)
        except Enough:
            return None
        except AdmitError:
            if board.chip.line.plugged:
                raise
        else:
            return None
        assert len(bench.registry.devices()) <= 1 and len(bench.registry.boards()) <= 1
        before = bench.fingerprints()
        bench.do(board.plug())
        finish(bench, board, before, watcher)
        return notes.steps[-1]


def finish(bench, board, before, watcher):
    """The same command again: the board is one device, and no other one than it was to be before."""
    try:
        done = bench.provision(board, watcher=watcher)
    except Enough:
        return
    (row,) = bench.registry.boards()
    assert (row.board_id, row.device_id, row.state) == (board.chip.id.hex(), "kiosk-1", "label")
    assert done.proof.release.set_hash == row.set_hash
    (device,) = bench.registry.devices()
    assert device.public == before.get("kiosk-1", device.public) and bench.registry.retired("kiosk-1") == []


def pull_all(folder, beside, prepare, watcher_of):
    """Pull at message 1, 2, … until a provision has fewer; the step in which each pull came."""

    def one(n):
        bench = Workbench(folder / str(n), beside, prepare)
        try:
            return pull(bench, n, watcher_of(n))
        finally:
            bench.site.registry.close()
            shutil.rmtree(bench.folder)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(_until_none(pool, one))


def _until_none(pool, one):
    """one(1), one(2), … up to the first None, a few at once."""
    for first in itertools.count(1, AT_ONCE):
        for step in pool.map(one, range(first, first + AT_ONCE)):
            if step is None:
                return
            yield step


def test_a_blank_board(tmp_path, beside, installed):
    def watcher_of(n):
        return Notes() if n % 8 == 0 else Notes(until("key"))

    steps = pull_all(tmp_path, beside, new_site, watcher_of)
    print(len(steps), {step: steps.count(step) for step in steps})
    assert len(steps) > 40 and set(steps) >= {"detect", "install"}


def test_a_board_with_firmware(tmp_path, beside, installed):
    def prepare(folder):
        shutil.copytree(installed / "board", folder.parent / "board", ignore=shutil.ignore_patterns("cable"))
        shutil.copytree(installed / "site", folder)
        return Site(folder)

    steps = pull_all(tmp_path, beside, prepare, lambda n: Notes())
    print(len(steps), {step: steps.count(step) for step in steps})
    assert len(steps) > 10 and set(steps) >= {"detect", "key", "lock", "prove"}
