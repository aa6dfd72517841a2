"""The ROM loader itself: what esptool can do with it, the program of its own, and the line that it hands over."""

import os
import pty
import random
import signal
import subprocess
import sys
import threading
import tty

import pytest
import serial

from admit_provisioning.boards import load
from admit_provisioning.esptool import Link, run
from admit_provisioning.flash import flash
from blank_chip import BlankChip
from imports import ROOT
from rom_loader import CHIPS, RomBoard
from rom_loader.flash import Flash
from rom_loader.image import image
from rom_loader.line import Tcp


@pytest.mark.parametrize("stub", [["--no-stub"], []], ids=["rom", "stub"])
@pytest.mark.parametrize("chip", CHIPS)
def test_esptool_writes_and_verifies_through_rom_and_stub(chip, stub, tmp_path):
    data = tmp_path / "data"
    data.write_bytes(random.Random(7).randbytes(9_000) + bytes(20_000))
    with RomBoard(chip, tmp_path / "flash", mac=0x1234) as board:
        said = run([*stub, "--port", board.port, "write-flash", "0x2000", str(data)])
        assert "24:6f:28:00:12:34" in said and "Hash of data verified" in said
        assert board.flash.read(0x2000, 29_000) == data.read_bytes()
        board.reset("rom")
        assert "Verification successful" in run([*stub, "--port", board.port, "verify-flash", "0x2000", str(data)])


def test_esptool_reads_and_erases(tmp_path):
    back = tmp_path / "back"
    with RomBoard("esp32s3", tmp_path / "flash", Tcp()) as board:
        board.flash.program(0x5000, b"remember me")
        run(["--port", board.port, "read-flash", "0x4000", "0x2000", str(back)])
        assert back.read_bytes()[0x1000:0x100B] == b"remember me"
        run(["--port", board.port, "erase-region", "0x5000", "0x1000"])
        assert board.flash.read(0x5000, 11) == b"\xff" * 11


def test_flash_is_nor_flash(tmp_path):
    """Programming clears bits only, erasing sets a whole sector, and what was written outlives the chip."""
    flash = Flash(tmp_path / "flash", 1 << 20)
    flash.program(10, b"\x0f\xff")
    flash.program(10, b"\xf3\xaa")
    assert flash.read(9, 4) == b"\xff\x03\xaa\xff"
    with pytest.raises(ValueError):
        flash.program((1 << 20) - 1, b"ab")
    flash.close()
    flash = Flash(tmp_path / "flash", 1 << 20)
    assert flash.read(10, 2) == b"\x03\xaa"
    flash.erase(4095, 1)
    assert flash.read(0, 4096) == b"\xff" * 4096
    flash.close()


def test_it_is_a_program_of_its_own(tmp_path):
    command = [sys.executable, "-m", "rom_loader", "esp32c6", str(tmp_path / "flash"), "--tcp", "0", "--size", "8"]
    settings = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    with subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "reset rom\n"
            port = process.stdout.readline().split()[1]
            assert "Detected flash size: 8MB" in run(["--no-stub", "--port", port, "flash-id"])
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0


def test_once_flashed_the_line_is_the_programs(tmp_path):
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    booted = threading.Event()

    def boot(board):
        booted.set()
        return os.ttyname(theirs)

    with RomBoard("esp32c3", tmp_path / "flash", boot=boot) as board:
        (tmp_path / "image.bin").write_bytes(image("esp32c3"))
        flash(Link(board.port), load("esp32_c3_generic"), tmp_path / "image.bin", lambda words: None)
        assert booted.wait(5) and board.mode == "flash"
        with serial.Serial(board.port, timeout=5) as line:
            line.write(b"ping")
            assert os.read(ours, 4) == b"ping"
            os.write(ours, b"pong")
            assert line.read(4) == b"pong"
            board.reset("rom")
            assert line.read_until(b"download\r\n").endswith(b"waiting for download\r\n")
    os.close(ours)
    os.close(theirs)


def test_a_blank_board_becomes_a_micropython_with_a_repl(tmp_path):
    """The whole way: ROM loader, esptool, reset, and then a real MicroPython on the same port."""
    from admit_provisioning.repl import Repl

    (tmp_path / "image.bin").write_bytes(image("esp32"))
    with BlankChip(tmp_path / "chip") as chip:
        with RomBoard("esp32", tmp_path / "flash", boot=lambda board: chip.port) as board:
            flash(Link(board.port), load("esp32_generic"), tmp_path / "image.bin", lambda words: None)
            with Repl(board.port) as repl:
                assert repl.exec("import sys; print(sys.implementation.name)").strip() == b"micropython"
