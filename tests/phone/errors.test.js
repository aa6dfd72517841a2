/** The errors: those of docs/SPEC.md section 18.2, by the same names. */

import assert from "node:assert/strict";
import test from "node:test";

import * as errors from "../../phone/protocol/errors.js";
import { PAGE } from "./spec.js";
import { refuses } from "./support.js";

const { must, ...CLASSES } = errors;
const SPEC = new Set([...PAGE.matchAll(/^\| \d+ \| `(\w+)` \|/gm)].map(([, name]) => name));

test("each class is one of docs/SPEC.md, and tells its name", () => {
  assert.ok(SPEC.size > 20);
  for (const [name, kind] of Object.entries(CLASSES)) {
    const error = new kind("some-reason", "words");
    assert.ok(SPEC.has(name), name);
    assert.deepEqual([error.kind, error.name, error.reason, error.detail], [name, name, "some-reason", "words"]);
    assert.equal(error.message, "some-reason: words");
    assert.equal(new kind("some-reason").message, "some-reason");
    assert.ok(error instanceof errors.AdmitError && error instanceof Error);
  }
});

test("it is clear whose fault it is", () => {
  const ours = ["LocalError", "StorageError"];
  for (const [name, kind] of Object.entries(CLASSES)) {
    if (name === "AdmitError") continue;
    const [local, remote] = [errors.LocalError, errors.RemoteError].map((side) => new kind("r") instanceof side);
    assert.deepEqual([local, remote], [ours.includes(name), !ours.includes(name)], name);
  }
  assert.ok(new errors.WrongSuite("r") instanceof errors.Unsupported);
});

test("a denial names its rule, a refusal its status and what was said", () => {
  assert.deepEqual([new errors.Denied("r", "d", 3).rule, new errors.Denied("r").rule], [3, null]);
  const refused = new errors.Refused("r", "d", 0x84, new Map([[1, 26]]));
  assert.deepEqual([refused.status, refused.problem], [0x84, new Map([[1, 26]])]);
  assert.deepEqual([new errors.Refused("r").status, new errors.Refused("r").problem], [0, new Map()]);
});

test("must lets nothing pass that is not so", () => {
  for (const so of [true, 1, "x", {}]) must(so, "some-reason");
  for (const not of [false, 0, "", null, undefined, NaN]) {
    refuses(errors.Malformed, "some-reason", () => must(not, "some-reason"));
  }
});
