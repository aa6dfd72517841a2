"""From a blank chip to a labelled device: ROM loader, the real esptool, reset, REPL, firmware, key, lock, proof."""

import json
import os
import random
import threading
from contextlib import ExitStack

import pytest

from admit_provisioning import boards
from admit_provisioning.esptool import Link
from admit_provisioning.factory import FAILED, PROVISIONED, Batch, Factory
from admit_provisioning.journal import Journal
from admit_provisioning.pipeline import Order, provision
from cli_kiosk import FOLDERS, Typist
from imports import ROOT
from rom_loader import Faults
from rom_loader.image import image
from rom_loader.line import Rfc2217, Tcp
from sites import new_site
from whole_chip import WholeChip
from workbench import Notes, Workbench

LIMIT_S = 40
OTHERS = ["esp32_s3_generic", "esp32_c3_generic", "esp32_c6_generic"]
SECURE_BOOT = 0, 6, 1 << 4  # an ESP32's eFuse: block, word, bit
PULLED_AT = 30_000  # bytes that esptool gets to send


@pytest.fixture
def bench(tmp_path, beside):
    made = Workbench(tmp_path / "bench", beside)
    yield made
    made.site.registry.close()


@pytest.fixture
def image_of(tmp_path):
    """image_of("esp32") → the path of a MicroPython for that chip."""

    def image_of(chip):
        file = tmp_path / f"{chip}.bin"
        file.write_bytes(image(chip, random.Random(7).randbytes(90_000)))
        return file

    return image_of


@pytest.fixture
def typist(tmp_path):
    """Somebody at a shell, with a site; their pyserial is in a hurry."""
    site = new_site(tmp_path / "site")
    yield Typist(tmp_path, ADMIT_SITE=site.folder, PYTHONPATH=os.pathsep.join([FOLDERS, str(ROOT / "tests/impatient")]))
    site.registry.close()


def test_one_command_makes_a_device_of_a_blank_board_without_reset_lines(beside, typist, tmp_path, image_of):
    with WholeChip(beside, tmp_path / "chip", line=Tcp()) as chip:
        words = ["provision", chip.port, "--name kiosk-1 --board esp32_generic --image", image_of("esp32")]
        made = typist.data(*words)
        assert (made["state"], made["board_id"], made["faults"]) == ("commissioned", chip.board_id, [])
        assert made["seconds"].keys() >= {"flash", "install", "prove"} and made["sent"] > 40_000
        again = typist.data(*words)
        assert (again["sent"], again["fingerprint"]) == (0, made["fingerprint"]) and "flash" not in again["seconds"]
        typist.admit("labels kiosk-1 -o label.png")
    assert (tmp_path / "label.png").is_file()


def test_a_factory_takes_a_board_as_it_is_plugged_in(beside, typist, tmp_path, image_of):
    """With reset lines, so nobody holds BOOT: it starts again and again, because it finds nothing to start."""
    with WholeChip(beside, tmp_path / "chip", line=Rfc2217(), booted=True) as chip:
        words = ["--board esp32_generic --prefix door- --count 1 --journal made.jsonl --image", image_of("esp32")]
        made = typist.admit("factory --ports", chip.port, *words).stdout
        assert made.splitlines()[1].split()[:4] == ["door-1", PROVISIONED, chip.port, chip.board_id]
        assert chip.rom.mode == "flash" and chip.world.nvs
    (record,) = map(json.loads, (tmp_path / "made.jsonl").read_text().splitlines())
    assert (record["board_id"], record["outcome"]) == (chip.board_id, PROVISIONED)


@pytest.mark.parametrize("name", OTHERS)
def test_each_other_chip_comes_to_its_repl_which_tells_the_same_mac(name, bench, beside, tmp_path, image_of):
    """Which kind of board it is, the chip says itself."""

    def stop_at_second_detect(step):
        if notes.steps[-3:] == ["flash", "detect", "install"]:
            raise KeyboardInterrupt

    notes = Notes(stop_at_second_detect)
    with WholeChip(beside, tmp_path / "chip", name) as chip:
        order = Order(Link(chip.port), image=image_of(chip.board.chip))
        with pytest.raises(KeyboardInterrupt):
            provision(order, Journal(bench.site, bench.signer, "kiosk-1", notes), bench.holder)
    (row,) = bench.registry.boards()  # the REPL's install began, with the board that esptool had in hand
    assert (row.board_id, row.board, row.state) == (chip.board_id, name, "flash")
    assert boards.load(name).chip == chip.board.chip


class Foreman:
    """A Floor: pulls the cable of `chip` as esptool writes to it, and plugs it in when that has failed."""

    def __init__(self, chip):
        self.chip, self.failed = chip, threading.Event()

    def watcher(self, port):
        return self if port == self.chip.port else Notes()

    def step(self, name, words):
        if words == "writing" and not self.failed.is_set():
            self.chip.rom.faults = Faults(vanish_at=PULLED_AT)

    def progress(self, done, total):
        pass

    def ended(self, result):
        if result.port == self.chip.port and result.outcome == FAILED:
            self.failed.set()

    def waiting(self, port):
        pass


def test_a_secured_chip_and_a_pulled_cable_are_their_ports_alone(bench, beside, tmp_path, image_of):
    """The secured one is never written to; the other one is finished when it is plugged in again."""
    with ExitStack() as stack:
        secured, torn, good = (
            stack.enter_context(WholeChip(beside, tmp_path / f"chip-{mac}", mac=mac)) for mac in (1, 2, 3)
        )
        secured.rom.efuses.burn(*SECURE_BOOT)
        secured.rom.reset("rom")
        foreman = Foreman(torn)
        order = Order(Link(""), "esp32_generic", image_of("esp32"))
        batch = Batch((str(tmp_path / "chip-*/*.port"),), order, "door-", count=2)
        works = Factory(batch, bench.site, bench.signer, bench.holder, foreman)
        worker = threading.Thread(target=works.run, daemon=True)
        worker.start()
        assert foreman.failed.wait(LIMIT_S)
        torn.plug()
        worker.join(LIMIT_S)
        assert not worker.is_alive(), works.results
        assert not secured.flashed
    ended = {chip.port: [each for each in works.results if each.port == chip.port] for chip in (secured, torn, good)}
    assert [(each.outcome, each.reason) for each in ended[secured.port]] == [(FAILED, "flash-secured")]
    assert [each.outcome for each in ended[torn.port]] == [FAILED, PROVISIONED]
    assert ended[torn.port][0].reason in ("flash-interrupted", "flash-failed")
    assert [each.outcome for each in ended[good.port]] == [PROVISIONED]
    assert {ended[each.port][-1].board_id for each in (torn, good)} == {torn.board_id, good.board_id}
    assert len(bench.fingerprints()) == 2
