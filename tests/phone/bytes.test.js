/** Byte strings and their forms as text. */

import assert from "node:assert/strict";
import test from "node:test";

import * as b from "../../phone/protocol/bytes.js";
import { Malformed } from "../../phone/protocol/errors.js";
import { example, hexExample } from "./spec.js";
import { ascii, bytes, filled, refuses } from "./support.js";

test("each form comes back, at every length", () => {
  for (let length = 0; length < 40; length++) {
    const data = Uint8Array.from({ length }, (_, i) => (i * 151 + length * 7) & 255);
    assert.deepEqual(b.unhex(b.hex(data)), data);
    assert.deepEqual(b.unbase64url(b.base64url(data)), data);
    assert.equal(b.base64url(data), Buffer.from(data).toString("base64url"));
  }
});

test("Crockford's base32, by the example of docs/SPEC.md", () => {
  const [, code] = example("text", "label-device").split("ADMIT:D/");
  const data = b.uncrockford(code);
  assert.deepEqual(data.subarray(0, 16), hexExample("site-id"));
  assert.equal(b.text(data.subarray(24)), "kiosk-1");
  assert.deepEqual([b.uncrockford(""), b.uncrockford("00"), b.uncrockford("ZW")], [b.EMPTY, bytes("00"), bytes("ff")]);
});

test("only the one text of some bytes is read", () => {
  for (const code of ["A", "AB", "AAB", "AA==", "A A", "AA+A", "AA/A", "Ä", "AAAAA", "\0AAA"]) {
    refuses(Malformed, "x-code", () => b.unbase64url(code, "x-code"));
  }
  for (const code of ["0", "01", "000", "00000000a0", "U", "OO", "0000000000U", "000 0", "0-0"]) {
    refuses(Malformed, "x-code", () => b.uncrockford(code, "x-code"));
  }
  for (const digits of ["0", "0G", "AB", "zz", " 00", "00\n"]) refuses(Malformed, "x", () => b.unhex(digits, "x"));
});

test("text is UTF-8 and nothing that looks like it", () => {
  assert.equal(b.text(bytes("c3a4f09f9880efbbbf")), "ä😀\ufeff");
  for (const digits of ["ff", "c0af", "eda080", "f4908080", "c3"]) {
    refuses(Malformed, "x", () => b.text(bytes(digits), "x"));
  }
});

test("equal means every byte", () => {
  const one = filled(32, 7);
  assert.ok(b.equal(one, filled(32, 7)) && b.equal(filled(0), filled(0)));
  for (let bit = 0; bit < 256; bit++) {
    const other = filled(32, 7);
    other[bit >> 3] ^= 1 << (bit & 7);
    assert.ok(!b.equal(one, other));
  }
  assert.ok(!b.equal(one, filled(31, 7)) && !b.equal(filled(31, 7), one) && !b.equal(filled(0), one));
});

test("order is bytewise, a prefix first", () => {
  const sorted = ["", "00", "0000", "0001", "01", "7f", "80", "ff"].map(bytes);
  const mixed = [5, 2, 7, 0, 3, 6, 1, 4].map((i) => sorted[i]);
  assert.deepEqual(mixed.sort(b.compare), sorted);
});

test("joining, numbers, randomness", () => {
  assert.deepEqual(b.concat(ascii("ab"), [0, 255], b.EMPTY), bytes("616200ff"));
  assert.deepEqual(b.fromUint(258, 4), bytes("00000102"));
  assert.deepEqual(b.fromUint(2 ** 40 - 1, 5), bytes("ffffffffff"));
  assert.notDeepEqual(b.random(16), b.random(16));
  assert.equal(b.random(5).length, 5);
});
