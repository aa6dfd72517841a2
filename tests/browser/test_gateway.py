"""Chromium's own WebSocket, and the page itself, through a real gateway to a kiosk under real MicroPython; and through
one that lies.
"""

import contextlib
import json

import pytest

from admit.coap_ws import decode_message, encode_message
from admit.gateway.server import Gateway, kiosks_at
from admit.phone_server import PhoneServer
from admit_protocol import coap
from browser.person import Person, label
from lying_gateway import LyingVisitor, Script

_VISIT = """(async () => {
  const { meet, wantedBy } = await import("/visit/kiosk.js");
  const { WebSocketTransport, listKiosks } = await import("/visit/websocket.js");
  const { openWallet } = await import("/store/wallet.js");
  const { parseLink } = await import("/protocol/label.js");
  const url = %s;
  const wallet = await openWallet();
  const near = await listKiosks(url);
  const kiosk = await meet(new WebSocketTransport(url, near[0]), wallet, wantedBy(await parseLink(%s)));
  const routines = [...(await kiosk.routines()).keys()];
  const outcome = await kiosk.invoke("open", { seconds: 1 });
  await kiosk.close();
  return { near, id: kiosk.deviceId, routines, state: outcome.state };
})()"""
_KNOCK = """new Promise((resolve) => {
  const socket = new WebSocket(%s + "/.well-known/coap", "coap");
  socket.onopen = () => (socket.close(), resolve("open"));
  socket.onerror = () => resolve("refused");
})"""


async def test_the_page_visits_a_kiosk_through_the_gateway_that_it_was_given_and_no_other(browser, place):
    links = {"kiosk-1": f"udp://127.0.0.1:{place.board.udp_port}"}
    told = []
    async with Gateway(kiosks_at(links), say=told.append) as gateway, Gateway(kiosks_at(links)) as other:
        url, elsewhere = (f"ws://localhost:{each.port}" for each in (gateway, other))
        server = PhoneServer(0, url)
        gateway.origins.add(server.address.removesuffix("/"))
        with browser.serving(server):
            async with browser.phone() as phone:
                alice = Person(phone)
                await alice.is_let_in(place, "/r/open", met=False)
                done = await phone.run(_VISIT % (json.dumps(url), json.dumps(label(place))))
                assert done["near"] == ["kiosk-1"] and done["id"] == "kiosk-1"
                assert (done["routines"], done["state"]) == (["open"], "done")
                await place.board.expect("door closed")
                assert any("by the page http://localhost:" in line for line in told)
                assert [line for line in told if "alice" in line or "open" in line] == []
                gateway.origins.clear()
                gateway.origins.add("https://page.example")
                assert await phone.run(_KNOCK % json.dumps(url)) == "refused"
                assert any("turned away (403)" in line for line in told)
                assert not other.visitors
                # The page's policy names one gateway, and no script of it reaches another.
                assert await phone.run(_KNOCK % json.dumps(elsewhere)) == "refused"
                phone.troubles[:] = [
                    each for each in phone.troubles if "Security Policy" not in each and "403" not in each
                ]


class Altering(Script):
    """While it `lies`, it changes a bit of each answer."""

    lies = False

    async def tell(self, visitor, data):
        message = decode_message(data)
        is_answer = self.lies and 0 < message.code >> 5 < 7
        return [encode_message(self.altered(message))] if is_answer else [data]

    def altered(self, message):
        message.payload = message.payload[:-1] + bytes([message.payload[-1] ^ 1])
        return message


class Repeating(Altering):
    """It says again what it said first, to whatever is asked."""

    first = None

    async def tell(self, visitor, data):
        message = decode_message(data)
        if not self.first and 0 < message.code >> 5 < 7 and message.option(coap.OSCORE) is not None:
            self.first = message
        return await super().tell(visitor, data)

    def altered(self, message):
        first = self.first.copy()
        first.token = message.token
        return first


class Babbling(Altering):
    """What it says is no message."""

    async def tell(self, visitor, data):
        return [b"\xf0\xe1"] if self.lies else [data]


class Hoarding(Script):
    """It keeps answers until there are so many as in `order`, and gives them then in that; with `exchange`, each under
    the token of the one in whose place it comes.
    """

    def __init__(self):
        super().__init__()
        self.order, self.exchange, self._kept = [], False, []

    async def tell(self, visitor, data):
        message = decode_message(data)
        if not self.order or not 0 < message.code >> 5 < 7:
            return [data]
        self._kept.append(message)
        if len(self._kept) < len(self.order):
            return []
        kept, self._kept = self._kept, []
        tokens = [each.token for each in kept]
        answers = [kept[number] for number in self.order]
        for each, token in zip(answers, tokens, strict=True):
            each.token = token if self.exchange else each.token
        return [encode_message(each) for each in answers]


@contextlib.asynccontextmanager
async def by_gateway(browser, place, script):
    """Somebody whose browser has no Bluetooth, on the first page; what passes is done to by `script`."""
    gateway = Gateway(kiosks_at({"kiosk-1": f"udp://127.0.0.1:{place.board.udp_port}"}))
    gateway.visitor_class = lambda *arguments: LyingVisitor(script, *arguments)
    async with gateway:
        url = f"ws://localhost:{gateway.port}"
        with browser.serving(PhoneServer(0, url)):
            async with browser.phone() as phone:
                await phone.context.add_init_script("delete Navigator.prototype.bluetooth;")
                alice = Person(phone)
                await alice.is_let_in(place, "/r/count")
                yield alice, url


@pytest.mark.parametrize(
    ("lie", "told"),
    [(Altering, "e-altered"), (Repeating, "e-altered"), (Babbling, "e-gateway-unreachable")],
)
async def test_a_gateway_that_lies_is_found_out_and_gets_nothing_done(browser, place, lie, told):
    script = lie()
    async with by_gateway(browser, place, script) as (alice, _):
        await alice.connects()
        await alice.does("Count")
        before, script.lies = place.counted, True
        await alice.runs("Count")
        await alice.reads(told)
        script.lies = False
        await alice.presses("try-again")
        await alice.reads("run-done")
        await alice.reads("result", value=before + 1)


_AT_ONCE = """(async () => {
  const { meet } = await import("/visit/kiosk.js");
  const { WebSocketTransport } = await import("/visit/websocket.js");
  const { openWallet } = await import("/store/wallet.js");
  const kiosk = window.kiosk ??= await meet(new WebSocketTransport(%s, "kiosk-1"), await openWallet());
  if (%s) return void (await kiosk.routines());
  const asked = [kiosk.routines(), kiosk.routine("count"), kiosk.approvals()];
  const [all, one, none] = await Promise.allSettled(asked);
  const reasons = [all, one, none].map((each) => each.reason?.isAltered ?? each.status);
  return { reasons, names: [...(all.value?.keys() ?? [])], outputs: one.value?.outputs.size, waiting: none.value };
})()"""


async def test_a_gateway_that_changes_the_order_of_answers(browser, place):
    """Each belongs to what it is an answer to, whenever it comes; under another's name it is worth nothing."""
    script = Hoarding()
    async with by_gateway(browser, place, script) as (alice, url):
        await alice.phone.run(_AT_ONCE % (json.dumps(url), "true"))
        script.order = [2, 0, 1]
        told = await alice.phone.run(_AT_ONCE % (json.dumps(url), "false"))
        assert told == {"reasons": ["fulfilled"] * 3, "names": ["count"], "outputs": 1, "waiting": []}
        script.exchange = True
        told = await alice.phone.run(_AT_ONCE % (json.dumps(url), "false"))
        assert told == {"reasons": [True] * 3, "names": []}
