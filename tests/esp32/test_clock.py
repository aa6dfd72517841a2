"""The ESP32 port's clock: it counts, and does not claim to know the time, whatever the chip's own clock shows."""

import asyncio

from chip_board import HARD, LISTENING, Chip
from chip_world import World

PROGRAM = "from ports.esp32.clock import Clock\nclock = Clock()\n" + LISTENING
SET = "__import__('machine').RTC().datetime((2026, 9, 21, 0, 14, 13, 20, 0))"


def test_the_time_is_never_known_by_the_chips_own_clock(tmp_path):
    async def main():
        async with asyncio.timeout(30), World() as world, Chip(tmp_path, world, PROGRAM) as chip:
            await chip.expect("listening")
            assert await chip.ask("clock.now()") == "None"
            assert await chip.ask(f"{SET}, time.gmtime()[0], clock.now()") == "(None, 2026, None)"
            await world.deliver(b"p", payload=b"__import__('machine').reset()")
            await chip.restarted(HARD)
            await chip.expect("listening")
            assert await chip.ask("time.gmtime()[0], clock.now()") == "(2026, None)"

    asyncio.run(main())


def test_the_monotonic_clock_never_goes_back(tmp_path):
    async def main():
        async with asyncio.timeout(30), World() as world, Chip(tmp_path, world, PROGRAM) as chip:
            await chip.expect("listening")
            seen = eval(await chip.ask("[(time.sleep_ms(1), clock.monotonic_ms())[1] for _ in range(50)]"))
            assert seen == sorted(seen) and seen[-1] - seen[0] >= 49
            await chip.ask(SET)
            assert int(await chip.ask("clock.monotonic_ms()")) >= seen[-1]

    asyncio.run(main())
