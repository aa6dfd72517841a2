"""The client over UDP, and the names that mean it."""

import asyncio
import socket

import pytest

from admit.transport import open_transport
from admit.transport.ble import BleTransport
from admit.transport.serial import SerialTransport
from admit.transport.udp import UdpTransport
from admit_protocol import coap
from admit_protocol.coap_udp import UdpLayer
from admit_protocol.errors import LocalError, NotFound, TimedOut


class Server(asyncio.DatagramProtocol):
    """Keeps what arrives; answers with `answer(datagram)` if there is one."""

    def __init__(self, answer=None):
        self.arrived = []
        self._answer = answer

    def connection_made(self, transport):
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data, addr):
        self.arrived.append(data)
        if self._answer:
            self._transport.sendto(self._answer(data), addr)

    def close(self):
        self._transport.close()


async def serve(answer=None, port=0):
    _, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Server(answer), local_addr=("127.0.0.1", port)
    )
    return server


def closed_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    ("name", "kind", "description"),
    [
        ("ble", BleTransport, "ble"),
        ("ble:kiosk-1", BleTransport, "ble:kiosk-1"),
        ("udp://kiosk.example", UdpTransport, "udp://kiosk.example:5683"),
        ("udp://127.0.0.1:5700/", UdpTransport, "udp://127.0.0.1:5700"),
        ("udp://[::1]:5700", UdpTransport, "udp://[::1]:5700"),
        ("/dev/ttyUSB0", SerialTransport, "/dev/ttyUSB0"),
        ("COM3", SerialTransport, "COM3"),
        ("socket://127.0.0.1:7000", SerialTransport, "socket://127.0.0.1:7000"),
    ],
)
def test_a_name_says_which_transport(name, kind, description):
    transport = open_transport(name)
    assert type(transport) is kind and transport.description == description


@pytest.mark.parametrize("name", ["", "udp://", "udp:host", "udp://host:port", "udp://host:70000", "udp://host/path"])
def test_a_name_that_means_nothing_is_refused(name):
    with pytest.raises(LocalError) as caught:
        open_transport(name)
    assert caught.value.reason == "transport-name"


def test_datagrams_there_and_back():
    async def main():
        server = await serve(lambda data: data[::-1])
        transport = open_transport(f"udp://127.0.0.1:{server.port}")
        await transport.open()
        for size in (1, 1152, 1280):
            await transport.send(bytes(range(256)) * 5 if size == 1280 else bytes(size))
            assert len(await transport.receive()) == size
        await transport.close()
        await transport.close()
        with pytest.raises(TimedOut, match="link-dropped"):
            await transport.send(b"late")
        server.close()

    asyncio.run(main())


def test_a_request_and_its_response_through_both_message_layers():
    async def main():
        layer = UdpLayer(lambda length: bytes(length))

        def answer(datagram):
            (request,) = layer.receive(datagram, 0)
            response = coap.response(0x45, b"/".join(part.encode() for part in request.path))
            response.token = request.token
            layer.send(response, 0)
            return layer.outgoing(0)

        server = await serve(answer)
        transport = UdpTransport("127.0.0.1", server.port)
        await transport.open()
        request = coap.request(coap.GET, ("r", "open"))
        request.token = b"\x01"
        transport.layer.send(request, 0)
        await transport.send(transport.layer.outgoing(0))
        (response,) = transport.layer.receive(await transport.receive(), 0)
        assert response.payload == b"r/open"
        await transport.close()
        server.close()

    asyncio.run(main())


def test_who_was_heard_before_may_be_starting_again():
    async def main():
        server = await serve(lambda data: data)
        transport = UdpTransport("127.0.0.1", server.port)
        await transport.open()
        await transport.send(b"one")
        assert await transport.receive() == b"one"
        server.close()
        await asyncio.sleep(0)  # the socket is closed in the loop's next turn
        await transport.send(b"lost")  # refused, and that is not the end
        back = await serve(lambda data: data, server.port)
        await transport.send(b"two")
        assert await asyncio.wait_for(transport.receive(), 5) == b"two"
        await transport.close()
        back.close()

    asyncio.run(main())


def test_where_nobody_listens_the_link_is_dropped_with_that_reason():
    async def main():
        transport = UdpTransport("127.0.0.1", closed_port())
        await transport.open()
        await transport.send(b"hello?")
        with pytest.raises(TimedOut, match="refused") as caught:
            await asyncio.wait_for(transport.receive(), 5)
        assert caught.value.reason == "link-dropped"
        await transport.close()

    asyncio.run(main())


@pytest.mark.parametrize("failure", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long")])
def test_a_host_without_an_address_is_not_found(failure, monkeypatch):
    async def no_address(*_, **__):
        raise failure

    async def main():
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_address)
        with pytest.raises(NotFound, match="no-such-host") as caught:
            await UdpTransport("no-such-host.example").open()
        assert caught.value.reason == "udp-no-host"

    asyncio.run(main())
