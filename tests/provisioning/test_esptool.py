"""esptool itself, against a chip's ROM loader: what is learnt of a chip, and what each failure means."""

import os
import pty
import subprocess
import sys
import tty

import pytest
import serial

from admit_protocol.errors import Busy, Conflict, LocalError, NotFound, Refused, TimedOut, TooLarge, Unverified
from admit_provisioning import esptool
from admit_provisioning.esptool import Link, chip_info, write
from imports import ROOT
from rom_loader import CHIPS, Faults, RomBoard
from rom_loader.line import Rfc2217, Tcp

MAC = bytes.fromhex("246f28000001")


@pytest.fixture(autouse=True)
def impatience(tmp_path, monkeypatch):
    """esptool's own settings, so that nobody waits long for a chip that will not answer."""
    file = tmp_path / "esptool.cfg"
    file.write_text("[esptool]\ntimeout = 0.5\nmd5_timeout_per_mb = 1\nerase_write_timeout_per_mb = 1\n")
    monkeypatch.setenv("ESPTOOL_CFGFILE", str(file))


def patient(port, **more):
    return Link(port, attempts=1, **more)


@pytest.mark.parametrize("chip", CHIPS)
def test_a_chip_says_who_it_is(chip, tmp_path):
    with RomBoard(chip, tmp_path / "flash", mac=MAC) as board:
        found = chip_info(patient(board.port))
    assert (found.name, found.mac, found.flash_size, found.secured) == (chip, MAC, 4 << 20, [])
    assert found.title.startswith("ESP32") and "revision v" in found.title


def test_any_url_of_pyserial_is_a_port(tmp_path):
    with RomBoard("esp32c3", tmp_path / "flash", Tcp(), size=8 << 20) as board:
        assert chip_info(patient(board.port)).flash_size == 8 << 20


@pytest.mark.parametrize(
    "chip, burnt, locked",
    [
        ("esp32", (6, 1 << 4), ["secure boot"]),
        ("esp32", (6, 1 << 5), ["secure boot"]),
        ("esp32", (0, 1 << 20), ["flash encryption"]),
        ("esp32", (0, 3 << 20), []),  # an even number of bits: it was switched off again
        ("esp32c3", (3, 1 << 20), ["secure boot"]),
        ("esp32s3", (2, 7 << 18), ["flash encryption"]),
        ("esp32c6", (4, 1 << 5), ["secure download mode"]),
    ],
)
def test_what_is_locked_is_seen(chip, burnt, locked, tmp_path):
    with RomBoard(chip, tmp_path / "flash") as board:
        board.efuses.burn(0, *burnt)
        board.reset("rom")
        found = chip_info(patient(board.port))
    assert (found.name, found.secured) == (chip, locked)
    assert bool(found.mac) is ("secure download mode" not in locked)


def test_a_flash_is_written_and_verified(tmp_path):
    image, heard = tmp_path / "image", []
    image.write_bytes(os.urandom(60_000))
    with RomBoard("esp32c3", tmp_path / "flash") as board:
        board.flash.program(0x200000, b"old")
        link = patient(board.port)
        write(link, "esp32c3", 0x1000, image, False, lambda *progress: heard.append(progress))
        assert board.flash.read(0x1000, 60_000) == image.read_bytes()
        assert board.flash.read(0x200000, 3) == b"old"
        board.reset("rom")
        write(link, "esp32c3", 0x1000, image, True, lambda *_: None)
        assert board.flash.read(0x200000, 3) == b"\xff\xff\xff"
    assert heard == sorted(heard) and heard[-1] == (60_000, 60_000) and len(heard) > 2


def test_a_port_without_reset_lines_is_told(tmp_path):
    image = tmp_path / "image"
    image.write_bytes(b"x" * 5000)
    with RomBoard("esp32", tmp_path / "flash") as board:
        assert write(patient(board.port), "esp32", 0x1000, image, False, lambda *_: None) is False
    with RomBoard("esp32", tmp_path / "flash", Tcp()) as board:
        assert write(patient(board.port), "esp32", 0x1000, image, False, lambda *_: None) is False


def test_words_before_version_5_pass_through_and_others_do_not(tmp_path):
    link = Link("x", before="no_reset", after="hard_reset")
    assert link.options() == ["--port", "x", "--before", "no-reset", "--after", "hard-reset"]
    with RomBoard("esp32", tmp_path / "flash") as board:
        assert chip_info(patient(board.port, before="no_reset_no_sync", after="no_reset")).name == "esp32"
    for wrong in ({"before": "--version"}, {"after": "default-reset"}):
        with pytest.raises(LocalError) as caught:
            Link("x", **wrong)
        assert caught.value.reason == "esptool-option"


# the port


def test_no_such_port(tmp_path):
    with pytest.raises(NotFound) as caught:
        chip_info(patient(str(tmp_path / "ttyUSB9")))
    assert caught.value.reason == "serial-not-found"
    with pytest.raises(NotFound) as caught:
        chip_info(patient("socket://127.0.0.1:1"))
    assert caught.value.reason == "serial-not-found"


def test_a_port_that_another_program_holds(tmp_path):
    with RomBoard("esp32", tmp_path / "flash") as board:
        with serial.Serial(board.port, exclusive=True), pytest.raises(Busy) as caught:
            chip_info(patient(board.port))
        assert caught.value.reason == "serial-in-use"
        assert chip_info(patient(board.port)).name == "esp32"


def test_a_port_that_one_may_not_use_names_its_group(tmp_path):
    """Root may use every port, so root's power over files is taken from the process first."""
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"] if os.geteuid() == 0 else []
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    os.fchmod(theirs, 0)
    script = (
        "import sys\nfrom admit_provisioning.esptool import Link, chip_info\n"
        "try:\n    chip_info(Link(sys.argv[1]))\nexcept Exception as error:\n    print(type(error).__name__, error)"
    )
    folders = os.pathsep.join(str(ROOT / folder) for folder in ("firmware", "host", "provisioning"))
    command = [*drop, sys.executable, "-c", script, os.ttyname(theirs)]
    try:
        done = subprocess.run(command, env=os.environ | {"PYTHONPATH": folders}, capture_output=True, text=True)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.stdout.startswith("LocalError serial-no-access: no access to /dev/")
    assert "usermod -aG" in done.stdout


# the chip


def test_nobody_answers(tmp_path):
    ours, theirs = pty.openpty()
    try:
        with pytest.raises(TimedOut) as caught:
            chip_info(patient(os.ttyname(theirs)))
    finally:
        os.close(ours)
        os.close(theirs)
    assert caught.value.reason == "flash-no-answer"


def test_reset_lines_lead_into_the_loader_and_out_of_it(tmp_path, monkeypatch):
    """Without a wire from them to BOOT they do not."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests/impatient"), prepend=os.pathsep)
    image, resets = tmp_path / "image", []
    image.write_bytes(b"x" * 5000)
    with RomBoard("esp32", tmp_path / "flash", Rfc2217(), on_reset=resets.append, held=False) as board:
        with pytest.raises(TimedOut) as caught:
            chip_info(patient(board.port))
        assert caught.value.reason == "flash-boot-mode" and set(resets) == {"flash"}
        board.held = True
        assert write(patient(board.port), "esp32", 0x1000, image, False, lambda *_: None) is True
        assert board.flash.read(0x1000, 5000) == image.read_bytes() and resets[-2:] == ["rom", "flash"]


def flashing(board, tmp_path, chip="esp32c3", size=40_000):
    image = tmp_path / "image"
    image.write_bytes(os.urandom(size))
    write(patient(board.port), chip, 0, image, False, lambda *_: None)
    return image.read_bytes()


def test_bytes_that_get_lost_are_sent_again(tmp_path):
    with RomBoard("esp32c3", tmp_path / "flash") as board:
        flashing(board, tmp_path)
        board.reset("rom")
        board.faults = Faults(drop=[15_000, 15_001, 40_000])
        data = flashing(board, tmp_path)
        assert not board.faults.drop and board.flash.read(0, len(data)) == data


@pytest.mark.parametrize("fault", ["stall_at", "vanish_at"])
@pytest.mark.parametrize("at", [5_000, 30_000])
def test_a_chip_that_falls_silent(fault, at, tmp_path):
    """While the stub is sent, and while it writes; afterwards the same simply works."""
    with RomBoard("esp32c3", tmp_path / "flash") as board:
        board.faults = Faults(**{fault: at})
        with pytest.raises((TimedOut, Refused)) as caught:
            flashing(board, tmp_path)
        assert caught.value.reason in ("flash-interrupted", "flash-no-answer")
        if fault == "vanish_at":
            board.plug()
        board.reset("rom")
        data = flashing(board, tmp_path)
        assert board.flash.read(0, len(data)) == data


def test_a_flash_that_does_not_hold_what_was_written(tmp_path, monkeypatch):
    with RomBoard("esp32c3", tmp_path / "flash") as board:
        program = board.flash.program
        monkeypatch.setattr(board.flash, "program", lambda offset, data: program(offset, data[:-1] + b"\0"))
        with pytest.raises(Unverified) as caught:
            flashing(board, tmp_path)
        assert caught.value.reason == "flash-verify"
        monkeypatch.setattr(board.flash, "program", lambda offset, data: None)
        board.reset("rom")
        with pytest.raises(Unverified) as caught:
            flashing(board, tmp_path)
        assert caught.value.reason == "flash-verify"


def test_another_chip_and_an_image_that_does_not_fit(tmp_path):
    with RomBoard("esp32s3", tmp_path / "flash", size=1 << 20) as board:
        with pytest.raises(Conflict) as caught:
            flashing(board, tmp_path, "esp32c3")
        assert caught.value.reason == "flash-other-chip"
        board.reset("rom")
        with pytest.raises(TooLarge) as caught:
            flashing(board, tmp_path, "esp32s3", (1 << 20) + 4)
        assert caught.value.reason == "image-too-large"


# esptool itself


def test_without_esptool():
    with pytest.raises(LocalError) as caught:
        esptool.run(["version"], program="esptool_that_nobody_installed")
    assert caught.value.reason == "esptool-missing"


def test_what_it_says_that_we_do_not_know_is_passed_on():
    error = esptool.failure("all is well\nERROR: A fatal error occurred: The moon is full.\n", "x")
    assert (type(error), error.reason, error.detail) == (LocalError, "flash-failed", "esptool: The moon is full.")
    assert esptool.failure("", "x").detail == "esptool: it ended without a word"
    assert esptool.failure("Traceback…\nKeyError: 7\n", "x").detail == "esptool: KeyError: 7"


def test_what_esptool_does_not_tell_is_not_taken_for_granted(monkeypatch):
    """An esptool that words it otherwise must not make a locked chip look open."""
    said = "Connected to ESP32-C3 on x:\nChip type: ESP32-C3\nMAC: 24:6f:28:00:00:01\nDetected flash size: 4MB\n"
    outputs = iter([said, "Security: flags 0x1\n"])
    monkeypatch.setattr(esptool, "run", lambda *_, **__: next(outputs))
    with pytest.raises(LocalError, match="Flags"):
        chip_info(Link("x"))


def test_a_program_that_says_nothing_any_more_is_ended(monkeypatch, tmp_path):
    monkeypatch.setattr(esptool, "_SILENCE_S", 0.2)
    (tmp_path / "sleeper.py").write_text("import time\ntime.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(LocalError, match="without a word"):
        esptool.run([], program="sleeper")


def test_a_file_of_the_working_folder_is_never_taken_for_esptool(monkeypatch, tmp_path):
    (tmp_path / "esptool.py").write_text("raise SystemExit('not me')")
    monkeypatch.chdir(tmp_path)
    assert "not me" not in esptool.run(["version"])


def test_ctrl_c_at_the_terminal_does_not_reach_it(tmp_path, monkeypatch):
    """Who began to write a board's flash finishes it; what is to be stopped, we stop."""
    (tmp_path / "whose_group.py").write_text("import os; print(os.getpgrp())")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert int(esptool.run([], program="whose_group")) != os.getpgrp()
