/** CBOR: RFC 8949's own examples, every way to break the deterministic subset, and the limits. */

import assert from "node:assert/strict";
import test from "node:test";

import { concat, hex } from "../../phone/protocol/bytes.js";
import * as cbor from "../../phone/protocol/cbor.js";
import { LocalError, Malformed } from "../../phone/protocol/errors.js";
import { hexExample } from "./spec.js";
import { bytes, filled, refuses, vectors } from "./support.js";

const { Tag, decode, encode, expect } = cbor;

/** The value of a value in tests/vectors/cbor.json. */
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  if ("int" in value) return BigInt(value.int);
  if ("bytes" in value) return bytes(value.bytes);
  if ("tag" in value) return new Tag(value.tag[0], plain(value.tag[1]));
  return new Map(value.map.map(([key, item]) => [plain(key), plain(item)]));
}

test("the examples of RFC 8949 decode, and encode to the same bytes", () => {
  for (const { hex: digits, value } of vectors("cbor.json").accepted) {
    assert.deepEqual(decode(bytes(digits)), plain(value), digits);
    assert.equal(hex(encode(plain(value))), digits);
  }
});

test("everything else is refused with its own reason", () => {
  for (const { hex: digits, reason } of vectors("cbor.json").refused) {
    refuses(Malformed, reason, () => decode(bytes(digits)));
  }
});

test("no prefix of a valid item is valid", () => {
  const inner = new Map([[1, [filled(3), "déf", -70000]], ["k", new Tag(24, filled(1))]]);
  const whole = encode(inner.set(filled(1), new Map([[24, null]])));
  assert.equal(hex(encode(decode(whole))), hex(whole));
  for (let end = 0; end < whole.length; end++) {
    refuses(Malformed, "cbor-truncated", () => decode(whole.subarray(0, end)));
  }
});

test("the examples of docs/SPEC.md come back as they were", () => {
  for (const name of ["anchor", "cose-key", "device-credential", "denial"]) {
    assert.equal(hex(encode(decode(hexExample(name)))), hex(hexExample(name)), name);
  }
});

test("integers are numbers as far as numbers are exact, and bigints beyond", () => {
  for (const [digits, value] of [
    ["1b001fffffffffffff", Number.MAX_SAFE_INTEGER],
    ["1b0020000000000000", 2n ** 53n],
    ["3b001ffffffffffffe", -Number.MAX_SAFE_INTEGER],
    ["3b001fffffffffffff", -(2n ** 53n)],
    ["1affffffff", 2 ** 32 - 1],
    ["1b0000000100000000", 2 ** 32],
    ["3affffffff", -(2 ** 32)],
  ]) {
    assert.equal(decode(bytes(digits)), value);
    assert.equal(hex(encode(value)), digits);
  }
  assert.equal(hex(encode(5n)), "05");
  assert.equal(hex(encode(-0)), "00");
  for (const kind of ["int", "uint"]) {
    refuses(Malformed, "x", () => expect(decode(bytes("1b0020000000000000")), kind, "x"));
  }
});

test("what is decoded does not change with the bytes that it came from", () => {
  const data = bytes("43616263");
  const value = decode(data);
  data[1] = 0;
  assert.equal(hex(value), "616263");
});

test("a byte order mark is part of a text", () => {
  assert.equal(decode(bytes("63efbbbf")), "\ufeff");
  assert.equal(hex(encode("\ufeff")), "63efbbbf");
});

test("map keys are sorted by their encodings, whatever order they were put in", () => {
  // The example of RFC 8949 section 4.2.1, less false and the array, which are no keys here.
  const keys = ["aa", -1, 100, "z", 10];
  assert.equal(hex(encode(new Map(keys.map((key) => [key, null])))), "a50af61864f620f6617af6626161f6");
});

test("a byte string and a text with the same letters are two keys, and equal byte strings are one", () => {
  const data = bytes("a2416101616102");
  assert.equal(hex(encode(decode(data))), hex(data));
  refuses(Malformed, "cbor-duplicate-key", () => decode(bytes("a2416101416102")));
  refuses(Malformed, "cbor-duplicate-key", () => decode(bytes("a3416101416202416103")));
  refuses(LocalError, "cbor-type", () => encode(new Map([[filled(1), 1], [filled(1), 2]])));
  refuses(LocalError, "cbor-type", () => encode(new Map([[1, 1], [1n, 2]])));
});

test("eight levels are allowed, and nine are not", () => {
  for (const outer of ["81", "a100", "c1"]) {
    const value = decode(bytes(outer.repeat(8) + "00"));
    assert.equal(hex(encode(value)), outer.repeat(8) + "00");
    refuses(Malformed, "cbor-too-deep", () => decode(bytes(outer.repeat(9) + "00")));
    refuses(LocalError, "cbor-too-deep", () => encode([value]));
  }
  const endless = [];
  endless.push(endless);
  refuses(LocalError, "cbor-too-deep", () => encode(endless));
});

test("4096 bytes are allowed, and one more is not", () => {
  const data = encode(filled(4093));
  assert.equal(data.length, 4096);
  assert.equal(decode(data).length, 4093);
  const longer = encode(filled(4094));
  for (const refused of [decode, cbor.decodeSequence, cbor.decodeFirst]) {
    refuses(Malformed, "cbor-too-long", () => refused(longer));
  }
  assert.equal(decode(longer, 5000).length, 4094);
  refuses(Malformed, "cbor-too-long", () => decode(bytes("820102"), 2));
});

test("sequences hold any number of items", () => {
  assert.deepEqual(cbor.decodeSequence(filled(0)), []);
  const data = bytes("0142aabb8102");
  assert.deepEqual(cbor.decodeSequence(data), [1, bytes("aabb"), [2]]);
  assert.equal(hex(cbor.encodeSequence([1, bytes("aabb"), [2]])), hex(data));
  refuses(Malformed, "cbor-truncated", () => cbor.decodeSequence(data.subarray(0, -1)));
});

test("decodeFirst says where the rest begins", () => {
  const data = bytes("ff820102f6");
  assert.deepEqual(cbor.decodeFirst(data, 1), [[1, 2], 4]);
  assert.deepEqual(cbor.decodeFirst(data, 4), [null, 5]);
  refuses(Malformed, "cbor-truncated", () => cbor.decodeFirst(data, 5));
  assert.equal(cbor.decodeFirst(concat(bytes("01"), filled(9000)))[1], 1);
});

test("what has no encoding here is our own mistake", () => {
  const others = [new Set(), {}, undefined, Symbol("x"), () => 1];
  for (const value of [1.5, NaN, 2 ** 53, 2n ** 64n, -(2n ** 64n) - 1n, ...others]) {
    refuses(LocalError, "cbor-type", () => encode([value]));
  }
  for (const key of [true, null, [1], 1.5, undefined]) {
    refuses(LocalError, "cbor-type", () => encode(new Map([[key, 1]])));
  }
  for (const number of [-1, 2n ** 64n, true, "18", null]) {
    refuses(LocalError, "cbor-type", () => encode(new Tag(number, 0)));
  }
  for (const half of ["\ud800", "a\udc00", "\udc00\ud800"]) refuses(LocalError, "cbor-utf8", () => encode(half));
  assert.equal(hex(encode("😀")), "64f09f9880");
});

test("expect lets a value pass only with its exact type", () => {
  const values = { map: new Map(), array: [], bytes: filled(1), text: "a", bool: false, null: null };
  values.tag = new Tag(1, 1);
  for (const [name, value] of [...Object.entries(values), ["uint", 0], ["int", -1]]) {
    for (const kind of [...Object.keys(values), "uint", "int"]) {
      const fits = kind === name || (name === "uint" && kind === "int");
      if (fits) assert.equal(expect(value, kind, "x-type"), value);
      else refuses(Malformed, "x-type", () => expect(value, kind, "x-type"));
    }
  }
  assert.equal(expect("a", ["bytes", "text"], "x-type"), "a");
  refuses(Malformed, "x-type", () => expect(1, ["bytes", "text"], "x-type"));
  for (const value of [undefined, 1.5, "1", 1n]) refuses(Malformed, "x-type", () => expect(value, "int", "x-type"));
});
