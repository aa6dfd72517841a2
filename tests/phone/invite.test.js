/** Invites: the key of a secret, and what redeems one: for whoever knows the secret, here, now, for their own keys. */

import assert from "node:assert/strict";
import test from "node:test";

import * as anchors from "../../phone/protocol/anchor.js";
import { concat, hex } from "../../phone/protocol/bytes.js";
import { decode } from "../../phone/protocol/cbor.js";
import * as cose from "../../phone/protocol/cose.js";
import * as cwt from "../../phone/protocol/cwt.js";
import * as delegation from "../../phone/protocol/delegation.js";
import { Malformed, Untrusted, Unverified } from "../../phone/protocol/errors.js";
import * as grants from "../../phone/protocol/grant.js";
import * as invite from "../../phone/protocol/invite.js";
import * as papers from "../../phone/protocol/papers.js";
import { exampleKey } from "./keys.js";
import { hexExample } from "./spec.js";
import { filled, refuses, vectors } from "./support.js";

const ANCHOR = await anchors.decode(hexExample("anchor"));
const LINK = vectors("links.json").links.find(({ kind }) => kind === "invite");
const DATA = new Uint8Array(Buffer.from(LINK.text.split("#")[1], "base64url"));
const INVITE = await invite.parse(DATA);
const NOW = INVITE.grant.issuedAt + 1;
const AUTHORITY = await exampleKey("authority");
const OWN = { login: (await exampleKey("alice")).public, sign: (await exampleKey("alice signs")).public };

/** The same invite with other claims, genuinely signed. */
async function made(changes, key = AUTHORITY) {
  const claims = new Map([...cwt.parse(INVITE.grant.data).claims, ...changes]);
  const kept = new Map([...claims].filter(([, value]) => value !== undefined));
  return { ...INVITE, grant: await grants.parse(await cwt.issue(key, kept, cose.GRANT)) };
}

test("a link holds a secret, a site and the invite of that secret's key", async () => {
  assert.equal(hex(INVITE.secret), LINK.secret);
  assert.deepEqual(INVITE.siteId, ANCHOR.siteId);
  const key = await invite.key(INVITE.secret, INVITE.grant.key);
  assert.equal(key.privateKey.extractable, false);
  for (const at of [0, 15, 16, 31]) {
    const changed = DATA.slice();
    changed[at] ^= 1;
    await refuses(Malformed, "invite-link", () => invite.parse(changed));
  }
  const cut = [0, 15, 31, 32, DATA.length - 1].map((length) => DATA.slice(0, length));
  const noInvite = concat(INVITE.secret, INVITE.siteId, hexExample("grant"));
  for (const data of [...cut, concat(DATA, [0]), noInvite]) {
    await refuses(Malformed, "invite-link", () => invite.parse(data));
  }
});

test("the key is that of its own secret alone", async () => {
  await refuses(Malformed, "p256-mismatch", () => invite.key(filled(16), INVITE.grant.key));
  await refuses(Malformed, "p256-mismatch", () => invite.key(INVITE.secret, OWN.login));
  for (const length of [0, 15, 17]) {
    await refuses(Malformed, "invite-secret", () => invite.key(filled(length), INVITE.grant.key));
  }
});

test("redeeming it makes a delegation to one's own keys, and a proof for this session", async () => {
  const binding = filled(32, 7);
  const { body, grant } = await invite.redeem(INVITE, ANCHOR, OWN, binding, NOW, "Ann");
  const fields = decode(body);
  assert.deepEqual([...fields.keys()], [1, 2, 3]);
  assert.deepEqual(fields.get(1), INVITE.grant.data);
  const chain = [await grants.parse(fields.get(2)), await grants.parse(fields.get(1))];
  const found = await delegation.verifyChain(chain, ANCHOR.signPublic, ANCHOR.siteId);
  assert.deepEqual(found, grant);
  assert.deepEqual([found.subject, found.key, found.sigKey], ["Ann", OWN.login, OWN.sign]);
  for (const each of ["audience", "rules", "selectors", "notBefore", "expires"]) {
    assert.deepEqual(found[each], INVITE.grant[each]);
  }
  const [bound, kid, sign1] = papers.read(fields.get(3), [32, 8], "enrolment-structure");
  assert.deepEqual([bound, kid], [binding, found.kid]);
  await cose.verifySign1(sign1, INVITE.grant.key, cose.ENROLMENT);
  assert.equal((await invite.redeem(INVITE, ANCHOR, OWN, binding, NOW)).grant.subject, INVITE.grant.subject);
});

test("an invite that does not count is not redeemed", async () => {
  const redeem = (one, now = NOW, anchor = ANCHOR) => invite.redeem(one, anchor, OWN, filled(32), now);
  await refuses(Untrusted, "grant-expired", () => redeem(INVITE, INVITE.grant.expires));
  await refuses(Untrusted, "grant-not-yet-valid", async () => redeem(await made([[cwt.NBF, NOW + 1]])));
  await refuses(Untrusted, "grant-other-site", () => redeem(INVITE, NOW, { ...ANCHOR, siteId: filled(16) }));
  const mallory = await exampleKey("bob");
  await refuses(Unverified, "cose-signature", async () => redeem(await made([], mallory)));
});

test("its selectors are kept, in their order", async () => {
  const one = await made([[cwt.SELECTORS, ["group:b", "role:a"]]]);
  assert.deepEqual((await invite.redeem(one, ANCHOR, OWN, filled(32), NOW)).grant.selectors, ["group:b", "role:a"]);
});
