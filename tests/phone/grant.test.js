/** Grants: the examples of docs/SPEC.md section 8, each claim's shape, the two forms of scope, whether one counts. */

import assert from "node:assert/strict";
import test from "node:test";

import * as anchors from "../../phone/protocol/anchor.js";
import { hex } from "../../phone/protocol/bytes.js";
import { Tag, decode, encode } from "../../phone/protocol/cbor.js";
import * as cose from "../../phone/protocol/cose.js";
import * as cwt from "../../phone/protocol/cwt.js";
import { Malformed, Unsupported, Untrusted, Unverified } from "../../phone/protocol/errors.js";
import * as grants from "../../phone/protocol/grant.js";
import { exampleKey } from "./keys.js";
import { hexExample } from "./spec.js";
import { bytes, filled, refuses, vectors } from "./support.js";

const DATA = hexExample("grant");
const ANCHOR = await anchors.decode(hexExample("anchor"));
const AUTHORITY = await exampleKey("authority");
const CLAIMS = cwt.parse(DATA).claims;
const END = CLAIMS.get(cwt.EXP);

/** The example with other claims (undefined: left out), genuinely signed. */
function made(changes, key = AUTHORITY, purpose = cose.GRANT) {
  const claims = new Map([...CLAIMS, ...changes]);
  return cwt.issue(key, new Map([...claims].filter(([, value]) => value !== undefined)), purpose);
}

const parsed = async (...changes) => grants.parse(await made(changes));
const scope = (...rules) => [cwt.SCOPE, encode([1, rules])];

test("the example binds Alice's keys to rules", async () => {
  const found = await grants.parse(DATA);
  await grants.verifyIssuer(found, ANCHOR.signPublic, ANCHOR.siteId);
  assert.equal(hex(found.kid), hex(hexExample("grant-kid")));
  assert.equal(hex(found.id), "0001020304050607");
  assert.deepEqual([found.subject, found.audience, found.delegate], ["alice", ["kiosk-*"], 1]);
  assert.deepEqual(found.selectors, ["group:day-shift"]);
  assert.deepEqual(found.key, (await exampleKey("alice")).public);
  assert.deepEqual(found.sigKey, (await exampleKey("alice signs")).public);
  assert.deepEqual([found.notBefore, found.expires, found.parent, found.enrol], [null, END, null, 0]);
  assert.equal(hex(grants.encodeScope(found.rules)), hex(hexExample("scope")));
});

test("a scope has one form only", () => {
  assert.equal(hex(grants.encodeScope(grants.decodeScope(hexExample("scope-aif")))), hex(hexExample("scope-aif")));
  const [basic] = [vectors("rfc9237_aif.json").basic];
  const rules = grants.decodeScope(bytes(basic.hex));
  assert.deepEqual(rules.map(({ pattern, methods }) => [pattern, methods]), basic.entries);
  const none = new Map();
  for (const [items, reason, kind = Malformed] of [
    [[1, [["/a", 1, none]]], "grant-scope"], // AIF says it all
    [[["/r/*", 1]], "grant-scope"], // a pattern in AIF
    [[1], "grant-scope"], [[1, [], []], "grant-scope"], [[1, "x"], "grant-scope"], [new Map(), "grant-scope"],
    [[2, []], "aif-structure"], [[["/a"]], "aif-structure"], [[["a", 1]], "aif-path"], [[[1, 1]], "aif-path"],
    [[["/a", 0]], "aif-methods"], [[["/a", -1]], "aif-methods"], [[["/a", "1"]], "aif-methods"],
    [[["/a", 128]], "aif-methods", Unsupported], [[["/a", 2 ** 31]], "aif-methods", Unsupported],
    [[["/a", 2 ** 39]], "aif-methods", Unsupported], [[["/a", 2 ** 52]], "aif-methods", Unsupported],
    [[["/a", 2 ** 38]], "rule-methods"], // Dynamic-iPATCH is AIF's, and not granted by us
    [[["/a", 1], ["/a", 2]], "aif-duplicate-path"],
    [[1, [["/a", 1, new Map([[1, []]])]]], "rule-window"], [[1, [["/a", 1]]], "rule-shape"],
  ]) {
    refuses(kind, reason, () => grants.decodeScope(encode(items)));
  }
  const twice = [{ pattern: "/a", methods: 1, conditions: none }, { pattern: "/a", methods: 2, conditions: none }];
  assert.equal(hex(grants.encodeScope(twice)), hex(encode([["/a", 3]])));
});

test("only the site's authority gives one, and as a grant", async () => {
  const verify = (grant) => grants.verifyIssuer(grant, ANCHOR.signPublic, ANCHOR.siteId);
  for (const data of [made([], await exampleKey("alice")), made([], AUTHORITY, cose.DELEGATION)]) {
    await refuses(Unverified, "cose-signature", async () => verify(await grants.parse(await data)));
  }
  await refuses(Untrusted, "grant-other-site", async () => verify(await parsed([cwt.ISS, "00".repeat(16)])));
  const child = await parsed([cwt.CTI, undefined], [cwt.PARENT, filled(8)]);
  assert.deepEqual(child.id, child.kid);
  await refuses(Untrusted, "grant-parent-missing", () => verify(child));
});

test("each claim has its shape", async () => {
  for (const [name, reason, ...values] of [
    [cwt.CTI, "grant-id", undefined, filled(7), filled(9)],
    [cwt.SUB, "grant-subject", undefined, "", "x".repeat(65), "ü".repeat(33)],
    [cwt.AUD, "grant-audience", undefined, "", "a*b", "**", ["one"], ["a", ""], ["a", "*b"]],
    [cwt.ISS, "cwt-issuer", undefined, "AB".repeat(16), ""],
    [cwt.CNF, "cwt-cnf", undefined, new Map()],
    [cwt.SIG_KEY, "cose-key", new Map()],
    [cwt.SCOPE, "grant-scope", undefined, "text"],
    [cwt.IAT, "grant-issued-at", undefined],
    [cwt.SELECTORS, "grant-selectors", [], "group:a", ["group:b", "group:a"], ["group:a", "group:a"]],
    [cwt.SELECTORS, "grant-selectors", ["user:a"], ["everyone"], ["key:0123456789abcdef"]],
    [cwt.SELECTORS, "rule-selector", ["group:"], [1]],
    [cwt.SELECTORS, "grant-selectors", ["group:\u{1f600}", "group:\uffff"]], // in the order of their bytes
    [cwt.DELEGATE, "grant-delegate", 0, 5, -1, true, "1"],
    [cwt.PARENT, "grant-id", filled(8)], // its id is its kid
    [cwt.ENROL, "grant-enrol", 0, 256, true, 1], // it has a key to sign with
  ]) {
    for (const value of values) await refuses(Malformed, reason, () => parsed([name, value]));
  }
  for (const value of [filled(7), "parent"]) {
    await refuses(Malformed, "grant-parent", () => parsed([cwt.CTI, undefined], [cwt.PARENT, value]));
  }
  await parsed([cwt.SELECTORS, ["group:\uffff", "group:\u{1f600}"]], [-70000, 1], ["other", null]);
  await parsed([cwt.AUD, ["a", "b*"]]);
});

test("an invite is for one device and to be passed on", async () => {
  const invite = [[cwt.ENROL, 2], [cwt.SIG_KEY, undefined], [cwt.AUD, "kiosk-1"]];
  assert.equal((await parsed(...invite)).enrol, 2);
  const signs = [cwt.SIG_KEY, CLAIMS.get(cwt.SIG_KEY)];
  for (const change of [[cwt.AUD, "kiosk-*"], [cwt.AUD, ["a", "b"]], [cwt.DELEGATE, undefined], signs]) {
    await refuses(Malformed, "grant-enrol", () => parsed(...invite, change));
  }
});

test("it is known by its bytes, so it has one form", async () => {
  const { value } = decode(DATA);
  const dressed = encode(new Tag(18, [value[0], new Map([[4, filled(1)]]), value[2], value[3]]));
  await refuses(Malformed, "cose-form", () => grants.parse(dressed));
});

test("whether it counts here and now", async () => {
  const grant = await parsed([cwt.NBF, END - 10]);
  grants.check(grant, "kiosk-7", [END - 10, END - 1]);
  for (const [device, moment, reason] of [
    ["kiosk", [END - 5, END - 5], "grant-other-device"], ["kiosk-1", [END, END], "grant-expired"],
    ["kiosk-1", [END - 11, END - 11], "grant-not-yet-valid"], ["kiosk-1", [null, null], "grant-time-unknown"],
  ]) {
    refuses(Untrusted, reason, () => grants.check(grant, device, moment));
  }
  const timeless = await parsed(scope(["/a", 1, new Map([[8, true]])]));
  grants.check(timeless, "kiosk-1", [null, null]);
});

test("a grant lives as long as all behind it", async () => {
  const root = await parsed([cwt.NBF, 100], [cwt.EXP, 900]);
  const child = { ...(await parsed([cwt.NBF, 50], [cwt.EXP, undefined])), chain: [root] };
  assert.deepEqual(grants.lifeOf(child), [100, 900]);
  assert.deepEqual(grants.lifeOf({ ...child, notBefore: 200, expires: 300 }), [200, 300]);
  assert.deepEqual(grants.lifeOf({ ...root, notBefore: null, expires: null }), [null, null]);
});
