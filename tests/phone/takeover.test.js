/** A takeover that a kiosk waits for: what it tells of it, and what is said. */

import assert from "node:assert/strict";
import test from "node:test";

import { unhex } from "../../phone/protocol/bytes.js";
import { decode, encode } from "../../phone/protocol/cbor.js";
import { Malformed } from "../../phone/protocol/errors.js";
import { idOfSite } from "../../phone/visit/more_answers.js";
import { filled, refuses, vectors } from "./support.js";

const told = vectors("takeover.json");
const ID = unhex(told.bytes.id);

test("a kiosk that is to change hands tells when", async () => {
  const { takeover, anchor } = await idOfSite(ID);
  assert.deepEqual([takeover?.seconds, anchor], [told.seconds_left, null]);
  const body = decode(ID);
  body.delete(10);
  assert.equal((await idOfSite(encode(body))).takeover, null);
});

test("what is no takeover is refused", async () => {
  for (const value of [5, [], [filled(16), 5], [filled(16), 5, 2, 1], [filled(15), 5, 2], [filled(16), -1, 2], [filled(16), 5, "2"], "soon"]) {
    await refuses(Malformed, "id-body", () => idOfSite(encode(new Map(decode(ID)).set(10, value))));
  }
});
