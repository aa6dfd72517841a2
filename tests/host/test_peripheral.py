"""The virtual kiosk's radio: what a central finds, what the firmware is told, and where the limits are."""

import asyncio

import pytest
from bumble import att, core, hci
from bumble.gatt import Characteristic

from admit.transport.ble import scan
from admit.transport.virtual import SharedRadio, shared_radio
from admit.virtual import frames, peripheral
from admit.virtual.peripheral import MAX_LINKS, advertisement, scan_response
from admit_protocol.gatt_uuids import SERVICE
from air_support import Central, Kiosk, characteristics, ending, run, until

KINDS = core.AdvertisingData.Type


def test_an_advertisement_is_31_bytes_with_the_service_and_the_beginning_of_the_name():
    long_name = "a kiosk with quite a long name"
    for name, kind, short in (
        ("kiosk-1", KINDS.COMPLETE_LOCAL_NAME, "kiosk-1"),
        (long_name, KINDS.SHORTENED_LOCAL_NAME, "a kiosk "),
        ("kiösköö", KINDS.SHORTENED_LOCAL_NAME, "kiöskö"),
    ):
        data = core.AdvertisingData.from_bytes(advertisement(name))
        assert data.get(kind) == short
        assert data.get(KINDS.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS) == [core.UUID(SERVICE)]
        assert len(advertisement(name)) <= 31 and len(scan_response(name)) <= 31
    assert core.AdvertisingData.from_bytes(scan_response(long_name)).get(KINDS.COMPLETE_LOCAL_NAME) == long_name[:29]


def test_a_kiosk_is_heard_under_its_name_and_under_a_new_one():
    async def story(air):
        async with Kiosk(air, "first-name-of-the-kiosk") as kiosk:
            radio = SharedRadio(air.name)
            assert [each.name for each in await scan(radio=radio)] == ["first-name-of-the-kiosk"]
            kiosk.tell(frames.ADVERTISE, 0, b"second")
            assert [each.name for each in await scan(radio=radio, name="second")] == ["second"]

    run(story)


def test_two_kiosks_on_one_air_are_told_apart():
    async def story(air):
        async with Kiosk(air, "kiosk-1") as one, Kiosk(air, "kiosk-2") as two, Central(air) as central:
            for kiosk in (one, two):
                downstream, _ = await characteristics(await central.connect(kiosk.name))
                await downstream.write_value(kiosk.name.encode(), with_response=True)
                await kiosk.hear(frames.OPENED)
                assert await kiosk.hear() == (frames.RECEIVED, 1, kiosk.name.encode())

    run(story)


def test_the_service_is_the_one_of_the_design():
    async def story(air):
        async with Kiosk(air), Central(air) as central:
            downstream, upstream = await characteristics(await central.connect())
            assert downstream.properties == Characteristic.Properties.WRITE
            assert upstream.properties == Characteristic.Properties.INDICATE

    run(story)


@pytest.mark.parametrize(
    ("asked", "offered", "agreed"), [(515, 515, 515), (517, 515, 515), (185, 515, 185), (515, 100, 100)]
)
def test_the_firmware_is_told_of_a_link_and_its_mtu_when_the_central_subscribes(asked, offered, agreed):
    async def story(air):
        async with Kiosk(air, max_mtu=offered) as kiosk, Central(air) as central:
            connection = await central.connect()
            await connection.gatt_client.request_mtu(asked)
            _, upstream = await characteristics(connection)
            assert await kiosk.hears_nothing()
            await upstream.subscribe(lambda value: None)
            assert await kiosk.hear() == (frames.OPENED, 1, agreed.to_bytes(2, "big"))
            await central._radio.disconnect(connection)
            assert await kiosk.hear() == (frames.CLOSED, 1, b"")

    run(story)


def test_a_central_that_does_nothing_is_announced_too_so_that_the_firmware_can_drop_it(monkeypatch):
    monkeypatch.setattr(peripheral, "SETTLE_S", 0.05)

    async def story(air):
        async with Kiosk(air) as kiosk, Central(air) as central:
            reason = ending(await central.connect())
            assert await kiosk.hear() == (frames.OPENED, 1, b"\x00\x17")
            kiosk.tell(frames.DISCONNECT, 1)
            assert await reason == hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR
            assert await kiosk.hear() == (frames.CLOSED, 1, b"")

    run(story)


def test_values_of_every_length_up_to_512_arrive_and_longer_ones_are_refused():
    async def story(air):
        async with Kiosk(air) as kiosk, Central(air) as central:
            connection = await central.connect()
            await connection.gatt_client.request_mtu(517)
            downstream, _ = await characteristics(connection)
            for length in (0, 1, 20, 244, 509, 511, 512):
                await downstream.write_value(bytes(length), with_response=True)
                if not length:
                    await kiosk.hear(frames.OPENED)
                assert await kiosk.hear() == (frames.RECEIVED, 1, bytes(length))
            with pytest.raises(att.ATT_Error, match="INVALID_ATTRIBUTE_LENGTH"):
                await downstream.write_value(bytes(513), with_response=True)
            assert await kiosk.hears_nothing()

    run(story)


def test_a_long_value_arrives_whole_over_a_small_mtu():
    async def story(air):
        async with Kiosk(air) as kiosk, Central(air) as central:
            connection = await central.connect()
            await connection.gatt_client.request_mtu(100)
            downstream, _ = await characteristics(connection)
            await downstream.write_value(bytes(range(256)) * 2, with_response=True)
            await kiosk.hear(frames.OPENED)
            assert await kiosk.hear() == (frames.RECEIVED, 1, bytes(range(256)) * 2)

    run(story)


def test_one_indication_is_outstanding_and_their_order_is_kept():
    async def story(air):
        async with Kiosk(air) as kiosk, Central(air) as central:
            connection = await central.connect()
            heard, confirm = [], connection.gatt_client.send_confirmation
            connection.gatt_client.send_confirmation = lambda confirmation: None
            _, upstream = await characteristics(connection)
            await upstream.subscribe(heard.append)
            await kiosk.hear(frames.OPENED)
            for number in range(4):
                kiosk.tell(frames.INDICATE, 1, b"%d" % number)
            for number in range(4):
                await until(lambda count=number + 1: len(heard) == count)
                assert await kiosk.hears_nothing(0.03) and len(heard) == number + 1
                confirm(att.ATT_Handle_Value_Confirmation())
                assert await kiosk.hear() == (frames.CONFIRMED, 1, b"")
            assert heard == [b"0", b"1", b"2", b"3"]

    run(story)


def test_an_indication_that_is_too_long_for_its_link_is_cut_and_counted():
    async def story(air):
        async with Kiosk(air) as kiosk, Central(air) as central:
            connection = await central.connect()
            await connection.gatt_client.request_mtu(128)
            heard = asyncio.Queue()
            _, upstream = await characteristics(connection)
            await upstream.subscribe(heard.put_nowait)
            await kiosk.hear(frames.OPENED)
            for length, arriving, cut in ((125, 125, 0), (126, 125, 1)):
                kiosk.tell(frames.INDICATE, 1, bytes(length))
                assert await heard.get() == bytes(arriving)
                await kiosk.hear(frames.CONFIRMED)
                assert kiosk.radio.cut == cut

    run(story)


def test_a_central_that_never_confirms_loses_its_link(monkeypatch):
    monkeypatch.setattr("bumble.gatt_server.GATT_REQUEST_TIMEOUT", 0.1)

    async def story(air):
        async with Kiosk(air) as kiosk, Central(air) as central:
            connection = await central.connect()
            connection.gatt_client.send_confirmation = lambda confirmation: None
            reason = ending(connection)
            _, upstream = await characteristics(connection)
            await upstream.subscribe(lambda value: None)
            await kiosk.hear(frames.OPENED)
            kiosk.tell(frames.INDICATE, 1, b"value")
            await reason
            assert await kiosk.hear() == (frames.CLOSED, 1, b"")

    run(story)


def test_four_links_work_at_once_and_a_fifth_central_hears_nothing_until_one_leaves():
    async def story(air):
        async with Kiosk(air) as kiosk:
            centrals = [Central(air) for _ in range(MAX_LINKS + 1)]
            for each in centrals:
                await each.__aenter__()
            links = {}
            for each in centrals[:MAX_LINKS]:
                connection = await each.connect()
                downstream, _ = await characteristics(connection)
                await downstream.write_value(b"hello", with_response=True)
                _, number, _ = await kiosk.hear(frames.OPENED)
                await kiosk.hear(frames.RECEIVED)
                links[number] = connection
            assert sorted(links) == [1, 2, 3, 4]

            await until(lambda: not kiosk.radio._radio.device.is_advertising)
            assert await scan(0.2, SharedRadio(air.name)) == []
            with pytest.raises(core.BaseBumbleError):
                await centrals[-1].device.connect_le(kiosk.radio._radio.device.static_address, timeout=0.2)

            await centrals[1]._radio.disconnect(links[2])
            assert await kiosk.hear() == (frames.CLOSED, 2, b"")
            downstream, _ = await characteristics(await centrals[-1].connect())
            await downstream.write_value(b"now", with_response=True)
            assert (await kiosk.hear(frames.OPENED))[1] == 5
            for each in centrals:
                await each.__aexit__()

    run(story)


def test_frames_for_links_that_are_gone_and_frames_that_mean_nothing_are_ignored():
    async def story(air):
        async with Kiosk(air) as kiosk, Central(air) as central:
            for kind in (frames.INDICATE, frames.DISCONNECT, frames.OPENED, b"?"):
                kiosk.tell(kind, 9, b"x")
            downstream, _ = await characteristics(await central.connect())
            await downstream.write_value(b"still here", with_response=True)
            await kiosk.hear(frames.OPENED)
            assert await kiosk.hear() == (frames.RECEIVED, 1, b"still here")

    run(story)


def test_a_chip_that_resets_has_no_links_and_no_name():
    async def story(air):
        async with Kiosk(air) as kiosk, Central(air) as central:
            reason = ending(await central.connect())
            kiosk.tell(frames.RESET, 0)
            await reason
            await until(lambda: kiosk.radio.links == 0 and not kiosk.radio._radio.device.is_advertising)
            assert await scan(0.2, SharedRadio(air.name)) == []
            kiosk.tell(frames.ADVERTISE, 0, b"again")
            assert [each.name for each in await scan(radio=SharedRadio(air.name), name="again")] == ["again"]

    run(story)


def test_without_its_firmware_the_radio_is_off():
    async def story(air):
        async with Kiosk(air) as kiosk, Central(air) as central:
            reason = ending(await central.connect())
            kiosk.lose_power()
            await reason
            await until(lambda: len(air.controllers) == 1)
            assert await scan(0.2, SharedRadio(air.name)) == []

    run(story)


def test_without_a_name_the_radio_is_silent():
    async def story(air):
        kiosk = Kiosk(air)
        kiosk.tell = lambda *_: None
        async with kiosk:
            assert await scan(0.2, SharedRadio(air.name)) == []

    run(story)


def test_a_program_has_one_radio_for_each_name():
    async def story(air):
        assert shared_radio(air.name) is shared_radio(air.name)
        assert shared_radio(air.name) is not shared_radio("usb:0")

    run(story)
