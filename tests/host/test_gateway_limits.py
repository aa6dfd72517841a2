"""What one visitor of a gateway may take, so that the others get theirs: each limit, met by one who exceeds it."""

import asyncio
import socket
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from admit.coap_ws import PING, PONG, RELEASE
from admit.gateway.answers import Crowded
from admit.gateway.limits import LOCAL, Limits, Pace, Places, network_of
from admit.gateway.turns import Turns
from admit_protocol import coap, coap_numbers
from admit_protocol.errors import Busy
from gateways import GET, HELLO, Desk, gateway_to, knock, story, title, until, watchable

HANDSHAKE = coap.Message(coap.POST, b"h", [(coap.URI_PATH, b".well-known"), (coap.URI_PATH, b"edhoc")], b"message_1")
LAST = coap.Message(coap.POST, b"l", [(coap.OSCORE, b""), (coap.EDHOC, b"")], b"message_3")
PROTECTED = coap.Message(coap.POST, b"p", [(coap.OSCORE, b"\x09\x01")], b"protected")


def silent(request, link):
    return None


# How many


@pytest.mark.parametrize(
    "address, network",
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("127.0.0.5", LOCAL),
        ("::1", LOCAL),
        ("::ffff:127.0.0.1", LOCAL),
        ("?", "?"),
    ],
)
def test_who_counts_as_one(address, network):
    assert network_of(address) == network


def test_an_address_gets_so_many_places_and_others_get_theirs():
    places = Places(Limits(connections=5, per_address=2))
    with places.place("192.0.2.1"), places.place("192.0.2.1"):
        with pytest.raises(Busy, match="gateway-address"):
            places.check("192.0.2.1")
        places.check("192.0.2.2")
    places.check("192.0.2.1")


def test_all_get_so_many_and_from_this_machine_only_that_counts():
    places = Places(Limits(connections=3, per_address=1))
    with places.place("127.0.0.1"), places.place("::1"), places.place("127.0.0.1"):
        for address in ("127.0.0.1", "192.0.2.1"):
            with pytest.raises(Busy, match="gateway-full"):
                places.check(address)


@story
async def test_beyond_so_many_connections_the_next_is_turned_away_until_one_leaves():
    limits = Limits(connections=2)
    async with gateway_to(Desk().kiosk(), limits=limits) as gateway:
        async with knock(gateway), knock(gateway):
            with pytest.raises(InvalidStatus) as caught:
                async with knock(gateway):
                    pass
            assert caught.value.response.status_code == 503
            assert b"try again in a minute" in caught.value.response.body
        await until(lambda: not gateway.visitors)
        async with knock(gateway) as visitor:
            assert (await visitor.ask("desk")).payload == b"yes"


@story
async def test_who_only_connects_is_dropped_and_is_not_many():
    limits = Limits(connections=1, opening_s=0.3)
    async with gateway_to(Desk().kiosk(), limits=limits) as gateway:
        lurkers = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(40)]
        await until(lambda: sum(reader.at_eof() for reader, _ in lurkers) == 40 - 33)
        await until(lambda: all(reader.at_eof() for reader, _ in lurkers))
        async with knock(gateway) as visitor:
            assert (await visitor.ask("desk")).payload == b"yes"
        for _, writer in lurkers:
            writer.close()


@story
async def test_who_says_no_csm_in_time_is_dropped():
    limits = Limits(opening_s=0.1)
    async with gateway_to(Desk().kiosk(), limits=limits) as gateway, knock(gateway, greet=False) as visitor:
        await visitor.socket.send(b"\x00\x00")  # an Empty message is not one
        assert (await visitor.hear()).payload.startswith(b"ws-no-csm")


@story
async def test_beyond_so_many_requests_at_once_the_next_is_told_to_wait():
    desk, limits = Desk(silent), Limits(outstanding=3)
    async with gateway_to(desk.kiosk(limits=limits), limits=limits) as gateway, knock(gateway) as visitor:
        for token in range(4):
            await visitor.get("desk", token=bytes([token]))
        answer = await visitor.hear()
        assert (answer.code, title(answer)) == (coap_numbers.SERVICE_UNAVAILABLE, "gateway-busy")
        assert answer.token == b"\x03" and answer.uint(coap_numbers.MAX_AGE) == 1
        desk.links[0].tell(coap.response(coap.CONTENT), desk.asked[0].token)
        assert (await visitor.hear()).token == b"\x00"
        await visitor.get("desk", token=b"\x09")
        await desk.until(4)


@story
async def test_a_kiosk_has_places_for_so_many_and_whoever_is_idle_gives_way():
    desk, limits = Desk(), Limits(links=2, yield_s=0.2)
    async with gateway_to(desk.kiosk(limits=limits), limits=limits) as gateway:
        async with knock(gateway) as one, knock(gateway) as two, knock(gateway) as three:
            await one.ask("desk")
            await two.ask("desk")
            answer = await three.ask("desk")
            assert (answer.code, title(answer)) == (coap_numbers.SERVICE_UNAVAILABLE, "gateway-busy")
            assert answer.uint(coap_numbers.MAX_AGE) == 5
            await asyncio.sleep(0.25)
            await two.ask("desk")
            assert (await three.ask("desk")).payload == b"yes"
            assert [link.closed for link in desk.links] == [True, False, False]
            assert title(await one.ask("desk")) == "gateway-busy"
            await asyncio.sleep(0.25)
            assert (await one.ask("desk")).payload == b"yes"  # and comes back to a new link


@story
async def test_who_waits_for_an_answer_or_watches_gives_no_way():
    desk, limits = Desk(watchable), Limits(links=1, yield_s=0.001)
    async with gateway_to(desk.kiosk(limits=limits), limits=limits) as gateway:
        async with knock(gateway) as one, knock(gateway) as two:
            await one.ask("desk", options=[(coap.OBSERVE, b"")])
            assert title(await two.ask("desk")) == "gateway-busy"


@story
async def test_links_that_are_being_opened_count_too():
    desk, limits = Desk(), Limits(links=1)
    gate = asyncio.Event()

    class Slow(type(desk())):
        async def open(self):
            await gate.wait()
            await super().open()

    kiosk = desk.kiosk(limits=limits)
    kiosk._open_transport = lambda: Slow(desk)
    async with gateway_to(kiosk, limits=limits) as gateway, knock(gateway) as one, knock(gateway) as two:
        await one.get("desk")
        await until(lambda: kiosk._coming)
        assert title(await two.ask("desk")) == "gateway-busy"
        gate.set()
        assert (await one.hear()).payload == b"yes"


# How fast


def test_a_pace_lets_a_burst_through_and_then_so_many_a_second():
    now = [0.0]
    pace = Pace(10, 3, lambda: now[0])
    assert [pace.take() for _ in range(5)] == [0, 0, 0, 0.1, 0.2]
    now[0] = 1.0
    assert [pace.take() for _ in range(4)] == [0, 0, 0, 0.1]
    now[0] = 2.0
    assert [pace.allows() for _ in range(5)] == [True] * 3 + [False] * 2
    now[0] = 2.1
    assert [pace.allows(), pace.allows()] == [True, False]


@story
async def test_who_floods_is_read_no_faster_than_the_pace_and_nobody_else_waits():
    desk, limits = Desk(), Limits(rate=100, burst=10)
    async with gateway_to(desk.kiosk(), limits=limits) as gateway, knock(gateway) as floods, knock(gateway) as other:
        began = time.monotonic()
        for _ in range(40):
            await floods.say(coap.Message(PING, b"f"))
        assert (await other.ask("desk")).payload == b"yes"
        assert time.monotonic() - began < 0.25
        for _ in range(40):
            assert (await floods.hear()).code == PONG
        assert time.monotonic() - began >= 0.28


UPGRADE = (
    b"GET /.well-known/coap HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: coap\r\n\r\n"
)


def frame(data):
    """A WebSocket frame of a client, masked by nothing."""
    return bytes((0x82, 0x80 | len(data))) + bytes(4) + data


@story
async def test_who_does_not_read_is_dropped_and_holds_up_nobody():
    desk, told = Desk(lambda request, link: coap.response(coap.CONTENT, bytes(450))), []
    limits = Limits(sending_s=0.3, rate=1e6, burst=10**6)
    async with gateway_to(desk.kiosk(limits=limits), limits=limits, say=told.append) as gateway:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", gateway.port))
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(deaf, UPGRADE + frame(HELLO))
            await until(lambda: gateway.visitors)
            for number in range(20_000):
                try:
                    await loop.sock_sendall(deaf, frame(b"\x04\x01" + number.to_bytes(4, "big") + GET[3:]))
                except OSError:
                    break
                await asyncio.sleep(0)
            async with knock(gateway) as other:
                assert len((await other.ask("desk")).payload) == 450
            await until(lambda: any("does not read, and is dropped" in line for line in told))
        await until(lambda: not gateway.visitors)


# How long


@story
async def test_who_is_silent_is_asked_and_who_does_not_answer_is_dropped():
    limits = Limits(silent_s=0.15, pong_s=0.15, sweep_s=0.02)
    async with gateway_to(Desk().kiosk(), limits=limits) as gateway, knock(gateway) as visitor:
        for _ in range(2):
            ping = await visitor.hear()
            assert ping.code == PING
            await visitor.say(coap.Message(PONG, ping.token))
        assert (await visitor.hear()).code == PING
        with pytest.raises(ConnectionClosed):
            await visitor.hear()


@story
async def test_who_asks_for_nothing_is_released_but_not_who_waits_or_watches():
    limits = Limits(idle_s=0.2, sweep_s=0.02)
    async with gateway_to(Desk(watchable).kiosk(), limits=limits) as gateway:
        async with knock(gateway) as idle, knock(gateway) as watches:
            await watches.ask("desk", options=[(coap.OBSERVE, b"")])
            assert (await idle.hear()).code == RELEASE
            with pytest.raises(ConnectionClosed) as caught:
                await idle.hear()
            assert caught.value.rcvd.code == 1001
            await until(lambda: len(gateway.visitors) == 1)
            assert (await watches.ask("desk", token=b"\x02")).payload == b"first"


# How large


@story
async def test_a_message_beyond_what_the_network_layer_takes_ends_it_before_it_is_read_whole():
    async with gateway_to(Desk().kiosk()) as gateway, knock(gateway) as visitor:
        with pytest.raises(ConnectionClosed) as caught:
            await visitor.socket.send(bytes(100_000))
            await visitor.hear()
        assert caught.value.rcvd.code == 1009


@story
async def test_a_message_in_endless_fragments_is_no_longer_than_a_whole_one():
    async def endless():
        while True:
            yield bytes(1000)

    async with gateway_to(Desk().kiosk()) as gateway, knock(gateway) as visitor:
        with pytest.raises(ConnectionClosed) as caught:
            await visitor.socket.send(endless())
        assert caught.value.rcvd.code == 1009


# A cable, which all share


@story
async def test_a_cable_is_one_link_for_all_and_stays_while_anybody_is_there():
    desk = Desk(lambda request, link: coap.response(coap.CONTENT, request.token))
    async with gateway_to(desk.kiosk(shared=True)) as gateway, knock(gateway) as stays:
        async with knock(gateway) as goes:
            for visitor in (stays, goes, stays, goes):
                await visitor.say(PROTECTED, "desk")
                assert (await visitor.hear()).code == coap.CONTENT
            assert len(desk.links) == 1
        await until(lambda: len(gateway.visitors) == 1)
        assert len(desk.open_links) == 1
    assert len({request.token for request in desk.asked}) == 4


@story
async def test_on_a_cable_one_handshake_follows_another_and_sessions_go_on_meanwhile():
    desk = Desk(lambda request, link: coap.response(coap.CHANGED))
    async with gateway_to(desk.kiosk(shared=True)) as gateway, knock(gateway) as one, knock(gateway) as two:
        await one.say(HANDSHAKE, "desk")
        assert (await one.hear()).code == coap.CHANGED
        await two.say(HANDSHAKE, "desk")
        await two.say(PROTECTED, "desk")
        assert (await two.hear()).token == b"p"  # not its handshake, which waits
        await one.say(LAST, "desk")
        assert (await one.hear()).token == b"l"
        assert (await two.hear()).token == b"h"
    assert [request.payload for request in desk.asked] == [b"message_1", b"protected", b"message_3", b"message_1"]


@story
async def test_a_handshake_that_is_left_off_gives_way_after_some_silence_or_when_its_visitor_leaves():
    desk, limits = Desk(), Limits(turn_s=0.2)
    async with gateway_to(desk.kiosk(limits=limits, shared=True), limits=limits) as gateway:
        async with knock(gateway) as two:
            async with knock(gateway) as one:
                await one.say(HANDSHAKE, "desk")
                await one.hear()
                began = time.monotonic()
                await two.say(HANDSHAKE, "desk")
                assert (await two.hear()).token == b"h"
                assert time.monotonic() - began >= 0.15
                await two.say(LAST, "desk")
                await two.hear()
                await one.say(HANDSHAKE, "desk")
                await one.hear()
            began = time.monotonic()
            await two.say(HANDSHAKE, "desk")
            await two.hear()
            assert time.monotonic() - began < 0.15


@story
async def test_who_waits_for_a_turn_too_long_is_told_to_come_back():
    desk, limits = Desk(), Limits(turn_wait_s=0.1)
    async with gateway_to(desk.kiosk(limits=limits, shared=True), limits=limits) as gateway:
        async with knock(gateway) as one, knock(gateway) as two:
            await one.say(HANDSHAKE, "desk")
            await one.hear()
            await two.say(HANDSHAKE, "desk")
            answer = await two.hear()
            assert (answer.code, title(answer)) == (coap_numbers.SERVICE_UNAVAILABLE, "gateway-busy")
            assert answer.uint(coap_numbers.MAX_AGE) == 1
            await one.say(LAST, "desk")
            await one.hear()
            await two.say(HANDSHAKE, "desk")
            assert (await two.hear()).payload == b"message_1"


@story
async def test_a_cable_takes_so_many_requests_of_all_together():
    desk, limits = Desk(silent), Limits(line_requests=3)
    async with gateway_to(desk.kiosk(limits=limits, shared=True), limits=limits) as gateway:
        async with knock(gateway) as one, knock(gateway) as two:
            for token in (b"1", b"2", b"3"):
                message = PROTECTED.copy()
                message.token = token
                await one.say(message, "desk")
            await desk.until(3)
            await two.say(PROTECTED, "desk")
            assert title(await two.hear()) == "gateway-busy"


@story
async def test_turns_go_round_even_if_one_never_stops_asking():
    limits = Limits(turn_s=5, turn_limit_s=0.1, turn_wait_s=1)
    turns, order = Turns(limits), []

    async def ask(who):
        async with turns.turn(who, False):
            order.append(who)

    await ask("hog")
    waiting = asyncio.create_task(ask("guest"))
    await asyncio.sleep(0.15)
    hog = asyncio.create_task(ask("hog"))
    await waiting
    assert order == ["hog", "guest"]
    turns.over("guest")
    await hog
    assert order == ["hog", "guest", "hog"]


@story
async def test_several_requests_of_one_visitor_share_a_turn_and_who_left_the_queue_is_passed_over():
    turns = Turns(Limits(turn_s=0.1, turn_wait_s=0.3))
    gate = asyncio.Event()

    async def ask(who):
        async with turns.turn(who, False):
            await gate.wait()
            return who

    async def give_up(who):
        with pytest.raises(Crowded):
            async with turns.turn(who, False):
                pass

    first = [asyncio.create_task(ask("a")) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.gather(give_up("b"), give_up("c"), give_up("c"))
    gate.set()
    assert await asyncio.gather(*first) == ["a", "a"]
    turns.over("a")
    assert await asyncio.gather(ask("d"), ask("d")) == ["d", "d"]
