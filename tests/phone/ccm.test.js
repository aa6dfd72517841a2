/** AES-CCM against RFC 3610 and NIST, at the sizes that OSCORE and EDHOC use, and against every single-bit forgery. */

import assert from "node:assert/strict";
import test from "node:test";

import { hex, webcrypto } from "../../phone/protocol/bytes.js";
import { decrypt, encrypt } from "../../phone/protocol/ccm.js";
import { LocalError, Unverified } from "../../phone/protocol/errors.js";
import { ascii, bytes, filled, refuses, vectors } from "./support.js";

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i);
const NONCE = KEY.slice(0, 13);
const AAD = ascii("aad");

function flipped(data, bit) {
  const changed = data.slice();
  changed[bit >> 3] ^= 1 << (bit & 7);
  return changed;
}

test("the published vectors encrypt and decrypt", async () => {
  for (const vector of vectors("ccm.json").vectors) {
    const [key, nonce, aad, plaintext] = ["key", "nonce", "aad", "plaintext"].map((name) => bytes(vector[name]));
    const sealed = await encrypt(key, nonce, plaintext, aad, vector.tag_length);
    assert.equal(hex(sealed), vector.ciphertext, vector.source);
    assert.deepEqual(await decrypt(key, nonce, sealed, aad, vector.tag_length), plaintext, vector.source);
  }
});

test("all sizes around the blocks come back", async () => {
  for (const size of [0, 1, 7, 15, 16, 17, 31, 32, 33, 64, 255, 256, 1024, 65519]) {
    const plaintext = Uint8Array.from({ length: size }, (_, i) => i & 255);
    for (const aad of [0, 1, 13, 14, 15, 24, 300].map((length) => filled(length))) {
      const tagLength = aad.length % 2 ? 16 : 8;
      const sealed = await encrypt(KEY, NONCE, plaintext, aad, tagLength);
      assert.equal(sealed.length, size + tagLength);
      assert.deepEqual(await decrypt(KEY, NONCE, sealed, aad, tagLength), plaintext);
    }
  }
});

test("no single bit may change", async () => {
  const sealed = await encrypt(KEY, NONCE, ascii("open the door"), AAD);
  assert.equal(sealed.length, 13 + 8); // eight bytes of tag, if nothing else is said
  for (let bit = 0; bit < 8 * sealed.length; bit++) {
    await refuses(Unverified, "ccm-tag", () => decrypt(KEY, NONCE, flipped(sealed, bit), AAD));
  }
  for (const [key, nonce, aad] of [
    [flipped(KEY, 7), NONCE, AAD],
    [KEY, flipped(NONCE, 96), AAD],
    [KEY, NONCE, ascii("aae")],
    [KEY, NONCE, ascii("aad\0")],
    [KEY, NONCE, filled(0)],
  ]) {
    await refuses(Unverified, "ccm-tag", () => decrypt(key, nonce, sealed, aad));
  }
});

test("a tag of another length does not pass, nor what is shorter than a tag", async () => {
  const long = await encrypt(KEY, NONCE, ascii("open"), AAD, 16);
  await refuses(Unverified, "ccm-tag", () => decrypt(KEY, NONCE, long, AAD, 8));
  const short = await encrypt(KEY, NONCE, ascii("12345678open"), AAD, 8);
  await refuses(Unverified, "ccm-tag", () => decrypt(KEY, NONCE, short, AAD, 16));
  for (let length = 0; length < 8; length++) {
    await refuses(Unverified, "ccm-tag", () => decrypt(KEY, NONCE, filled(length), AAD));
  }
});

test("wrong sizes are our own mistake", async () => {
  for (const [key, nonce, plaintext, aad, tagLength] of [
    [filled(15), NONCE, 0, 0, 8],
    [filled(32), NONCE, 0, 0, 8],
    [KEY, filled(12), 0, 0, 8],
    [KEY, NONCE, 0x10000, 0, 8],
    [KEY, NONCE, 0, 0xff00, 8],
    [KEY, NONCE, 0, 0, 4],
  ]) {
    const action = () => encrypt(key, nonce, filled(plaintext), filled(aad), tagLength);
    await refuses(LocalError, "ccm-parameters", action);
  }
});

test("keys are used where nobody can read them", async (t) => {
  const imported = t.mock.method(webcrypto.subtle, "importKey");
  await encrypt(KEY, NONCE, AAD, AAD);
  for (const { arguments: [format, , , extractable, usages] } of imported.mock.calls) {
    assert.deepEqual([format, extractable, usages], ["raw", false, ["encrypt"]]);
  }
  assert.equal(imported.mock.callCount(), 2);
});
