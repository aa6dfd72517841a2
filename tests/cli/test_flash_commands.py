"""`admit flash` and `admit harden`, typed: the real esptool and espefuse against a chip's ROM loader."""

import hashlib
import json
import os

import pytest

from imports import ROOT
from rom_loader import Faults, RomBoard
from rom_loader.image import image
from terminals import Terminal


@pytest.fixture
def rom(tmp_path, monkeypatch):
    """A blank ESP32-C3 in its ROM loader; esptool does not wait long for what does not come."""
    config = tmp_path / "esptool.cfg"
    config.write_text("[esptool]\ntimeout = 0.5\nconnect_attempts = 1\n")
    monkeypatch.setenv("ESPTOOL_CFGFILE", str(config))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests/impatient"), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    with RomBoard("esp32c3", tmp_path / "flash") as board:
        yield board


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "micropython.bin"
    path.write_bytes(image("esp32c3"))
    return path


def test_a_blank_board_is_flashed_without_a_site_and_without_a_network(rom, file, run, tmp_path):
    words = ["flash", rom.port, "--board", "esp32_c3_generic", "--image", str(file), "--site", str(tmp_path / "none")]
    done = run(*words, "--json")
    assert json.loads(done.stdout)["flashed"] == {
        "chip": "esp32c3",
        "title": "ESP32-C3 (QFN32) (revision v0.1)",
        "mac": "24:6f:28:00:00:01",
        "flash_size": 4 << 20,
        "board": "esp32_c3_generic",
        "image": "micropython.bin",
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    assert "ESP32-C3 (QFN32) (revision v0.1), MAC 24:6f:28:00:00:01" in done.stderr
    assert rom.flash.read(0, file.stat().st_size) == file.read_bytes()


def test_a_terminal_shows_how_far_it_is(rom, file):
    terminal = Terminal("flash", rom.port, "--board", "esp32_c3_generic", "--image", str(file))
    code, shown = terminal.end()
    assert code == 0
    assert "… asking the chip who it is" in shown and "writing micropython.bin" in shown


def test_esptools_own_words_pass_through_and_others_are_usage_errors(rom, file, run):
    words = ["flash", rom.port, "--board", "esp32_c3_generic", "--image", str(file)]
    run(*words, "--before", "no_reset", "--after", "no-reset", "--baud", "115200")
    said = run(*words, "--before", "gently", code=2).stderr
    assert "default-reset, usb-reset, no-reset, no-reset-no-sync" in said


def test_a_device_of_the_site_is_not_erased_unasked(rom, file, run, site, monkeypatch):
    from admit.boards import Run

    registry = site.registry
    registry.reserve(Run("r", rom.mac.hex(), "kiosk-1", "tester"), 1)
    words = ["flash", rom.port, "--board", "esp32_c3_generic", "--image", str(file)]
    monkeypatch.setattr(
        "admit.registry.Registry.board", lambda self, board_id: type("Row", (), {"device_id": f"is-{board_id}"})
    )
    said = run(*words, code=2).stderr
    assert "This board is is-246f28000001, and its key will be erased" in said
    assert rom.flash.blank
    rom.reset("rom")
    run(*words, "--yes")
    assert not rom.flash.blank


@pytest.mark.parametrize(
    "board, code, reason, hint",
    [
        ("esp32_generic", 5, "image-other-chip", "try: take the image of this board"),
        ("virtual", 5, "flash-no-chip", "try: admit virtual"),
        ("esp8266", 3, "board-unknown", "try: choose one of those"),
    ],
)
def test_a_wrong_board_has_its_exit_code_cause_and_fix(board, code, reason, hint, rom, file, run):
    said = run("flash", rom.port, "--board", board, "--image", str(file), code=code).stderr
    assert reason in said and hint in said
    assert rom.flash.blank


def test_each_fault_has_its_exit_code_and_then_it_simply_works(rom, file, run, tmp_path):
    words = ["--board", "esp32_c3_generic", "--image", str(file)]
    assert "serial-not-found" in run("flash", str(tmp_path / "nowhere"), *words, code=3).stderr
    assert "file-missing" in run("flash", rom.port, *words[:3], "gone.bin", code=3).stderr
    rom.faults = Faults(vanish_at=3_000)
    assert "the chip fell silent in the middle" in run("flash", rom.port, *words, code=6).stderr
    rom.plug()
    rom.reset("rom")
    rom.efuses.blocks[0][3] |= 1 << 20
    rom.reset("rom")
    assert "locked" in run("flash", rom.port, *words, code=5).stderr
    rom.efuses.blocks[0][3] = 0  # which only a test can
    rom.reset("rom")
    run("flash", rom.port, *words)
    assert rom.flash.read(0, file.stat().st_size) == file.read_bytes()


def test_without_an_image_and_without_a_site_it_is_the_site_that_is_missing(rom, run, tmp_path):
    words = ["flash", rom.port, "--board", "esp32_c3_generic", "--site", str(tmp_path / "none")]
    assert "site-missing" in run(*words, code=3).stderr


# harden


def test_harden_wants_one_of_two_things(run):
    assert "--plan, or --apply PLAN" in run("harden", "x", code=2).stderr
    assert "--plan, or --apply PLAN" in run("harden", "x", "--plan", "--apply", "y", code=2).stderr


def test_a_plan_is_shown_saved_and_burned_only_by_whoever_types_the_address(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with RomBoard("esp32", tmp_path / "flash") as rom:
        before = [list(block) for block in rom.efuses.blocks]
        shown = run("harden", rom.port, "--plan", "--json")
        names = [step["efuse"] for step in json.loads(shown.stdout)["steps"]]
        assert names == ["JTAG_DISABLE", "CONSOLE_DEBUG_DISABLE"]
        assert "Not in the plan: secure boot" in shown.stderr and "Nothing was burned" in shown.stderr
        plan = tmp_path / "harden-246f28000001.json"
        assert plan.exists() and f"saved: {plan.name}" in shown.stderr

        assert "typed on a terminal" in run("harden", rom.port, "--apply", str(plan), given="x", code=2).stderr
        terminal = Terminal("harden", rom.port, "--apply", str(plan))
        terminal.answer("Type the board's MAC address", "yes")
        code, said = terminal.end()
        assert code == 1 and "Nothing was burned" in said and "The price" in terminal.before
        assert rom.efuses.blocks == before

        terminal = Terminal("harden", rom.port, "--apply", str(plan))
        terminal.answer("Type the board's MAC address", "24:6F:28:00:00:01")
        code, said = terminal.end()
        assert code == 0 and all(name in said for name in names)
        assert rom.efuses.blocks[0][6] == 1 << 6 | 1 << 2


def test_a_plan_that_is_none(tmp_path):
    (tmp_path / "plan.json").write_text("{}")
    code, said = Terminal("harden", "nowhere", "--apply", str(tmp_path / "plan.json")).end()
    assert code == 1 and "harden-plan" in said
