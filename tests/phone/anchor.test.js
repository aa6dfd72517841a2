/** Trust anchors: the example of docs/SPEC.md, the site id, one encoding. */

import assert from "node:assert/strict";
import test from "node:test";

import * as anchor from "../../phone/protocol/anchor.js";
import { hex } from "../../phone/protocol/bytes.js";
import { decode, encode } from "../../phone/protocol/cbor.js";
import { Malformed } from "../../phone/protocol/errors.js";
import { exampleKey } from "./keys.js";
import { hexExample } from "./spec.js";
import { filled, refuses } from "./support.js";

const DATA = hexExample("anchor");

test("the example is read, and has the id that it should", async () => {
  const found = await anchor.decode(DATA);
  assert.equal(found.name, "Example Works");
  assert.deepEqual(found.signPublic, (await exampleKey("authority")).public);
  assert.deepEqual(found.ecdhPublic, (await exampleKey("authority ecdh")).public);
  assert.equal(hex(found.siteId), hex(hexExample("site-id")));
  assert.equal(hex(anchor.encode(found)), hex(DATA));
});

test("the name is no part of the id; either key is", async () => {
  const found = await anchor.decode(DATA);
  const renamed = await anchor.decode(anchor.encode({ ...found, name: "Other" }));
  assert.deepEqual(renamed.siteId, found.siteId);
  const swapped = { ...found, signPublic: found.ecdhPublic, ecdhPublic: found.signPublic };
  assert.notDeepEqual((await anchor.decode(anchor.encode(swapped))).siteId, found.siteId);
});

test("what is no anchor is refused", async () => {
  const items = decode(DATA);
  const withKid = new Map([...items[1], [2, filled(1)]]);
  for (const [changed, reason] of [
    [items.slice(0, 2), "anchor-structure"],
    [[...items, 1], "anchor-structure"],
    [new Map(), "anchor-structure"],
    [[items[0], withKid, "a"], "anchor-structure"],
    [[1, items[1], "a"], "cose-key"],
    [[items[0], items[1], ""], "anchor-name"],
    [[items[0], items[1], "ü".repeat(33)], "anchor-name"],
    [[items[0], items[1], 5], "anchor-name"],
  ]) {
    await refuses(Malformed, reason, () => anchor.decode(encode(changed)));
  }
  await refuses(Malformed, "cbor-truncated", () => anchor.decode(DATA.slice(0, -1)));
  assert.equal((await anchor.decode(encode([items[0], items[1], "ü".repeat(32)]))).name.length, 32);
});
