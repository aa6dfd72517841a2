"""The pipeline at real boards: blank and ready made, for the first time, again, interrupted, wiped, and at odds."""

import time

import pytest
from sqlalchemy import delete

from admit.boards import BEGAN, DONE, FAILED
from admit.registry_models import BoardRow, Device, StepRow
from admit_protocol import credential
from admit_protocol.errors import AdmitError
from admit_provisioning import detect, pipeline
from admit_provisioning.detect import ROM, Found
from admit_provisioning.esptool import Chip
from cli_kiosk import another_site
from imports import ROOT
from sites import forget_settings
from workbench import Notes, Workbench

ALL = ["detect", "install", "detect", "key", "issue", "lock", "prove", "label"]
RECOGNISED = ["detect", "lock", "prove", "label"]


@pytest.fixture(autouse=True)
def nobody_at_home(tmp_path, monkeypatch):
    cache = tmp_path.parent / "cache"  # of compiled firmware, for all tests
    forget_settings(monkeypatch, tmp_path / "home")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))


@pytest.fixture
def bench(tmp_path, beside):
    made = Workbench(tmp_path / "bench", beside)
    yield made
    made.site.registry.close()


@pytest.fixture
def blank(bench):
    with bench.board() as board:
        yield board


@pytest.fixture
def ready_made(bench):
    """A board whose firmware runs from the PC's files, as `admit virtual` has it for trying out."""
    with bench.board(blank=False) as board:
        yield board


def reason(call, *arguments, **more):
    with pytest.raises(AdmitError) as caught:
        call(*arguments, **more)
    return caught.value.reason


def wipe(bench, board):
    """Take its identity and data, as the boot button does."""
    bench.do(board.stop())
    for file in ("keys/identity", "flash.img"):
        (board.storage / file).unlink(missing_ok=True)
    bench.do(board.start())


def test_a_blank_board_becomes_a_device_and_then_it_is_one(bench, blank):
    notes = Notes()
    done = bench.provision(blank, watcher=notes)
    assert notes.steps == ALL and done.is_current and done.sent > 40_000
    assert notes.counted[-1][0] == notes.counted[-1][1] > 0
    board_id = blank.chip.id.hex()
    row = bench.registry.board(board_id)
    assert (row.device_id, row.state, row.board) == ("kiosk-1", "label", "virtual")
    assert row.set_hash == done.proof.release.set_hash == bench_firmware().hash
    told = [(each.step, each.event) for each in bench.registry.steps(board_id)]
    assert told == [(step, event) for step in [*ALL[1:2], *ALL[3:]] for event in (BEGAN, DONE)]
    device = bench.registry.device("kiosk-1")
    assert (device.credential, device.public) == (done.credential, credential.parse(done.credential).public)
    assert not detect.shows_repl(detect.Link(str(blank.cable)))

    notes, began = Notes(), time.monotonic()
    again = bench.provision(blank, watcher=notes)
    print(f"recognised in {time.monotonic() - began:.2f} s")
    assert (notes.steps, again.sent, again.credential) == (RECOGNISED, 0, done.credential)


def bench_firmware(routines=None):
    return pipeline.build(pipeline.boards.load("virtual"), routines, 6)


def test_other_firmware_stays_on_a_device_until_it_is_told_to_go(bench, blank, tmp_path):
    first = bench.provision(blank)
    routines = tmp_path / "my_routines.py"
    routines.write_text((ROOT / "boards/virtual/routines.py").read_text() + "\nSITE = 'ours'\n")
    kept = bench.provision(blank, routines=routines)
    assert (kept.is_current, kept.sent, kept.credential) == (False, 0, first.credential)
    notes = Notes()
    updated = bench.provision(blank, routines=routines, again=True, watcher=notes)
    assert (updated.is_current, updated.credential) == (True, first.credential)
    assert 0 < updated.sent < first.sent / 4, "unchanged files were sent again"
    assert updated.proof.release.set_hash == bench_firmware(routines).hash != first.proof.release.set_hash
    assert notes.steps == ["detect", "lock", "prove", "install", "detect", "install", *RECOGNISED]
    assert bench.registry.retired("kiosk-1") == []


def test_a_ready_made_board_needs_no_firmware(bench, ready_made):
    notes = Notes()
    done = bench.provision(ready_made, watcher=notes)
    assert notes.steps == ["detect", "key", "issue", "lock", "prove", "label"]
    assert (done.proof.release.set_hash, done.sent, done.is_current) == (None, 0, True)


def kill_at(step):
    """A watcher whose technician presses Ctrl-C as that step begins."""

    def at(name):
        if name == step:
            raise KeyboardInterrupt

    return Notes(at)


def test_a_run_that_is_killed_between_any_two_steps_is_finished_by_the_next(bench, ready_made):
    for step in ("key", "issue", "lock", "prove", "label"):
        with pytest.raises(KeyboardInterrupt):
            bench.provision(ready_made, watcher=kill_at(step))
        assert len(bench.registry.devices()) == (step not in ("key", "issue"))
    before = bench.fingerprints()
    bench.provision(ready_made)
    assert bench.fingerprints() == before and bench.registry.retired("kiosk-1") == []
    assert bench.registry.boards()[0].state == "label"


def test_a_board_that_was_wiped_by_hand_gets_a_new_identity_only_if_told_so(bench, ready_made):
    first = bench.provision(ready_made)
    wipe(bench, ready_made)
    assert reason(bench.provision, ready_made) == "board-wiped"
    assert bench.registry.device("kiosk-1").credential == first.credential
    second = bench.provision(ready_made, again=True)
    assert second.fingerprint != first.fingerprint
    assert [each.credential for each in bench.registry.retired("kiosk-1")] == [first.credential]
    assert bench.provision(ready_made).credential == second.credential


def test_a_board_that_was_wiped_before_it_was_seen_locked_needs_no_word(bench, ready_made):
    with pytest.raises(KeyboardInterrupt):
        bench.provision(ready_made, watcher=kill_at("lock"))
    wipe(bench, ready_made)
    done = bench.provision(ready_made)
    assert bench.fingerprints() == {"kiosk-1": credential.parse(done.credential).public}
    assert len(bench.registry.retired("kiosk-1")) == 1


def test_one_board_one_name(bench, ready_made):
    bench.provision(ready_made)
    assert reason(bench.provision, ready_made, "kiosk-2") == "device-commissioned"
    assert reason(bench.provision, ready_made, "kiosk-2", again=True) == "device-commissioned"
    with bench.board("another", blank=False) as other:
        assert reason(bench.provision, other) == "registry-device-exists"
        assert reason(bench.provision, other, again=True) == "registry-device-exists"
        bench.provision(other, "kiosk-2")
    assert bench.provision(ready_made).device_id == "kiosk-1"
    assert sorted(bench.fingerprints()) == ["kiosk-1", "kiosk-2"]


def test_a_name_or_a_board_that_somebody_else_began_with_is_refused(bench, ready_made, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        bench.provision(ready_made, watcher=kill_at("key"))
    monkeypatch.setattr("getpass.getuser", lambda: "bob")
    assert reason(bench.provision, ready_made, "kiosk-2") == "board-reserved"
    with bench.board("another", blank=False) as other:
        assert reason(bench.provision, other) == "board-name-reserved"
        bench.provision(other, again=True)
    assert reason(bench.provision, ready_made) == "registry-device-exists"
    bench.provision(ready_made, "kiosk-2")


def test_a_board_of_another_site_is_left_alone(bench, beside, ready_made, tmp_path):
    bench.provision(ready_made)
    strangers = Workbench(tmp_path / "strangers", beside, lambda folder: another_site(folder.parent, folder.name))
    for again in (False, True):
        assert reason(strangers.provision, ready_made, again=again) == "device-commissioned"
    assert strangers.registry.boards() == []
    strangers.site.registry.close()


def test_a_registry_that_has_forgotten_learns_again(bench, ready_made):
    done = bench.provision(ready_made)
    with bench.registry._change() as session:
        for table in (StepRow, BoardRow, Device):
            session.execute(delete(table))
    assert bench.provision(ready_made).credential == done.credential
    assert bench.registry.board_of("kiosk-1") is not None


def test_routines_with_a_mistake_stop_it_before_the_board_is_changed(bench, blank, tmp_path):
    routines = tmp_path / "my_routines.py"
    routines.write_text("def open(:\n")
    assert reason(bench.provision, blank, routines=routines) == "compile-routines"
    routines.write_text("SITE = 'ours'\n")
    assert bench.provision(blank, routines=routines).is_current


def test_a_device_whose_repl_answers_is_not_proven(bench, ready_made, monkeypatch):
    monkeypatch.setattr(detect, "shows_repl", lambda link: True)
    assert reason(bench.provision, ready_made) == "provision-repl-open"
    (row,) = bench.registry.boards()
    assert row.state == "issue"
    monkeypatch.undo()
    assert bench.provision(ready_made).is_current


def test_a_device_that_runs_something_else_than_was_installed_is_not_proven(bench, blank, monkeypatch, tmp_path):
    (tmp_path / "other.py").write_text("OTHER = True")
    other = bench_firmware(tmp_path / "other.py")
    install = pipeline.install.install
    monkeypatch.setattr(pipeline.install, "install", lambda repl, firmware, *rest: install(repl, other, *rest))
    assert reason(bench.provision, blank) == "provision-set-differs"
    monkeypatch.undo()
    assert bench.provision(blank).is_current


def test_two_boards_in_turn_at_one_port_are_not_one_device(bench, ready_made):
    with bench.board("another", blank=False) as other:

        def swap(name):
            if name == "prove":
                ready_made.cable.unlink()
                ready_made.cable.symlink_to(other.cable.resolve())

        assert reason(bench.provision, ready_made, watcher=Notes(swap)) == "resource-unknown"
        assert bench.registry.boards()[0].state == "lock"


def test_a_kind_of_board_that_does_not_fit_is_refused_before_anything_is_sent(bench, blank):
    assert reason(bench.provision, blank, board="esp32_generic") == "flash-other-chip"
    assert reason(bench.provision, blank, board="no_such_board") == "board-unknown"
    assert [each.event for each in bench.registry.steps(blank.chip.id.hex())] == [BEGAN, FAILED] * 2
    assert bench.provision(blank, board="virtual").is_current


@pytest.mark.parametrize(
    "banner, chip",
    [
        ("MicroPython v1.25.0 on 2025-04-15; Generic ESP32 module with ESP32", "esp32"),
        ("MicroPython v1.26.1 on 2025-09-11; ESP32C6 module with ESP32C6", "esp32c6"),
        ("MicroPython v1.24.1 on 2024-11-29; Generic ESP32S3 module with Octal-SPIRAM with ESP32S3", "esp32s3"),
        ("MicroPython v1.25.0+ds-1 on 2025-05-04; linux [GCC 14.2.0] version", None),
        ("", None),
    ],
)
def test_a_banner_names_the_chip(banner, chip):
    assert pipeline._chip(banner) == chip


def test_a_chip_that_no_board_of_ours_has_is_named():
    with pytest.raises(AdmitError) as caught:
        pipeline._with_chip("esp8266")
    assert caught.value.reason == "board-unknown" and "esp8266" in caught.value.detail
    assert pipeline._with_chip("esp32c3").name == "esp32_c3_generic"


def test_a_chip_that_had_firmware_is_started_before_it_is_flashed(bench, blank, monkeypatch):
    """It may only have been held in its ROM loader."""
    with pytest.raises(KeyboardInterrupt):
        bench.provision(blank, watcher=kill_at("key"))
    chip, started, found = Chip("esp32", mac=blank.chip.id), [], detect.detect
    answers = [Found(ROM, chip=chip)]
    monkeypatch.setattr(detect, "detect", lambda link, rom=True: answers.pop() if answers else found(link, rom))
    monkeypatch.setattr(pipeline.esptool, "run", lambda arguments: started.append(arguments))
    monkeypatch.setattr(pipeline.flash, "flash", lambda *_, **__: pytest.fail("it was flashed"))
    assert bench.provision(blank).sent == 0
    assert "read-mac" in started[0] and "hard-reset" in started[0]


def test_a_chip_without_micropython_is_flashed_and_goes_on(bench, blank, monkeypatch, tmp_path):
    chip = Chip("esp32", mac=blank.chip.id, flash_size=4 << 20)
    flashed, answers = [], [Found(ROM, chip=chip)]
    found = detect.detect
    monkeypatch.setattr(detect, "detect", lambda link, rom=True: answers.pop() if answers else found(link, rom))
    monkeypatch.setattr(
        pipeline.flash, "flash", lambda link, board, image, *_, **__: flashed.append((board.name, image))
    )
    image = tmp_path / "image.bin"
    image.write_bytes(b"an image")
    notes = Notes()
    done = bench.provision(blank, image=image, watcher=notes)
    assert flashed == [("esp32_generic", image)] and notes.steps[:4] == ["detect", "flash", "detect", "install"]
    assert done.is_current
