"""Many boards at once: real firmware on virtual boards, each behind a port of its own."""

import threading

import pytest

from admit.boards import Run
from admit_provisioning.esptool import Link
from admit_provisioning.factory import FAILED, INSTALLED, PROVISIONED, SKIPPED, Batch, Factory, Names
from admit_provisioning.pipeline import Order
from workbench import Notes, workbench

LIMIT_S = 60


@pytest.fixture
def bench(tmp_path):
    with workbench(tmp_path / "bench") as bench:
        yield bench


class Foreman:
    """A Floor that writes down what it is told. `then(result)` is called after each board."""

    def __init__(self, then=lambda result: None):
        self.watchers, self.ended_ports, self.waited, self.then = {}, [], [], then

    def watcher(self, port):
        return self.watchers.setdefault(port, Notes())

    def ended(self, result):
        self.ended_ports.append(result.port)
        self.then(result)

    def waiting(self, port):
        self.waited.append(port)


def factory(bench, ports, foreman=None, **more):
    order = Order(Link(""), **{name: more.pop(name) for name in ("again", "install_only") if name in more})
    batch = Batch(tuple(ports), order, more.pop("prefix", "door-"), **more)
    return Factory(batch, bench.site, bench.signer, bench.holder, foreman or Foreman())


def test_all_boards_that_a_pattern_finds_become_devices_side_by_side(bench):
    foreman = Foreman()
    with bench.board("a"), bench.board("b"):
        results = factory(bench, [str(bench.folder / "*/cable")], foreman, count=2).run()
    assert [each.outcome for each in results] == [PROVISIONED] * 2
    assert {each.device_id for each in results} == {"door-1", "door-2"} == set(bench.fingerprints())
    assert len({each.board_id for each in results}) == 2
    assert all(notes.steps[-1] == "label" and notes.counted for notes in foreman.watchers.values())
    rows = {row.board_id: row.device_id for row in bench.registry.boards()}
    assert rows == {each.board_id: each.device_id for each in results}


def test_a_device_is_recognised_and_left_as_it_is_unless_told_otherwise(bench):
    with bench.board() as board:
        before = bench.provision(board, "lobby")
        (result,) = factory(bench, [str(board.cable)], once=True).run()
        assert (result.outcome, result.device_id, result.fingerprint) == (SKIPPED, "lobby", before.fingerprint)
    assert list(bench.fingerprints()) == ["lobby"]


def test_a_failure_is_its_own_ports_alone(bench):
    with bench.board("good") as good, bench.board("small", flash_size=64 * 1024) as small:
        results = {each.port: each for each in factory(bench, [str(good.cable), str(small.cable)], once=True).run()}
    assert results[str(good.cable)].outcome == PROVISIONED
    failed = results[str(small.cable)]
    assert (failed.outcome, failed.reason) == (FAILED, "install-no-room")
    assert len(bench.fingerprints()) == 1


def test_no_board_beyond_the_count_is_begun(bench):
    with bench.board("a"), bench.board("b"):
        results = factory(bench, [str(bench.folder / "*/cable")], count=1).run()
    assert len(results) == len(bench.fingerprints()) == len(bench.registry.boards()) == 1


class Torn(BaseException):
    """The laptop's battery."""


def test_a_board_that_was_torn_off_gets_the_name_that_was_reserved_for_it(bench):
    with bench.board() as board:
        with pytest.raises(Torn):
            bench.provision(board, "door-7", watcher=Notes(torn_at("key")))
        (result,) = factory(bench, [str(board.cable)], once=True).run()
    assert (result.outcome, result.device_id) == (PROVISIONED, "door-7")


def torn_at(step):
    def at(name):
        if name == step:
            raise Torn

    return at


def test_names_that_are_taken_or_reserved_are_left_out(bench):
    with bench.board("a") as a, bench.board("b") as b, bench.board("c") as c:
        bench.provision(a, "door-1")
        with pytest.raises(Torn):
            bench.provision(b, "door-2", watcher=Notes(torn_at("key")))
        (result,) = factory(bench, [str(c.cable)], once=True).run()
    assert result.device_id == "door-3"


def test_a_name_that_another_factory_takes_at_this_moment_is_left_to_it(bench, monkeypatch):
    free = Names._free

    def slowly(names):
        for name in free(names):
            if name == "door-1":
                bench.registry.reserve(Run("other", "aa" * 6, name, "bob@elsewhere"), 0)
            yield name

    monkeypatch.setattr(Names, "_free", slowly)
    with bench.board() as board:
        (result,) = factory(bench, [str(board.cable)], once=True).run()
    assert (result.outcome, result.device_id) == (PROVISIONED, "door-2")


def test_boards_that_are_only_installed_get_no_name_and_belong_to_nobody(bench):
    """They are made into devices later: over the cable here, by a sealed label elsewhere."""
    foreman = Foreman()
    with bench.board("a") as a, bench.board("b") as b:
        ports = [str(bench.folder / "*/cable")]
        results = factory(bench, ports, foreman, count=2, install_only=True).run()
        assert [(each.outcome, each.device_id, each.fingerprint) for each in results] == [(INSTALLED, "", "")] * 2
        assert {each.board_id for each in results} == {a.chip.id.hex(), b.chip.id.hex()}
        rows = bench.registry.boards()
        assert [(row.name, row.device_id, row.state) for row in rows] == [(None, None, "install")] * 2
        assert bench.registry.devices() == [] and "key" not in foreman.watchers[str(a.cable)].steps
        again = factory(bench, ports, once=True, install_only=True).run()
        assert [each.outcome for each in again] == [SKIPPED] * 2
        done = bench.provision(a, "lobby")
        assert (done.sent, done.device_id) == (0, "lobby")
        results = factory(bench, ports, once=True, install_only=True).run()
        assert sorted((each.outcome, each.device_id) for each in results) == [(SKIPPED, ""), (SKIPPED, "lobby")]
    assert list(bench.fingerprints()) == ["lobby"]


def test_a_board_that_fails_and_keeps_its_port_is_not_tried_again_and_again(bench):
    cable, ended = bench.folder / "usb0", threading.Event()
    foreman = Foreman(lambda result: ended.set())
    with bench.board("small", flash_size=64 * 1024, cable=cable):
        works = factory(bench, [str(bench.folder / "usb*")], foreman, count=1)
        worker = threading.Thread(target=works.run, daemon=True)
        worker.start()
        assert ended.wait(LIMIT_S)
        worker.join(3)
        works.stop()
        worker.join(LIMIT_S)
    assert [each.reason for each in works.results] == ["install-no-room"]


def test_the_next_board_on_a_port_starts_by_itself(bench):
    """And a port that appears later, too."""
    cable, done = bench.folder / "usb0", threading.Event()
    foreman = Foreman(lambda result: done.set())
    works = factory(bench, [str(bench.folder / "usb*")], foreman, count=2)
    worker = threading.Thread(target=works.run, daemon=True)
    worker.start()
    for name in ("first", "second"):
        with bench.board(name, cable=cable):
            assert done.wait(LIMIT_S)
            done.clear()
    worker.join(LIMIT_S)
    assert not worker.is_alive()
    assert [each.device_id for each in works.results] == ["door-1", "door-2"]
    assert foreman.waited == [str(cable)]


def test_a_pulled_cable_is_a_failure_and_the_board_goes_on_when_it_is_plugged_in_again(bench):
    failed = threading.Event()
    foreman = Foreman(lambda result: result.outcome == FAILED and failed.set())
    with bench.board() as board:
        board.cut_at(12, power=True)
        works = factory(bench, [str(board.cable)], foreman, count=1)
        worker = threading.Thread(target=works.run, daemon=True)
        worker.start()
        assert failed.wait(LIMIT_S)
        bench.do(board.plug())
        worker.join(LIMIT_S)
        assert not worker.is_alive()
    assert [each.outcome for each in works.results] == [FAILED, PROVISIONED]
    assert [each.device_id for each in works.results][-1] == "door-1" and len(bench.fingerprints()) == 1


def test_stopping_finishes_what_was_begun(bench):
    with bench.board("a") as a, bench.board("b") as b:
        works = factory(bench, [str(a.cable), str(b.cable)], Foreman(lambda result: works.stop()))
        results = works.run()
    assert results and all(each.outcome == PROVISIONED for each in results)
    assert len(results) == len(bench.fingerprints())
