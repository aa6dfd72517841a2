"""The client over BLE: finding the right kiosk, connecting with reasons, values in order, links that drop anywhere."""

import asyncio

import pytest
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason

from admit.transport import ble, open_transport, virtual
from admit.transport.ble import scan
from admit.transport.virtual import SharedRadio
from admit.virtual import frames
from admit_protocol import coap
from admit_protocol.errors import Conflict, LocalError, NotFound, TimedOut, Unsupported
from admit_protocol.gatt import GattLayer
from air_support import Kiosk, on_air, phone, python, run, until


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Nothing here waits for a person."""
    monkeypatch.setattr(ble, "SCAN_TIMEOUT_S", 1.0)
    monkeypatch.setattr(ble, "OTHERS_S", 0.2)
    monkeypatch.setattr(ble, "CONNECT_TIMEOUT_S", 1.0)
    monkeypatch.setattr(ble, "PAUSE_S", 0.01)


async def reason_of(call):
    """The reason of the AdmitError that `call` must raise, with its detail."""
    with pytest.raises((Conflict, LocalError, NotFound, TimedOut, Unsupported)) as caught:
        await call
    return caught.value.reason, caught.value.detail


# -- finding --


def test_the_only_kiosk_needs_no_name():
    async def story(air):
        async with Kiosk(air, "kiosk-1") as kiosk:
            client = phone(air)
            await client.open()
            assert client.description == "ble:kiosk-1" and client.mtu == 515
            assert await kiosk.hear() == (frames.OPENED, 1, b"\x02\x03")
            await client.close()
            assert await kiosk.hear() == (frames.CLOSED, 1, b"")

    run(story)


def test_of_several_kiosks_one_must_be_named():
    async def story(air):
        async with Kiosk(air, "kiosk-1"), Kiosk(air, "kiosk-2") as two:
            reason, detail = await reason_of(phone(air).open())
            assert reason == "ble-several" and "ble:kiosk-1, ble:kiosk-2" in detail
            kiosks = {each.name: each for each in await scan(radio=SharedRadio(air.name))}
            for name in ("kiosk-2", kiosks["kiosk-2"].address):
                client = phone(air, name)
                await client.open()
                assert client.description == "ble:kiosk-2"
                assert await two.hear(frames.OPENED)
                await client.close()
                assert await two.hear(frames.CLOSED)

    run(story)


def test_a_kiosk_that_is_not_there_is_not_found():
    async def story(air):
        async with Kiosk(air, "kiosk-1"):
            reason, detail = await reason_of(phone(air, "kiosk-9").open())
            assert reason == "ble-not-found" and "kiosk-9" in detail
        assert (await reason_of(phone(air).open()))[0] == "ble-not-found"
        assert await scan(0.1, SharedRadio(air.name)) == []

    run(story)


def test_the_environment_names_the_radio_and_a_program_shares_it(monkeypatch):
    async def story(air):
        monkeypatch.setenv("ADMIT_BLE", air.name)
        async with Kiosk(air, "kiosk-1") as one, Kiosk(air, "kiosk-2") as two:
            clients = [open_transport("ble:kiosk-1"), open_transport("ble:kiosk-2")]
            await asyncio.gather(*(each.open() for each in clients))
            assert len(air.controllers) == 3
            for client, kiosk in zip(clients, (one, two), strict=True):
                await client.send(b"hello")
                await kiosk.hear(frames.OPENED)
                assert await kiosk.hear() == (frames.RECEIVED, 1, b"hello")
            await asyncio.gather(*(each.close() for each in clients))
            await until(lambda: len(air.controllers) == 2)

    run(story)


def test_without_a_radio_the_reason_is_said(monkeypatch):
    class NoBluetooth:
        def __init__(self, *_, **__):
            pass

        async def __aenter__(self):
            raise BleakBluetoothNotAvailableError("powered off", BleakBluetoothNotAvailableReason.POWERED_OFF)

        async def __aexit__(self, *_):
            pass

    async def main():
        monkeypatch.setenv("ADMIT_BLE", "tcp-client:127.0.0.1:1")
        reason, detail = await reason_of(open_transport("ble").open())
        assert reason == "ble-unavailable" and "127.0.0.1:1" in detail
        monkeypatch.delenv("ADMIT_BLE")
        monkeypatch.setattr(ble, "BleakScanner", NoBluetooth)
        reason, detail = await reason_of(open_transport("ble").open())
        assert reason == "ble-unavailable" and "powered off" in detail

    asyncio.run(main())


def test_no_kiosk_is_looked_for_with_a_radio_left_open():
    async def story(air):
        await reason_of(phone(air).open())
        await until(lambda: air.controllers == [])

    run(story)


# -- values --


def test_values_of_512_bytes_and_their_answers_come_in_order():
    async def story(air):
        async with Kiosk(air) as kiosk:
            client = phone(air)
            await client.open()
            await kiosk.hear(frames.OPENED)
            for number in range(8):
                await client.send(bytes([number]) * 512)
                assert await kiosk.hear() == (frames.RECEIVED, 1, bytes([number]) * 512)
            for number in range(8):
                kiosk.tell(frames.INDICATE, 1, bytes([number]) * 512)
            for number in range(8):
                assert await client.receive() == bytes([number]) * 512
            assert kiosk.radio.cut == 0
            await client.close()

    run(story)


def test_writes_queue_one_behind_the_other():
    async def story(air):
        async with Kiosk(air) as kiosk:
            client = phone(air)
            await client.open()
            await kiosk.hear(frames.OPENED)
            await asyncio.gather(*(client.send(b"%d" % number) for number in range(10)))
            for number in range(10):
                assert await kiosk.hear() == (frames.RECEIVED, 1, b"%d" % number)
            await client.close()

    run(story)


def test_a_request_and_its_response_through_both_message_layers():
    async def story(air):
        async with Kiosk(air) as kiosk:
            client = phone(air)
            await client.open()
            _, link, mtu = await kiosk.hear(frames.OPENED)
            server = GattLayer(True, int.from_bytes(mtu, "big"))
            request = coap.request(coap.GET, ("id",))
            request.token = b"\x01"
            client.layer.send(request, 0)
            await client.send(client.layer.outgoing(0))
            (arrived,) = server.receive((await kiosk.hear(frames.RECEIVED))[2], 0)
            assert arrived.path == ("id",)
            response = coap.response(0x45, b"x" * 480)
            response.token = arrived.token
            server.send(response, 0)
            kiosk.tell(frames.INDICATE, link, server.outgoing(0))
            (answer,) = client.layer.receive(await client.receive(), 0)
            assert answer.payload == b"x" * 480 and answer.token == b"\x01"
            await kiosk.hear(frames.CONFIRMED)
            await client.close()

    run(story)


@pytest.mark.parametrize(("mtu", "fits"), [(127, False), (128, True)])
def test_a_link_with_too_small_an_mtu_is_refused_and_closed(mtu, fits, monkeypatch):
    monkeypatch.setattr(ble, "MTU_SETTLES_S", 0.05)

    async def story(air):
        async with Kiosk(air, max_mtu=mtu) as kiosk:
            client = phone(air)
            if fits:
                await client.open()
                assert client.layer.max_payload == 125
                await client.close()
                return
            reason, detail = await reason_of(client.open())
            assert reason == "gatt-mtu" and "127" in detail and "128" in detail
            await until(lambda: kiosk.radio.links == 0 and len(air.controllers) == 1)

    run(story)


def test_a_stranger_with_our_service_but_without_its_characteristics_is_refused(monkeypatch):
    monkeypatch.setattr("admit.virtual.peripheral.UPSTREAM", "ab3720c8-7fc0-41f8-aa2a-000000000000")

    async def story(air):
        async with Kiosk(air, "stranger") as kiosk:
            reason, detail = await reason_of(phone(air).open())
            assert reason == "ble-no-service" and "stranger" in detail
            await until(lambda: kiosk.radio.links == 0)

    run(story)


# -- four links --


def test_four_phones_at_once_and_a_fifth_is_told_that_it_must_wait():
    async def story(air):
        async with Kiosk(air) as kiosk:
            phones = [phone(air) for _ in range(5)]
            for each in phones[:4]:
                await each.open()
                await kiosk.hear(frames.OPENED)
            assert (await reason_of(phones[4].open()))[0] == "ble-not-found"
            for number, each in enumerate(phones[:4], 1):
                kiosk.tell(frames.INDICATE, number, b"for phone %d" % number)
                assert await each.receive() == b"for phone %d" % number
            await phones[0].close()
            await phones[4].open()
            for each in phones[1:]:
                await each.close()

    run(story)


def test_a_kiosk_that_fills_up_between_scan_and_call_is_reported_as_full(monkeypatch):
    async def story(air):
        async with Kiosk(air, max_links=1):
            first = phone(air)
            call = virtual.BumbleClient.connect

            async def overtaken(self, pair, **rest):
                monkeypatch.setattr(virtual.BumbleClient, "connect", call)
                await first.open()
                await call(self, pair, **rest)

            monkeypatch.setattr(virtual.BumbleClient, "connect", overtaken)
            said = []
            second = phone(air, retry=lambda *words: said.append(words))
            reason, detail = await reason_of(second.open())
            assert reason == "ble-connect-failed" and "every place at it is taken" in detail
            assert [words[:2] for words in said] == [(1, 3), (2, 3)]
            await first.close()

    run(story)


# -- links that drop --


def interrupted(monkeypatch, step, how):
    """Make the first call of BumbleClient's method `step` happen right after `how(client)`."""
    original = getattr(virtual.BumbleClient, step)

    async def replaced(self, *arguments, **rest):
        monkeypatch.setattr(virtual.BumbleClient, step, original)
        await how(self)
        return await original(self, *arguments, **rest)

    monkeypatch.setattr(virtual.BumbleClient, step, replaced)


@pytest.mark.parametrize("step", ["connect", "_discover", "start_notify"])
def test_a_link_that_drops_while_it_is_made_is_made_again_and_the_reason_is_told(step, monkeypatch):
    async def story(air):
        async with Kiosk(air) as kiosk:

            async def drop(client):
                if client.is_connected:
                    await kiosk.radio._radio.disconnect(next(iter(kiosk.radio._links.values())).connection)
                    await until(lambda: not client.is_connected)
                else:
                    await kiosk.radio._radio.device.stop_advertising()

            def retry(attempt, attempts, reason):
                kiosk.tell(frames.ADVERTISE, 0, b"kiosk-1")
                said.append((attempt, attempts, reason))

            interrupted(monkeypatch, step, drop)
            said = []
            client = phone(air, "kiosk-1", retry=retry)
            await client.open()
            dropped = "disconnected: remote user terminated connection"
            assert said == [(1, 3, "no answer" if step == "connect" else dropped)]
            await client.send(b"hello")
            await client.close()

    run(story)


def test_a_kiosk_that_loses_power_while_it_is_called_is_a_failure_with_its_reason(monkeypatch):
    async def story(air):
        async with Kiosk(air) as kiosk:

            async def lose_power(client):
                kiosk.lose_power()
                await until(lambda: not client.is_connected)

            interrupted(monkeypatch, "_discover", lose_power)
            reason, detail = await reason_of(phone(air).open())
            assert reason == "ble-connect-failed" and "no longer advertises" in detail

    run(story)


def test_a_link_that_drops_in_the_middle_of_a_write():
    async def story(air):
        async with Kiosk(air) as kiosk:
            client = phone(air)
            await client.open()

            async def never_answers(connection, value):
                kiosk.lose_power()
                await asyncio.sleep(60)

            server = kiosk.radio._radio.device.gatt_server
            for attribute in server.attributes:
                if getattr(attribute.value, "_write", None) == kiosk.radio._on_write:
                    attribute.value._write = never_answers
            reason, detail = await reason_of(client.send(b"value"))
            assert reason == "link-dropped" and "power off" in detail
            assert (await reason_of(client.send(b"value")))[0] == "link-dropped"
            await client.close()

    run(story)


@pytest.mark.parametrize("by", ["firmware", "power", "air"])
def test_whoever_waits_for_a_value_learns_that_the_link_dropped(by):
    async def main():
        async with on_air() as air, Kiosk(air) as kiosk:
            client = phone(air)
            await client.open()
            await kiosk.hear(frames.OPENED)
            waiting = asyncio.create_task(client.receive())
            await asyncio.sleep(0)
            if by == "firmware":
                kiosk.tell(frames.DISCONNECT, 1)
            elif by == "power":
                kiosk.lose_power()
            else:
                await air.stop()
            assert (await reason_of(waiting))[0] == "link-dropped"
            assert (await reason_of(client.receive()))[0] == "link-dropped"
            await client.close()
            await client.close()

    asyncio.run(main())


def test_values_that_came_before_the_drop_are_still_delivered():
    async def story(air):
        async with Kiosk(air) as kiosk:
            client = phone(air)
            await client.open()
            await kiosk.hear(frames.OPENED)
            kiosk.tell(frames.INDICATE, 1, b"last words")
            await kiosk.hear(frames.CONFIRMED)
            kiosk.tell(frames.DISCONNECT, 1)
            await kiosk.hear(frames.CLOSED)
            assert await client.receive() == b"last words"
            assert (await reason_of(client.receive()))[0] == "link-dropped"
            await client.close()

    run(story)


def test_a_client_can_be_opened_again_after_a_drop():
    async def story(air):
        async with Kiosk(air) as kiosk:
            client = phone(air)
            for link in (1, 2):
                await client.open()
                assert (await kiosk.hear(frames.OPENED))[1] == link
                kiosk.tell(frames.DISCONNECT, link)
                assert (await reason_of(client.receive()))[0] == "link-dropped"
                await kiosk.hear(frames.CLOSED)
                await client.close()

    run(story)


def test_a_cancelled_call_leaves_the_radio_usable():
    async def story(air):
        async with Kiosk(air) as kiosk:
            radio = SharedRadio(air.name)
            (found,) = await scan(radio=radio)
            await kiosk.radio._radio.device.stop_advertising()
            await radio.acquire()
            client = virtual.BumbleClient(found.device, radio=radio, disconnected_callback=None, timeout=10.0)
            call = asyncio.create_task(client.connect(False))
            await until(lambda: any(each.pending_le_connection for each in air.controllers))
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            kiosk.tell(frames.ADVERTISE, 0, b"kiosk-1")
            await client.connect(False)
            assert client.is_connected
            await client.disconnect()
            await radio.release()

    run(story)


PHONE = """
import asyncio, sys
from admit.transport import open_transport

async def main():
    transport = open_transport("ble:kiosk-1")
    await transport.open()
    print("open", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_a_client_process_that_is_killed_frees_its_place():
    async def story(air):
        async with Kiosk(air, max_links=1) as kiosk:
            process = python("-c", PHONE, ADMIT_BLE=air.name)
            try:
                assert await asyncio.to_thread(process.stdout.readline) == "open\n"
                await kiosk.hear(frames.OPENED)
            finally:
                process.kill()
                process.wait()
                process.stdout.close()
            assert await kiosk.hear() == (frames.CLOSED, 1, b"")
            client = phone(air)
            await client.open()
            await client.close()

    run(story)
