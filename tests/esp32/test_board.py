"""A whole ESP32 board: how it starts, what outlives what, its button, its watchdog, and boards without a radio."""

import asyncio
import contextlib
import json

import pytest

from admit.client import describe
from admit.connection import Connection
from admit_protocol import cbor, coap, coap_numbers
from admit_protocol.errors import AdmitError
from admit_provisioning.boards import load, names
from chip_board import HARD, POWER_ON, WATCHDOG
from esp32_kiosk import BUTTON, CONFIG, RELAY, commissioned, esp32
from rig import ALL
from wired_kiosk import first_visit, invoke, next_visit

WIRED = CONFIG | {"radio": "none"}
RESET, REPL = 1, {1: 1}


def play(story, folder, **options):
    """Run `story(kiosk)` with an ESP32 in factory state."""

    async def main():
        async with asyncio.timeout(60), esp32(folder, **options) as kiosk:
            await kiosk.ready()
            await story(kiosk)

    asyncio.run(main())


def serve(story, folder, **options):
    """Run `story(kiosk, admin)` with a commissioned kiosk-1."""

    async def main():
        async with asyncio.timeout(90), commissioned(folder, **options) as (kiosk, admin):
            await story(kiosk, admin)

    asyncio.run(main())


async def health_of(kiosk, admin):
    """/health, over the cable."""
    async with Connection(kiosk.cable()) as line:
        session = await next_visit(line, admin, kiosk.credential)
        return cbor.decode((await session.request(coap.GET, "/health")).payload)


async def power_cycle(kiosk):
    await kiosk.board.restart()
    await kiosk.ready()


@pytest.mark.parametrize("name", [name for name in names() if load(name).port == "esp32"])
def test_every_board_of_the_family_starts_with_the_pins_that_its_file_names(tmp_path, name):
    config = json.loads(load(name).config())

    async def story(kiosk):
        outputs = {gpio for role, gpio in config["pins"].items() if role not in ("button", "rgb")}
        assert outputs <= set(kiosk.world.pins)
        await kiosk.is_on_air()

    play(story, tmp_path, config=config)


def test_a_board_joins_a_site_over_its_cable_and_proves_it(tmp_path):
    async def story(kiosk):
        health, steps = await kiosk.commission(kiosk.visitor("admin", ALL))
        assert health and steps
        async with kiosk.over_the_air() as connection:
            session = await first_visit(connection, kiosk.visitor("alice", [("/r/open", 3, {})]))
            assert await invoke(session, "open", seconds=1) == [1, 1]

    play(story, tmp_path)


def test_what_a_site_gave_it_outlives_the_loss_of_power(tmp_path):
    async def story(kiosk, admin):
        await power_cycle(kiosk)
        async with Connection(kiosk.cable()) as line:
            assert (await describe(line)).credential == kiosk.credential
            session = await next_visit(line, admin, kiosk.credential)
            assert await invoke(session, "open", seconds=1) == [1, 1]
        assert kiosk.world.starts == [POWER_ON, POWER_ON]
        assert kiosk.world.pins[RELAY] in (0, 1)

    serve(story, tmp_path)


def test_using_it_wears_no_nvs(tmp_path):
    async def story(kiosk, admin):
        await power_cycle(kiosk)
        written = kiosk.world.written
        for number in range(3):
            async with kiosk.over_the_air() as connection:
                session = await first_visit(connection, admin)
                await invoke(session, "open", number.to_bytes(8, "big"), seconds=1)
            await kiosk.is_on_air()
        assert kiosk.world.written == written

    serve(story, tmp_path)


def test_a_board_without_a_radio_serves_its_cable_and_marks_its_identity(tmp_path):
    async def story(kiosk):
        assert kiosk.world.radio.advertised == [] and not kiosk.world.radio.on
        answer = cbor.decode((await kiosk.plain(coap.POST, "/identity", {1: bytes(32)})).payload)
        assert answer[2] is True
        async with Connection(kiosk.cable()) as line:
            assert (await describe(line)).test_only

    play(story, tmp_path, config=WIRED)


def test_that_mark_must_be_in_its_credential(tmp_path):
    async def story(kiosk):
        with pytest.raises(AdmitError) as error:
            await kiosk.commission(kiosk.visitor("admin", ALL))  # whose authority does not say so
        assert error.value.reason == "identity-test-only"

    play(story, tmp_path, config=WIRED)


def test_a_stuck_source_of_randomness_makes_no_key(tmp_path):
    async def story(kiosk):
        for _ in range(2):
            response = await kiosk.plain(coap.POST, "/identity", {1: bytes(range(32))})
            assert response.code == coap_numbers.INTERNAL_SERVER_ERROR and b"entropy-stuck" in response.payload
        async with Connection(kiosk.cable()) as line:
            assert (await describe(line)).state == "factory"
        assert kiosk.world.nvs == {}

    play(story, tmp_path, settings={"CHIP_ENTROPY": "stuck"}, faults=True)


def test_a_routine_that_hangs_meets_the_watchdog_and_is_disabled_after_it(tmp_path):
    async def story(kiosk, admin):
        async with Connection(kiosk.cable()) as line:
            session = await next_visit(line, admin, kiosk.credential)
            with contextlib.suppress(AdmitError, TimeoutError):
                async with asyncio.timeout(0.5):
                    await session.request(coap.POST, "/r/hang", cbor.encode({1: b"12345678", 2: {}}))
        await kiosk.restarted(WATCHDOG, 1)
        await kiosk.ready()
        health = await health_of(kiosk, admin)
        assert "watchdog" in str(health.values())
        ended = {"what": "watchdog", "place": "/r/hang", "boot": health["boots"] - 1, "uptime_s": None, "ended": True}
        assert (health["reset_cause"], health["last_exception"]) == ("watchdog", ended)

    serve(story, tmp_path, settings={"CHIP_WATCHDOG_MS": "4500"}, faults=True)


@pytest.mark.parametrize(
    ("routines", "told"),
    [
        ("import nowhere", "ImportError"),
        ("raise ValueError('no')", "ValueError"),
        ("raise SystemExit", "SystemExit"),
    ],
)
def test_a_broken_routines_file_is_disabled_and_told_and_everything_else_serves(tmp_path, routines, told):
    async def story(kiosk, admin):
        health = await health_of(kiosk, admin)
        (fault,) = [fault for faults in health.values() if isinstance(faults, list) for fault in faults]
        assert told in fault and len(fault) <= 80

    serve(story, tmp_path, routines=routines, faults=True)


def test_damaged_routines_are_disabled_too(tmp_path, monkeypatch):
    monkeypatch.setattr("esp32_kiosk.compile_module", lambda source, target, name: target.write_bytes(b"M\x05\x00\x1f"))

    async def story(kiosk, admin):
        health = await health_of(kiosk, admin)
        assert [fault for faults in health.values() if isinstance(faults, list) for fault in faults]

    serve(story, tmp_path, routines="# another file than any other test's", faults=True)


def test_the_boot_button_held_wipes_the_identity_and_only_then(tmp_path):
    flash = tmp_path / "board/flash.img"

    async def story(kiosk, admin):
        assert admin.grant[40:80] in flash.read_bytes()  # the device knows it
        await kiosk.world.press(BUTTON, 0)
        await power_cycle(kiosk)
        await asyncio.sleep(1)
        await kiosk.world.press(BUTTON, None)  # let go too early
        await asyncio.sleep(0.3)
        async with Connection(kiosk.cable()) as line:
            assert (await describe(line)).credential == kiosk.credential
        await kiosk.world.press(BUTTON, 0)
        await power_cycle(kiosk)
        starts = len(kiosk.world.starts)
        await kiosk.world.until(lambda: len(kiosk.world.starts) > starts, 20)  # held for ten seconds
        await kiosk.world.press(BUTTON, None)
        await kiosk.ready()
        async with Connection(kiosk.cable()) as line:
            found = await describe(line)
        assert (found.state, found.credential) == ("factory", None)
        assert kiosk.world.starts[-1] == HARD and kiosk.world.nvs == {}
        assert admin.grant[40:80] not in flash.read_bytes()  # nor can it be dug out

    serve(story, tmp_path)
