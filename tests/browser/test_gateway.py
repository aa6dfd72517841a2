"""Chromium's own WebSocket, and the page's own modules, through a real gateway to a kiosk under real MicroPython."""

import json

from admit.gateway.server import Gateway, kiosks_at
from admit.phone_server import PhoneServer
from browser.harness import Browser
from browser.person import Person, label

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


async def test_the_page_visits_a_kiosk_through_the_gateway_that_it_was_given_and_no_other(place, tmp_path):
    links = {"kiosk-1": f"udp://127.0.0.1:{place.board.udp_port}"}
    told = []
    async with Gateway(kiosks_at(links), say=told.append) as gateway, Gateway(kiosks_at(links)) as other:
        url, elsewhere = (f"ws://localhost:{each.port}" for each in (gateway, other))
        server = PhoneServer(0, url)
        gateway.origins.add(server.address.removesuffix("/"))
        async with Browser(tmp_path, server) as browser, browser.phone() as phone:
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
            phone.troubles[:] = [each for each in phone.troubles if "Security Policy" not in each and "403" not in each]
