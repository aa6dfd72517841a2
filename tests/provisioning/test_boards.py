"""boards/<name>/board.toml: what each says, and what is refused."""

import json

import pytest

from admit_protocol.errors import LocalError, NotFound
from admit_provisioning import boards
from imports import ROOT

CHIPS = {name: boards.load(name) for name in boards.names() if boards.load(name).chip}


def test_the_boards_of_the_issue_are_there():
    assert boards.names() == sorted(path.parent.name for path in (ROOT / "boards").glob("*/board.toml"))
    assert {board.chip for board in CHIPS.values()} == {"esp32", "esp32s3", "esp32c3", "esp32c6"}
    assert boards.load("virtual").chip is None


@pytest.mark.parametrize("name", CHIPS)
def test_a_board_with_a_chip_is_whole(name):
    board = boards.load(name)
    assert board.image_offset == (0x1000 if board.chip == "esp32" else 0)  # where the ROM looks for a bootloader
    assert board.download == f"https://micropython.org/download/{board.image.removesuffix('-OTA')}/"
    program = "ota_0" if board.image.endswith("-OTA") else "factory"
    assert board.partitions["nvs"][0] == 0x9000 and board.partitions[program][0] == 0x10000
    assert {"button", "relay", "buzzer"} < set(board.pins) and {"led", "rgb"} & set(board.pins)
    assert len(set(board.pins.values())) == len(board.pins)
    assert board.pins["button"] == {"esp32": 0, "esp32s3": 0, "esp32c3": 9, "esp32c6": 9}[board.chip]  # BOOT


@pytest.mark.parametrize("name", boards.names())
def test_the_board_is_told_what_it_is(name):
    board = boards.load(name)
    told = json.loads(board.config())
    assert "screen" not in told and not board.screen  # names and codes are not for every cable
    assert told == {
        "board": name,
        "port": board.port,
        "chip": board.chip,
        "radio": board.radio,
        "pins": board.pins,
    }
    assert len(board.config()) < 512


def test_a_board_that_is_to_serve_a_screen_is_told_so(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "board.toml").write_text((ROOT / "boards/virtual/board.toml").read_text() + "screen = true\n")
    board = boards.load(folder)
    assert board.screen and json.loads(board.config())["screen"] is True


def test_no_hash_of_an_image_stands_in_the_repository():
    for path in (ROOT / "boards").glob("*/board.toml"):
        assert "sha" not in path.read_text().lower()


def test_a_board_of_ones_own_by_its_folder_or_its_file(tmp_path):
    folder = tmp_path / "emulator"
    folder.mkdir()
    text = (ROOT / "boards/esp32_generic/board.toml").read_text().replace('radio = "ble"', 'radio = "none"')
    (folder / "board.toml").write_text(text)
    for path in (folder, folder / "board.toml", str(folder)):
        board = boards.load(path)
        assert (board.name, board.radio, board.chip) == ("emulator", "none", "esp32")


def test_a_chip_leads_to_the_first_board_that_has_it():
    assert boards.with_chip("esp32s3") == "esp32_s3_generic"
    with pytest.raises(NotFound, match="esp32p4"):
        boards.with_chip("esp32p4")


@pytest.mark.parametrize("name", ["esp32", "no/such/folder", "..", ""])
def test_a_board_that_there_is_not(name):
    with pytest.raises(NotFound, match="esp32_generic, esp32_generic_ota, esp32_s3_generic") as caught:
        boards.load(name)
    assert caught.value.reason == "board-unknown"


GOOD = 'title = "T"\nport = "esp32"\nradio = "ble"\n'
CHIP = GOOD + 'chip = "esp32"\nimage = "X"\nflash_size = 0x400000\n'


@pytest.mark.parametrize(
    "text, said",
    [
        ("title = ", "Invalid value"),
        ("\xff", "codec"),
        ('title = "T"\nport = "esp32"', "radio is missing"),
        (GOOD + "colour = 1", "nothing is called colour"),
        (GOOD + "flash_size = '4'", "flash_size is of the wrong kind"),
        (GOOD + "flash_size = true", "flash_size is of the wrong kind"),
        (GOOD + "screen = 1", "screen is of the wrong kind"),
        (GOOD.replace("ble", "wifi"), "radio one of"),
        (GOOD.replace("esp32", "stm32"), "port is one of"),
        (GOOD + "minimum_version = '1.23'", "like 1.23.0"),
        (GOOD + "pins = {led = 'D2'}", "pin led"),
        (GOOD + "pins = {led = true}", "pin led"),
        (GOOD + "pins = {led = 64}", "pin led"),
        (GOOD + "partitions = {nvs = 4096}", "partition nvs"),
        (GOOD + "partitions = {nvs = [1, -1]}", "partition nvs"),
        (GOOD + "chip = 'esp32'", "needs image"),
        (CHIP + "image_offset = 0x400000", "needs image"),
    ],
)
def test_a_file_that_describes_no_board(tmp_path, text, said):
    file = tmp_path / "mine" / "board.toml"
    file.parent.mkdir()
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(LocalError, match=said) as caught:
        boards.load(file)
    assert caught.value.reason == "board-file" and str(file) in caught.value.detail


def test_a_folder_whose_name_is_none_for_a_board(tmp_path):
    (tmp_path / "board.toml").write_text(GOOD)
    file = tmp_path / "My Board"
    file.mkdir()
    (file / "board.toml").write_text(GOOD)
    with pytest.raises(LocalError, match="My Board is no name"):
        boards.load(file)
