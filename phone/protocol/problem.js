/**
 * Concise problem details, the payload of error responses: RFC 9290, content format 257. docs/SPEC.md section 18.1.
 *
 * Owns the map's keys. What a device tells is not believed before its message has verified.
 */

import { decode as decodeCbor, expect } from "./cbor.js";

export const TITLE = -1; // text, the reason
export const DETAIL = -2; // text, for people
export const CODE = 1; // the number of the error's class in docs/SPEC.md
export const RULE = 2; // the rule that decided

const ENTRY = "admit:"; // custom entries are named by an absolute URI, section 3.2

/**
 * What we know of problem details, flat: TITLE, DETAIL, CODE, RULE, … each if it is there; the rest is dropped, as
 * RFC 9290 section 3 asks. Raises Malformed: problem-type, or CBOR's own.
 * @param {Uint8Array} data @returns {Map<number, any>}
 */
export function decode(data) {
  const found = expect(decodeCbor(data), "map", "problem-type");
  const problem = new Map();
  for (const key of [TITLE, DETAIL]) {
    if (found.has(key)) problem.set(key, expect(found.get(key), "text", "problem-type"));
  }
  const entry = found.has(ENTRY) ? found.get(ENTRY) : new Map();
  for (const [key, value] of expect(entry, "map", "problem-type")) {
    if (expect(key, "int", "problem-type") >= CODE) problem.set(key, value);
  }
  if (problem.has(CODE)) expect(problem.get(CODE), "int", "problem-type");
  return problem;
}
