/**
 * What tests of phone/ share: the vectors that the tests in Python use too, and a check for one error and its reason.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { unhex } from "../../phone/protocol/bytes.js";

/** The content of tests/vectors/`name`, a JSON file. */
export function vectors(name) {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), "utf8"));
}

/** Bytes of hexadecimal digits, which may have blanks between them. */
export const bytes = (digits) => unhex(digits.replaceAll(/\s/g, ""));

/** Bytes of a text. */
export const ascii = (text) => new TextEncoder().encode(text);

/** `length` times the byte `value`. */
export const filled = (length, value = 0) => new Uint8Array(length).fill(value);

/** Passes if `action` throws an error of exactly this class and reason, at once or later; gives that error. */
export function refuses(kind, reason, action) {
  let outcome;
  try {
    outcome = action();
  } catch (error) {
    return checked(error, kind, reason);
  }
  const nothing = () => assert.fail(`nothing was thrown, expected ${kind.name} ${reason}`);
  return outcome instanceof Promise ? outcome.then(nothing, (error) => checked(error, kind, reason)) : nothing();
}

function checked(error, kind, reason) {
  if (error?.constructor !== kind || error.reason !== reason) {
    assert.fail(`expected ${kind.name} ${reason}, not ${error?.stack}`);
  }
  return error;
}
