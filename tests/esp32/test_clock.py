"""The ESP32 port's clock: time is unknown from the moment power comes until somebody tells it."""

import asyncio

from chip_board import HARD, LISTENING, Chip
from chip_world import World

PROGRAM = "from ports.esp32.clock import Clock\nclock = Clock()\n" + LISTENING
NOW = 1_790_000_000  # in 2026


def test_the_time_is_unknown_until_it_is_told_and_outlives_a_restart_but_no_loss_of_power(tmp_path):
    async def main():
        async with asyncio.timeout(30), World() as world, Chip(tmp_path, world, PROGRAM) as chip:
            await chip.expect("listening")
            assert await chip.ask("clock.now()") == "None"
            assert await chip.ask(f"clock.set({NOW}), 0 <= clock.now() - {NOW} < 5") == "(None, True)"
            await world.deliver(b"p", payload=b"__import__('machine').reset()")
            await chip.restarted(HARD)
            await chip.expect("listening")
            assert await chip.ask(f"0 <= clock.now() - {NOW} < 20") == "True"
            await chip.kill()
            await chip.start()
            await chip.expect("listening")
            assert await chip.ask("clock.now()") == "None"

    asyncio.run(main())


def test_the_monotonic_clock_never_goes_back(tmp_path):
    async def main():
        async with asyncio.timeout(30), World() as world, Chip(tmp_path, world, PROGRAM) as chip:
            await chip.expect("listening")
            seen = eval(await chip.ask("[(time.sleep_ms(1), clock.monotonic_ms())[1] for _ in range(50)]"))
            assert seen == sorted(seen) and seen[-1] - seen[0] >= 49
            await chip.ask(f"clock.set({NOW})")
            assert int(await chip.ask("clock.monotonic_ms()")) >= seen[-1]

    asyncio.run(main())
