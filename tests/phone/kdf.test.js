/** SHA-256, HMAC and HKDF against their RFCs. */

import assert from "node:assert/strict";
import test from "node:test";

import { concat, hex } from "../../phone/protocol/bytes.js";
import { LocalError } from "../../phone/protocol/errors.js";
import { hkdfExpand, hkdfExtract, hmacSha256, sha256 } from "../../phone/protocol/kdf.js";
import { ascii, bytes, filled, refuses, vectors } from "./support.js";

const VECTORS = vectors("kdf.json");

test("SHA-256 of the standard's examples, whole and in parts", async () => {
  for (const { data, digest } of VECTORS.sha256) {
    const whole = bytes(data);
    assert.equal(hex(await sha256(whole)), digest);
    assert.equal(hex(await sha256(whole.subarray(0, 2), filled(0), whole.subarray(2))), digest);
  }
});

test("HMAC of RFC 4231, with keys short, long and longer than a block", async () => {
  for (const { key, data, mac, section } of VECTORS.hmac) {
    assert.equal(hex(await hmacSha256(bytes(key), bytes(data))).slice(0, mac.length), mac, section);
  }
});

test("a key of no bytes is one of zeros", async () => {
  for (const length of [0, 1, 32, 64]) {
    assert.deepEqual(await hmacSha256(filled(length), ascii("data")), await hmacSha256(filled(64), ascii("data")));
  }
});

test("HKDF of RFC 5869", async () => {
  for (const { salt, ikm, prk, info, length, okm, section } of VECTORS.hkdf) {
    const extracted = await hkdfExtract(bytes(salt), bytes(ikm));
    assert.equal(hex(extracted), prk, section);
    assert.equal(hex(await hkdfExpand(extracted, bytes(info), length)), okm, section);
  }
});

test("HKDF-Expand gives prefixes of one stream, up to its end", async () => {
  const prk = await sha256(ascii("prk"));
  const stream = await hkdfExpand(prk, ascii("info"), 255 * 32);
  assert.equal(stream.length, 8160);
  for (const length of [0, 1, 31, 32, 33, 64, 100]) {
    assert.deepEqual(await hkdfExpand(prk, ascii("info"), length), stream.slice(0, length));
  }
  const last = await hmacSha256(prk, concat(stream.slice(253 * 32, 254 * 32), ascii("info"), [255]));
  assert.deepEqual(last, stream.slice(254 * 32));
  for (const length of [-1, 8161, NaN]) {
    await refuses(LocalError, "kdf-length", () => hkdfExpand(prk, filled(0), length));
  }
});
