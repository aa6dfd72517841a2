/** Device credentials: the example of docs/SPEC.md, whose word counts, what is refused. */

import assert from "node:assert/strict";
import test from "node:test";

import * as anchors from "../../phone/protocol/anchor.js";
import { hex } from "../../phone/protocol/bytes.js";
import { Tag, decode, encode } from "../../phone/protocol/cbor.js";
import * as cose from "../../phone/protocol/cose.js";
import * as credential from "../../phone/protocol/credential.js";
import * as cwt from "../../phone/protocol/cwt.js";
import { Malformed, Untrusted, Unverified } from "../../phone/protocol/errors.js";
import { exampleKey } from "./keys.js";
import { hexExample } from "./spec.js";
import { filled, refuses } from "./support.js";

const DATA = hexExample("device-credential");
const ANCHOR = await anchors.decode(hexExample("anchor"));
const AUTHORITY = await exampleKey("authority");
const CLAIMS = cwt.parse(DATA).claims;

/** A credential with other claims (undefined: left out), genuinely signed. */
function made(changes, key = AUTHORITY, purpose = cose.DEVICE_CREDENTIAL) {
  const claims = new Map([...CLAIMS, ...changes]);
  return cwt.issue(key, new Map([...claims].filter(([, value]) => value !== undefined)), purpose);
}

test("the example is read and believed", async () => {
  const found = credential.parse(DATA);
  assert.equal(found.deviceId, "kiosk-1");
  assert.deepEqual(found.public, (await exampleKey("device")).public);
  assert.deepEqual(found.siteId, ANCHOR.siteId);
  assert.equal(found.testOnly, false);
  assert.equal(hex(found.kid), "33");
  assert.equal(found.sealPublic.length, 64);
  await credential.verify(found, ANCHOR);
});

test("only the site's authority makes one, and as a credential", async () => {
  const mallory = await exampleKey("bob");
  for (const data of [made([], mallory), made([], AUTHORITY, cose.GRANT)]) {
    const found = credential.parse(await data);
    await refuses(Unverified, "cose-signature", () => credential.verify(found, ANCHOR));
  }
  const elsewhere = credential.parse(await made([[cwt.ISS, "00".repeat(16)]]));
  await refuses(Untrusted, "credential-other-site", () => credential.verify(elsewhere, ANCHOR));
  const changed = credential.parse(DATA);
  changed.sign1.payload[40] ^= 1;
  await refuses(Unverified, "cose-signature", () => credential.verify(changed, ANCHOR));
});

test("a device whose key guards nothing says so", async () => {
  assert.equal(credential.parse(await made([[cwt.TEST_ONLY, true]])).testOnly, true);
  for (const value of [false, 1, null, "true"]) {
    await refuses(Malformed, "credential-claims", async () => credential.parse(await made([[cwt.TEST_ONLY, value]])));
  }
});

test("claims that are missing, too many or wrong are named", async () => {
  const key = cose.encodeKey(ANCHOR.signPublic);
  const named = (kid) => new Map([[1, new Map([...key, [2, kid]])]]);
  for (const [changes, reason] of [
    ...[cwt.ISS, cwt.SUB, cwt.IAT, cwt.SEAL_KEY].map((name) => [[[name, undefined]], "credential-claims"]),
    [[[cwt.CNF, undefined]], "credential-claims"],
    [[[cwt.EXP, 5]], "credential-claims"],
    [[[cwt.SUB, ""]], "credential-claims"],
    [[[cwt.SUB, "x".repeat(65)]], "credential-claims"],
    [[[cwt.CNF, new Map([[1, key]])]], "credential-kid"],
    ...[[], [0x18], [0x1f], [0x38], [0x40], [0xff], [1, 1]].map((kid) => [
      [[cwt.CNF, named(Uint8Array.from(kid))]], "credential-kid",
    ]),
    [[[cwt.SEAL_KEY, new Map([...key, [2, filled(1)]])]], "credential-claims"],
    [[[cwt.SEAL_KEY, new Map()]], "cose-key"],
    [[[cwt.ISS, "AB".repeat(16)]], "cwt-issuer"],
  ]) {
    await refuses(Malformed, reason, async () => credential.parse(await made(changes)));
  }
  for (const kid of [0, 0x17, 0x20, 0x37]) {
    assert.equal(credential.parse(await made([[cwt.CNF, named(Uint8Array.of(kid))]])).kid[0], kid);
  }
});

test("CRED_R is made of these bytes, so they have one form", () => {
  const { value } = decode(DATA);
  const dressed = encode(new Tag(18, [value[0], new Map([[4, filled(1)]]), value[2], value[3]]));
  refuses(Malformed, "cose-form", () => credential.parse(dressed));
});
