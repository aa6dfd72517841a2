"""The stand-ins for `esp32` and `os`: NVS with its limits, power cuts and wear; random numbers that need the radio."""

import asyncio

import pytest

from air_support import run
from chip_board import EXIT_CODE, LISTENING, Chip
from chip_world import World

PROGRAM = (
    """
import bluetooth, esp32, os
nvs = esp32.NVS("kiosk")
def blob(key, size=600):
    buffer = bytearray(size)
    return bytes(buffer[: nvs.get_blob(key, buffer)])
"""
    + LISTENING
)

NOT_FOUND, NO_SPACE, KEY_TOO_LONG, INVALID_LENGTH = (f"OSError {-each}" for each in (0x1102, 0x1105, 0x1109, 0x110C))


def play(folder, story, **settings):
    """Run `story(chip)` with a chip that does what it is asked."""

    async def main():
        async with asyncio.timeout(30), World() as world, Chip(folder, world, PROGRAM, settings=settings) as chip:
            await chip.expect("listening")
            await story(chip)

    asyncio.run(main())


one, two = ["i32", 1], ["i32", 2]


async def power_cycle(chip):
    await chip.kill()
    await chip.start()
    await chip.expect("listening")


def test_names_have_15_characters_and_values_a_type(tmp_path):
    async def story(chip):
        assert await chip.ask("esp32.NVS('n' * 16)") == KEY_TOO_LONG
        for call in ("set_i32(key, 1)", "get_i32(key)", "set_blob(key, b'')", "get_blob(key, bytearray(1))"):
            assert await chip.ask("nvs." + call.replace("key", "'k' * 16")) == KEY_TOO_LONG
        assert await chip.ask("nvs.set_i32('k' * 15, -5), nvs.get_i32('k' * 15)") == "(None, -5)"
        assert (await chip.ask("nvs.set_i32('k', 1 << 31)")).startswith("OverflowError")
        assert await chip.ask("nvs.get_i32('x')") == NOT_FOUND and await chip.ask("nvs.erase_key('x')") == NOT_FOUND
        await chip.ask("nvs.set_blob('b', b'abcd')")
        assert await chip.ask("nvs.get_i32('b')") == NOT_FOUND  # not of that type
        assert await chip.ask("nvs.get_blob('b', bytearray(3))") == INVALID_LENGTH
        assert await chip.ask("blob('b')") == "b'abcd'"
        assert await chip.ask("nvs.erase_key('b'), nvs.get_blob('b', bytearray(4))") == NOT_FOUND

    play(tmp_path, story)


def test_a_value_is_written_beside_the_old_one_so_both_must_fit(tmp_path):
    async def story(chip):
        assert await chip.ask("nvs.set_blob('b', bytes(9900))") == "None"
        assert await chip.ask("nvs.set_blob('b', bytes(9900))") == "None"
        assert await chip.ask("nvs.set_blob('c', bytes(9900))") == "None"
        assert await chip.ask("nvs.set_blob('b', bytes(1000))") == NO_SPACE
        assert await chip.ask("len(blob('b', 9900))") == "9900"
        assert await chip.ask("nvs.erase_key('c'), nvs.set_blob('b', bytes(1000))") == "(None, None)"

    play(tmp_path, story)


def test_what_was_not_committed_is_lost_with_the_power_or_not(tmp_path):
    async def lost(chip):
        await chip.ask("nvs.set_i32('old', 1), nvs.commit(), nvs.set_i32('new', 2)")
        await power_cycle(chip)
        assert await chip.ask("nvs.get_i32('old')") == "1" and await chip.ask("nvs.get_i32('new')") == NOT_FOUND

    async def kept(chip):
        await chip.ask("nvs.set_i32('new', 2)")
        await power_cycle(chip)
        assert await chip.ask("nvs.get_i32('new')") == "2"

    play(tmp_path / "lost", lost)
    play(tmp_path / "kept", kept, CHIP_NVS="eager")


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5])
def test_a_power_cut_comes_between_changes_never_within_one(tmp_path, cut):
    async def story(chip):
        await chip.world.deliver(b"p", payload=b"nvs.set_i32('a', 1), nvs.set_i32('b', 2), nvs.commit()")
        code = await chip.ended() if cut < 5 else None
        await chip.world.until(lambda: cut < 5 or "kiosk/b" in chip.world.nvs)
        assert code == (EXIT_CODE if cut < 5 else None)
        assert chip.world.nvs == [{}, {}, {}, {"kiosk/a": one}, {"kiosk/a": one, "kiosk/b": two}][cut - 1]

    play(tmp_path, story, CHIP_CUT=str(cut))


def test_wear_is_counted_in_entries_of_32_bytes(tmp_path):
    async def story(chip):
        await chip.ask("nvs.set_i32('i', 1), nvs.set_blob('b', bytes(65)), nvs.erase_key('i'), nvs.commit()")
        assert chip.world.written == 1 + (1 + 3 + 1) + 1

    play(tmp_path, story)


def test_erasing_the_partition_leaves_nvs_without_a_memory_until_the_next_start(tmp_path):
    async def story(chip):
        await chip.ask("nvs.set_i32('i', 1), nvs.commit()")
        assert await chip.ask("[each.info()[4] for each in esp32.Partition.find(1, label='nvs')]") == "['nvs']"
        await chip.ask("\npart = esp32.Partition.find(esp32.Partition.TYPE_DATA, label='nvs')[0]")
        assert await chip.ask("part.ioctl(4, 0), part.ioctl(5, 0)") == "(6, 4096)"
        assert await chip.ask("[part.ioctl(6, block) for block in range(6)]") == str([0] * 6)
        assert await chip.ask("part.ioctl(6, 6)") == "OSError -260"
        assert await chip.ask("part.ioctl(6, 7)") == "OSError -258"
        for call in ("get_i32('i')", "set_i32('i', 1)", "erase_key('i')"):
            assert await chip.ask("nvs." + call) == f"OSError {-0x110B}"
        await power_cycle(chip)
        assert chip.world.nvs == {} and await chip.ask("nvs.get_i32('i')") == NOT_FOUND

    play(tmp_path, story)


def test_random_numbers_are_the_same_after_each_start_unless_the_radio_is_on(tmp_path):
    async def story(air):
        async with World(air.name) as world, Chip(tmp_path, world, PROGRAM) as chip:
            await chip.expect("listening")
            seen = [await chip.ask("os.urandom(16).hex()")]
            await chip.ask("bluetooth.BLE().active(True)")
            seen.append(await chip.ask("os.urandom(16).hex()"))
            await power_cycle(chip)
            seen.append(await chip.ask("os.urandom(16).hex()"))
            await chip.ask("bluetooth.BLE().active(True)")
            seen.append(await chip.ask("os.urandom(16).hex()"))
            assert seen[0] == seen[2] and len(set(seen)) == 3

    run(story)


def test_a_stuck_source_gives_one_byte_for_ever(tmp_path):
    async def story(chip):
        assert await chip.ask("set(os.urandom(40)), len(os.urandom(5))") == "({90}, 5)"

    play(tmp_path, story, CHIP_ENTROPY="stuck")
