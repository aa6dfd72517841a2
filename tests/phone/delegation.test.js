/** Delegations: whoever holds a grant passes on a part of it, and nothing else, as often as the grant says. */

import assert from "node:assert/strict";
import test from "node:test";

import * as anchors from "../../phone/protocol/anchor.js";
import { hex } from "../../phone/protocol/bytes.js";
import * as cose from "../../phone/protocol/cose.js";
import * as cwt from "../../phone/protocol/cwt.js";
import * as delegation from "../../phone/protocol/delegation.js";
import { LocalError, Malformed, NotFound, Untrusted, Unverified } from "../../phone/protocol/errors.js";
import * as grants from "../../phone/protocol/grant.js";
import * as p256 from "../../phone/protocol/p256.js";
import { BOUNDS, USES } from "../../phone/protocol/rule.js";
import { exampleKey } from "./keys.js";
import { hexExample } from "./spec.js";
import { filled, refuses } from "./support.js";

const ANCHOR = await anchors.decode(hexExample("anchor"));
const NAMES = ["authority", "alice", "alice signs", "bob"];
const [AUTHORITY, ALICE, SIGNS, BOB] = await Promise.all(NAMES.map((name) => exampleKey(name)));
const GRANT = await grants.parse(hexExample("grant"));
const NOW = 1795600200;
const PEOPLE = await Promise.all([1, 2, 3, 4, 5].map(() => p256.generate("ECDSA")));

const rule = (pattern, methods, ...conditions) => ({ pattern, methods, conditions: new Map(conditions) });
const OPEN = rule("/r/open", 3, [BOUNDS, new Map([["seconds", [1, 10]]])]);
const LIGHT = rule("/r/light", 3);

/** A grant of the authority's that may be passed on; claims may be set otherwise (undefined: left out). */
async function root(...changes) {
  const claims = new Map([
    [cwt.ISS, hex(ANCHOR.siteId)], [cwt.SUB, "alice"], [cwt.AUD, "kiosk-*"], [cwt.IAT, NOW], [cwt.CTI, filled(8)],
    [cwt.CNF, cwt.cnf(ALICE.public)], [cwt.SIG_KEY, cose.encodeKey(SIGNS.public)], [cwt.DELEGATE, 4],
    [cwt.SCOPE, grants.encodeScope([OPEN, LIGHT])], ...changes,
  ]);
  const kept = new Map([...claims].filter(([, value]) => value !== undefined));
  return grants.parse(await cwt.issue(AUTHORITY, kept, cose.GRANT));
}

const wish = (changes = {}) => ({ name: "bob", login: BOB.public, audience: ["kiosk-1"], rules: [OPEN], ...changes });
const verify = (...chain) => delegation.verifyChain(chain, ANCHOR.signPublic, ANCHOR.siteId);

/** A delegation that nobody looked at before it was signed. */
async function forged(parent, key, changes = [], purpose = cose.DELEGATION) {
  const claims = cwt.parse((await delegation.issue(SIGNS, await root(), wish(), NOW)).data).claims;
  const other = new Map([...claims, [cwt.PARENT, parent.kid], ...changes]);
  return grants.parse(await cwt.issue(key, new Map([...other].filter(([, value]) => value !== undefined)), purpose));
}

test("the example: Alice passes /r/open on to Bob", async () => {
  const found = await verify(await grants.parse(hexExample("delegation")), GRANT);
  assert.equal(found.subject, "bob");
  assert.deepEqual(found.id, found.kid);
  assert.deepEqual(found.chain, [{ ...GRANT, chain: [] }]);
});

test("what we pass on is verified, through four links, nearest first", async () => {
  let linked = await root();
  let key = SIGNS;
  for (const [depth, person] of PEOPLE.slice(0, 4).entries()) {
    const further = wish({ name: `p${depth}`, sign: person.public, delegate: 3 - depth });
    linked = await delegation.issue(key, linked, further, NOW);
    key = person;
  }
  const found = await verify(linked, ...linked.chain);
  assert.deepEqual([found, ...found.chain].map((each) => each.subject), ["p3", "p2", "p1", "p0", "alice"]);
  assert.ok(found.chain.every((each) => each.chain.length === 0));
  await refuses(Untrusted, "delegation-depth", () => delegation.issue(key, linked, wish(), NOW));
  const [leaf, ...rest] = [linked, ...linked.chain];
  await refuses(Untrusted, "delegation-other-parent", () => verify(leaf, ...rest.slice(1)));
  await refuses(Untrusted, "grant-parent-missing", () => verify(leaf, ...rest.slice(0, -1)));
});

test("a delegation is as its wish, and no more", async () => {
  const parent = await root([cwt.SELECTORS, ["group:a", "role:b"]], [cwt.NBF, NOW], [cwt.EXP, NOW + 900]);
  const narrow = wish({ selectors: ["role:b", "group:a", "role:b"], expires: NOW + 5 });
  const given = await delegation.issue(SIGNS, parent, narrow, NOW + 1);
  assert.deepEqual([given.subject, given.audience, given.selectors], ["bob", ["kiosk-1"], ["group:a", "role:b"]]);
  assert.deepEqual([given.issuedAt, given.notBefore, given.expires], [NOW + 1, NOW, NOW + 5]);
  assert.deepEqual([given.sigKey, given.delegate], [null, 0]);
  assert.deepEqual(given.rules, [OPEN]);
  const plain = { name: "bob", login: BOB.public, audience: ["kiosk-1", "kiosk-2*"] };
  const whole = await delegation.issue(SIGNS, parent, plain, NOW);
  assert.deepEqual([whole.rules, whole.audience], [[OPEN, LIGHT], ["kiosk-1", "kiosk-2*"]]);
});

test("nothing wider than the parent, whoever passes it on and whoever takes it in", async () => {
  const parent = await root([cwt.NBF, NOW], [cwt.EXP, NOW + 1000], [cwt.SELECTORS, ["group:night"]]);
  for (const [changes, claim] of [
    [{ audience: ["*"] }, [cwt.AUD, "*"]],
    [{ audience: ["kiosk-1", "locker-1"] }, [cwt.AUD, ["kiosk-1", "locker-1"]]],
    [{ audience: ["kiosk*"] }, [cwt.AUD, "kiosk*"]],
    [{ notBefore: NOW - 1 }, [cwt.NBF, NOW - 1]],
    [{ expires: NOW + 1001 }, [cwt.EXP, NOW + 1001]],
    [{ selectors: ["group:day"] }, [cwt.SELECTORS, ["group:day"]]],
    ...[[rule("/r/open", 3)], [rule("/r/*", 3)], [OPEN, rule("/journal", 1)], [rule("/r/light", 7)]].map((rules) => [
      { rules }, [cwt.SCOPE, grants.encodeScope(rules)],
    ]),
  ]) {
    await refuses(Untrusted, "grant-wider", () => delegation.issue(SIGNS, parent, wish(changes), NOW));
    const made = await forged(parent, SIGNS, [[cwt.NBF, NOW], [cwt.EXP, NOW + 1000], claim]);
    await refuses(Untrusted, "grant-wider", () => verify(made, parent));
  }
  for (const claim of [[cwt.NBF, undefined], [cwt.EXP, undefined]]) {
    const made = await forged(parent, SIGNS, [[cwt.NBF, NOW], [cwt.EXP, NOW + 1000], claim]);
    await refuses(Untrusted, "grant-wider", () => verify(made, parent));
  }
});

test("only whoever holds the parent's key passes it on", async () => {
  const parent = await root();
  for (const key of [AUTHORITY, ALICE, BOB]) {
    await refuses(Unverified, "cose-signature", async () => verify(await forged(parent, key), parent));
    await refuses(LocalError, "delegation-key", () => delegation.issue(key, parent, wish(), NOW));
  }
  await refuses(Unverified, "cose-signature", async () => verify(await forged(parent, SIGNS, [], cose.GRANT), parent));
  const mute = await root([cwt.SIG_KEY, undefined]);
  await refuses(Untrusted, "delegation-no-key", async () => verify(await forged(mute, SIGNS), mute));
  const never = await root([cwt.DELEGATE, undefined]);
  await refuses(Untrusted, "delegation-depth", async () => verify(await forged(never, SIGNS), never));
  const elsewhere = await forged(parent, SIGNS, [[cwt.ISS, "00".repeat(16)]]);
  await refuses(Untrusted, "grant-other-site", () => verify(elsewhere, parent));
  const asGrant = await forged(parent, AUTHORITY, [], cose.GRANT);
  await refuses(Untrusted, "grant-parent-missing", () => verify(asGrant));
});

test("an invite is passed on with its own key", async () => {
  const key = await p256.generate("ECDSA");
  const invite = await root(
    [cwt.AUD, "kiosk-1"], [cwt.CNF, cwt.cnf(key.public)], [cwt.SIG_KEY, undefined], [cwt.DELEGATE, 1], [cwt.ENROL, 1],
  );
  const given = await delegation.issue(key, invite, wish(), NOW);
  assert.equal((await verify(given, invite)).chain[0].enrol, 1);
  await refuses(Unverified, "cose-signature", async () => verify(await forged(invite, SIGNS), invite));
});

test("sharing takes the first grant that allows the wish, with all its conditions", async () => {
  const within = [BOUNDS, new Map([["s", [2, null]], ["t", [0, 1]]])];
  const bounded = await root([cwt.SCOPE, grants.encodeScope([rule("/r/*", 3, [USES, 5], within)])]);
  const wanted = rule("/r/open", 2, [USES, 1], [BOUNDS, new Map([["s", [1, 9]], ["u", [3, 4]]])]);
  const [never, other] = [await root([cwt.DELEGATE, undefined]), await root([cwt.SCOPE, grants.encodeScope([LIGHT])])];
  const given = await delegation.share([never, other, bounded], wish({ rules: [wanted] }), SIGNS, NOW);
  assert.deepEqual(given.parent, bounded.kid);
  const bounds = new Map([["s", [2, 9]], ["t", [0, 1]], ["u", [3, 4]]]);
  assert.deepEqual(given.rules, [rule("/r/open", 2, [BOUNDS, bounds], [USES, 1])]);
  const plain = await delegation.share([bounded], wish({ rules: null, audience: null }), SIGNS, NOW);
  assert.deepEqual([plain.rules, plain.audience], [bounded.rules, ["kiosk-*"]]);
});

test("what cannot be shared says why", async () => {
  const share = (own, changes = {}, key = SIGNS) => delegation.share(own, wish(changes), key, NOW);
  await refuses(NotFound, "share-none", () => share([]));
  await refuses(NotFound, "share-none", async () => share([await root([cwt.DELEGATE, undefined])]));
  const parent = await root([cwt.EXP, NOW + 10]);
  await refuses(Untrusted, "share-wider", () => share([parent], { rules: [rule("/journal", 1)] }));
  await refuses(Untrusted, "share-wider", () => share([parent], { audience: ["locker-1"] }));
  await refuses(Untrusted, "share-wider", () => share([parent], { expires: NOW + 11 }));
  await refuses(Untrusted, "share-ended", async () => share([await root([cwt.EXP, NOW])]));
  const behind = { ...parent, chain: [{ ...parent, expires: NOW - 1 }] };
  await refuses(Untrusted, "share-ended", () => share([behind]));
  await refuses(Untrusted, "delegation-depth", () => share([parent], { delegate: 4 }));
  await refuses(LocalError, "delegation-key", () => share([parent], {}, BOB));
  await refuses(Malformed, "grant-subject", () => share([parent], { name: "" }));
  const crossed = rule("/r/open", 3, [BOUNDS, new Map([["seconds", [20, 30]]])]);
  await refuses(Malformed, "rule-bounds", () => share([parent], { rules: [crossed] })); // nothing is in both
});
