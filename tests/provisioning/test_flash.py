"""Flashing a board: what is checked before anything is written, and what is written then. By the real esptool."""

import dataclasses
import random

import pytest

from admit_protocol.errors import Conflict, Malformed, NotFound, TimedOut, TooLarge
from admit_provisioning import boards
from admit_provisioning.esptool import Link
from admit_provisioning.flash import flash
from rom_loader import Faults, RomBoard
from rom_loader.image import OTA_PARTITIONS, PARTITIONS, image

NAMES = [name for name in boards.names() if boards.load(name).chip]


@pytest.fixture
def put(tmp_path):
    """put(bytes) → the path of an image file."""

    def put(data, name="image.bin"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return put


def link(rom):
    return Link(rom.port, attempts=1)


@pytest.mark.parametrize("name", NAMES)
def test_a_blank_board_gets_its_image_and_starts_it(name, tmp_path, put):
    board, told, resets = boards.load(name), [], []
    with RomBoard(board.chip, tmp_path / "flash", on_reset=resets.append) as rom:
        partitions = OTA_PARTITIONS if "ota_0" in board.partitions else PARTITIONS
        file, found, heard = put(image(board.chip, partitions=partitions)), [], []
        chip = flash(link(rom), board, file, told.append, lambda *each: heard.append(each), found=found.append)
        assert rom.flash.read(board.image_offset, file.stat().st_size) == file.read_bytes()
        assert rom.flash.read(0, board.image_offset) == b"\xff" * board.image_offset
        for _ in range(200):
            if resets[-1] == "flash":
                break
            rom._thread.join(0.02)
    assert found == [chip] and chip.mac == rom.mac and resets[-1] == "flash"
    assert heard[-1] == (file.stat().st_size,) * 2
    assert told == [
        "asking the chip who it is",
        "writing",
        "this port cannot reset the board: press its reset button",
    ]


def untouched(rom):
    return rom.flash.read(0, rom.flash.size) == b"\xff" * rom.flash.size


def refused(kind, reason, rom, board, file):
    with pytest.raises(kind) as caught:
        flash(link(rom), board, file, lambda words: None)
    assert caught.value.reason == reason
    assert untouched(rom)
    return caught.value.detail


def test_another_chip_than_the_boards_is_named_with_its_board(tmp_path, put):
    with RomBoard("esp32s3", tmp_path / "flash") as rom:
        said = refused(Conflict, "flash-other-chip", rom, boards.load("esp32_generic"), put(image("esp32")))
    assert said == "it is an ESP32-S3, and esp32_generic has an ESP32; try --board esp32_s3_generic"


@pytest.mark.parametrize(
    "chip, burnt, words",
    [
        ("esp32", (6, 1 << 5), "ESP32 with secure boot"),
        ("esp32", (0, 1 << 20), "ESP32 with flash encryption"),
        ("esp32c3", (3, 1 << 20), "ESP32-C3 with secure boot"),
        ("esp32c6", (4, 1 << 5), "ESP32-C6 with secure download mode"),
    ],
)
def test_a_locked_chip_is_never_written_to(chip, burnt, words, tmp_path, put):
    with RomBoard(chip, tmp_path / "flash") as rom:
        rom.efuses.burn(0, *burnt)
        rom.reset("rom")
        said = refused(Conflict, "flash-secured", rom, boards.load(boards.with_chip(chip)), put(image(chip)))
    assert said == words


def test_a_chip_without_a_loader_is_never_written_to(tmp_path, put):
    with RomBoard("esp32c3", tmp_path / "flash") as rom:
        rom.efuses.burn(0, 4, 1)
        rom.reset("rom")
        refused(TimedOut, "flash-no-answer", rom, boards.load("esp32_c3_generic"), put(image("esp32c3")))


def test_a_wrong_image_is_refused_before_the_chip_is_even_asked(tmp_path, put):
    board = boards.load("esp32_c3_generic")
    with RomBoard("esp32c3", tmp_path / "flash") as rom:
        rom.reset = None  # nobody may
        damaged = bytearray(image("esp32c3"))
        damaged[-1] ^= 1
        refused(Malformed, "image-damaged", rom, board, put(bytes(damaged)))
        refused(Conflict, "image-other-chip", rom, board, put(image("esp32s3")))
        refused(NotFound, "file-missing", rom, board, tmp_path / "none.bin")
        assert rom.faults.count == 0


def test_an_image_for_more_flash_than_there_is(tmp_path, put):
    rows = [(*row[:4], 0x600000) if row[0] == "vfs" else row for row in PARTITIONS]
    with RomBoard("esp32s3", tmp_path / "flash") as rom:
        board = boards.load("esp32_s3_generic")
        said = refused(TooLarge, "image-too-large", rom, board, put(image("esp32s3", partitions=rows)))
    assert said == "it needs 8 MB of flash, and the chip has 4"


def test_a_board_without_a_chip_is_not_flashed(put):
    with pytest.raises(Conflict) as caught:
        flash(Link("nowhere"), boards.load("virtual"), put(b""), lambda words: None)
    assert caught.value.reason == "flash-no-chip"


def test_whoever_hears_of_the_chip_may_stop_it(tmp_path, put):
    def found(chip):
        raise Conflict("stop", chip.mac.hex())

    with RomBoard("esp32c3", tmp_path / "flash") as rom:
        with pytest.raises(Conflict, match="246f28000001"):
            flash(link(rom), boards.load("esp32_c3_generic"), put(image("esp32c3")), lambda words: None, found=found)
        assert untouched(rom)


def test_after_a_pulled_cable_the_same_simply_works(tmp_path, put, monkeypatch):
    config = tmp_path / "esptool.cfg"
    config.write_text("[esptool]\ntimeout = 0.5\nconnect_attempts = 1\n")
    monkeypatch.setenv("ESPTOOL_CFGFILE", str(config))
    board, file = boards.load("esp32_c3_generic"), put(image("esp32c3", random.Random(1).randbytes(60_000)))
    with RomBoard("esp32c3", tmp_path / "flash") as rom:
        for at in (100, 3_000, 20_000):
            rom.faults = Faults(vanish_at=at)
            with pytest.raises(TimedOut) as caught:
                flash(link(rom), board, file, lambda words: None)
            assert caught.value.reason in ("flash-interrupted", "flash-no-answer")
            rom.plug()
            rom.reset("rom")
        flash(link(rom), board, file, lambda words: None)
        assert rom.flash.read(0, file.stat().st_size) == file.read_bytes()


def test_erasing_takes_the_file_system_too(tmp_path, put):
    board = dataclasses.replace(boards.load("esp32_c3_generic"))
    with RomBoard("esp32c3", tmp_path / "flash") as rom:
        rom.flash.program(0x300000, b"old")
        flash(link(rom), board, put(image("esp32c3")), lambda words: None)
        assert rom.flash.read(0x300000, 3) == b"old"
        rom.reset("rom")
        flash(link(rom), board, put(image("esp32c3")), lambda words: None, erase=True)
        assert rom.flash.read(0x300000, 3) == b"\xff" * 3
