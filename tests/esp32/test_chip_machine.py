"""The stand-in for `machine`: pins, pulses, the watchdog and the resets of an ESP32."""

import asyncio
import time

import pytest

from chip_board import HARD, LISTENING, POWER_ON, SOFT, WATCHDOG, Chip
from chip_world import World

PROGRAM = "import machine\nfrom machine import PWM, RTC, WDT, Pin, Signal\n" + LISTENING


def play(folder, story, **options):
    """Run `story(chip, world)` with a chip that does what it is asked."""

    async def main():
        async with asyncio.timeout(30), World() as world, Chip(folder, world, PROGRAM, **options) as chip:
            await chip.expect("listening")
            await story(chip, world)

    asyncio.run(main())


def test_pins_that_the_flash_needs_do_not_exist_and_some_only_listen(tmp_path):
    async def story(chip, world):
        for number in (6, 11, 20 + 4, 28, 40, -1, "'LED'"):
            assert await chip.ask(f"Pin({number})") == "ValueError invalid pin"
        for number in (34, 39):
            assert await chip.ask(f"Pin({number}, Pin.OUT)") == "ValueError pin can only be input"
            assert await chip.ask(f"Pin({number}, Pin.IN)()") == "0"
        assert await chip.ask("Pin(2) is Pin(2)") == "True"

    play(tmp_path, story)


@pytest.mark.parametrize(
    ("name", "pins"), [("esp32s3", (19, 20, 26)), ("esp32c3", (12, 18, 19)), ("esp32c6", (12, 13))]
)
def test_pins_of_a_console_on_usb_do_not_exist_either(tmp_path, name, pins):
    async def story(chip, world):
        for number in pins:
            assert await chip.ask(f"Pin({number})") == "ValueError invalid pin"

    play(tmp_path, story, settings={"CHIP_NAME": name})


def test_other_chips_have_other_pins(tmp_path):
    async def story(chip, world):
        assert await chip.ask("Pin(12)") == "ValueError invalid pin"
        assert await chip.ask("Pin(21, Pin.OUT)") == "Pin(21)"
        assert await chip.ask("[PWM(Pin(number)) for number in range(7)]") == "RuntimeError out of PWM channels:6"

    play(tmp_path, story, settings={"CHIP_NAME": "esp32c3"})


def test_an_output_never_shows_a_level_that_nobody_asked_for(tmp_path):
    async def story(chip, world):
        await chip.ask("Pin(26).value(1)")  # no output yet: nothing is seen
        await chip.ask("Pin(26, Pin.OUT, value=1)")
        await chip.ask("Signal(Pin(2, Pin.OUT, value=1), invert=True).on()")
        assert world.events == [("pin", 26, 1), ("pin", 2, 1), ("pin", 2, 0)]
        assert await chip.ask("Pin(26)(), Pin(2)()") == "(1, 0)"

    play(tmp_path, story)


def test_a_button_pulls_to_ground_and_interrupts(tmp_path):
    async def story(chip, world):
        await chip.ask("\nbutton, edges = Pin(0, Pin.IN, Pin.PULL_UP), []")
        await chip.ask("button.irq(lambda pin: edges.append(pin()), Pin.IRQ_FALLING | Pin.IRQ_RISING)")
        assert await chip.ask("button()") == "1"
        for level in (0, 0, None):
            await world.press(0, level)
        assert await chip.ask("edges") == "[0, 1]"
        await world.press(0, 0)
        await chip.kill()
        await chip.start()
        await chip.expect("listening")
        assert await chip.ask("Pin(0, Pin.IN, Pin.PULL_UP)()") == "0"  # still held

    play(tmp_path, story)


def test_a_new_pwm_sounds_at_once_and_deinit_makes_it_silent(tmp_path):
    async def story(chip, world):
        await chip.ask("\npwm = PWM(Pin(25))")
        assert world.tones == {25: (5000, 32768)}
        await chip.ask("pwm.init(freq=880, duty_u16=1000)")
        assert world.tones == {25: (880, 1000)} and await chip.ask("pwm.freq(), pwm.duty()") == "(880, 15)"
        assert await chip.ask("pwm.duty(1024)") == "ValueError duty must be from 0 to 1023"
        assert await chip.ask("pwm.freq(0)") == "ValueError frequency must be from 1Hz to 40MHz"
        await chip.ask("pwm.deinit()")
        assert world.tones == {25: (0, 0)}

    play(tmp_path, story)


def test_a_watchdog_that_nobody_feeds_restarts_the_chip_and_says_so(tmp_path):
    async def story(chip, world):
        assert await chip.ask("WDT(1)") == "ValueError"
        assert await chip.ask("WDT(timeout=0)") == "ValueError WDT timeout too short"
        await chip.ask("\nwatchdog = WDT(timeout=300)\nfor _ in range(8):\n time.sleep_ms(60)\n watchdog.feed()")
        start = time.monotonic()
        await world.deliver(b"p", payload=b"\nwhile True: pass")  # a program that hangs
        await chip.restarted(WATCHDOG)
        assert 0.2 < time.monotonic() - start < 2
        await chip.expect("listening")
        assert await chip.ask("machine.reset_cause() == machine.WDT_RESET") == "True"

    play(tmp_path, story)


def test_restarts_tell_their_cause_and_rtc_memory_outlives_them_but_not_the_power(tmp_path):
    async def story(chip, world):
        assert await chip.ask("machine.reset_cause(), RTC().memory()") == "(1, b'')"
        assert await chip.ask("RTC().memory(bytes(2049))") == "ValueError buffer too long"
        await chip.ask("RTC().memory(b'once')")
        await world.deliver(b"p", payload=b"machine.reset()")
        await chip.restarted(HARD)
        await chip.expect("listening")
        assert await chip.ask("machine.reset_cause(), RTC().memory()") == "(2, b'once')"
        await world.deliver(b"p", payload=b"machine.soft_reset()")
        await chip.restarted(SOFT)
        await chip.expect("listening")
        assert await chip.ask("machine.reset_cause(), RTC().memory()") == "(5, b'once')"
        await chip.kill()
        await chip.start()
        await chip.expect("listening")
        assert await chip.ask("machine.reset_cause(), RTC().memory()") == "(1, b'')"
        assert chip.causes == [POWER_ON, HARD, SOFT, POWER_ON]

    play(tmp_path, story)


def test_a_chip_knows_its_mac(tmp_path):
    async def story(chip, world):
        assert await chip.ask("machine.unique_id().hex()") == "240ac4000001"

    play(tmp_path, story)


def test_the_clock_begins_in_2000_with_the_power_and_goes_on_through_a_restart(tmp_path):
    async def story(chip, world):
        assert await chip.ask("time.gmtime()[:5]") == "(2000, 1, 1, 0, 0)"
        await chip.ask("RTC().datetime((2026, 3, 4, 2, 10, 30, 0, 0))")
        assert await chip.ask("time.gmtime()[:5], time.time() // 3600") == "((2026, 3, 4, 10, 30), 229426)"
        await world.deliver(b"p", payload=b"machine.reset()")
        await chip.expect("listening")
        assert await chip.ask("RTC().datetime()[:6]") == "(2026, 3, 4, 2, 10, 30)"
        await chip.kill()
        await chip.start()
        await chip.expect("listening")
        assert await chip.ask("time.gmtime()[0]") == "2000"

    play(tmp_path, story)


def test_a_chip_runs_as_fast_as_it_can_and_no_faster(tmp_path):
    async def story(chip, world):
        assert (await chip.ask("machine.freq(240000000)")).endswith("80Mhz or 160MHz")
        assert await chip.ask("machine.freq(160000000), machine.freq()") == "(None, 160000000)"

    play(tmp_path, story, settings={"CHIP_NAME": "esp32c3"})
