"""The ESP32 port's outputs: what the relay, the LED and an addressable LED do when."""

import asyncio
from ast import literal_eval

from chip_board import LISTENING, Chip
from chip_world import World
from esp32_kiosk import LED, RELAY, commissioned, esp32
from rig import ALL
from wired_kiosk import first_visit, invoke

PROGRAM = "import asyncio\nfrom ports.esp32.outputs import Outputs\n" + LISTENING
ON, OFF = 1, 0


def levels(world, pin):
    """What an output did, one level after another."""
    return [level for kind, number, level in world.events if (kind, number) == ("pin", pin)]


def test_the_relay_is_off_from_the_first_moment_and_follows_the_routine(tmp_path):
    async def main():
        async with asyncio.timeout(60), commissioned(tmp_path) as (kiosk, admin):
            assert set(levels(kiosk.world, RELAY)) == {OFF}
            async with kiosk.over_the_air() as connection:
                session = await first_visit(connection, kiosk.visitor("alice", ALL))
                await invoke(session, "open", seconds=1)
                await kiosk.world.until(lambda: levels(kiosk.world, RELAY)[-1] == ON)
            await kiosk.world.until(lambda: levels(kiosk.world, RELAY)[-1] == OFF)
            await kiosk.board.restart()  # and never comes on by a restart
            await kiosk.ready()
            seen = levels(kiosk.world, RELAY)
            assert seen.count(ON) == 1 and seen[-1] == OFF

    asyncio.run(main())


def test_the_led_tells_factory_from_ready(tmp_path):
    async def main():
        async with asyncio.timeout(60), esp32(tmp_path) as kiosk:
            await kiosk.ready()
            lit = await time_lit(kiosk)
            assert 0.35 < lit < 0.65
            await kiosk.commission(kiosk.visitor("admin", ALL))
            assert await time_lit(kiosk) < 0.2

    asyncio.run(main())


async def time_lit(kiosk):
    """How long one flash of the LED lasts, in seconds."""
    world = kiosk.world
    for level in (OFF, ON):
        await world.until(lambda level=level: world.pins[LED] == level)
    start = asyncio.get_running_loop().time()
    await world.until(lambda: world.pins[LED] == OFF)
    return asyncio.get_running_loop().time() - start


def play(folder, story):
    async def main():
        async with asyncio.timeout(30), World() as world, Chip(folder, world, PROGRAM) as chip:
            await chip.expect("listening")
            await story(chip, world)

    asyncio.run(main())


def test_on_is_what_a_routine_would_say_and_pins_begin_low(tmp_path):
    async def story(chip, world):
        await chip.ask("\noutputs = Outputs({'relay': 26, 'buzzer': 25, 'button': 0, 'led': 2})")
        assert sorted(world.events) == [("pin", 2, OFF), ("pin", 25, OFF), ("pin", 26, OFF)]
        for value, level in ((True, 1), (False, 0), ("open", 1), ("closed", 0), ("on", 1), ("off", 0), (1, 1), (0, 0)):
            await chip.ask(f"outputs.set('relay', {value!r})")
            assert world.pins[26] == level
        assert await chip.ask("outputs.set('screen', 'hello'), outputs.get('screen')") == "(None, 'hello')"

    play(tmp_path, story)


def test_an_addressable_led_is_told_a_colour_and_goes_dark_between(tmp_path):
    async def story(chip, world):
        await chip.ask("\noutputs = Outputs({'rgb': 4})\noutputs.set('status', 'fault')\nasyncio.run(outputs.blink())")
        assert [event[2] for event in world.events if event[0] == "bits"] == [0x001800, 0] * 2

    play(tmp_path, story)


def test_a_code_is_blinked_digit_by_digit_and_goes_when_another_is_shown(tmp_path):
    async def story(chip, world):
        await chip.ask("\nimport ports.esp32.outputs as module\nmodule._BEGIN_MS, module._FLASH_MS = (3, 5), (1, 1)")
        await chip.ask("\nmodule._DIGIT_PAUSE_MS = 2")
        await chip.ask("\noutputs = Outputs({'led': 2})\noutputs.set('status', 'ready')\noutputs.set('code', '310')")
        await chip.ask("\nasyncio.run(outputs.blink())")
        assert levels(world, 2).count(ON) == 1 + 3 + 1 + 10
        assert await chip.ask("module._digits('20')") == str([3, 5] + [1, 1, 1, 2] + [1, 1] * 9 + [1, 4])
        await chip.ask("\nmodule._FLASH_MS = (100000, 100000)")
        await chip.ask(
            "\nasync def change():\n await asyncio.sleep_ms(1)\n outputs.set('code', '')\n"
            "async def both():\n await asyncio.gather(outputs.blink(), change())"
        )
        await chip.ask("\nasyncio.run(both())")  # it would take minutes

    play(tmp_path, story)


def test_a_person_reads_the_longest_code_twice_while_it_counts_and_no_watchdog_starves_meanwhile(tmp_path):
    async def story(chip, world):
        assert await chip.ask("\nimport ports.esp32.outputs as module") == "None"
        lengths = literal_eval(await chip.ask("module._digits('000000')"))
        assert 2 * sum(lengths) < 60_000  # ms that presence.py has it shown
        await chip.ask("\nfed = []\nmodule._FLASH_MS = (150, 250)\noutputs = Outputs({'led': 2})")
        await chip.ask("\noutputs.set('code', '1')\nasyncio.run(outputs.blink(lambda: fed.append(time.ticks_ms())))")
        gaps = literal_eval(await chip.ask("[b - a for a, b in zip(fed, fed[1:])]"))
        assert len(gaps) > 20 and max(gaps) < 1000

    play(tmp_path, story)


SCREEN = "\noutputs = Outputs({'relay': 26}, %s)\n"
CHANGES = (
    ("status", "ready"),
    ("asker", "alice"),
    ("code", "123456"),
    ("code", "123456"),
    ("relay", True),
    ("code", ""),
)


def test_a_screen_is_told_each_change_and_nobody_else_is_told_anything(tmp_path):
    async def story(chip, world):
        for screen in (True, False):
            before = len(chip.lines)
            await chip.ask(SCREEN % screen + "\n".join(f"outputs.set({name!r}, {value!r})" for name, value in CHANGES))
            said = [line.rstrip() for line in chip.lines[before:] if not line.startswith("=")]
            told = ["status ready", "asker alice", "code 123456", "relay on", "code"]
            assert said == (told if screen else [])
        await chip.ask(SCREEN % True + "\n".join(f"outputs.set({name!r}, {value!r})" for name, value in CHANGES))
        before = len(chip.lines)
        await chip.ask("outputs.tell()")
        said = {line.rstrip() for line in chip.lines[before:] if not line.startswith("=")}
        assert said == {"status ready", "asker alice", "code", "relay on"}

    play(tmp_path, story)


def test_the_button_tells_how_long_ago_it_was_pressed(tmp_path):
    async def story(chip, world):
        await chip.ask("\noutputs = Outputs({'button': 0, 'led': 2})\noutputs.set('status', 'wiping')")
        await chip.ask("\nasyncio.run(outputs.blink())")
        assert await chip.ask("outputs.get('button')") == "None"
        await world.press(0, 0)
        await chip.ask("\nasyncio.run(outputs.blink())")
        await world.press(0, None)
        await chip.ask("\nasyncio.run(outputs.blink())")
        first = int(await chip.ask("outputs.get('button')"))
        assert 100 <= first < 10000
        await chip.ask("\ntime.sleep_ms(20)")
        assert int(await chip.ask("outputs.get('button')")) >= first + 20
        await chip.ask("\noutputs = Outputs({'led': 2})\noutputs.set('status', 'wiping')\nasyncio.run(outputs.blink())")
        assert await chip.ask("outputs.get('button')") == "None"

    play(tmp_path, story)
