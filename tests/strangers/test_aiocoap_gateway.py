"""aiocoap as a client over coap+ws: through the gateway to kiosks under MicroPython, on the network and on the cable.

Its WebSockets (RFC 8323) are not ours, nor are its OSCORE and EDHOC: what the gateway forwards is what both ends mean.
The kiosk's name goes into Uri-Host, as for virtual hosts (RFC 7252 section 5.10.1).
"""

import asyncio
import contextlib

import aiocoap
import aiocoap.error
import aiocoap.oscore
import cbor2
import pytest
from aiocoap.edhoc import EdhocInitiatorContext
from aiocoap.util import linkformat

from admit.coap_ws import PATH
from admit.gateway.limits import Limits
from admit.gateway.server import Gateway, kiosks_at
from aiocoap_peers import IDENTITY, USER_CCS, encoded, introduces_itself
from lying_gateway import LyingVisitor, Script
from wired_kiosk import wired_kiosk

LIMIT_S = 60


class Stage:
    """A kiosk, the gateway before it, and aiocoap before that."""

    def __init__(self, kiosk, gateway, client, script):
        self.kiosk, self.gateway, self.client, self.script = kiosk, gateway, client, script
        self.uri = f"coap+ws://127.0.0.1:{gateway.port}"

    def request(self, method, path, host=None, **more):
        """A request to the gateway, or to the kiosk `host` behind it."""
        message = aiocoap.Message(code=method, uri=self.uri + path, **more)
        if host:
            message.opt.uri_host = host
        return message

    async def ask(self, *arguments, **more):
        """The response to it."""
        return await self.client.request(self.request(*arguments, **more)).response

    def introduces_itself(self, host):
        """From now on the client runs EDHOC before it asks that kiosk for /r."""
        introduces_itself(self.client, f"coap+ws://{host}:{self.gateway.port}/r/*")


def run(story, folder):
    """Run `story(stage)`."""

    async def main():
        script = Script()
        async with asyncio.timeout(LIMIT_S), wired_kiosk(folder, IDENTITY) as kiosk, aiocoap_client() as client:
            links = {"lobby-1": f"udp://127.0.0.1:{kiosk.board.udp_port}", "desk": str(kiosk.board.cable)}
            gateway = Gateway(kiosks_at(links, Limits()))
            gateway.visitor_class = lambda *arguments: LyingVisitor(script, *arguments)
            async with gateway:
                await story(Stage(kiosk, gateway, client, script))

    asyncio.run(main())


@contextlib.asynccontextmanager
async def aiocoap_client():
    client = await aiocoap.Context.create_client_context(transports=["oscore", "ws"])
    try:
        yield client
    finally:
        await client.shutdown()


def door(response):
    return cbor2.loads(response.payload)["outputs"]["door"]["value"]


def test_discovery_of_the_gateway_and_of_the_kiosks_behind_it(tmp_path):
    async def story(stage):
        core = "/.well-known/core"
        own = await stage.ask(aiocoap.GET, core)
        links = {link.href: link for link in linkformat.parse(own.payload.decode()).links}
        assert links.keys() == {"coap://lobby-1/", "coap://desk/"}
        assert links["coap://desk/"].rt == ["admit.kiosk"]
        for host in ("lobby-1", "desk"):
            listed = await stage.ask(aiocoap.GET, core, host)
            assert {"/.well-known/edhoc", "/id"} <= {
                link.href for link in linkformat.parse(listed.payload.decode()).links
            }
            said = await stage.ask(aiocoap.GET, "/id", host)
            assert cbor2.loads(said.payload)[1] == "commissioned"
            small = await stage.ask(aiocoap.GET, core, host, block2=(0, False, 2))
            assert small.payload == listed.payload
        for host in (None, "nobody"):
            lost = await stage.ask(aiocoap.GET, "/id", host)
            assert (lost.code, cbor2.loads(lost.payload)[-1]) == (aiocoap.NOT_FOUND, "gateway-no-kiosk")
        assert PATH == "/.well-known/coap"

    run(story, tmp_path)


@pytest.mark.parametrize("host", ["lobby-1", "desk"])
def test_aiocoap_runs_edhoc_opens_the_door_and_watches_it_and_the_gateway_reads_none_of_it(tmp_path, host):
    async def story(stage):
        stage.introduces_itself(host)
        watching = stage.client.request(stage.request(aiocoap.GET, "/r/open", host, observe=0))
        first = await watching.response
        assert isinstance(first.remote.security_context, EdhocInitiatorContext)
        changes = aiter(watching.observation)
        opening = stage.request(aiocoap.POST, "/r/open", host, payload=cbor2.dumps({1: b"12345678", 2: {"seconds": 1}}))
        opening.remote = first.remote
        opened = await stage.client.request(opening).response
        assert (opened.code, cbor2.loads(opened.payload)) == (aiocoap.CHANGED, {1: 1, 2: 1})
        assert [door(first), door(await anext(changes)), door(await anext(changes))] == ["closed", "open", "closed"]
        seen = b"".join(each for each in stage.script.seen)
        assert [word for word in (b"open", b"seconds", b"closed", b"user", encoded(USER_CCS)) if word in seen] == []
        assert stage.kiosk.count("door open") == 1

    run(story, tmp_path)


def test_what_aiocoap_sends_too_much_of_is_refused_by_name(tmp_path):
    async def story(stage):
        told = await stage.ask(aiocoap.POST, "/id", "desk", payload=bytes(900))
        assert (told.code, cbor2.loads(told.payload)[-1]) == (aiocoap.REQUEST_ENTITY_TOO_LARGE, "gateway-too-large")

    run(story, tmp_path)
