"""The air: a place on this PC where virtual radios hear each other.

Owns: one bumble link, and a Bluetooth controller on it for every TCP client of 127.0.0.1:port. A client speaks HCI as
to any controller, so each program joins by bumble's transport name `tcp-client:127.0.0.1:PORT`, which is `Air.name`.

bumble's own virtual controller (0.0.236) leaves gaps that a real one does not have, and `AirController` and `AirLink`
close them: a client that vanishes or resets takes its links with it, data needs no random address, a scan response is
heard, a connection can be cancelled, and two who call the same advertiser do not both get through. Must not know GATT.
"""

import argparse
import asyncio
import contextlib
import itertools
import signal
from dataclasses import dataclass

from bumble import hci, ll
from bumble.controller import Controller
from bumble.core import InvalidArgumentError, InvalidPacketError
from bumble.link import LocalLink
from bumble.transport.common import PacketParser

HOST = "127.0.0.1"
UNREAD_LIMIT = 1 << 20  # bytes; a client that reads nothing for so long is gone
RSSI_DBM = -50


@dataclass
class Advertisement(ll.AdvInd):
    """What an advertiser sends, with what it would answer to a scan request."""

    scan_response: bytes = b""


class AirLink(LocalLink):
    """What carries the radios' packets, in order and without loss."""

    def send_acl_data(self, sender, destination, transport, data):
        """Carry data on a link between two addresses, whichever addresses those are."""
        ours, receiver = sender.le_connections.get(destination), self.find_le_controller(destination)
        if ours and receiver:
            _soon(receiver.on_link_acl_data, ours.self_address, transport, data)

    def send_advertising_pdu(self, sender, packet):
        super().send_advertising_pdu(sender, packet)
        if isinstance(packet, ll.ConnectInd):
            _soon(self._drop_unanswered, sender, packet)

    def send_ll_control_pdu(self, sender_address, receiver_address, packet):
        with contextlib.suppress(InvalidArgumentError):  # the receiver has just left
            super().send_ll_control_pdu(sender_address, receiver_address, packet)

    def _drop_unanswered(self, central, call):
        """End a connection that the advertiser did not accept: another one was faster, or it had stopped."""
        advertiser = self.find_le_controller(call.advertiser_address)
        if advertiser and call.initiator_address in advertiser.le_connections:
            return
        if connection := central.le_connections.get(call.advertiser_address):
            central.on_le_disconnected(connection, hci.HCI_ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR)


class AirController(Controller):
    """One radio: what a controller of Bluetooth 4.2, as in an ESP32, does for one host."""

    le_features = Controller.le_features & ~(
        hci.LeFeatureMask.LE_EXTENDED_ADVERTISING | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
    )
    le_acl_data_packet_length = 251

    def leave(self, reason: int) -> None:
        """Fall silent; every peer of a link sees a disconnection with `reason`."""
        self.le_legacy_advertiser.stop()
        self.le_scan_enable = False
        self.pending_le_connection = None
        for connection in self.le_connections.values():
            connection.send_ll_control_pdu(ll.TerminateInd(reason))
        self.le_connections.clear()

    def on_hci_reset_command(self, command):
        self.leave(hci.HCI_ErrorCode.REMOTE_DEVICE_TERMINATED_CONNECTION_DUE_TO_POWER_OFF_ERROR)
        return super().on_hci_reset_command(command)

    def on_hci_disconnect_command(self, command):
        if self.find_le_connection_by_handle(command.connection_handle):
            super().on_hci_disconnect_command(command)
        else:
            self._send_hci_command_status(hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, command.op_code)

    def on_hci_le_create_connection_command(self, command):
        if command.peer_address in self.le_connections:
            self._send_hci_command_status(hci.HCI_ErrorCode.CONNECTION_ALREADY_EXISTS_ERROR, command.op_code)
        else:
            super().on_hci_le_create_connection_command(command)

    def on_hci_le_create_connection_cancel_command(self, command):
        if pending := self.pending_le_connection:
            self.pending_le_connection = None
            _soon(self._report_cancelled, pending.peer_address)
        return super().on_hci_le_create_connection_cancel_command(command)

    def _report_cancelled(self, peer_address):
        self.send_hci_packet(
            hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=hci.Role.CENTRAL,
                peer_address_type=peer_address.address_type,
                peer_address=peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
        )

    def send_advertising_pdu(self, packet):
        if isinstance(packet, ll.AdvInd):
            scan_response = self.le_legacy_advertiser.scan_response_data
            packet = Advertisement(packet.advertiser_address, packet.data, scan_response)
        super().send_advertising_pdu(packet)

    def on_advertising_pdu(self, pdu):
        if self.le_scan_enable:
            kinds = hci.HCI_LE_Advertising_Report_Event.EventType
            self._report(kinds.ADV_IND, pdu.advertiser_address, pdu.data)
            self._report(kinds.SCAN_RSP, pdu.advertiser_address, pdu.scan_response)
        if self.pending_le_connection and self.pending_le_connection.peer_address == pdu.advertiser_address:
            self.create_le_connection(pdu.advertiser_address)

    def _report(self, kind, address, data):
        report = hci.HCI_LE_Advertising_Report_Event.Report(
            event_type=kind, address_type=address.address_type, address=address, data=data, rssi=RSSI_DBM
        )
        self.send_hci_packet(hci.HCI_LE_Advertising_Report_Event([report]))


class HciClient(asyncio.Protocol):
    """One TCP client of the air, and the controller that it got."""

    def __init__(self, air: "Air"):
        self._air = air
        self._parser = PacketParser()

    def connection_made(self, transport):
        self._transport = transport
        self._controller = self._air.add(self)
        self._parser.set_packet_sink(self._controller)

    def data_received(self, data):
        try:
            self._parser.feed_data(data)
        except InvalidPacketError:  # a stream that has lost its step never finds it again
            self._transport.abort()

    def on_packet(self, packet: bytes) -> None:
        """A packet from the controller to its host."""
        self._transport.write(packet)
        if self._transport.get_write_buffer_size() > UNREAD_LIMIT:
            self._transport.abort()

    def connection_lost(self, error):
        self._air.remove(self._controller)

    def close(self) -> None:
        """Let the client go."""
        self._transport.abort()


class Air:
    """The air in this process: `await start()`, then any process joins by `name`; `await stop()` ends all links."""

    def __init__(self, port: int = 0):
        self.port = port
        self._link = AirLink()
        self._numbers = itertools.count(1)
        self._clients: dict[AirController, HciClient] = {}
        self._server: asyncio.Server | None = None

    @property
    def name(self) -> str:
        """The bumble transport name by which programs join."""
        return f"tcp-client:{HOST}:{self.port}"

    @property
    def controllers(self) -> list[AirController]:
        """The radios that are on the air now."""
        return list(self._clients)

    async def start(self) -> None:
        """Listen; `port` 0 becomes a free port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: HciClient(self), HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Let all clients go and stop listening."""
        if self._server:
            self._server.close()
            for client in list(self._clients.values()):
                client.close()
            await asyncio.sleep(0)
            await self._server.wait_closed()

    def add(self, client: HciClient) -> AirController:
        """Put a new radio on the air, with an address of its own."""
        number = next(self._numbers)
        address = hci.Address(b"\xad" + number.to_bytes(4, "little") + b"\x02", hci.Address.PUBLIC_DEVICE_ADDRESS)
        controller = AirController(f"radio {number}", host_sink=client, link=self._link, public_address=address)
        self._clients[controller] = client
        return controller

    def remove(self, controller: AirController) -> None:
        """Take a radio off the air; its peers see what they would if it had lost power."""
        self._clients.pop(controller)
        controller.host = None
        controller.leave(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
        self._link.remove_controller(controller)


def _soon(call, *arguments):
    asyncio.get_running_loop().call_soon(call, *arguments)


async def serve(port: int) -> None:
    """Run an air until SIGINT or SIGTERM; its name is the only line on stdout."""
    air, ended = Air(port), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await air.start()
    print(air.name, flush=True)
    await ended.wait()
    await air.stop()


def main() -> None:
    """`python -m admit.virtual.air [--port PORT]`"""
    parser = argparse.ArgumentParser(prog="python -m admit.virtual.air", description="Run a virtual air.")
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1 (default: any free one)")
    asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
