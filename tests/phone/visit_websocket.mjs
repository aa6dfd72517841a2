/** Visits through a gateway, a real one; and what one may do that lies. */

import assert from "node:assert/strict";

import { concat, unhex, utf8 } from "../../phone/protocol/bytes.js";
import { parseLink } from "../../phone/protocol/label.js";
import { meet, wantedBy } from "../../phone/visit/kiosk.js";
import { WebSocketTransport, listKiosks } from "../../phone/visit/websocket.js";
import { NodeWebSocket } from "./node_websocket.mjs";
import { about, newWallet, play, refused, until, walletWith, world } from "./visit_support.mjs";

globalThis.WebSocket = NodeWebSocket;

/** A visit through the gateway at `url` to the kiosk of the label. */
async function through(url, wallet, name = "kiosk-1") {
  return meet(new WebSocketTransport(url, name), wallet, wantedBy(await parseLink(about.label)));
}

/** A gateway that says what it is told to: the bytes of WebSocket messages. */
function liar(...messages) {
  globalThis.WebSocket = class {
    static OPEN = 1;
    readyState = 1;
    protocol = "coap";
    sent = [];
    constructor() {
      setTimeout(() => this.onopen());
    }
    send(data) {
      this.sent.push(data);
      if (this.sent.length === 2) for (const each of messages) this.onmessage({ data: each.buffer ?? each });
    }
    close() {}
  };
}

await play({
  async "a whole visit, and again in four flights"() {
    const url = await world("gateway");
    const wallet = await walletWith();
    const kiosk = await through(url, wallet);
    await kiosk.login();
    await kiosk.routines();
    assert.equal((await kiosk.invoke("open", { seconds: 1 })).state, "done");
    await kiosk.logout(); // a gateway's link may outlive ours
    await kiosk.close();
    const again = await through(url, wallet);
    assert.equal((await again.invoke("open", { seconds: 1 })).state, "done");
    assert.deepEqual([again.isNew, again.flights], [false, 4]);
  },

  async "the gateway lists its kiosks, and is believed no further"() {
    const url = await world("gateway");
    assert.deepEqual(await listKiosks(url), ["kiosk-1", "kiosk-9"]);
    // It leads to kiosk-1 under another's name.
    await refused("device-other", meet(new WebSocketTransport(url, "kiosk-9"), await walletWith(), {}), "proving");
    await refused("gateway-no-kiosk", through(url, await walletWith(), "kiosk-7"), "proving");
  },

  async "a kiosk that the gateway loses is visited again"() {
    const url = await world("gateway");
    const kiosk = await through(url, await walletWith());
    await kiosk.login();
    await world("restart");
    assert.deepEqual([...(await kiosk.routines()).keys()], ["open"]);
    await kiosk.logout();
    await kiosk.close();
  },

  async "a gateway that is not there, or has an address that is none"() {
    await refused("gateway-unreachable", through("ws://127.0.0.1:9", await newWallet()), "connecting");
    await refused("gateway-address", through("gopher://127.0.0.1", await newWallet()), "connecting");
  },

  async "a gateway that ends is a lost link"() {
    const url = await world("gateway");
    const kiosk = await through(url, await walletWith());
    const lost = [];
    kiosk.onlost = (error) => lost.push(error.reason);
    await kiosk.routines();
    await world("gateway_ends");
    await until(() => lost.length);
    assert.deepEqual(lost, ["link-dropped"]);
    await refused("gateway-unreachable", kiosk.routines());
  },

  async "what is no CoAP of a gateway's is told as its fault"() {
    const csm = unhex("00e1");
    for (const lie of ["text", unhex("f0e1"), unhex("0045"), concat(csm, [0x0f]), new Uint8Array(5000)]) {
      liar(lie);
      await refused("gateway-lied", through("ws://liar", await walletWith()), "proving");
    }
    liar(csm, concat(unhex("00e5ff"), utf8("no more")));
    const { detail } = await refused("link-dropped", through("ws://liar", await walletWith()), "proving");
    assert.equal(detail, "no more");
  },
});
