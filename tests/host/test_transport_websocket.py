"""The client over WebSockets: the names that mean it, and what goes wrong between it and the kiosk."""

import asyncio
import contextlib
import ssl

import pytest
from websockets.asyncio.server import serve

from admit.client import describe
from admit.coap_ws import ABORT, CSM, RELEASE, decode_message, encode_message
from admit.connection import Connection
from admit.gateway.limits import Limits
from admit.transport import is_gateway, open_transport
from admit.transport.websocket import WebSocketTransport
from admit_protocol import coap
from admit_protocol.errors import Busy, LocalError, Malformed, NotFound, Refused, TimedOut, TooLarge, Unverified
from certificates import certificate
from gateways import HELLO, Desk, gateway_to, knock, story

GET = coap.request(coap.GET, "/id")


@pytest.mark.parametrize(
    "name, description",
    [
        ("ws://gw.example#lobby-1", "ws://gw.example#lobby-1"),
        ("wss://gw.example:8643/#lobby-1", "wss://gw.example:8643#lobby-1"),
        ("coap+ws://gw.example#k", "ws://gw.example#k"),
        ("coaps+ws://[::1]:1#a%2Bb%40%C3%BC", "wss://[::1]:1#a+b@ü"),
        ("ws://127.0.0.1", "ws://127.0.0.1"),
    ],
)
def test_a_name_says_which_gateway_and_which_kiosk_behind_it(name, description):
    transport = open_transport(name)
    assert is_gateway(name) and type(transport) is WebSocketTransport and transport.description == description


@pytest.mark.parametrize(
    "name", ["ws:", "ws://", "wss://#k", "ws://h:port", "ws://h:70000", "ws://h/path#k", "ws://u@h#k", "ws://h?q#k"]
)
def test_a_name_that_means_nothing_is_refused(name):
    with pytest.raises(LocalError, match="transport-name"):
        open_transport(name)
    with pytest.raises(LocalError, match="transport-name"):
        open_transport("ws://h#" + 256 * "k")


def way(gateway, name="desk"):
    return open_transport(f"ws://127.0.0.1:{gateway.port}#{name}")


@story
async def test_a_request_and_its_response():
    desk = Desk()
    async with gateway_to(desk.kiosk("lobby-1")) as gateway, Connection(way(gateway, "lobby-1")) as connection:
        assert connection.max_payload == 200
        assert (await connection.request(GET.copy())).payload == b"yes"
        assert connection.flights == 2
    assert desk.asked[0].options == [(coap.URI_PATH, b"id")]


@contextlib.asynccontextmanager
async def server(handler, **more):
    """A WebSocket server that does what a test says."""
    running = serve(handler, "127.0.0.1", 0, **({"subprotocols": ["coap"], "compression": None} | more))
    async with running as listening:
        yield listening.sockets[0].getsockname()[1]


async def reason(work):
    """(kind, reason, detail) of what it raises."""
    with pytest.raises((LocalError, NotFound, Refused, TimedOut, Unverified, Malformed, Busy, TooLarge)) as caught:
        await work
    return type(caught.value), caught.value.reason, caught.value.detail


async def visit(name):
    async with Connection(open_transport(name)) as connection:
        return await connection.request(GET.copy())


@story
async def test_where_no_gateway_is_that_is_said():
    async def gone(socket):
        pass

    async with server(gone) as port:
        pass
    assert (await reason(visit(f"ws://127.0.0.1:{port}#k")))[:2] == (NotFound, "gateway-unreachable")

    async def http(reader, writer):
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    listening = await asyncio.start_server(http, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        assert (await reason(visit(f"ws://127.0.0.1:{port}#k")))[1] == "gateway-unreachable"


@story
async def test_what_a_gateway_says_when_it_does_not_let_one_in_is_told():
    async with gateway_to(Desk().kiosk(), limits=Limits(connections=1)) as gateway, knock(gateway):
        kind, name, detail = await reason(visit(f"ws://127.0.0.1:{gateway.port}#desk"))
        assert (kind, name) == (Refused, "gateway-refused")
        assert detail.endswith("503 too many visitors at once; try again in a minute")

    async def handler(socket):
        pass

    async with server(handler, subprotocols=None) as port:
        kind, name, detail = await reason(visit(f"ws://127.0.0.1:{port}#k"))
        assert (kind, name) == (Refused, "gateway-refused") and "CoAP" in detail


@story
async def test_who_never_answers_is_given_up():
    from admit.transport import websocket

    async def silence(reader, writer):
        await reader.read()

    listening = await asyncio.start_server(silence, "127.0.0.1", 0)
    before, websocket.CONNECT_TIMEOUT_S = websocket.CONNECT_TIMEOUT_S, 0.2
    try:
        async with listening:
            port = listening.sockets[0].getsockname()[1]
            assert (await reason(visit(f"ws://127.0.0.1:{port}#k")))[:2] == (TimedOut, "gateway-unreachable")
    finally:
        websocket.CONNECT_TIMEOUT_S = before


@story
async def test_an_error_of_the_gateway_has_its_own_name():
    desk = Desk()
    async with gateway_to(desk.kiosk()) as gateway:
        async with Connection(way(gateway, "nobody")) as connection:
            assert (await reason(describe(connection)))[:2] == (NotFound, "gateway-no-kiosk")
        desk.fails = Busy("serial-in-use", "somebody")
        async with Connection(way(gateway)) as connection:
            assert (await reason(describe(connection)))[:2] == (TimedOut, "gateway-no-link")


async def heard_by(tell, count=1):
    """What a server hears of a client to which it tells this after the first request."""
    heard = []

    async def handler(socket):
        await socket.send(HELLO)
        heard.append(await socket.recv())
        heard.append(await socket.recv())
        await socket.send(tell) if tell is not None else await socket.close(1001, "gone")
        with contextlib.suppress(Exception):
            while True:
                heard.append(await socket.recv())

    async with server(handler) as port:
        ended = await reason(visit(f"ws://127.0.0.1:{port}#k"))
        await asyncio.sleep(0.02)
    return ended, [decode_message(each) for each in heard]


@story
async def test_a_csm_goes_first_and_a_release_last():
    desk = Desk()
    async with gateway_to(desk.kiosk()) as gateway, Connection(way(gateway)) as connection:
        await connection.request(GET.copy())
        (visitor,) = gateway.visitors
        await connection.transport.close()
        await asyncio.sleep(0.02)
        assert visitor.layer.greeted and visitor.layer.released


@story
async def test_what_a_gateway_may_not_say_ends_the_connection_by_an_abort():
    for told, kind, name in (
        (b"\x10\x01", Malformed, "ws-length"),
        ("text", Malformed, "ws-text"),
        (encode_message(coap.Message(ABORT, b"", (), b"no\nmore")), TimedOut, "ws-aborted"),
        (None, TimedOut, "link-dropped"),
        (bytes(4353), TooLarge, "ws-too-large"),
    ):
        ended, heard = await heard_by(told)
        assert ended[:2] == (kind, name)
        assert [heard[0].code, heard[1].code] == [CSM, coap.GET]
        assert [each.code for each in heard[2:]] == (
            {Malformed: [ABORT], TooLarge: [ABORT]}.get(kind) or heard_last(told)
        )


def heard_last(told):
    """Who was aborted says a Release still; to whom the connection is closed nothing is said."""
    return [] if told is None else [RELEASE]


# TLS


def tls(cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


def test_by_tls_only_to_whom_a_trusted_certificate_names(tmp_path, monkeypatch):
    cert, key = certificate(tmp_path)

    async def main():
        async with gateway_to(Desk().kiosk(), tls=tls(cert, key)) as gateway:
            url = f"wss://localhost:{gateway.port}#desk"
            assert (await reason(visit(url)))[:2] == (Unverified, "gateway-certificate")
            monkeypatch.setenv("SSL_CERT_FILE", str(cert))
            assert (await visit(url)).payload == b"yes"
            assert (await visit(f"coaps+ws://127.0.0.1:{gateway.port}#desk")).payload == b"yes"
            with_another_name = await reason(visit(f"wss://ip6-localhost.invalid:{gateway.port}#desk"))
            assert with_another_name[1] == "gateway-unreachable"
            assert (await reason(visit(f"ws://localhost:{gateway.port}#desk")))[1] == "gateway-unreachable"

    asyncio.run(main())


def test_an_expired_certificate_is_none(tmp_path, monkeypatch):
    cert, key = certificate(tmp_path, days=-1)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))

    async def main():
        async with gateway_to(Desk().kiosk(), tls=tls(cert, key)) as gateway:
            kind, name, detail = await reason(visit(f"wss://localhost:{gateway.port}#desk"))
            assert (kind, name) == (Unverified, "gateway-certificate") and "expired" in detail

    asyncio.run(main())
