"""The ESP32 port's radio on MicroPython, on a real BLE stack: links, MTUs, indications, floods, and what goes wrong."""

import asyncio
import contextlib

import pytest
from bumble import att, core

from admit.client import Session
from admit.transport.ble import scan
from admit.transport.virtual import SharedRadio
from admit_protocol import coap
from admit_protocol.errors import AdmitError
from admit_protocol.gatt import GattLayer
from admit_protocol.gatt_uuids import SERVICE
from air_support import Central, characteristics
from esp32_kiosk import CONFIG, RELAY, commissioned, esp32
from rig import ALL
from wired_kiosk import NAME, first_visit, invoke, next_visit

KINDS = core.AdvertisingData.Type
S3_PINS = {"button": 0, "rgb": 48, "buzzer": 5, "relay": 4}
S3 = CONFIG | {"board": "esp32_s3_generic", "chip": "esp32s3", "pins": S3_PINS}
GET_ID = b"\x30\x01\xb2id"  # first byte of a GATT value: C set, no token; GET, Uri-Path "id"


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


async def proven(connection, holder):
    """A first visit whose holder has proven itself too: the first request did it."""
    session = await first_visit(connection, holder)
    assert (await session.request(coap.GET, "/health")).code == coap.CONTENT
    return session


async def name_of(kiosk):
    """What a factory device is called over the air."""
    await kiosk.is_on_air()
    (found,) = await scan(radio=kiosk.radio)
    return found.name


async def value_link(central, name, mtu=515):
    """A link to the kiosk as values: (connection, write, what came)."""
    connection = await central.connect(name)
    if mtu:
        await connection.gatt_client.request_mtu(mtu)
    down, up = await characteristics(connection)
    came = asyncio.Queue()
    await up.subscribe(lambda value: came.put_nowait(bytes(value)))
    return connection, down, came


def test_a_visitor_who_has_never_been_here_opens_the_door_over_the_air_and_comes_again(tmp_path):
    async def story(kiosk, admin):
        alice = kiosk.visitor("alice", [("/r/open", 3, {})])
        async with kiosk.over_the_air() as connection:
            session = await first_visit(connection, alice)
            assert await invoke(session, "open", seconds=1) == [1, 1]
            await kiosk.world.until(lambda: kiosk.world.pins[RELAY] == 1)
            await kiosk.world.until(lambda: kiosk.world.pins[RELAY] == 0)
        await kiosk.is_on_air()
        async with kiosk.over_the_air() as connection:
            session = await next_visit(connection, alice, kiosk.credential)
            assert await invoke(session, "open", b"abcdefgh", seconds=2) == [1, 2]
        assert kiosk.world.radio.links == {}

    serve(story, tmp_path)


def test_it_advertises_service_and_name_every_40_ms_and_again_after_each_link(tmp_path):
    async def story(kiosk):
        name = await name_of(kiosk)
        interval_ms, data, response = kiosk.world.radio.advertised[-1]
        data, response = core.AdvertisingData.from_bytes(data), core.AdvertisingData.from_bytes(response)
        assert interval_ms == 40
        assert data.get(KINDS.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS) == [core.UUID(SERVICE)]
        assert name.startswith(data.get(KINDS.SHORTENED_LOCAL_NAME) or data.get(KINDS.COMPLETE_LOCAL_NAME))
        assert response.get(KINDS.COMPLETE_LOCAL_NAME) == name
        async with Central(kiosk.air) as central:
            count = len(kiosk.world.radio.advertised)
            connection = await central.connect(name)
            await kiosk.world.until(lambda: len(kiosk.world.radio.advertised) > count)
            count = len(kiosk.world.radio.advertised)
            await connection.disconnect()
            await kiosk.world.until(lambda: len(kiosk.world.radio.advertised) > count)

    play(story, tmp_path)


@pytest.mark.parametrize("mtu", [128, 517])
def test_every_mtu_from_128_on_serves(tmp_path, mtu, monkeypatch):
    monkeypatch.setattr("admit.transport.virtual.WANTED_MTU", mtu)

    async def story(kiosk, admin):
        async with kiosk.over_the_air() as connection:
            session = await first_visit(connection, admin)
            assert (await session.request(coap.GET, "/health")).code == coap.CONTENT
            assert connection.transport.mtu == min(mtu, 515)
            journal = await session.request(coap.GET, "/journal")  # more than one value
            assert journal.code == coap.CONTENT

    serve(story, tmp_path)


@pytest.mark.parametrize("mtu", [23, 100])
def test_below_128_the_client_says_so_and_the_kiosk_drops_the_link(tmp_path, mtu, monkeypatch):
    monkeypatch.setattr("admit.transport.virtual.WANTED_MTU", mtu)

    async def story(kiosk):
        await kiosk.is_on_air()
        with pytest.raises(AdmitError) as error:
            async with kiosk.over_the_air():
                pass
        assert error.value.reason == "gatt-mtu"
        monkeypatch.setattr("admit.transport.virtual.WANTED_MTU", 515)
        await kiosk.world.until(lambda: kiosk.world.radio.links == {})
        await kiosk.is_on_air()
        async with kiosk.over_the_air() as connection:
            assert (await connection.request(coap.request(coap.GET, "/id"))).code == coap.CONTENT

    play(story, tmp_path)


def test_a_central_that_never_asks_for_an_mtu_is_asked(tmp_path):
    async def story(kiosk):
        async with Central(kiosk.air) as central:
            connection = await central.connect(await name_of(kiosk))
            await kiosk.world.until(lambda: connection.att_mtu == 515)
            down, up = await characteristics(connection)
            came = asyncio.Queue()
            await up.subscribe(lambda value: came.put_nowait(bytes(value)))
            await down.write_value(GET_ID, with_response=True)
            assert (await came.get())[1] == coap.CONTENT

    play(story, tmp_path)


def test_a_write_of_512_bytes_arrives_whole_and_longer_ones_are_refused(tmp_path):
    async def story(kiosk):
        async with Central(kiosk.air) as central:
            _, down, came = await value_link(central, await name_of(kiosk))
            # PUT /nothing with a payload that fills the value: an answer of 4.xx shows that it was read to its end.
            head = b"\x30\x03\xb7nothing\xff"
            await down.write_value(head + bytes(512 - len(head)), with_response=True)
            assert (await came.get())[1] >> 5 == 4
            with pytest.raises(att.ATT_Error, match="INVALID_ATTRIBUTE_LENGTH"):
                await down.write_value(bytes(513), with_response=True)

    play(story, tmp_path)


def test_a_central_whose_mtu_comes_before_the_link_is_told_of_is_served_with_it(tmp_path):
    async def story(kiosk, admin):
        kiosk.world.radio.late = "told"
        for _ in range(2):
            async with kiosk.over_the_air() as connection:
                session = await proven(connection, admin)
                assert connection.transport.mtu == 515
                assert (await session.request(coap.GET, "/journal")).code == coap.CONTENT
            await kiosk.is_on_air()

    serve(story, tmp_path)


@pytest.mark.parametrize("late", ["told", "mute"])
def test_a_link_that_breaks_before_it_is_told_of_does_not_silence_the_kiosk(tmp_path, late):
    async def story(kiosk):
        name = await name_of(kiosk)
        kiosk.world.radio.late = late
        async with Central(kiosk.air) as central:
            for mtu in (None, 515):
                connection = await central.connect(name)
                if mtu:
                    await connection.gatt_client.request_mtu(mtu)
                await connection.disconnect()
                await kiosk.world.until(lambda: kiosk.world.radio.links == {})
                await kiosk.is_on_air()
        async with kiosk.over_the_air() as connection:
            assert (await connection.request(coap.request(coap.GET, "/id"))).code == coap.CONTENT

    play(story, tmp_path)


@pytest.mark.parametrize(("config", "links"), [(CONFIG, 3), (S3, 4)])
def test_all_links_are_served_at_once_and_the_last_place_is_kept_free_for_one_more(tmp_path, config, links):
    async def story(kiosk, admin):
        async with contextlib.AsyncExitStack() as stack:
            sessions = []
            for _ in range(links - 1):
                connection = await stack.enter_async_context(kiosk.over_the_air(SharedRadio(kiosk.air.name)))
                sessions.append(await proven(connection, kiosk.visitor("one", ALL)))
                await kiosk.is_on_air()
            idle = await stack.enter_async_context(Central(kiosk.air))
            await idle.connect(NAME)  # who says nothing does not keep it
            await kiosk.is_on_air()
            connection = await stack.enter_async_context(kiosk.over_the_air(SharedRadio(kiosk.air.name)))
            sessions.append(await proven(connection, kiosk.visitor("last", ALL)))
            assert len(kiosk.world.radio.links) == links and not kiosk.world.radio.advertising
            answers = await asyncio.gather(*(each.request(coap.GET, "/health") for each in sessions))
            assert [each.code for each in answers] == [coap.CONTENT] * links
        await kiosk.is_on_air()

    serve(story, tmp_path, config=config)


@pytest.mark.parametrize(("config", "links"), [(CONFIG, 3), (S3, 4)])
def test_who_has_proven_nothing_goes_when_the_last_place_is_taken(tmp_path, config, links):
    async def story(kiosk, admin):
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(links - 2):
                await proven(await stack.enter_async_context(kiosk.over_the_air(SharedRadio(kiosk.air.name))), admin)
                await kiosk.is_on_air()
            stranger = await stack.enter_async_context(Central(kiosk.air))
            _, down, came = await value_link(stranger, NAME)
            await down.write_value(GET_ID, with_response=True)
            await came.get()
            await kiosk.is_on_air()
            async with asyncio.timeout(2):  # 3 s of silence would end it, too
                await stack.enter_async_context(kiosk.over_the_air(SharedRadio(kiosk.air.name)))
                await kiosk.is_on_air()
            assert len(kiosk.world.radio.links) == links - 1

    serve(story, tmp_path, config=config)


def test_a_link_that_ends_in_the_middle_of_an_indication_leaves_no_trace(tmp_path):
    async def story(kiosk):
        name = await name_of(kiosk)
        async with Central(kiosk.air) as central:
            for _ in range(3):
                connection, down, came = await value_link(central, name)
                connection.gatt_client.on_att_handle_value_indication = came.put_nowait
                await down.write_value(GET_ID, with_response=True)
                await came.get()  # never confirmed
                await connection.disconnect()
                await kiosk.is_on_air()
            _, down, came = await value_link(central, name)
            await down.write_value(GET_ID, with_response=True)
            assert (await came.get())[1] == coap.CONTENT

    play(story, tmp_path)


def test_one_indication_at_a_time_goes_out_however_much_waits(tmp_path, monkeypatch):
    monkeypatch.setattr("admit.transport.virtual.WANTED_MTU", 128)

    async def story(kiosk, admin):
        async with kiosk.over_the_air() as connection:
            session = await proven(connection, admin)
            sent, confirmed, outstanding = [], [], []
            radio = kiosk.world.radio
            real = radio.indicate

            def indicate(number, handle, value):
                outstanding.append(len(sent) - len(confirmed))
                sent.append(value)
                real(number, handle, value)

            async def deliver(kind, *rest, _real=radio._deliver):
                if kind == b"i":
                    confirmed.append(rest)
                await _real(kind, *rest)

            radio.indicate, radio._deliver = indicate, deliver
            for _ in range(4):
                assert (await session.request(coap.GET, "/journal")).code == coap.CONTENT
            assert len(sent) > 4 and len(set(outstanding)) == 1

    serve(story, tmp_path)


def test_without_memory_an_indication_is_tried_again(tmp_path):
    async def story(kiosk, admin):
        async with kiosk.over_the_air() as connection:
            session = await proven(connection, admin)
            await kiosk.world.fault("mbufs")
            assert (await session.request(coap.GET, "/health")).code == coap.CONTENT
            assert (await session.request(coap.GET, "/health")).code == coap.CONTENT

    serve(story, tmp_path)


def test_a_flood_of_writes_costs_the_flooder_its_link_and_nobody_else_theirs(tmp_path):
    async def story(kiosk, admin):
        async with Central(kiosk.air) as central, kiosk.over_the_air() as connection:
            session = await proven(connection, admin)
            await kiosk.is_on_air()
            flooder, down, _ = await value_link(central, NAME)
            ended = asyncio.get_running_loop().create_future()
            flooder.once(flooder.EVENT_DISCONNECTION, ended.set_result)
            with contextlib.suppress(Exception):  # its end comes in the middle of it
                for _ in range(300):
                    await down.write_value(bytes(400), with_response=False)
            await asyncio.wait_for(ended, 20)
            assert (await session.request(coap.GET, "/health")).code == coap.CONTENT

    serve(story, tmp_path)


def test_garbage_on_the_air_is_survived(tmp_path):
    async def story(kiosk):
        name = await name_of(kiosk)
        async with Central(kiosk.air) as central:
            _, down, came = await value_link(central, name)
            for value in (b"", b"\xff", b"\x80\x01", b"\x3f" * 200, bytes(range(256)), b"\x30\x01\xbe\xff\xff"):
                with contextlib.suppress(core.BaseBumbleError):
                    await down.write_value(value, with_response=True)
        await kiosk.is_on_air()
        async with kiosk.over_the_air() as connection:
            assert (await connection.request(coap.request(coap.GET, "/id"))).code == coap.CONTENT

    play(story, tmp_path)


def test_a_session_outlives_its_link(tmp_path):
    async def story(kiosk, admin):
        async with kiosk.over_the_air() as connection:
            session = await proven(connection, admin)
        await kiosk.is_on_air()
        async with kiosk.over_the_air() as connection:
            again = Session(connection, admin, kiosk.credential, known=True)
            again._context = session._context
            assert (await again.request(coap.GET, "/health")).code == coap.CONTENT

    serve(story, tmp_path)


def test_values_are_cut_to_what_a_link_carries():
    """What the client and the device agree on: no value is longer than MTU - 3, nor than 512 bytes."""
    assert [GattLayer(True, mtu).max_payload for mtu in (128, 515, 527)] == [125, 512, 512]
