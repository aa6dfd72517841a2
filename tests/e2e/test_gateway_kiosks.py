"""Through the gateway to a kiosk under real MicroPython: by radio, over the network, on its cable."""

import asyncio
import os

import pytest

from admit import routines
from admit.client import describe
from admit.connection import Connection
from admit.gateway.limits import Limits
from admit.gateway.server import Gateway, kiosks_at
from admit.transport import open_transport
from admit.visit import visit
from admit_protocol import cbor, coap
from gateways import until
from kiosks import kiosk
from lying_gateway import LyingVisitor, Script

WAYS = ("radio", "network", "cable")


@pytest.fixture(scope="module")
def told():
    """What the gateway of this module says."""
    return []


@pytest.fixture(scope="module")
def stage(tmp_path_factory, told):
    """run(story): a coroutine function of (site, board, gateway), all of them the same for each test."""
    loop = asyncio.new_event_loop()
    place = kiosk(tmp_path_factory.mktemp("kiosk"))
    site, board, radio = loop.run_until_complete(place.__aenter__())
    before, os.environ["ADMIT_BLE"] = os.environ.get("ADMIT_BLE"), radio.name
    links = {"radio": "ble:kiosk-1", "network": f"udp://127.0.0.1:{board.udp_port}", "cable": str(board.cable)}
    gateway = Gateway(kiosks_at(links, Limits(rate=1e6, burst=10**6)), say=told.append)
    loop.run_until_complete(gateway.start("127.0.0.1", 0))

    def run(story):
        async def main():
            board._expected = board._lines  # what the kiosk is to say has not been said before
            async with asyncio.timeout(60):
                await story(site, board, gateway)

        loop.run_until_complete(main())

    yield run
    loop.run_until_complete(gateway.stop())
    loop.run_until_complete(place.__aexit__(None, None, None))
    os.environ.pop("ADMIT_BLE")
    if before is not None:
        os.environ["ADMIT_BLE"] = before
    loop.close()


def way(gateway, name):
    return open_transport(f"ws://127.0.0.1:{gateway.port}#{name}")


def visiting(site, gateway, name, user="alice"):
    return visit(way(gateway, name), site.wallet(user), "kiosk-1")


@pytest.mark.parametrize("name", WAYS)
def test_anybody_may_ask_who_it_is(stage, name):
    async def story(site, board, gateway):
        async with Connection(way(gateway, name)) as connection:
            assert (await describe(connection)).state == "commissioned"
            core = await connection.request(coap.request(coap.GET, "/.well-known/core"))
            assert b"edhoc" in core.payload

    stage(story)


@pytest.mark.parametrize("name", WAYS)
def test_a_routine_is_invoked_once_and_a_repeat_visit_takes_four_flights(stage, name):
    async def story(site, board, gateway):
        outcome = await routines.invoke(lambda: visiting(site, gateway, name), "open", {"seconds": 1})
        assert (outcome.state, outcome.result) == ("done", 1)
        await board.expect("door closed")
        async with visiting(site, gateway, name) as session:
            body = cbor.encode({1: os.urandom(8), 2: {"seconds": 1}})
            response = await session.request(coap.POST, "/r/open", body, coap.CONTENT_CBOR)
            assert cbor.decode(response.payload) == {1: 1, 2: 1}
            assert session.connection.flights == 4
        await board.expect("door closed")

    stage(story)


@pytest.mark.parametrize("name", WAYS)
def test_what_happens_at_the_kiosk_is_told_as_it_happens(stage, name):
    async def story(site, board, gateway):
        async with visiting(site, gateway, name) as session:
            watching = session.observe("/r/open")
            states = [door(await anext(watching))]
            body = cbor.encode({1: os.urandom(8), 2: {"seconds": 1}})
            await session.request(coap.POST, "/r/open", body, coap.CONTENT_CBOR)
            while states[-2:] != ["open", "closed"]:
                states.append(door(await anext(watching)))
            await watching.aclose()

    stage(story)


def door(response):
    return cbor.decode(response.payload)["outputs"]["door"]["value"]


@pytest.mark.parametrize("name", WAYS)
def test_two_visitors_at_once_are_both_let_in(stage, name):
    """On the cable their handshakes take turns: the device keeps one for each link."""

    async def story(site, board, gateway):
        async def stay(user):
            async with visiting(site, gateway, name, user) as session:
                return await asyncio.gather(*(session.request(coap.GET, "/r") for _ in range(3)))

        both = await asyncio.gather(stay("alice"), stay("admin"))
        assert [sorted(cbor.decode(each.payload)) for each in both[0]] == [["open"]] * 3

    stage(story)


@pytest.mark.parametrize("name", WAYS)
def test_when_the_kiosk_loses_power_in_the_middle_it_is_asked_again_and_does_it_once(stage, name):
    async def story(site, board, gateway):
        retries = []
        before = list(board.console).count("door open")

        async def step(session):
            if not retries:
                retries.append("cut")
                await board.restart()
                await board.expect("status ready")

        class Cut:
            """A visit whose kiosk loses its power after it has proven itself."""

            def __init__(self):
                self.visit = visiting(site, gateway, name)

            async def __aenter__(self):
                session = await self.visit.__aenter__()
                await step(session)
                return session

            async def __aexit__(self, *exc):
                return await self.visit.__aexit__(*exc)

        outcome = await routines.invoke(Cut, "open", {"seconds": 1}, lambda error: retries.append(error.reason))
        assert outcome.state == "done"
        assert len(retries) == 2 and retries[1] in ("session-lost", "gateway-link-lost", "gateway-no-answer")
        await board.expect("door closed")
        assert list(board.console).count("door open") == before + 1

    stage(story)


def test_what_a_gateway_sends_twice_or_again_happens_once(stage):
    class Again(Script):
        async def ask(self, visitor, request):
            if request.option(coap.OSCORE) is None:
                return [request]  # a second message_1 would only end the handshake of the first
            return [
                request,
                request,
                *[each for each in self.asked if each.option(coap.OSCORE) is not None][:3],
                request,
            ]

    async def story(site, board, gateway):
        script, before = Again(), list(board.console).count("door open")
        gateway.visitor_class = lambda *arguments: LyingVisitor(script, *arguments)
        try:
            for _ in range(2):
                outcome = await routines.invoke(lambda: visiting(site, gateway, "network"), "open", {"seconds": 1})
                assert outcome.state == "done"
                await board.expect("door closed")
        finally:
            del gateway.visitor_class
        assert list(board.console).count("door open") == before + 2
        seen = b"".join(script.seen)
        wallet = site.wallet("alice")
        secrets = [b"open", b"seconds", b"alice", wallet.login_key.public[:32], wallet.grants()[0].data[:40]]
        assert [secret for secret in secrets if secret in seen] == []

    stage(story)


def test_nothing_is_left_open_and_nothing_that_was_said_was_told(stage, told):
    async def story(site, board, gateway):
        await until(lambda: not gateway.visitors)
        assert not any(kiosk._links for kiosk in gateway.kiosks.values())
        assert [line for line in told if "open" in line or "alice" in line or "seconds" in line] == []
        assert [line for line in told if "goes to cable" in line]
        faults = [line for line in board.console if "Traceback" in line]
        assert faults == []

    stage(story)
