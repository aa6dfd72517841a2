"""The air: radios of separate TCP clients hear each other, and each one's leaving is seen by the others."""

import asyncio
import signal

import pytest
from bumble import hci
from bumble.core import BaseBumbleError

from admit.transport.ble import scan
from admit.transport.virtual import SharedRadio
from admit.virtual import air as air_module
from admit.virtual import frames
from admit.virtual.air import Air
from admit.virtual.radio import Radio
from admit_protocol.errors import LocalError
from air_support import Central, Kiosk, characteristics, ending, on_air, python, run, until

TIMED_OUT = hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
POWER_OFF = hci.HCI_ErrorCode.REMOTE_DEVICE_TERMINATED_CONNECTION_DUE_TO_POWER_OFF_ERROR
NOT_ESTABLISHED = hci.HCI_ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR


def test_each_client_gets_a_controller_with_an_address_of_its_own():
    async def story(air):
        async with Central(air) as one, Central(air) as two:
            assert len(air.controllers) == 2
            assert one.device.public_address != two.device.public_address
            assert one.device.static_address != two.device.static_address
        await until(lambda: not air.controllers)

    run(story)


def test_a_client_that_vanishes_leaves_the_air_and_its_peer_sees_a_disconnection():
    async def story(air):
        async with Kiosk(air) as kiosk:
            async with Central(air) as central:
                await central.connect()
                central._radio._transport.sink.transport.abort()
                assert (await kiosk.hear(frames.OPENED))[1] == (await kiosk.hear(frames.CLOSED))[1]
            async with Central(air) as central:
                reason = ending(await central.connect())
                next(iter(air._clients.values())).close()
                assert await reason == TIMED_OUT
            await until(lambda: not air.controllers)

    # A kiosk announces a link that stays silent only after a while: here at once.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("admit.virtual.peripheral.SETTLE_S", 0.0)
        run(story)


def test_a_reset_ends_links_and_advertising():
    async def story(air):
        async with Kiosk(air) as kiosk, Central(air) as central:
            reason = ending(await central.connect())
            await kiosk.radio._radio.device.host.send_sync_command(hci.HCI_Reset_Command())
            assert await reason == POWER_OFF

    run(story)


def test_a_central_that_uses_its_public_address_is_heard():
    async def story(air):
        async with Kiosk(air) as kiosk, Central(air) as central:
            connection = await central.connect(own_address_type=hci.OwnAddressType.PUBLIC)
            downstream, _ = await characteristics(connection)
            await downstream.write_value(b"hello", with_response=True)
            assert await kiosk.hear(frames.OPENED)
            assert (await kiosk.hear(frames.RECEIVED))[2] == b"hello"

    run(story)


def test_a_call_that_nobody_answers_can_be_given_up_and_another_one_made():
    async def story(air):
        async with Kiosk(air), Central(air) as central:
            with pytest.raises(BaseBumbleError):
                await central.device.connect_le(hci.Address("C0:00:00:00:00:01"), timeout=0.1)
            assert await central.connect()

    run(story)


def test_of_two_who_call_the_same_advertiser_one_gets_through_and_the_other_is_told():
    async def story(air):
        async with Kiosk(air, max_links=1) as kiosk, Central(air) as one, Central(air) as two:
            address = await one.address_of("kiosk-1")
            await kiosk.radio._radio.device.stop_advertising()
            endings = []
            for each in (one, two):
                each.device.on("connection", lambda connection: connection.once("disconnection", endings.append))
            calls = [asyncio.create_task(each.device.connect_le(address)) for each in (one, two)]
            await until(lambda: sum(each.pending_le_connection is not None for each in air.controllers) == 2)
            kiosk.tell(frames.ADVERTISE, 0, b"kiosk-1")
            await asyncio.gather(*calls)
            await until(lambda: endings)
            assert endings == [NOT_ESTABLISHED]
            assert kiosk.radio.links == 1

    run(story)


def test_a_second_link_to_the_same_peer_and_the_end_of_no_link_are_errors():
    async def story(air):
        async with Kiosk(air), Central(air) as central:
            connection = await central.connect()
            with pytest.raises(BaseBumbleError, match="CONNECTION_ALREADY_EXISTS"):
                await central.device.connect_le(connection.peer_address)
            with pytest.raises(BaseBumbleError, match="UNKNOWN_CONNECTION_IDENTIFIER"):
                await central.device.host.send_async_command(
                    hci.HCI_Disconnect_Command(connection_handle=0x99, reason=0x13)
                )

    run(story)


def test_both_ends_may_hang_up_at_once():
    async def story(air):
        async with Kiosk(air) as kiosk, Central(air) as central:
            connection = await central.connect()
            other = next(iter(kiosk.radio._links.values())).connection
            await asyncio.gather(central._radio.disconnect(connection), kiosk.radio._radio.disconnect(other))
            assert await central.connect()

    run(story)


def test_a_client_that_does_not_speak_hci_is_let_go_alone():
    async def story(air):
        async with Central(air) as central:
            reader, writer = await asyncio.open_connection("127.0.0.1", air.port)
            writer.write(b"\x99GET / HTTP/1.1\r\n")
            with pytest.raises(ConnectionError):
                if not await reader.read():
                    raise ConnectionResetError
            assert len(air.controllers) == 1
            await central.device.start_scanning()

    run(story)


def test_a_client_that_reads_nothing_is_let_go():
    class Unread:
        aborted = False

        def write(self, data):
            pass

        def get_write_buffer_size(self):
            return air_module.UNREAD_LIMIT + 1

        def abort(self):
            self.aborted = True

    async def story(air):
        client = air_module.HciClient(air)
        client.connection_made(Unread())
        client.on_packet(b"packet")
        assert client._transport.aborted
        client.connection_lost(None)
        assert air.controllers == []

    run(story)


def test_the_end_of_the_air_ends_all_links():
    async def main():
        async with on_air() as air:
            central = Central(air)
            async with Kiosk(air):
                await central.__aenter__()
                reason = ending(await central.connect())
                await air.stop()
                await reason
                assert central._radio.off.is_set()
                await central.__aexit__()

    asyncio.run(main())


def test_no_air_is_an_error_with_its_name():
    async def main():
        with pytest.raises(LocalError, match="no Bluetooth controller at tcp-client:127.0.0.1:1") as caught:
            await Radio("tcp-client:127.0.0.1:1").open()
        assert caught.value.reason == "radio-unavailable"
        with pytest.raises(LocalError):
            await Radio("no-such-kind:1").open()

    asyncio.run(main())


def test_a_port_can_be_chosen():
    async def main():
        async with on_air() as air:
            await air.stop()
            again = Air(air.port)
            await again.start()
            assert again.name == air.name == f"tcp-client:127.0.0.1:{air.port}"
            await again.stop()

    asyncio.run(main())


def test_the_air_as_a_program_of_its_own():
    process = python("-m", "admit.virtual.air")

    class Elsewhere:
        name = process.stdout.readline().strip()

    async def main():
        async with Kiosk(Elsewhere, "far-kiosk"):
            kiosks = await scan(radio=SharedRadio(Elsewhere.name), name="far-kiosk")
            assert [each.name for each in kiosks] == ["far-kiosk"]

    try:
        asyncio.run(main())
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.stdout.close()
