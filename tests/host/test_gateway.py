"""The gateway: what it forwards, what it says for itself, whom it lets in, and how it ends."""

import asyncio
import contextlib
import http.client
import re

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from admit.coap_ws import ABORT, PING, PONG, RELEASE
from admit.gateway.limits import Limits
from admit.gateway.server import kiosks_at
from admit_protocol import coap, coap_numbers, linkformat
from admit_protocol.errors import LocalError, NotFound
from gateways import GET, Desk, gateway_to, knock, story, title, until, watchable

PROTECTED = [(coap.OSCORE, b"\x09\x01\x02"), (coap.EDHOC, b"")]


def lines():
    """A list of what the gateway tells whoever runs it, and what to hand it for that."""
    told = []
    return told, told.append


# What it forwards


@story
async def test_everything_but_the_hosts_name_and_the_token_goes_on_unchanged_both_ways():
    desk = Desk(lambda request, link: coap.response(0x44, b"\xff\x00\xffanswer", options=[(65001, b"x"), (9, b"")]))
    async with gateway_to(desk.kiosk("lobby-1")) as gateway, knock(gateway) as visitor:
        options = [*PROTECTED, (coap.OBSERVE, b""), (coap.BLOCK1, b"\x0e"), (252, b"echo"), (65000, b"elective")]
        request = coap.Message(coap.FETCH, b"visitor", options, bytes(range(250)))
        await visitor.say(request, "lobby-1")
        answer = await visitor.hear()
    (asked,) = desk.asked
    assert (asked.code, asked.options, asked.payload) == (request.code, request.options, request.payload)
    assert asked.token != request.token and len(asked.token) <= 4
    assert (answer.code, answer.token, answer.payload) == (0x44, b"visitor", b"\xff\x00\xffanswer")
    assert answer.options == [(9, b""), (65001, b"x")]


@story
async def test_a_name_means_the_same_in_any_case():
    desk = Desk()
    async with gateway_to(desk.kiosk("Lobby-1")) as gateway, knock(gateway) as visitor:
        for name in ("lobby-1", "Lobby-1", "LOBBY-1"):
            assert (await visitor.ask(name)).payload == b"yes"
    assert len(desk.links) == 1


@story
async def test_answers_come_in_the_order_in_which_the_kiosk_gives_them():
    desk = Desk(lambda request, link: None)
    async with gateway_to(desk.kiosk()) as gateway, knock(gateway) as visitor:
        for token in (b"a", b"b", b"c"):
            await visitor.get("desk", token=token)
        await desk.until(3)
        for number in (2, 0, 1):
            desk.links[0].tell(coap.response(coap.CONTENT, b"%d" % number), desk.asked[number].token)
        assert [(await visitor.hear()).payload for _ in range(3)] == [b"2", b"0", b"1"]


@story
async def test_each_visitor_has_a_link_of_their_own_and_nobody_hears_anothers_answer():
    desk = Desk(lambda request, link: coap.response(coap.CONTENT, b"link %d" % desk.links.index(link)))
    async with gateway_to(desk.kiosk()) as gateway, knock(gateway) as one, knock(gateway) as other:
        for _ in range(3):
            assert (await one.ask("desk")).payload == b"link 0"
            assert (await other.ask("desk")).payload == b"link 1"


@story
async def test_links_are_opened_at_the_first_request_and_closed_with_the_visitor():
    desk = Desk()
    async with gateway_to(desk.kiosk()) as gateway:
        async with knock(gateway) as visitor:
            await visitor.ask(None, "/.well-known/core")
            assert desk.links == []
            await visitor.ask("desk")
            assert len(desk.open_links) == 1
        await until(lambda: not desk.open_links and not gateway.visitors)


@story
async def test_a_link_that_nobody_uses_is_closed_and_comes_back_when_it_is_needed():
    desk = Desk()
    limits = Limits(link_idle_s=0.1, sweep_s=0.02)
    async with gateway_to(desk.kiosk(limits=limits), limits=limits) as gateway, knock(gateway) as visitor:
        await visitor.ask("desk")
        await until(lambda: not desk.open_links)
        assert (await visitor.ask("desk")).payload == b"yes"
        assert len(desk.links) == 2


# Observation


@story
async def test_notifications_are_forwarded_until_the_one_that_ends_it():
    desk = Desk(watchable)
    async with gateway_to(desk.kiosk()) as gateway, knock(gateway) as visitor:
        first = await visitor.ask("desk", token=b"w", options=[(coap.OBSERVE, b"")])
        assert (first.payload, first.option(coap.OBSERVE)) == (b"first", b"")
        link, token = desk.links[0], desk.asked[0].token
        for number in range(1, 4):
            link.tell(coap.response(coap.CONTENT, b"%d" % number, options=[(coap.OBSERVE, number)]), token)
            heard = await visitor.hear()
            assert (heard.token, heard.payload, heard.uint(coap.OBSERVE)) == (b"w", b"%d" % number, number)
        link.tell(coap.response(coap_numbers.NOT_FOUND), token)
        assert (await visitor.hear()).code == coap_numbers.NOT_FOUND
        link.tell(coap.response(coap.CONTENT, b"late", options=[(coap.OBSERVE, 9)]), token)
        assert (await visitor.ask("desk", token=b"w")).payload == b"first"  # the token is free again


@story
async def test_who_renews_or_ends_an_observation_does_so_at_the_kiosk_too():
    desk = Desk(watchable)
    async with gateway_to(desk.kiosk()) as gateway, knock(gateway) as visitor:
        for value in (b"", b"", b"\x01"):
            await visitor.ask("desk", token=b"w", options=[(coap.OBSERVE, value)])
        assert len({request.token for request in desk.asked}) == 1
        assert [request.uint(coap.OBSERVE) for request in desk.asked] == [0, 0, 1]
        assert (await visitor.ask("desk", token=b"w")).payload == b"first"
        assert desk.asked[3].token != desk.asked[0].token


@story
async def test_an_observation_ends_with_its_visitor_and_leaves_the_others_alone():
    desk = Desk(watchable)
    async with gateway_to(desk.kiosk()) as gateway, knock(gateway) as stays:
        await stays.ask("desk", token=b"s", options=[(coap.OBSERVE, b"")])
        async with knock(gateway) as goes:
            await goes.ask("desk", token=b"g", options=[(coap.OBSERVE, b"")])
        await until(lambda: len(desk.open_links) == 1)
        desk.links[0].tell(coap.response(coap.CONTENT, b"on", options=[(coap.OBSERVE, 1)]), desk.asked[0].token)
        assert (await stays.hear()).payload == b"on"


# What goes wrong behind it


@story
async def test_a_link_that_breaks_ends_what_is_outstanding_and_the_next_request_opens_another():
    desk = Desk(lambda request, link: None if request.path == ("slow",) else watchable(request, link))
    told, say = lines()
    async with gateway_to(desk.kiosk(), say=say) as gateway, knock(gateway) as visitor:
        await visitor.ask("desk", token=b"w", options=[(coap.OBSERVE, b"")])
        await visitor.get("desk", "/slow", token=b"s")
        await desk.until(2)
        desk.links[0].drop()
        ended = {(await visitor.hear()).token: None for _ in range(2)}
        assert ended.keys() == {b"w", b"s"}
        assert (await visitor.ask("desk")).payload == b"first"
        assert len(desk.links) == 2 and [request.path for request in desk.asked].count(("slow",)) == 1
    assert any("does not reach desk" in line and "link-dropped" in line for line in told)


@story
async def test_what_it_says_of_a_broken_link_is_a_bad_gateway_without_observe():
    desk = Desk(lambda request, link: None)
    async with gateway_to(desk.kiosk()) as gateway, knock(gateway) as visitor:
        await visitor.get("desk", options=[(coap.OBSERVE, b"")])
        await desk.until(1)
        desk.links[0].drop()
        answer = await visitor.hear()
        assert (answer.code, title(answer)) == (coap_numbers.BAD_GATEWAY, "gateway-link-lost")
        assert answer.option(coap.OBSERVE) is None


@story
async def test_a_kiosk_that_cannot_be_reached_is_told_without_telling_where_it_is():
    desk, (told, say) = Desk(), lines()
    desk.fails = NotFound("serial-not-found", "/dev/ttyUSB7: gone")
    async with gateway_to(desk.kiosk(), say=say) as gateway, knock(gateway) as visitor:
        answer = await visitor.ask("desk")
        assert (answer.code, title(answer)) == (coap_numbers.BAD_GATEWAY, "gateway-no-link")
        assert b"ttyUSB7" not in answer.payload and b"serial-not-found" in answer.payload
    assert any("/dev/ttyUSB7: gone" in line for line in told)


@story
async def test_a_kiosk_that_does_not_answer_is_a_gateway_timeout_and_its_link_is_given_up():
    desk = Desk(lambda request, link: None)
    limits = Limits(answer_s=0.1)
    async with gateway_to(desk.kiosk(limits=limits), limits=limits) as gateway, knock(gateway) as visitor:
        answer = await visitor.ask("desk")
        assert (answer.code, title(answer)) == (coap_numbers.GATEWAY_TIMEOUT, "gateway-no-answer")
        assert desk.open_links == []


@story
async def test_a_fault_that_nobody_foresaw_is_answered_too_and_ends_nothing():
    desk, (told, say) = Desk(), lines()
    desk.fails = RuntimeError("a secret of the gateway's")
    async with gateway_to(desk.kiosk(), say=say) as gateway, knock(gateway) as visitor:
        answer = await visitor.ask("desk")
        assert (answer.code, title(answer)) == (coap_numbers.INTERNAL_SERVER_ERROR, "gateway-fault")
        desk.fails = None
        assert (await visitor.ask("desk")).payload == b"yes"
        assert b"secret" not in answer.payload and any("RuntimeError" in line for line in told)


@story
async def test_a_link_that_does_not_open_in_time_is_given_up():
    desk = Desk()
    limits = Limits(open_s=0.1)

    class Slow(type(desk())):
        async def open(self):
            await asyncio.Event().wait()

    kiosk = desk.kiosk(limits=limits)
    kiosk._open_transport = lambda: Slow(desk)
    async with gateway_to(kiosk, limits=limits) as gateway, knock(gateway) as visitor:
        answer = await visitor.ask("desk")
        assert title(answer) == "gateway-no-link" and b"link-timeout" in answer.payload


@story
async def test_a_request_that_does_not_fit_the_link_is_not_sent():
    desk = Desk()
    async with gateway_to(desk.kiosk()) as gateway, knock(gateway) as visitor:
        answer = await visitor.ask("desk", payload=bytes(512))
        assert (answer.code, title(answer)) == (coap_numbers.REQUEST_ENTITY_TOO_LARGE, "gateway-too-large")
        assert desk.asked == []
        assert len((await visitor.ask("desk", payload=bytes(490))).payload) == 490


@story
async def test_an_answer_that_does_not_fit_the_visitor_is_told_as_that():
    desk = Desk(lambda request, link: coap.response(coap.CONTENT, bytes(300)))
    async with gateway_to(desk.kiosk()) as gateway, knock(gateway, greet=False) as visitor:
        await visitor.say(coap.Message(0xE1, b"", [(2, b"\x80")]))
        answer = await visitor.ask("desk")
        assert (answer.code, title(answer)) == (coap_numbers.BAD_GATEWAY, "gateway-too-large")


# What it says for itself


@story
async def test_its_own_list_names_its_kiosks():
    kiosks = Desk().kiosk("lobby-1"), Desk().kiosk("Lab_2"), Desk().kiosk("a+b@ü")
    async with gateway_to(*kiosks) as gateway, knock(gateway) as visitor:
        answer = await visitor.ask(None, "/.well-known/core")
        assert (answer.code, answer.uint(coap.CONTENT_FORMAT)) == (coap.CONTENT, 40)
        assert answer.payload.decode().startswith('<coap://lobby-1/>;rt="admit.kiosk",')
        found = [path for path, _ in linkformat.parse(answer.payload.decode())]
        assert found == ["coap://lobby-1/", "coap://Lab_2/", "coap://a%2Bb%40%C3%BC/"]
        picked = await visitor.ask(None, "/.well-known/core", options=[(coap.URI_QUERY, "href=coap://lab*")])
        assert picked.payload == b""
        assert (await visitor.ask("127.0.0.1", "/.well-known/core")).payload == answer.payload  # as Host said
        assert (await visitor.ask("a+b@ü")).payload == b"yes"


@story
async def test_a_list_that_is_long_comes_in_blocks():
    kiosks = [Desk().kiosk(f"kiosk-{number:03}") for number in range(60)]
    async with gateway_to(*kiosks) as gateway, knock(gateway) as visitor:
        whole, number, more = b"", 0, True
        while more:
            part = await visitor.ask(None, "/.well-known/core", options=[(coap.BLOCK2, number << 4 | 6)])
            whole, more, number = whole + part.payload, bool(part.uint(coap.BLOCK2) & 8), number + 1
        assert len(linkformat.parse(whole.decode())) == 60 and number == 3


@story
async def test_what_is_neither_its_list_nor_a_kiosk_is_not_found():
    async with gateway_to(Desk().kiosk()) as gateway, knock(gateway) as visitor:
        for host, path in ((None, "/id"), (None, "/"), ("nobody", "/id"), ("nobody", "/.well-known/core")):
            answer = await visitor.ask(host, path)
            assert (answer.code, title(answer)) == (coap_numbers.NOT_FOUND, "gateway-no-kiosk"), (host, path)
        message = coap.request(coap.POST, "/.well-known/core")
        await visitor.say(message)
        assert (await visitor.hear()).code == coap_numbers.METHOD_NOT_ALLOWED
        await visitor.say(coap.request(coap.GET, "/id", options=[(coap.URI_HOST, b"\xff\xfe")]))
        assert (await visitor.hear()).code == coap.BAD_REQUEST


@story
async def test_it_is_no_proxy_for_the_world():
    desk = Desk()
    async with gateway_to(desk.kiosk()) as gateway, knock(gateway) as visitor:
        for option in ((coap.PROXY_URI, "coap://192.0.2.1/"), (coap.PROXY_SCHEME, "coap")):
            for host in ("desk", None, "192.0.2.1"):
                answer = await visitor.ask(host, options=[option])
                assert (answer.code, title(answer)) == (coap_numbers.PROXYING_NOT_SUPPORTED, "gateway-proxy")
    assert desk.asked == []


# How a connection goes on and ends


@story
async def test_a_ping_gets_its_pong_while_requests_are_outstanding():
    desk = Desk(lambda request, link: None)
    async with gateway_to(desk.kiosk()) as gateway, knock(gateway) as visitor:
        await visitor.get("desk")
        await desk.until(1)
        await visitor.say(coap.Message(PING, b"\x42"))
        pong = await visitor.hear()
        assert (pong.code, pong.token) == (PONG, b"\x42")


@story
async def test_who_releases_gets_the_answers_that_are_due_and_then_the_end():
    desk = Desk(lambda request, link: None)
    async with gateway_to(desk.kiosk()) as gateway, knock(gateway) as visitor:
        await visitor.get("desk")
        await desk.until(1)
        await visitor.say(coap.Message(RELEASE))
        await visitor.get("desk", token=b"\x02")
        desk.links[0].tell(coap.response(coap.CONTENT, b"last"), desk.asked[0].token)
        assert (await visitor.hear()).payload == b"last"
        with pytest.raises(ConnectionClosed) as caught:
            await visitor.hear()
        assert caught.value.rcvd.code == 1000
    assert len(desk.asked) == 1


async def shown_out(gateway, *messages, greet=True):
    """The diagnostic of the Abort that these messages end in."""
    async with knock(gateway, greet) as visitor:
        for message in messages:
            await visitor.socket.send(message)
        while (last := await visitor.hear()).code != ABORT:
            pass
        with pytest.raises(ConnectionClosed) as caught:
            await visitor.hear()
        assert caught.value.rcvd.code == 1002
        return last.payload.decode()


@story
async def test_what_is_no_coap_ends_in_an_abort_with_a_diagnostic():
    desk, (told, say) = Desk(lambda request, link: None), lines()
    async with gateway_to(desk.kiosk(), say=say) as gateway:
        for messages, reason in (
            (["text"], "ws-text"),
            ([b""], "coap-truncated"),
            ([b"\x10\x01"], "ws-length"),
            ([GET[:-1]], "coap-truncated"),
            ([b"\x00\xff"], "ws-signal"),
            ([bytes(4353)], "ws-too-large"),
            ([bytes(17_000)], "ws-too-large"),
            ([GET, GET], "ws-token"),
        ):
            assert (await shown_out(gateway, *messages)).startswith(reason)
            assert any(f"is shown out: {reason}" in line for line in told)
        assert (await shown_out(gateway, GET, greet=False)).startswith("ws-no-csm")
        await until(lambda: not gateway.visitors and not desk.open_links)


@story
async def test_when_it_stops_visitors_are_released_and_links_closed():
    desk = Desk(watchable)
    async with gateway_to(desk.kiosk()) as gateway:
        async with knock(gateway) as visitor:
            await visitor.ask("desk", options=[(coap.OBSERVE, b"")])
            stopping = asyncio.create_task(gateway.stop())
            assert (await visitor.hear()).code == RELEASE
            with pytest.raises(ConnectionClosed) as caught:
                await visitor.hear()
            assert caught.value.rcvd.code == 1001
            await stopping
        assert not desk.open_links and not gateway.visitors
        with pytest.raises(OSError):
            async with knock(gateway):
                pass


@story
async def test_whoever_runs_it_hears_who_comes_and_how_much_is_said_but_not_what():
    desk, (told, say) = Desk(), lines()
    async with gateway_to(desk.kiosk("lobby-1"), say=say) as gateway:
        async with knock(gateway, origin="https://page.example") as visitor:
            await visitor.ask("lobby-1", "/secret-path", payload=b"secret payload", token=b"secret!!")
        await until(lambda: not gateway.visitors)
    assert told[0] == "visitor 1 comes from 127.0.0.1, by the page https://page.example"
    assert told[1] == "visitor 1 goes to lobby-1"
    assert re.fullmatch(r"visitor 1 leaves after \d+ s: \d+ bytes in, \d+ out", told[2])
    assert "secret" not in "".join(told)


# The front door


def fetch(port, method="GET", path="/", headers=()):
    """(status, text, headers) of a plain HTTP request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers=dict(headers))
    response = connection.getresponse()
    with contextlib.closing(connection):
        return response.status, response.read().decode(), response.headers


@story
async def test_it_serves_no_page():
    async with gateway_to(Desk().kiosk()) as gateway:
        for path in ("/", "/index.html", "/app.js", "/.well-known/core", "/.well-known/coap/", "/id"):
            status, text, headers = await asyncio.to_thread(fetch, gateway.port, path=path)
            assert status == 404 and "It serves no pages" in text, path
            assert headers["Content-Type"].startswith("text/plain") and "Server" not in headers
            assert headers["X-Content-Type-Options"] == "nosniff"
        status, text, headers = await asyncio.to_thread(fetch, gateway.port, path="/.well-known/coap")
        assert (status, headers["Upgrade"]) == (426, "websocket") and "WebSocket" in text
        for method in ("POST", "PUT", "OPTIONS", "HEAD"):
            status, _, headers = await asyncio.to_thread(fetch, gateway.port, method)
            assert 400 <= status < 500 and "Access-Control-Allow-Origin" not in headers


async def turned_away(gateway, **more):
    with pytest.raises(InvalidStatus) as caught:
        async with knock(gateway, **more):
            pass
    return caught.value.response.status_code


@story
async def test_only_the_pages_that_are_named_may_connect():
    told, say = lines()
    async with gateway_to(
        Desk().kiosk(), origins=["https://page.example", "http://localhost:8642"], say=say
    ) as gateway:
        for origin in ("https://evil.example", "http://page.example", "https://page.example:444", "null"):
            assert await turned_away(gateway, origin=origin) == 403
        twice = {"Origin": "https://page.example"}
        assert await turned_away(gateway, origin="https://evil.example", additional_headers=twice) == 403
        for origin in ("https://page.example", "HTTPS://Page.Example", "http://localhost:8642", None):
            async with knock(gateway, origin=origin) as visitor:
                assert (await visitor.ask("desk")).payload == b"yes"
    assert any("turned away (403): a page from https://evil.example" in line for line in told)


@story
async def test_without_a_list_any_page_may():
    async with gateway_to(Desk().kiosk()) as gateway, knock(gateway, origin="https://any.example") as visitor:
        assert (await visitor.ask("desk")).payload == b"yes"


@story
async def test_who_does_not_offer_coap_is_told_so():
    async with gateway_to(Desk().kiosk()) as gateway:
        for offered in (None, ["mqtt"], ["coaps"]):
            assert await turned_away(gateway, subprotocols=offered) == 400
        async with knock(gateway, subprotocols=["mqtt", "coap"]) as visitor:
            assert visitor.socket.subprotocol == "coap"


def test_a_link_that_means_nothing_is_refused_before_anything_starts():
    with pytest.raises(LocalError, match="transport-name"):
        kiosks_at({"a": "udp://"})
    shared = [
        type(each).__name__ for each in kiosks_at({"a": "ble", "b": "udp://h", "c": "/dev/x", "d": "socket://h:1"})
    ]
    assert shared == ["Kiosk", "Kiosk", "SharedKiosk", "SharedKiosk"]
