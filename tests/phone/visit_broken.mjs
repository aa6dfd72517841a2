/** What goes wrong on the way: links that break at each message; values cut, repeated or forged; power cuts. */

import assert from "node:assert/strict";

import { concat, equal, random, unhex } from "../../phone/protocol/bytes.js";
import { Message, encodeBody, request } from "../../phone/protocol/coap.js";
import { decodeValue } from "../../phone/protocol/gatt.js";
import { Connection } from "../../phone/visit/connection.js";
import { TcpTransport, about, newWallet, play, refused, until, visit, walletWith, world } from "./visit_support.mjs";

const TICK = [["/r/tick", 3, {}]];
const LOST = ["link-dropped", "request-unanswered"];

/** A GATT value of somebody who lies. */
function encodeValue(bits, { code, token, options, payload }) {
  return concat([bits | token.length, code], token, encodeBody(options, payload));
}

/** A whole visit, begun again by hand where it breaks before the kiosk is proven. `ticks`: what the kiosk counted. */
async function story(wallet, fault = () => null) {
  const count = { sent: 0, heard: 0 };
  const counted = (way, _, value) => (value.length > 1 ? fault(way, ++count[way], value) : null);
  let kiosk;
  for (let left = 3; !kiosk; left--) {
    try {
      kiosk = await visit(wallet, { fault: counted });
    } catch (error) {
      assert(left && LOST.includes(error.reason) && error.stage === "proving", error.stack);
    }
  }
  await kiosk.login();
  await kiosk.routines();
  const outcome = await kiosk.invoke("tick");
  assert.equal(outcome.state, "done");
  assert.equal(kiosk.isLoggedIn, true);
  assert.deepEqual(await kiosk.invoke("tick", {}, outcome.id), outcome);
  await kiosk.close();
  return { ...count, ticks: outcome.result };
}

/** The story again and again, with a fault at each message, each way, of a visit as it is without one. */
async function atEach(wallets, fault) {
  const clean = await story(await wallets());
  let { ticks } = clean;
  for (const way of ["sent", "heard"]) {
    for (let number = 1; number <= clean[way]; number++) {
      const here = (went, at, value) => (went === way && at === number ? fault(value) : null);
      const told = await story(await wallets(), here);
      assert.equal(told.ticks, (ticks += 1), `${way} ${number}: not done once`);
    }
  }
}

/** A wallet that has been there. */
async function known(rules = TICK) {
  const wallet = await walletWith(rules);
  const kiosk = await visit(wallet);
  await kiosk.routines();
  await kiosk.close();
  return wallet;
}

await play({
  async "the link is lost at each message of a first visit"() {
    await atEach(() => walletWith(TICK), () => "cut");
  },

  async "the link is lost at each message of a repeat visit"() {
    const wallet = await known();
    await atEach(async () => wallet, () => "cut");
  },

  async "junk, oversized and repeated values before each message change nothing"() {
    const wallet = await known();
    let last = new Uint8Array(1);
    const junk = (value) => {
      const before = last;
      last = value;
      const { bits, message } = decodeValue(value);
      const other = new Message(message.code, random(4), message.options, message.payload);
      const oversized = random(600).fill(0xff, 0, 1);
      const cut = [value.slice(0, 3), Uint8Array.of(0x0f), before.slice(0, -1)];
      return [new Uint8Array(), oversized, ...cut, value, value, encodeValue(bits, other)];
    };
    await story(wallet, (way, _, value) => (way === "heard" ? junk(value) : null));
    assert.equal((await story(wallet)).heard, 5);
  },

  async "each message that is cut short or changed ends in an error, and nothing is done twice"() {
    const shortened = (value) => value.slice(0, -1);
    const changed = (value) => value.map((byte, at) => (at === value.length >> 1 ? byte ^ 1 : byte));
    // The second is the end of `GET /id`: an anchor, which a wallet with one does not look at.
    const cases = [...[1, 2, 3, 4].map((at) => [shortened, at]), ...[1, 3, 4].map((at) => [changed, at])];
    for (const [spoil, number] of cases) {
      const { ticks } = await story(await known());
      const wallet = await walletWith(TICK);
      const id = random(8);
      let [heard, found] = [0, null];
      const isDue = (way, value) => way === "heard" && value.length > 1 && ++heard === number;
      const fault = (way, _, value) => (isDue(way, value) ? [spoil(value)] : null);
      try {
        found = await visit(wallet, { fault });
        await found.invoke("tick", {}, id);
        assert.fail("it went unseen");
      } catch (error) {
        assert.match(error.reason ?? error.stack, /^(ccm-tag|edhoc-|cbor-|coap-|cose-|block-|request-|oscore-|p256)/);
        assert.equal(error.isAltered ?? false, number === 4); // after message_2 it is no impostor's
      }
      const outcome = await (found ?? (await visit(wallet))).invoke("tick", {}, id);
      assert.deepEqual([outcome.state, outcome.result], ["done", ticks + 1]);
    }
  },

  async "a value that is swallowed is noticed, and the link taken for lost"() {
    let sent = 0;
    const fault = (way, _, value) => (way === "sent" && value.length > 1 && ++sent === 2 ? [] : null);
    const kiosk = await visit(await known(), { fault });
    assert.equal((await kiosk.invoke("tick")).state, "done");
    assert.equal(kiosk.transport.opened, 2);
  },

  async "who never answers is waited for, but not for ever"() {
    const transport = new TcpTransport({ fault: (way, _, value) => (way === "heard" && value.length > 1 ? [] : null) });
    const connection = new Connection(transport);
    await connection.open();
    await refused("request-timeout", connection.exchange(request(1, "/id"), 50));
    transport.drop();
    await refused("link-dropped", connection.exchange(request(1, "/id")));
    await connection.close();
  },

  async "a forged word that the grant is unknown is believed once"() {
    const wallet = await known();
    let forged = 0;
    const fault = (way, _, value) => {
      if (way !== "heard" || value.length === 1) return null;
      const { bits, message } = decodeValue(value);
      const isProtected = message.options.some(([number]) => number === 9);
      if (message.code === 0x44 && message.payload.length > 60 && !isProtected) return null; // message_2
      forged += 1;
      return [encodeValue(bits, new Message(0x80, message.token, [[12, 64]], unhex("03f5")))];
    };
    const kiosk = await visit(wallet, { fault });
    await refused("edhoc-unknown-credential", kiosk.invoke("tick"));
    assert.equal(forged, 2);
  },

  async "an unprotected refusal is no more than that"() {
    const wallet = await known();
    const fault = (way, number, value) => {
      if (way !== "heard" || value.length === 1) return null;
      const { bits, message } = decodeValue(value);
      const isAnswer = message.options.some(([option]) => option === 9);
      const lie = new Message(0x83, message.token, [[12, 257]], unhex("a1206d6772616e742d7265766f6b6564"));
      return isAnswer ? [encodeValue(bits, lie)] : null;
    };
    const kiosk = await visit(wallet, { fault });
    const error = await refused("device-refused", kiosk.invoke("tick"));
    assert.equal(error.kind, "Refused");
    assert.equal((await wallet.grants())[0].state, "valid");
  },

  async "the kiosk loses its power between two requests"() {
    const kiosk = await visit(await walletWith());
    const heard = [];
    kiosk.onlost = (error) => heard.push(error.reason);
    await kiosk.login();
    await world("restart");
    await until(() => heard.length);
    assert.deepEqual([...(await kiosk.routines()).keys()], ["open"]);
    assert.deepEqual([heard, kiosk.isLoggedIn], [["link-dropped"], false]);
  },

  async "the kiosk loses its power while a routine runs"() {
    const wallet = await walletWith([["/r/dawdle", 3, {}]]);
    const kiosk = await visit(wallet);
    await kiosk.login();
    const [id, before] = [random(8), kiosk.transport.values.length];
    const lost = refused("connect-failed", kiosk.invoke("dawdle", { seconds: 9 }, id));
    await until(() => kiosk.transport.values.length > before + 1); // sent, and acknowledged
    kiosk.transport.port = 1; // where nobody is
    await world("restart");
    await lost;
    // The page was loaded anew: the wallet knows what was under way.
    const again = await visit(wallet);
    assert.deepEqual([again.unfinished.name, again.unfinished.args.get("seconds")], ["dawdle", 9]);
    assert(equal(again.unfinished.id, id));
    assert.equal((await again.invoke("dawdle", again.unfinished.args, id)).state, "interrupted");
    assert.equal((await wallet.device(about.siteId, "kiosk-1")).pending, null);
  },

  async "a routine that runs on is asked about until it has ended"() {
    const kiosk = await visit(await walletWith([["/r/dawdle", 3, {}]]));
    await kiosk.login();
    const [id, before] = [random(8), kiosk.transport.values.length];
    const first = kiosk.invoke("dawdle", { seconds: 2 }, id);
    await until(() => kiosk.transport.values.length > before + 1); // sent, and acknowledged
    kiosk.transport.drop();
    let waits = 0;
    const second = kiosk.invoke("dawdle", { seconds: 2 }, id, () => (waits += 1));
    assert.deepEqual([(await first).result, (await second).result], [2, 2]);
    assert(waits > 0);
  },

  async "whoever has left is gone: nothing that was asked brings the link back"() {
    const kiosk = await visit(await walletWith());
    await kiosk.login();
    const asked = [kiosk.routines(), kiosk.invoke("open"), kiosk.login()].map((each) => refused("link-dropped", each));
    await kiosk.close();
    await Promise.all(asked);
    await refused("link-dropped", kiosk.routines());
    await kiosk.keepWitness();
    assert.deepEqual([kiosk.transport.opened, kiosk.isLoggedIn], [1, false]);
    // Neither does a way back that has begun.
    await kiosk.again();
    kiosk.transport.drop();
    const late = refused("link-dropped", kiosk.routines());
    await kiosk.close();
    await late;
    assert.equal(kiosk.transport.socket, null);
    await kiosk.again();
    assert.equal((await kiosk.invoke("open", { seconds: 1 })).state, "done");
  },

  async "whoever has walked away hears of it once"() {
    const kiosk = await visit(await walletWith());
    const heard = [];
    kiosk.onlost = (error) => heard.push(error.reason);
    kiosk.transport.drop();
    assert.deepEqual(heard, []); // nothing was asked yet: nobody need know
    await kiosk.login();
    kiosk.transport.drop();
    assert.deepEqual([heard, kiosk.isLoggedIn], [["link-dropped"], false]);
    await kiosk.close();
    assert.equal(heard.length, 1);
  },

  async "the smallest MTU that is allowed carries a whole visit"() {
    await world("set_mtu", 128);
    try {
      const wallet = await walletWith(TICK);
      await story(wallet);
      assert.equal((await wallet.device(about.siteId, "kiosk-1")).maxPayload, 125);
      assert((await (await visit(await newWallet())).askToPair("Zoë")).code.length === 6);
    } finally {
      await world("set_mtu", 515);
    }
  },
});
