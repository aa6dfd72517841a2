/** The small papers: what we sign, what the authority tells phones, the witness of a journal. */

import assert from "node:assert/strict";
import test from "node:test";

import * as anchors from "../../phone/protocol/anchor.js";
import { hex } from "../../phone/protocol/bytes.js";
import { Tag, decode, encode } from "../../phone/protocol/cbor.js";
import * as cose from "../../phone/protocol/cose.js";
import { Malformed, Untrusted, Unverified } from "../../phone/protocol/errors.js";
import { sha256 } from "../../phone/protocol/kdf.js";
import * as papers from "../../phone/protocol/papers.js";
import { exampleKey } from "./keys.js";
import { hexExample } from "./spec.js";
import { ascii, bytes, filled, refuses } from "./support.js";

const ANCHOR = await anchors.decode(hexExample("anchor"));
const NAMES = ["authority", "device", "alice signs"];
const [AUTHORITY, DEVICE, SIGNS] = await Promise.all(NAMES.map((name) => exampleKey(name)));
const KIOSK = { public: DEVICE.public, deviceId: "kiosk-1" };

const signed = (key, payload, purpose) => cose.sign1(key, encode(payload), purpose);
const fields = (...values) => new Map(values.map((value, at) => [at + 1, value]));

test("an approval names device, request and what is asked for", async () => {
  const args = new Map([["seconds", 5]]);
  const digest = await papers.digest(filled(8, 1), 2, "/r/open", args);
  assert.deepEqual(digest, await sha256(encode([filled(8, 1), 2, "/r/open", args])));
  assert.notDeepEqual(digest, await papers.digest(filled(8, 1), 2, "/r/open", null));
  const data = await papers.approve(SIGNS, ANCHOR.siteId, "kiosk-1", filled(8, 2), digest);
  const [siteId, deviceId, requestId, told, sign1] = papers.read(data, [16, "text", 8, 32], "approval-structure");
  assert.deepEqual([siteId, deviceId, requestId, told], [ANCHOR.siteId, "kiosk-1", filled(8, 2), digest]);
  await cose.verifySign1(sign1, SIGNS.public, cose.APPROVAL);
});

test("a proof of enrolment names the session and the delegation", async () => {
  const data = await papers.prove(SIGNS, filled(32, 7), filled(8, 9));
  const [binding, kid, sign1] = papers.read(data, [32, 8], "enrolment-structure");
  assert.deepEqual([binding, kid], [filled(32, 7), filled(8, 9)]);
  await cose.verifySign1(sign1, SIGNS.public, cose.ENROLMENT);
});

test("the code that two people compare", async () => {
  const expected = async (binding, id) => {
    const digest = hex(await sha256(ascii("admit:code"), binding, id));
    return parseInt(digest.slice(0, 8), 16) % 1000000;
  };
  for (let i = 0; i < 30; i++) {
    const told = await papers.code(filled(32, i), filled(8, i));
    assert.match(told, /^[0-9]{6}$/);
    assert.equal(Number(told), await expected(filled(32, i), filled(8, i)));
  }
});

test("a notice is the authority's, and in order", async () => {
  const devices = [filled(8, 1), filled(8, 2), filled(8, 200)];
  const data = await signed(AUTHORITY, fields(ANCHOR.siteId, 3, 5, devices), cose.NOTICE);
  const found = papers.parseNotice(data);
  assert.deepEqual([found.number, found.issuedAt, found.devices], [3, 5, devices]);
  await papers.verifyNotice(found, ANCHOR);
  const elsewhere = { ...ANCHOR, siteId: filled(16) };
  await refuses(Untrusted, "paper-other-site", () => papers.verifyNotice(found, elsewhere));
  for (const [key, purpose] of [[SIGNS, cose.NOTICE], [AUTHORITY, cose.GRANT]]) {
    const other = papers.parseNotice(await signed(key, fields(ANCHOR.siteId, 3, 5, []), purpose));
    await refuses(Unverified, "cose-signature", () => papers.verifyNotice(other, ANCHOR));
  }
  for (const payload of [
    fields(filled(15), 3, 5, []), fields(filled(16), -1, 5, []), fields(filled(16), 3, "5", []),
    fields(filled(16), 3, 5), fields(filled(16), 3, 5, [], 1), fields(filled(16), 3, 5, [filled(7)]),
    fields(filled(16), 3, 5, [1]),
    fields(filled(16), 3, 5, [devices[1], devices[0]]), fields(filled(16), 3, 5, [devices[0], devices[0]]),
    new Map([[1, filled(16)], [2, 3], [3, 5], [5, []]]), [],
  ]) {
    const paper = await signed(AUTHORITY, payload, cose.NOTICE);
    refuses(Malformed, "notice-structure", () => papers.parseNotice(paper));
  }
  const { value } = decode(data);
  const dressed = encode(new Tag(18, [value[0], new Map([[4, filled(1)]]), value[2], value[3]]));
  refuses(Malformed, "cose-form", () => papers.parseNotice(dressed));
});

test("a device in a notice goes by its key", async () => {
  assert.equal(hex(await papers.fingerprint(DEVICE.public)), hex((await sha256(DEVICE.public)).slice(0, 8)));
});

test("the example of a head is kept by whoever has none", async () => {
  const head = hexExample("signed-head");
  assert.equal(await papers.witness(null, head, KIOSK), head);
  assert.equal(papers.parseHead(head).count, 2);
});

test("a journal that was longer, or other, is found out", async () => {
  const head = (count, fill, key = DEVICE, id = "kiosk-1") =>
    signed(key, [id, count, filled(32, fill), null], cose.JOURNAL_HEAD);
  const kept = await head(5, 1);
  const longer = await head(6, 2);
  assert.equal(await papers.witness(kept, longer, KIOSK), longer);
  assert.equal(await papers.witness(kept, await head(5, 1), KIOSK), kept);
  await refuses(Unverified, "journal-rolled-back", async () => papers.witness(kept, await head(4, 1), KIOSK));
  await refuses(Unverified, "journal-rewritten", async () => papers.witness(kept, await head(5, 3), KIOSK));
  const first = await head(0, 1);
  for (const old of [await head(9, 9, SIGNS), await head(9, 9, DEVICE, "kiosk-2"), ascii("torn")]) {
    assert.equal(await papers.witness(old, first, KIOSK), first); // of another key, or unreadable: no witness
  }
  const [forged, others] = [await head(9, 9, SIGNS), await head(9, 9, DEVICE, "kiosk-2")];
  await refuses(Unverified, "cose-signature", () => papers.witness(null, forged, KIOSK));
  await refuses(Unverified, "journal-other-device", () => papers.witness(null, others, KIOSK));
});

test("what is no head is refused", async () => {
  for (const payload of [
    [], ["kiosk-1", 1, filled(32)], ["kiosk-1", 1, filled(31), null], ["kiosk-1", -1, filled(32), null],
    [filled(3), 1, filled(32), null], ["kiosk-1", 1, filled(32), "x"], ["kiosk-1", 1, filled(32), null, 1], new Map(),
  ]) {
    const data = await signed(DEVICE, payload, cose.JOURNAL_HEAD);
    refuses(Malformed, "journal-head-shape", () => papers.parseHead(data));
  }
  refuses(Malformed, "cose-tag", () => papers.parseHead(bytes("80")));
});
