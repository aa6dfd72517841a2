"""The ESP32 port's randomness: no key is made unless the radio is on and its source is not stuck."""

import asyncio

from admit.client import describe
from admit.connection import Connection
from admit_protocol import coap, coap_numbers
from air_support import run
from chip_board import LISTENING, Chip
from chip_world import World
from esp32_kiosk import esp32

PROGRAM = (
    """
import os
from admit_protocol.errors import EntropyError
from ports.entropy import Entropy
from ports.esp32.radio import Radio
def tell(call):
    try:
        return call()
    except EntropyError as error:
        return error.reason
"""
    + LISTENING
)


def test_there_is_none_while_the_radio_is_off(tmp_path):
    async def story(air):
        async with World(air.name) as world, Chip(tmp_path, world, PROGRAM) as chip:
            await chip.expect("listening")
            await chip.ask("\nradio = Radio()\nentropy = Entropy(live=radio.live)")
            assert await chip.ask("len(tell(lambda: entropy.random(32)))") == "32"
            await chip.ask("radio._ble.active(False)")
            assert await chip.ask("tell(lambda: entropy.random(32))") == "entropy-not-live"
            await chip.ask("radio._ble.active(True)")
            assert await chip.ask("len(tell(lambda: entropy.random(32)))") == "32"

    run(story)


def test_a_radio_that_does_not_start_leaves_a_board_that_says_so_and_makes_no_key(tmp_path):
    async def main():
        async with asyncio.timeout(60), esp32(tmp_path, faults=True) as kiosk:
            kiosk.world._has_air = False  # from the next start on, nobody answers the radio
            await kiosk.board.restart()
            await kiosk.ready()
            response = await kiosk.plain(coap.POST, "/identity", {1: bytes(range(32))})
            assert response.code == coap_numbers.INTERNAL_SERVER_ERROR and b"entropy-not-live" in response.payload
            async with Connection(kiosk.cable()) as line:
                assert (await describe(line)).state == "factory"
            assert kiosk.world.nvs == {}

    asyncio.run(main())
