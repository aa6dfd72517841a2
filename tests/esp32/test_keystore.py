"""The ESP32 port's key store in NVS: its limits, and the power cut at each change of the partition."""

import asyncio

import pytest

from chip_board import LISTENING, Chip
from chip_world import World

PROGRAM = (
    """
import sys
from admit_protocol.errors import AdmitError
from ports.esp32.keystore import Keystore
store = Keystore()
def tell(call):
    try:
        return call()
    except AdmitError as error:
        return error.reason
OLD, NEW = b"old" * 100, b"new!" * 120
"""
    + LISTENING
)
CHANGES = 8  # of NVS in one write, and more than there are: erase twice, set, commit each


def play(folder, story, world=None, **settings):
    """Run `story(chip)` with the port's own Keystore."""

    async def main():
        async with asyncio.timeout(30), world or World() as around:
            async with Chip(folder, around, PROGRAM, settings=settings) as chip:
                await chip.expect("listening")
                await story(chip)

    asyncio.run(main())


async def power_cycle(chip):
    await chip.kill()
    chip.settings = {}
    await chip.start()
    await chip.expect("listening")


def test_an_identity_is_kept_through_a_loss_of_power_and_gone_after_erasure(tmp_path):
    async def story(chip):
        assert await chip.ask("store.read('identity')") == "None"
        await chip.ask("store.write('identity', OLD)")
        await power_cycle(chip)
        assert await chip.ask("store.read('identity') == OLD") == "True"
        await chip.ask("store.write('identity', NEW)")
        assert await chip.ask("store.read('identity') == NEW") == "True"
        assert len(chip.world.nvs) == 1  # the old one does not stay behind
        await chip.ask("store.erase()")
        assert chip.world.nvs == {} and chip.world.pages_erased == [0, 1, 2, 3, 4, 5]
        await power_cycle(chip)
        assert await chip.ask("store.read('identity')") == "None"

    play(tmp_path, story)


@pytest.mark.parametrize("eager", ["eager", ""], ids=["NVS that writes at once", "NVS that writes at commit"])
def test_a_power_cut_at_each_change_leaves_the_old_identity_or_the_new_one(tmp_path, eager):
    async def main():
        outcomes = []
        for cut in range(1, 40):
            async with World() as world, Chip(tmp_path / str(cut), world, PROGRAM) as chip:
                await chip.expect("listening")
                await chip.ask("store.write('identity', OLD)")
                await chip.kill()
                chip.settings = {"CHIP_CUT": str(cut), "CHIP_NVS": eager}
                await chip.start()
                await chip.expect("listening")
                await world.deliver(b"p", payload=b"store.write('identity', NEW), print('= whole')")
                whole = await cut_or_answered(chip)
                await power_cycle(chip)
                outcomes.append(await chip.ask("tell(lambda: store.read('identity')) in (OLD, NEW)"))
                new = await chip.ask("store.read('identity') == NEW") == "True"
                assert new or not whole
                await chip.ask("store.write('identity', OLD)")  # and it can be written again
                assert await chip.ask("store.read('identity') == OLD") == "True"
            if whole:
                break
        assert set(outcomes) == {"True"} and 4 <= len(outcomes) <= 12

    asyncio.run(main())


async def cut_or_answered(chip):
    """Whether the program got to the end of it."""
    await chip.world.until(lambda: not chip.running or "= whole" in chip.lines)
    return "= whole" in chip.lines


def test_a_power_cut_while_erasing_leaves_no_identity_that_counts(tmp_path):
    async def main():
        for cut in range(1, 40):
            async with World() as world, Chip(tmp_path / str(cut), world, PROGRAM) as chip:
                await chip.expect("listening")
                await chip.ask("store.write('identity', OLD)")
                await chip.kill()
                chip.settings = {"CHIP_CUT": str(cut)}
                await chip.start()
                await chip.expect("listening")
                await world.deliver(b"p", payload=b"store.erase(), print('= whole')")
                whole = await cut_or_answered(chip)
                await power_cycle(chip)
                assert await chip.ask("tell(lambda: store.read('identity')) in (OLD, None)") == "True"
                await chip.ask("store.erase()")  # what the board does at its next start
                await power_cycle(chip)
                assert await chip.ask("store.read('identity')") == "None"
            if whole:
                return
        raise AssertionError("it never came to an end")

    asyncio.run(main())


def test_a_damaged_value_is_refused_and_a_full_partition_says_so(tmp_path):
    async def story(chip):
        await chip.ask("store.write('identity', OLD)")
        (name,) = chip.world.nvs
        kind, value = chip.world.nvs[name]
        chip.world.nvs[name] = [kind, value[:-2] + "00"]
        await power_cycle(chip)
        assert await chip.ask("tell(lambda: store.read('identity'))") == "storage-corrupt"
        chip.world.nvs.clear()
        chip.world.nvs["other/blob"] = ["blob", "00" * 18600]
        await power_cycle(chip)
        assert await chip.ask("tell(lambda: store.write('identity', bytes(2048)))") == "storage-full"
        assert await chip.ask("tell(lambda: store.read('identity'))") == "None"
        assert await chip.ask("tell(lambda: store.write('identity', bytes(2049)))") == "keystore-value"
        assert await chip.ask("tell(lambda: store.write('diary', b''))") == "keystore-value"

    play(tmp_path, story)
