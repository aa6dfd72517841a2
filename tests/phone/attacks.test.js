/** What others say and what is shown of it: a kiosk, a link, whoever asks for consent; and how much one passes on. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as block from "../../phone/protocol/block.js";
import { BLOCK2, CONTENT, GET, Message } from "../../phone/protocol/coap.js";
import { decodeMessage, encodeMessage } from "../../phone/protocol/coap_ws.js";
import * as delegation from "../../phone/protocol/delegation.js";
import { listKiosks } from "../../phone/visit/websocket.js";
import { ascii, filled, vectors } from "./support.js";

// As much of a browser as the views need: elements that remember what was put into them.

globalThis.Node = class Node {};

class Element extends Node {
  children = [];
  attributes = {};
  handlers = {};

  constructor(tag) {
    super();
    this.tag = tag;
  }

  append(child) {
    this.children.push(child);
  }

  setAttribute(name, value) {
    this.attributes[name] = value;
  }

  addEventListener(name, handler) {
    this.handlers[name] = handler;
  }

  get textContent() {
    return this.children.map((child) => child.textContent ?? child).join("");
  }

  /** All elements of a kind within. */
  all(tag) {
    return this.children.flatMap((child) => (child instanceof Element ? [...(child.tag === tag ? [child] : []), ...child.all(tag)] : []));
  }
}

const read = (name) => JSON.parse(readFileSync(new URL(`../../phone/strings/${name}.json`, import.meta.url), "utf8"));
const STRINGS = { ...read("en"), ...read("en-more") };
globalThis.document = { createElement: (tag) => new Element(tag), createElementNS: (_, tag) => new Element(tag), documentElement: {} };
Object.defineProperty(globalThis, "navigator", { value: { languages: ["en"] }, configurable: true });
globalThis.history = { state: null, pushState() {}, replaceState() {}, back() {} };
globalThis.location = { hash: "", pathname: "/", search: "" };
globalThis.fetch = async () => ({ json: async () => STRINGS });

const { speak } = await import("../../phone/views/i18n.js");
const { go, state } = await import("../../phone/acts/state.js");
const { narrowed, narrowing, share } = await import("../../phone/views/cards.js");
const { approvals } = await import("../../phone/views/others.js");
const { routine, run } = await import("../../phone/views/run.js");
const { sentence } = await import("../../phone/views/explain.js");
const { h } = await import("../../phone/views/dom.js");
const { title } = await import("../../phone/views/parts.js");
const { visit } = await import("../../phone/views/visit.js");
const { link } = await import("../../phone/views/scan.js");
const { takeAddress } = await import("../../phone/acts/wallet.js");
const { removeSite } = await import("../../phone/acts/papers.js");
const { askWhy } = await import("../../phone/acts/others.js");
const { explain } = await import("../../phone/visit/more.js");
const { qr } = await import("../../phone/views/qr.js");
const { keyLink, parseLink } = await import("../../phone/protocol/label.js");
const p256 = await import("../../phone/protocol/p256.js");
await speak("en");

/** One element around whatever a view gives. */
const shown = (view) => h("main", null, view);
/** The button with this text. */
const button = (view, key) => shown(view).all("button").find((each) => each.textContent === STRINGS[key]);
const texts = (view) => shown(view).textContent;

const RULES = ["/r/open", "/r/light"].map((pattern) => ({ pattern, methods: 2, conditions: new Map() }));

/** A card in the wallet, and the page on which it is shared. */
function sharing({ audience = ["door-1", "door-2"], rules = RULES, devices = [] } = {}) {
  const grant = { id: filled(8, 1), rules, audience, delegate: 1, expires: null, notBefore: null, chain: [], subject: "alice" };
  const site = { id: "5".repeat(32), name: "Site", person: "alice", devices, held: [{ grant, chain: [], state: "valid" }] };
  const link = { kind: "key", name: "bob", login: filled(64, 2), sign: filled(64, 3) };
  const args = { site: site.id, grant: "01".repeat(8) };
  Object.assign(state, { sites: [site], link, args, draft: {}, visit: null, view: "share" });
  shown(share());
  return [site, site.held[0]];
}

// A gateway

/** A gateway of its own kind: `list` is what it says of its kiosks. */
const lying = (list) => class {
  static OPEN = 1;
  readyState = 1;
  protocol = "coap";

  constructor() {
    queueMicrotask(() => (this.onopen(), this.tell(new Message(0xe1))));
  }

  send(data) {
    const { code, token, ...asked } = decodeMessage(data);
    if (code !== GET) return;
    const { number } = block.parse(asked.options.find(([option]) => option === BLOCK2)?.[1] ?? new Uint8Array([6]));
    const part = list.slice(number * 1024, (number + 1) * 1024);
    this.tell(new Message(CONTENT, token, [[BLOCK2, block.encode(number, (number + 1) * 1024 < list.length, 6)]], part));
  }

  tell(message) {
    queueMicrotask(() => this.onmessage?.({ data: encodeMessage(message).buffer }));
  }

  close() {}
};

test("a gateway's list of any length is read at once", async () => {
  const whole = '<coap://a%20b/>;rt="admit.kiosk",<coap://c/>;title="x";rt="admit.kiosk",<coap://d/>;rt="other"';
  globalThis.WebSocket = lying(ascii(whole));
  assert.deepEqual(await listKiosks("ws://localhost"), ["a b", "c"]);
  const list = ascii("<coap://a/>;".repeat(30000));
  globalThis.WebSocket = lying(list);
  const began = performance.now();
  assert.deepEqual(await listKiosks("ws://localhost"), []);
  assert(performance.now() - began < 10000, "it took most of a minute"); // nearly all of it is the transfer
});

// Passing on

test("who shares at no kiosk shares nothing, and not everything", () => {
  const [site, held] = sharing();
  assert.deepEqual(narrowed(site, held).audience, ["door-1", "door-2"]);
  for (const name of Object.keys(state.draft).filter((each) => each.startsWith("on-"))) state.draft[name] = false;
  assert.deepEqual(narrowed(site, held).audience, []);
  assert.equal(button(share(), "make").disabled, true);
});

test("all kiosks at once are named as that, and are not shared unasked", () => {
  const [site, held] = sharing({ audience: ["*"], devices: [{ deviceId: "door-1", routines: null }, { deviceId: "door-2", routines: null }] });
  assert.deepEqual(narrowed(site, held).audience, ["door-1", "door-2"]);
  assert(texts(narrowing(site, held)).includes(STRINGS.everywhere));
});

test("what is switched off stays off, whatever else another tab adds to the page meanwhile", () => {
  const [site, held] = sharing();
  const off = Object.keys(state.draft).find((each) => each.startsWith("rule-"));
  state.draft[off] = false;
  const before = narrowed(site, held).rules.map((each) => each.pattern);
  held.grant.rules = [{ ...RULES[0], pattern: "/r/alarm" }, ...RULES];
  shown(narrowing(site, held));
  assert.deepEqual(narrowed(site, held).rules.map((each) => each.pattern).filter((each) => each !== "/r/alarm"), before);
});

test("a wish for no kiosk is not signed", async () => {
  const sign = await p256.generate("ECDSA");
  const parent = { siteId: filled(16), kid: filled(8), audience: ["*"], rules: RULES, expires: null, notBefore: null, selectors: [], delegate: 1, sigKey: sign.public, chain: [], enrol: 0, parent: null };
  const login = (await p256.generate("ECDH")).public;
  await assert.rejects(delegation.share([parent], { name: "bob", login, audience: [] }, sign, 1), { reason: "cwt-claims" });
});

// Consent

/** What is seen of a request before one consents. */
function asked(path, args, method = 2) {
  const item = { id: filled(8), who: "mallory", method, path, args: args && new Map(Object.entries(args)), needed: 1, got: 0, expiresS: 60, key: filled(8, 9), isOwn: false };
  state.visit = { waiting: [item] };
  const [card] = shown(approvals()).all("li");
  const parts = [...card.all("h2"), ...card.all("p"), ...card.all("dt"), ...card.all("dd")];
  return JSON.stringify(parts.map((each) => each.textContent));
}

test("no two requests for consent look the same", () => {
  const all = [
    ["/r/take", { grams: 500 }], ["/r/take", { grams: "500" }], ["/r/take", { grams: true }], ["/r/take", { grams: "yes" }],
    ["/r/take", { grams: null }], ["/r/take", { grams: "" }], ["/r/take", null], ["/r/take, Grams: 500", null],
    ["/r/take", { grams: filled(2, 1) }], ["/r/take", { grams: filled(2, 2) }], ["/r/take", { grams: [1, 2] }], ["/r/take", { grams: ["1, 2"] }],
    ["/r/take", { note: "a, Grams: 1", grams: 500 }], ["/r/take", { note: "a", grams: 500 }],
    ["/r/take", { note: "a\u202e" }], ["/r/take", { note: "a\u202d" }],
    ["/r/open-door", null], ["/r/open_door", null], ["/r/open door", null], ["/r/Open_door", null], ["/r/take", { grams: 500 }, 1], ["/journal", null], ["/journal", null, 1],
  ].map(([path, args, method]) => [asked(path, args, method), `${path} ${JSON.stringify(args)} ${method}`]);
  for (const [at, [seen, which]] of all.entries()) {
    assert.deepEqual(all.filter(([other], i) => i !== at && other === seen).map(([, other]) => other), [], which);
  }
});

test("to ask why something is not offered asks nobody for their consent", async () => {
  const asked = [];
  const session = { request: async (...request) => (asked.push(request), Promise.reject({ reason: answers.shift() })) };
  const answers = ["rule-outside-window", "approval-needless", "rule-argument"];
  const kiosk = { explain: (name) => explain(kiosk, name), within: (work) => work(session), routines: async () => new Map([["open", {}]]) };
  const told = async (name) => (Object.assign(state, { busy: false, visit: { kiosk } }), await askWhy(name), state.visit.why);
  assert.deepEqual(await told("light"), { name: "light", error: { reason: "rule-outside-window" } });
  assert.equal(state.visit.routines, undefined);
  for (const name of ["open", "door"]) assert.deepEqual(await told(name), { name, error: null }); // by now they are offered
  assert.deepEqual([...state.visit.routines.keys()], ["open"]);
  const why = (name) => [GET, "/approvals", new Uint8Array(0), `why=${name}`];
  assert.deepEqual(asked, [why("light"), why("open"), why("door")]); // and a GET asks nobody for anything
});

test("a kiosk that is to change hands is a warning in words, and nothing is in its way", () => {
  const grants = [];
  const kiosk = { deviceId: "door-1", site: { id: "5", name: "Site" }, grants, why: () => ({}), hasGrant: false, takeover: null };
  const said = (seconds) => {
    Object.assign(kiosk, { takeover: seconds === null ? null : { seconds } });
    Object.assign(state, { sites: [], draft: {}, visit: { state: "kiosk", kiosk, routines: new Map(), access: null, before: [] } });
    return texts(visit());
  };
  const warning = (time) => `This kiosk is to change hands in ${time}. If nobody told you, tell an admin.`;
  for (const [seconds, time] of [[3 * 86400 + 7200, "3 days"], [2 * 86400, "2 days"], [2 * 86400 - 1, "47 hours"], [3600, "1 hour"], [0, "1 hour"]]) {
    assert(said(seconds).includes(warning(time)), said(seconds));
  }
  assert(!said(null).includes("change hands"));
  assert(said(0).includes(STRINGS.leave));
});

// What others say

test("what others say does not turn the text around it, and has no control characters", () => {
  const name = "\u202etsil\u202c \u2066x\u2069 a\u0000b\u001b[31m\u2028c";
  const element = h("p", { "aria-label": name }, name);
  for (const text of [element.textContent, element.attributes["aria-label"]]) {
    assert.doesNotMatch(text, /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
  }
  assert.equal(h("p", null, "שלום 🦉 e\u0301").textContent, "שלום 🦉 e\u0301");
});

test("whatever a kiosk's names and results are, the page is drawn", () => {
  for (const name of ["", " ", "_", "-", "__proto__", 5, null, true]) assert.equal(typeof title(name), "string");
  const signature = { description: "", required: [], outputs: new Map(), properties: new Map([["", { type: "string", enum: [""] }], ["n", { type: "integer" }], ["b", { type: "boolean" }]]) };
  Object.assign(state, { args: { name: "" }, draft: {}, visit: { routines: new Map([["", signature]]), kiosk: null } });
  shown(routine());
  for (const result of [new Map([[1, 2], [filled(2), "x"]]), [[]], new Map(), 2n ** 60n]) {
    state.visit = { run: { name: "", args: new Map([["", null]]), state: "done", result }, kiosk: null };
    shown(run());
  }
  for (const reason of ["constructor", "__proto__", "toString", "", undefined]) assert.equal(typeof texts(sentence({ reason })), "string");
  assert.doesNotMatch(texts(sentence({ reason: "constructor", kind: "Denied" })), /native code/);
});

test("a code from elsewhere is not offered for the kiosk's", () => {
  const own = { name: "open", args: new Map(), state: "code", digits: 6, wrong: 0, result: null };
  Object.assign(state, { draft: {}, visit: { run: own, kiosk: { deviceId: "door-1", site: { name: "Site" } } } });
  const [input] = shown(run()).all("input");
  assert.equal(input.attributes.autocomplete, "off");
});

test("a number is sent as it was typed, or not at all", async () => {
  const sent = [];
  const kiosk = { deviceId: "door-1", site: { id: "5", name: "Site" }, grants: [], invoke: async (_, args) => (sent.push(args.get("n")), { state: "done", result: null }) };
  const signature = { description: "", required: [], outputs: new Map(), properties: new Map([["n", { type: "integer", minimum: 1, maximum: 60 }]]) };
  for (const typed of ["600", "0", "1,5", "0x10", "1e1", "", "-3", "30"]) {
    Object.assign(state, { view: "routine", args: { name: "open" }, draft: { n: typed }, visit: { routines: new Map([["open", signature]]), kiosk } });
    const [form] = shown(routine()).all("form");
    await form.handlers.submit({ preventDefault() {} });
  }
  assert.deepEqual(sent, [30]);
});

// Links

test("whose card an invitation says it is, is what this phone calls that site, or nobody has checked", () => {
  const anchor = { siteId: filled(16, 5), name: "Your bank" };
  Object.assign(state, { link: { kind: "invitation", anchor, grants: [{ audience: ["door-1"], rules: RULES, expires: null }] }, visit: null });
  state.sites = [];
  const unknown = texts(link());
  assert(unknown.includes("Your bank") && unknown.includes(STRINGS["site-unchecked"]));
  state.sites = [{ id: "05".repeat(16), name: "Maker space", held: [], devices: [] }];
  const known = texts(link());
  assert(known.includes("Maker space") && !known.includes("Your bank") && !known.includes(STRINGS["site-unchecked"]));
});

test("opening a link of any kind asks, and does nothing else; its text stays in no address and no storage", async () => {
  const { links } = vectors("links.json");
  const touched = [];
  const wallet = new Proxy({}, { get: (_, name) => assert.fail(`wallet.${String(name)}`) });
  const stored = { setItem: (...what) => touched.push(what) };
  globalThis.localStorage = stored;
  Object.assign(history, { pushState: (...what) => touched.push(what), replaceState: (...what) => touched.push(what) });
  for (const { kind, on_page: address } of links) {
    const hash = address.slice(address.indexOf("#"));
    sharing();
    Object.assign(state, { wallet, view: "home", link: null, busy: false });
    location.hash = hash;
    takeAddress();
    assert.deepEqual(touched[0], [null, "", "/"]);
    for (let left = 100; left && state.view !== "link"; left--) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual([state.view, state.link.kind, state.trouble, state.visit], ["link", kind, null, null]);
    assert(!JSON.stringify(touched.splice(0)).includes(hash.slice(12, 40)));
  }
  delete globalThis.localStorage;
});

test("in another page's frame nothing begins", async () => {
  const asked = [];
  globalThis.window = { top: {} };
  Object.assign(document, { getElementById: () => new Element("x") });
  globalThis.fetch = async (name) => asked.push(name);
  await import("../../phone/app.js");
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(asked, []);
});

test("a link of any length is read or refused at once, and what fits no code is no code", async () => {
  const began = performance.now();
  for (const text of [`ADMIT:D/${"Z".repeat(65000)}`, `ADMIT:D/${"0".repeat(65000)}`]) await assert.rejects(parseLink(text), { reason: "label-code" });
  assert(performance.now() - began < 400); // it took seconds
  assert.equal(qr("x".repeat(3000), ""), null);
  assert.equal(qr("x".repeat(2953), "").tag, "svg");
});

test("nothing that was done at a site's kiosks is remembered when the site is forgotten", async () => {
  const [id, other] = ["5".repeat(32), "6".repeat(32)];
  const kept = { [`admit-last-${id}-door-1`]: "{}", [`admit-last-${other}-door-1`]: "{}", "admit-lang": "de" };
  Object.defineProperty(kept, "removeItem", { value: (name) => delete kept[name] });
  globalThis.localStorage = kept;
  Object.assign(state, { busy: false, wallet: { removeSite: async () => {}, sites: async () => [], lostKeys: async () => [] } });
  await removeSite(id);
  assert.deepEqual(Object.keys(kept), [`admit-last-${other}-door-1`, "admit-lang"]);
  delete globalThis.localStorage;
});

test("a link from elsewhere does not change for whom a card is made", async () => {
  sharing();
  const keys = [await p256.generate("ECDH"), await p256.generate("ECDSA")];
  const address = keyLink(keys[0].public, keys[1].public, "bob").replace("admit://key#", "#key=");
  Object.assign(state, { wallet: {}, busy: false });
  Object.assign(location, { hash: address });
  takeAddress();
  for (let left = 50; left && state.view === "share"; left--) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(state.view, "link");
  go("home");
});
