/** Problem details: RFC 9290. */

import assert from "node:assert/strict";
import test from "node:test";

import { encode } from "../../phone/protocol/cbor.js";
import { Malformed } from "../../phone/protocol/errors.js";
import { CODE, DETAIL, RULE, TITLE, decode } from "../../phone/protocol/problem.js";
import { hexExample } from "./spec.js";
import { bytes, refuses } from "./support.js";

test("the denial of docs/SPEC.md", () => {
  const told = decode(hexExample("denial"));
  const expected = [[TITLE, "rule-argument"], [DETAIL, "seconds at most 10"], [CODE, 25], [RULE, 0]];
  assert.deepEqual(told, new Map(expected));
});

test("entries of others are ignored", () => {
  // RFC 9290 sections 3.1 and 3.2: unknown standard keys, unknown custom entries, unknown keys inside a known one.
  const theirs = new Map([[-1, "t"], [-3, "coaps://pd.example/FA317434"], [-4, 128], [4711, new Map([[0, "x"]])]]);
  theirs.set("tag:3gpp.org,2022-03:TS29112", new Map([[0, "x"]]));
  assert.deepEqual(decode(encode(theirs)), new Map([[TITLE, "t"]]));
  const ours = new Map([["admit:", new Map([[-1, "a title must not hide here"], [9, "later"]])]]);
  assert.deepEqual(decode(encode(ours)), new Map([[9, "later"]]));
  assert.deepEqual(decode(bytes("a0")), new Map());
});

test("wrong types are malformed", () => {
  const entry = (value) => new Map([["admit:", value]]);
  const wrong = [["t"], new Map([[-1, 5]]), new Map([[-2, bytes("00")]]), entry(25), entry(null)];
  for (const value of [...wrong, entry(new Map([[1, "25"]])), entry(new Map([["1", 25]]))]) {
    refuses(Malformed, "problem-type", () => decode(encode(value)));
  }
  refuses(Malformed, "cbor-truncated", () => decode(hexExample("denial").subarray(0, -1)));
});
