"""The stand-in for `bluetooth`: each surprise of MicroPython's binding and of NimBLE, on a real central.

The source of each is named in tests/chip/bluetooth.py, where it is made.
"""

import asyncio
import contextlib
import time

import pytest
from bumble import att

from admit_protocol.gatt_uuids import DOWNSTREAM, SERVICE, UPSTREAM
from air_support import Central, characteristics, run, until
from chip_board import LISTENING, Chip
from chip_world import World

PROGRAM = (
    f"""
import bluetooth
heard, kept = [], []
def irq(event, data):
    heard.append((event,) + tuple(each if isinstance(each, int) else bytes(each) for each in data))
    kept.append(data)
    kept.extend(each for each in data if not isinstance(each, int))
ble = bluetooth.BLE()
down, up = bluetooth.UUID("{DOWNSTREAM}"), bluetooth.UUID("{UPSTREAM}")
SERVICES = ((bluetooth.UUID("{SERVICE}"), ((down, bluetooth.FLAG_WRITE), (up, bluetooth.FLAG_INDICATE))),)
"""
    + r"""
def serve(mtu=515, buffer=512):
    global down, up
    ble.active(True)
    ble.irq(irq)
    ble.config(mtu=mtu)
    ((down, up),) = ble.gatts_register_services(SERVICES)
    ble.gatts_set_buffer(down, buffer)
    advertise()
def advertise():
    ble.gap_advertise(40000, b"\x02\x01\x06\x05\x09chip")
"""
    + LISTENING
)

ENODEV, EINVAL, EBUSY, ENOMEM, E2BIG, EALREADY, ENOTCONN = (f"OSError {each}" for each in (19, 22, 16, 12, 7, 120, 128))


@contextlib.asynccontextmanager
async def chip_on(air, folder, **settings):
    async with World(air.name) as world, Chip(folder, world, PROGRAM, settings=settings) as chip:
        await chip.expect("listening")
        yield chip


async def link(central, mtu=515):
    """A connection whose MTU is agreed on, and its two characteristics."""
    connection = await central.connect("chip")
    if mtu:
        await connection.gatt_client.request_mtu(mtu)
    return connection, *await characteristics(connection)


async def heard(chip, count):
    """The events so far, once there are `count`."""
    await until_answer(chip, "len(heard)", str(count))
    return eval(await chip.ask("heard"))


async def until_answer(chip, question, answer):
    async with asyncio.timeout(5):
        while await chip.ask(question) != answer:
            await asyncio.sleep(0.01)


def never_confirms(connection):
    """A central that lets indications lie."""
    connection.gatt_client.on_att_handle_value_indication = lambda _: None


def test_nothing_works_before_the_radio_is_on_and_rxbuf_never_does(tmp_path):
    async def story(air):
        async with chip_on(air, tmp_path) as chip:
            for call in (
                "ble.config('mac')",
                "ble.config('mtu')",
                "ble.config(mtu=100)",
                "ble.gatts_register_services(SERVICES)",
                "ble.gatts_write(1, b'')",
                "ble.gatts_set_buffer(1, 20)",
                "ble.gatts_indicate(0, 1, b'')",
                "ble.gap_advertise(40000, b'')",
                "ble.gap_disconnect(0)",
            ):
                assert await chip.ask(call) == ENODEV, call
            assert await chip.ask("ble.gap_advertise(None), ble.gatts_read(1)") == "(None, b'')"
            assert await chip.ask("ble.active()") == "False" and await chip.ask("ble.active(True)") == "True"
            for call in ("ble.config('rxbuf')", "ble.config(rxbuf=1024)", "ble.config('colour')"):
                assert await chip.ask(call) == "ValueError unknown config param"
            assert await chip.ask("ble.irq(5)") == "ValueError invalid handler"
            assert await chip.ask("ble.config('mac')") == str((0, bytes.fromhex("240ac4000003")))

    run(story)


def test_configuration_has_limits_and_a_second_active_starts_from_nothing(tmp_path):
    async def story(air):
        async with chip_on(air, tmp_path) as chip:
            assert await chip.ask("ble.active(True), ble.config('mtu')") == "(True, 256)"
            for mtu, outcome in ((22, EINVAL), (528, EINVAL), (23, "None"), (527, "None")):
                assert await chip.ask(f"ble.config(mtu={mtu})") == outcome
            assert await chip.ask(f"ble.config(gap_name='{'x' * 32}')") == EINVAL
            assert await chip.ask("ble.config(gap_name='kiosk'), ble.config('gap_name')") == "(None, b'kiosk')"
            assert await chip.ask("serve()") == "None"
            assert await chip.ask("ble.gatts_write(down, b'abc'), ble.gatts_read(down)") == "(3, b'abc')"
            assert await chip.ask("ble.gatts_write(down + 1, b'')") == EINVAL
            assert await chip.ask("ble.active(True), ble.config('mtu')") == "(True, 256)"
            assert await chip.ask("ble.gatts_write(down, b'')") == EINVAL
            assert await chip.ask("ble.gatts_read(down)") == "b''"

    run(story)


def test_services_are_registered_only_in_silence_and_only_from_uuids(tmp_path):
    async def story(air):
        async with chip_on(air, tmp_path) as chip:
            await chip.ask("ble.active(True)")
            assert await chip.ask("ble.gatts_register_services(SERVICES * 9)") == E2BIG
            for wrong, kind in (
                ("((bluetooth.UUID(1), (('2a00', 2),)),)", "characteristic"),
                ("((bluetooth.UUID(1), ((bluetooth.UUID(2), 2, (('2901', 2),)),)),)", "descriptor"),
                ("((1, ((bluetooth.UUID(2), 2),)),)", "service"),
            ):
                assert await chip.ask(f"ble.gatts_register_services({wrong})") == f"ValueError invalid {kind} UUID"
            assert await chip.ask("ble.gatts_register_services(SERVICES)") == "((18, 20),)"
            await chip.ask("advertise()")
            assert await chip.ask("ble.gatts_register_services(SERVICES)") == EBUSY
            await chip.ask("ble.gap_advertise(None)")
            assert await chip.ask("ble.gatts_register_services(SERVICES)") == "((18, 20),)"

    run(story)


def test_an_advertisement_is_31_bytes_and_a_failed_call_leaves_the_chip_silent(tmp_path):
    async def story(air):
        async with chip_on(air, tmp_path) as chip:
            await chip.ask("serve()")
            assert await chip.ask("ble.gap_advertise(40000, bytes(32))") == "OSError -18"
            assert await chip.ask("ble.gap_advertise(40000, resp_data=bytes(32))") == "OSError -18"
            assert await chip.ask("ble.gap_advertise(19000, b'')") == EINVAL
            assert await chip.ask("ble.gatts_register_services(SERVICES)") == "((18, 20),)"  # so it is silent
            await chip.ask("ble.gap_advertise(40000, bytes(31), resp_data=b'r')")
            await chip.ask("ble.gap_advertise(20000)")  # None: what it was
            await until(lambda: chip.world.radio.advertised[-1] == (20.0, bytes(31), b"r"))

    run(story)


def test_events_come_in_order_and_what_they_carry_is_gone_afterwards(tmp_path):
    async def story(air):
        async with chip_on(air, tmp_path) as chip, Central(air) as central:
            await chip.ask("serve()")
            connection, down, _ = await link(central, mtu=100)
            await down.write_value(b"value", with_response=True)
            await connection.disconnect()
            address = bytes(connection.self_address)[::-1]
            assert await heard(chip, 4) == [(1, 0, 1, address), (21, 0, 100), (3, 0, 18), (2, 0, 1, address)]
            assert await chip.ask("ble.gatts_read(down)") == "b'value'"
            assert await chip.ask("[list(each) for each in kept if not len(each)]") == str([[]] * 4)
            assert await chip.ask("set(bytes(each) for each in kept if len(each))") == str({b"\xee" * 6})
            assert await chip.ask("ble.gatts_indicate(0, up, b'late')") == ENOTCONN

    run(story)


@pytest.mark.parametrize(("late", "end"), [("told", [(2, 0, 255, bytes(6))]), ("mute", [])])
def test_a_link_may_be_told_of_after_its_mtu_and_not_at_all_if_it_breaks_before(tmp_path, late, end):
    async def story(air):
        async with chip_on(air, tmp_path) as chip, Central(air) as central:
            chip.world.radio.late = late
            await chip.ask("serve()")
            connection, down, _ = await link(central, mtu=100)
            await down.write_value(b"value", with_response=True)
            events = await heard(chip, 3)
            assert events[0] == (21, 0, 100) and sorted(each[0] for each in events) == [1, 3, 21]
            await connection.disconnect()
            assert (await heard(chip, 4))[3][:2] == (2, 0)
            await chip.ask("advertise(), heard.clear()")
            connection = await central.connect("chip")
            await connection.disconnect()
            await chip.ask("time.sleep_ms(100)")
            assert await heard(chip, len(end)) == end

    run(story)


def test_advertising_ends_with_a_connection_and_numbers_are_used_again(tmp_path):
    async def story(air):
        async with chip_on(air, tmp_path) as chip, Central(air) as one, Central(air) as two:
            await chip.ask("serve()")
            first = await one.connect("chip")
            await heard(chip, 1)
            assert await chip.ask("ble.gatts_register_services(SERVICES)") == EBUSY  # a link is one reason, too
            assert len(chip.world.radio.advertised) == 1
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await two.address_of("chip")
            await chip.ask("advertise()")
            await two.connect("chip")
            await heard(chip, 2)
            await first.disconnect()
            await heard(chip, 3)
            await chip.ask("advertise()")
            await one.connect("chip")
            assert [each[:2] for each in await heard(chip, 4)] == [(1, 0), (1, 1), (2, 0), (1, 0)]

    run(story)


@pytest.mark.parametrize(("name", "links", "refusal"), [("esp32", 3, "OSError -521"), ("esp32s3", 4, ENOMEM)])
def test_a_chip_takes_as_many_links_as_its_host_and_its_controller(tmp_path, name, links, refusal):
    async def story(air):
        async with chip_on(air, tmp_path, CHIP_NAME=name) as chip, contextlib.AsyncExitStack() as stack:
            await chip.ask("serve()")
            for number in range(1, links + 1):
                central = await stack.enter_async_context(Central(air))
                connection = await central.connect("chip")
                await heard(chip, number)
                assert await chip.ask("advertise()") == ("None" if number < links else refusal)
            await connection.disconnect()
            await heard(chip, links + 1)
            assert await chip.ask("advertise()") == "None"

    run(story)


def test_a_value_is_cut_to_its_buffer_of_20_bytes_unless_it_was_enlarged(tmp_path):
    async def story(air):
        async with chip_on(air, tmp_path) as chip, Central(air) as central:
            await chip.ask("serve(buffer=20)")
            _, down, _ = await link(central)
            await down.write_value(bytes(range(100)), with_response=True)
            assert await chip.ask("ble.gatts_read(down)") == str(bytes(range(20)))
            await chip.ask("ble.gatts_set_buffer(down, 512)")
            for length in (512, 100, 0):
                await down.write_value(bytes(length), with_response=True)
                assert await chip.ask("len(ble.gatts_read(down))") == str(length)
            with pytest.raises(att.ATT_Error, match="INVALID_ATTRIBUTE_LENGTH"):
                await down.write_value(bytes(513), with_response=True)
            await chip.ask("ble.gatts_set_buffer(down, 6, True)")
            for _ in range(3):
                await down.write_value(b"abcd", with_response=True)
            assert await chip.ask("ble.gatts_read(down), ble.gatts_read(down)") == "(b'abcdab', b'')"

    run(story)


def test_an_indication_is_cut_to_the_mtu_and_a_second_one_is_lost(tmp_path):
    async def story(air):
        async with chip_on(air, tmp_path) as chip, Central(air) as central:
            await chip.ask("serve()")
            connection, _, up = await link(central, mtu=100)
            arrived = []
            await up.subscribe(lambda value: arrived.append(bytes(value)))
            await chip.ask("ble.gatts_indicate(0, up, bytes(98)), ble.gatts_indicate(0, up, b'lost')")
            assert (await heard(chip, 3))[2:] == [(20, 0, 20, 0)]
            await chip.ask("ble.gatts_indicate(0, up, b'next')")
            assert (await heard(chip, 4))[3:] == [(20, 0, 20, 0)]
            assert arrived == [bytes(97), b"next"]
            never_confirms(connection)
            await chip.ask("ble.gatts_indicate(0, up, b'unconfirmed')")
            await connection.disconnect()
            assert [each[:2] + each[3:] for each in (await heard(chip, 6))[4 : 4 + 1]] == [(20, 0, 7)]
            assert (await heard(chip, 6))[5][0] == 2

    run(story)


def test_without_memory_an_indication_fails_twice_over(tmp_path):
    async def story(air):
        async with chip_on(air, tmp_path) as chip, Central(air) as central:
            await chip.ask("serve()")
            await link(central)
            await chip.world.fault("mbufs")
            assert await chip.ask("ble.gatts_indicate(0, up, b'x')") == ENOMEM
            assert (await heard(chip, 3))[2:] == [(20, 0, 20, 6)]
            assert await chip.ask("ble.gatts_indicate(0, up, b'x')") == "None"
            assert (await heard(chip, 4))[3:] == [(20, 0, 20, 0)]

    run(story)


def test_the_chip_may_ask_for_an_mtu_but_only_once_and_only_if_the_central_has_not(tmp_path):
    async def story(air):
        async with chip_on(air, tmp_path) as chip, Central(air) as silent, Central(air) as central:
            await chip.ask("serve(mtu=300)")
            await silent.connect("chip")
            await heard(chip, 1)
            assert await chip.ask("ble.gattc_exchange_mtu(1)") == ENOTCONN
            assert await chip.ask("ble.gattc_exchange_mtu(0)") == "None"
            assert (await heard(chip, 2))[1] == (21, 0, 300)
            assert await chip.ask("ble.gattc_exchange_mtu(0)") == EALREADY
            await chip.ask("advertise()")
            await link(central)
            assert (await heard(chip, 4))[3] == (21, 1, 300)
            assert await chip.ask("ble.gattc_exchange_mtu(1)") == EALREADY

    run(story)


def test_a_link_is_ended_once(tmp_path):
    async def story(air):
        async with chip_on(air, tmp_path) as chip, Central(air) as central:
            await chip.ask("serve()")
            await link(central)
            assert await chip.ask("ble.gap_disconnect(1)") == "False"
            twice = "\ntry:\n print(ble.gap_disconnect(0))\n ble.gap_disconnect(0)\n"
            await chip.ask(twice + "except OSError as error: print(error.errno)")
            assert chip.lines[-3:-1] == ["True", "120"]
            assert [each[0] for each in await heard(chip, 3)] == [1, 21, 2]
            assert await chip.ask("ble.gap_disconnect(0)") == "False"

    run(story)


def test_a_write_is_answered_when_the_handler_has_returned_and_handlers_interrupt_the_program(tmp_path):
    async def story(air):
        async with chip_on(air, tmp_path) as chip, Central(air) as central:
            await chip.ask("\ndef slow(event, data):\n irq(event, data)\n if event == 3: time.sleep_ms(200)")
            await chip.ask("serve(), ble.irq(slow)")
            _, down, _ = await link(central)
            start = time.monotonic()
            await down.write_value(b"1", with_response=True)
            assert time.monotonic() - start >= 0.2
            busy = asyncio.create_task(chip.ask("\nwhile len(heard) < 4: pass"))  # a program that never yields
            await down.write_value(b"2", with_response=True)
            await busy
            assert await chip.ask("ble.gatts_read(down)") == "b'2'"

    run(story)


def test_a_handler_that_raises_is_never_called_again(tmp_path):
    async def story(air):
        async with chip_on(air, tmp_path) as chip, Central(air) as central:
            await chip.ask("\ndef bad(event, data):\n irq(event, data)\n raise IndexError")
            await chip.ask("serve(), ble.irq(bad)")
            await central.connect("chip")
            await chip.expect("Unhandled exception in IRQ callback handler")
            await chip.ask("advertise()")
            async with Central(air) as other:
                await other.connect("chip")
                assert len(await heard(chip, 1)) == 1

    run(story)


def test_switched_off_it_drops_its_links_and_hears_of_none(tmp_path):
    async def story(air):
        async with chip_on(air, tmp_path) as chip, Central(air) as central:
            await chip.ask("serve()")
            connection, *_ = await link(central)
            ended = asyncio.get_running_loop().create_future()
            connection.once(connection.EVENT_DISCONNECTION, ended.set_result)
            assert await chip.ask("ble.active(False)") == "False"
            await asyncio.wait_for(ended, 5)
            assert [each[0] for each in await heard(chip, 2)] == [1, 21]

    run(story)
