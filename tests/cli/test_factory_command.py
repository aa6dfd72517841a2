"""`admit factory` as it is typed: what it prints, what it keeps, and how it ends."""

import json
import signal

import pypdfium2
import pytest
import zxingcpp

from admit.virtual.board import VirtualBoard
from cli_kiosk import Beside


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Two blank boards behind cables of one folder."""
    folder = tmp_path_factory.mktemp("hub")
    with Beside() as beside:
        boards = [VirtualBoard(folder / name, blank=True, cable=folder / f"usb{name}") for name in "ab"]
        for board in boards:
            beside.do(board.start())
        yield folder
        for board in boards:
            beside.do(board.stop())


def test_a_hub_full_of_boards_and_the_same_again(run, site, hub, tmp_path):
    words = ["factory", "--ports", f"{hub}/usb*", "--prefix", "door-", "--journal", str(tmp_path / "journal.jsonl")]
    made = run(*words, "--once")
    assert [line.split()[1] for line in made.stdout.splitlines()] == ["OUTCOME", "provisioned", "provisioned"]
    assert "2 provisioned, 0 skipped, 0 failed" in made.stderr and "admit labels door-" in made.stderr
    kept = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert {each["device_id"] for each in kept} == {"door-1", "door-2"} == {each.id for each in site.registry.devices()}
    assert all(each["schema"] == 1 and set(each["seconds"]) >= {"install", "prove"} for each in kept)
    again = json.loads(run(*words, "--once", "--json").stdout)["boards"]
    assert {(each["device"], each["outcome"]) for each in again} == {("door-1", "skipped"), ("door-2", "skipped")}


def test_boards_are_installed_here_and_join_elsewhere_by_their_sealed_labels(kiosk):
    """Blank board, firmware, sealed label; and then without a cable: the code under its seal, by radio."""
    board = VirtualBoard(kiosk.folder / "blank", blank=True, air=kiosk.air.name, settings=kiosk.clock)
    kiosk.boards.append(board)
    kiosk.beside.do(board.start())
    words = ["factory --install-only --once --journal made.jsonl --ports", board.cable]
    made = kiosk.admit(*words, ADMIT_PASSPHRASE_FILE=None)
    assert made.stdout.splitlines()[1].split()[:3] == ["installed", str(board.cable), board.chip.id.hex()]
    assert "1 installed, 0 skipped, 0 failed" in made.stderr
    assert f"admit labels --sealed {board.cable} -o labels.pdf" in made.stderr
    alone = kiosk.data("provision", board.cable, "--install-only", ADMIT_PASSPHRASE_FILE=None)
    assert (alone["state"], alone["device"], alone["proven"], alone["sent"]) == ("installed", None, False, 0)
    kiosk.admit("labels --sealed", board.cable, "-o label.pdf")
    (code,) = zxingcpp.read_barcodes(pypdfium2.PdfDocument(kiosk.folder / "label.pdf")[0].render(scale=3).to_pil())
    joined = kiosk.data("provision ble --sealed --name far-1", given=f"{code.text}\n")
    assert (joined["device"], joined["board_id"], joined["proven"]) == ("far-1", board.chip.id.hex(), True)


def test_ctrl_c_ends_it_when_what_was_begun_is_done(kiosk):
    board = VirtualBoard(kiosk.folder / "last", blank=True, settings=kiosk.clock)
    kiosk.boards.append(board)
    kiosk.beside.do(board.start())
    factory = kiosk.start("factory --prefix last- --journal last.jsonl --ports", board.cable)
    kiosk.beside.do(board.expect("status factory", 30))
    factory.send_signal(signal.SIGINT)
    ended = kiosk.end(factory)
    assert "last-1  provisioned" in ended.stdout.replace("   ", "  ") and "Finishing" in ended.stderr
    (record,) = map(json.loads, (kiosk.folder / "last.jsonl").read_text().splitlines())
    assert (record["device_id"], record["fingerprint"]) == ("last-1", kiosk.fingerprint("last-1"))


@pytest.mark.parametrize(
    "words",
    [
        "factory --ports usb*",
        "factory --ports usb* --prefix door- --install-only",
        "provision usb0",
        "provision ble --sealed --install-only",
    ],
)
def test_what_is_to_become_of_a_board_must_be_said(run, site, words):
    assert "--install-only" in run(*words.split(), code=2).stderr


def test_no_board_at_all(run, site, tmp_path):
    words = ["factory", "--ports", f"{tmp_path}/none*", "--prefix", "door-", "--once"]
    ended = run(*words, "--journal", str(tmp_path / "journal"), code=3)
    assert "no board was plugged in" in ended.stderr and ended.stdout == ""


def test_boards_that_all_fail(run, site, tmp_path):
    (tmp_path / "usb0").write_text("no port at all")
    words = ["factory", "--ports", f"{tmp_path}/usb0", "--prefix", "door-", "--once", "--json"]
    ended = run(*words, "--journal", str(tmp_path / "journal"), code=1)
    (failed,) = json.loads(ended.stdout)["boards"]
    assert failed["outcome"] == "failed" and failed["reason"] == "serial-not-found"
    assert "0 provisioned, 0 skipped, 1 failed" in ended.stderr
