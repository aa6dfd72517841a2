"""Plans for eFuses, rehearsed on espefuse's virtual chip, applied by the real espefuse to a chip's registers."""

import json
import os

import pytest

from admit_protocol.errors import Conflict, LocalError, Malformed, NotFound, TimedOut, Unverified
from admit_provisioning import harden
from admit_provisioning.esptool import Link, chip_info
from imports import ROOT
from rom_loader import CHIPS, Faults, RomBoard

NAMES = {
    "esp32": ["JTAG_DISABLE", "CONSOLE_DEBUG_DISABLE"],
    "others": ["DIS_PAD_JTAG", "DIS_USB_JTAG", "DIS_DIRECT_BOOT", "ENABLE_SECURITY_DOWNLOAD"],
}
ONCE = "esp32c6"  # has the C3's steps; of its plan two are rehearsed, since each costs half a second of computing


@pytest.fixture(scope="module", autouse=True)
def impatient():
    """A hundred starts of espefuse, which is slow to begin."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT / "tests/impatient"), prepend=os.pathsep)
        yield


@pytest.fixture
def quick(tmp_path, monkeypatch):
    file = tmp_path / "esptool.cfg"
    file.write_text("[esptool]\ntimeout = 0.5\nconnect_attempts = 1\n")
    monkeypatch.setenv("ESPTOOL_CFGFILE", str(file))


def link(rom):
    return Link(rom.port, attempts=1)


def silent(_words):
    pass


def planned(rom, *also):
    return harden.make_plan(link(rom), None, silent, also)


def agreed(steps):
    assert steps


def burnt(rom):
    return [list(block) for block in rom.efuses.blocks]


class Plans(dict):
    """Chip → its plan, from a chip as it leaves the factory: every new RomBoard is in that state."""

    def __init__(self, folder):
        self._folder = folder

    def __missing__(self, chip):
        with RomBoard(chip, self._folder / chip) as rom:
            before = burnt(rom)
            with pytest.MonkeyPatch.context() as patch:
                if chip == ONCE:
                    patch.setitem(harden._STEPS, chip, harden._STEPS[chip][::3])
                self[chip] = planned(rom)
            assert burnt(rom) == before
        return self[chip]


@pytest.fixture(scope="module")
def plans(tmp_path_factory):
    return Plans(tmp_path_factory.mktemp("plans"))


@pytest.fixture
def rehearsed(plans, monkeypatch):
    """The second rehearsal of these plans: its outcome is known, and it takes a second for each step."""

    def outcome(efuses, _names):
        return next([step.after for step in plan.steps] for plan in plans.values() if plan.efuses == efuses)

    monkeypatch.setattr(harden, "rehearse", outcome)
    return monkeypatch


@pytest.mark.parametrize("chip", CHIPS)
def test_a_plan_lists_each_step_with_its_reason_and_its_price_and_burns_nothing(chip, plans):
    plan = plans[chip]
    names = NAMES.get(chip, NAMES["others"])
    assert [step.efuse for step in plan.steps] == (names[::3] if chip == ONCE else names)
    assert [step.efuse for step in harden._STEPS[chip]] == names
    assert all(step.does and step.costs for step in plan.steps)
    assert (plan.chip, plan.mac) == (chip, "24:6f:28:00:00:01")
    states = [plan.efuses] + [step.after for step in plan.steps]
    assert len(set(states)) == len(states)  # each step changes something, in the rehearsal
    assert "never start again" in plan.left_alone["secure boot"]
    assert "read the device's key" in plan.left_alone["flash encryption"]


def test_the_bits_are_those_of_the_manual(plans):
    def bits(plan):
        before, after = (
            int.from_bytes(harden.blocks(state)[0], "little") for state in (plan.efuses, plan.steps[-1].after)
        )
        return {bit for bit in range(256) if (before ^ after) >> bit & 1}

    assert bits(plans["esp32"]) == {6 * 32 + 6, 6 * 32 + 2}
    assert bits(plans["esp32c3"]) == {32 + 19, 32 + 9, 4 * 32 + 1, 4 * 32 + 5}
    assert bits(plans["esp32c6"]) == {32 + 19, 4 * 32 + 5}
    assert bits(plans["esp32s3"]) == {32 + 19, 3 * 32 + 22, 4 * 32 + 1, 4 * 32 + 5}


def test_a_plan_is_saved_read_and_carried_out(plans, tmp_path):
    """With nothing left out: the second rehearsal, every burn, every comparison."""
    plan = plans["esp32"]
    plan.save(tmp_path / "plan.json")
    assert harden.load(tmp_path / "plan.json") == plan
    asked, told = [], []
    with RomBoard("esp32", tmp_path / "flash") as rom:
        done = harden.apply(link(rom), harden.load(tmp_path / "plan.json"), asked.append, told.append)
        assert rom.efuses.blocks[0][6] == 1 << 6 | 1 << 2
    assert done == plan.steps and asked == [plan.steps]
    assert told[-2:] == ["burning JTAG_DISABLE", "burning CONSOLE_DEBUG_DISABLE"]


def test_secure_download_mode_is_the_last_step_and_seen(plans, rehearsed, tmp_path, quick):
    with RomBoard("esp32c3", tmp_path / "flash") as rom:
        harden.apply(link(rom), plans["esp32c3"], agreed, silent)
        assert chip_info(link(rom)).secure_download
        assert rom.efuses.blocks[0][1] == 1 << 9 | 1 << 19 and rom.efuses.blocks[0][4] == 1 << 1 | 1 << 5


def test_one_bit_is_enough_to_refuse(plans, rehearsed, tmp_path):
    for number, (block, word, bit) in enumerate([(0, 4, 14), (2, 7, 31)]):
        with RomBoard("esp32c6", tmp_path / str(number)) as rom:
            rom.efuses.burn(block, word, 1 << bit)
            rom.reset("rom")
            before = burnt(rom)
            with pytest.raises(Conflict, match=f"bit {word * 32 + bit} of block {block} changed") as caught:
                harden.apply(link(rom), plans["esp32c6"], agreed, silent)
            assert caught.value.reason == "harden-changed" and burnt(rom) == before


@pytest.mark.parametrize("chip, mac", [("esp32", 2), ("esp32c3", 1)])
def test_a_plan_is_for_one_board_only(chip, mac, plans, rehearsed, tmp_path):
    with RomBoard(chip, tmp_path / "flash", mac=mac) as rom:
        before = burnt(rom)
        with pytest.raises(Conflict) as caught:
            harden.apply(link(rom), plans["esp32"], agreed, silent)
        assert caught.value.reason == "harden-other-board" and burnt(rom) == before


def test_without_consent_nothing_is_burned(plans, rehearsed, tmp_path):
    def refuse(steps):
        raise KeyboardInterrupt

    with RomBoard("esp32", tmp_path / "flash") as rom:
        before = burnt(rom)
        with pytest.raises(KeyboardInterrupt):
            harden.apply(link(rom), plans["esp32"], refuse, silent)
        assert burnt(rom) == before


def test_after_a_pulled_cable_the_rest_is_burned(plans, rehearsed, tmp_path, quick):
    plan = plans["esp32"]
    with RomBoard("esp32", tmp_path / "flash") as rom:

        def told(words):
            if words == "burning CONSOLE_DEBUG_DISABLE":
                rom.faults = Faults(vanish_at=60)

        with pytest.raises((TimedOut, NotFound)):
            harden.apply(link(rom), plan, agreed, told)
        assert rom.efuses.blocks[0][6] == 1 << 6
        rom.plug()
        rom.reset("rom")
        asked = []
        assert harden.apply(link(rom), plan, asked.append, silent) == plan.steps[1:]
        assert asked == [plan.steps[1:]] and rom.efuses.blocks[0][6] == 1 << 6 | 1 << 2
        assert harden.apply(link(rom), plan, asked.append, silent) == []
        assert len(asked) == 1


def test_what_is_burned_already_is_not_planned_again(tmp_path):
    with RomBoard("esp32", tmp_path / "flash") as rom:
        rom.efuses.burn(0, 6, 1 << 6)
        rom.reset("rom")
        assert [step.efuse for step in planned(rom).steps] == ["CONSOLE_DEBUG_DISABLE"]


def test_a_burn_that_does_more_than_it_should_stops_everything(plans, rehearsed, tmp_path):
    with RomBoard("esp32", tmp_path / "flash") as rom:
        rom.efuses.burn(3, 0, 1)  # shows when the controller reads again, after the first burn
        with pytest.raises(Unverified) as caught:
            harden.apply(link(rom), plans["esp32"], agreed, silent)
        assert caught.value.reason == "harden-unverified" and rom.efuses.blocks[0][6] == 1 << 6


@pytest.mark.parametrize("chip, name", [("esp32", "UART_DOWNLOAD_DIS"), ("esp32c3", "DIS_DOWNLOAD_MODE")])
def test_the_loader_can_be_switched_off_if_somebody_asks_for_it(chip, name, tmp_path, quick, monkeypatch):
    monkeypatch.setitem(harden._STEPS, chip, [harden._SECURE_DOWNLOAD])  # the others are other tests'
    with RomBoard(chip, tmp_path / "flash") as rom:
        plan = planned(rom, harden.DOWNLOAD_OFF)
        assert [step.efuse for step in plan.steps] == [name]  # which makes the other one moot
        assert "never be flashed again" in plan.steps[-1].costs
        monkeypatch.setattr(harden, "rehearse", lambda *_: [step.after for step in plan.steps])
        harden.apply(link(rom), plan, agreed, silent)
        rom.reset("rom")
        assert rom.mode == "flash"
        with pytest.raises(TimedOut):
            chip_info(link(rom))


def test_an_old_esp32_cannot_switch_its_loader_off(tmp_path):
    with RomBoard("esp32", tmp_path / "flash") as rom:
        rom.efuses.blocks[0][5] = 0  # revision 1
        rom.reset("rom")
        with pytest.raises(Conflict) as caught:
            planned(rom, harden.DOWNLOAD_OFF)
        assert caught.value.reason == "harden-unsupported"


def test_a_chip_whose_efuses_cannot_be_read(plans, rehearsed, tmp_path, quick):
    plan = plans["esp32c3"]
    with RomBoard("esp32c3", tmp_path / "flash") as rom:
        rom.efuses.burn(0, 4, 1 << 5)
        rom.reset("rom")
        for attempt in (lambda: planned(rom), lambda: harden.apply(link(rom), plan, agreed, silent)):
            with pytest.raises(Conflict) as caught:
                attempt()
            assert caught.value.reason == "harden-unreadable"


def test_a_plan_for_a_board_with_another_chip(tmp_path):
    with RomBoard("esp32", tmp_path / "flash") as rom, pytest.raises(Conflict) as caught:
        harden.make_plan(link(rom), "esp32_c3_generic", silent)
    assert caught.value.reason == "flash-other-chip"


@pytest.fixture
def plan_data(plans, tmp_path):
    plans["esp32"].save(tmp_path / "whole.json")
    return json.loads((tmp_path / "whole.json").read_text())


def edited(data, **changes):
    return json.loads(json.dumps(data)) | changes


def step(data, **changes):
    return edited(data, steps=[data["steps"][0] | changes, *data["steps"][1:]])


@pytest.mark.parametrize(
    "change",
    [
        lambda data: edited(data, format="admit-harden-plan-9"),
        lambda data: edited(data, chip="esp8266"),
        lambda data: edited(data, efuses=data["steps"][0]["after"]),
        lambda data: edited(data, efuses=data["efuses"].replace("EFSR", "EFSW")),
        lambda data: edited(data, efuses=data["efuses"][:-1]),
        lambda data: edited(data, blocks=[]),
        lambda data: edited(data, more="x"),
        lambda data: edited(data, steps="x"),
        lambda data: step(data, efuse="SECURE_BOOT_EN"),
        lambda data: step(data, efuse="--help"),
        lambda data: step(data, does="makes it blue"),
        lambda data: step(data, costs="nothing"),
        lambda data: step(data, after="x"),
        lambda data: [],
        lambda data: {"format": "admit-harden-plan-1"},
    ],
)
def test_a_plan_that_was_edited_is_none(change, plan_data, tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps(change(plan_data)))
    with pytest.raises(Malformed) as caught:
        harden.load(tmp_path / "plan.json")
    assert caught.value.reason == "harden-plan"


def test_a_plan_whose_steps_lead_elsewhere_does_not_survive_its_second_rehearsal(plan_data, tmp_path):
    """Well-formed, but the first step's outcome is the second one's: nobody even asks the chip."""
    (tmp_path / "plan.json").write_text(json.dumps(step(plan_data, after=plan_data["steps"][1]["after"])))
    plan = harden.load(tmp_path / "plan.json")
    with pytest.raises(Malformed, match="do not lead where it says"):
        harden.apply(Link("nowhere"), plan, agreed, silent)


def test_files_that_are_no_plan(tmp_path):
    with pytest.raises(NotFound):
        harden.load(tmp_path / "none.json")
    (tmp_path / "plan.json").write_bytes(b"\xff\xfe")
    with pytest.raises(Malformed):
        harden.load(tmp_path / "plan.json")


def test_an_espefuse_without_tokens_is_told(monkeypatch):
    monkeypatch.setattr(harden, "run", lambda *_, **__: "espefuse v4.7\n")
    with pytest.raises(LocalError) as caught:
        harden.read(Link("x"), "esp32")
    assert caught.value.reason == "harden-rehearsal"
