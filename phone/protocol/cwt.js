/**
 * CBOR Web Tokens, signed, with `cnf`; and CCS, the unsigned claims set of a bare key. docs/SPEC.md section 4.
 *
 * Owns: the claim numbers and the types of registered claims.
 * Rules: a claim of the wrong type is refused, an unknown one ignored.
 * Must not know: the time, and who may issue what.
 */

import { unhex } from "./bytes.js";
import { decode, encode, expect } from "./cbor.js";
import * as cose from "./cose.js";
import { must } from "./errors.js";

/** @typedef {Map<any, any>} Claims */

export const [ISS, SUB, AUD, EXP, NBF, IAT, CTI, CNF, SCOPE] = [1, 2, 3, 4, 5, 6, 7, 8, 9];
export const [SIG_KEY, TEST_ONLY, SELECTORS, DELEGATE, PARENT, ENROL, SEAL_KEY] = [
  -65537, -65538, -65539, -65540, -65541, -65542, -65543,
];

const COSE_KEY = 1; // in cnf, RFC 8747 section 3.2

const KINDS = new Map().set(AUD, ["text", "array"]).set(SCOPE, ["text", "bytes"]).set(CTI, "bytes");
for (const name of [ISS, SUB]) KINDS.set(name, "text");
for (const name of [EXP, NBF, IAT]) KINDS.set(name, "uint");
for (const name of [CNF, SIG_KEY, SEAL_KEY]) KINDS.set(name, "map");

/** A signed CWT. @param {import("./p256.js").KeyPair} key @param {Claims} claims @param {Uint8Array} purpose of cose */
export function issue(key, claims, purpose) {
  return cose.sign1(key, encode(claims), purpose);
}

/** The token in `data`, not yet verified. Raises Malformed or Unsupported cbor-…, cose-…; Malformed cwt-claims.
 * @param {Uint8Array} data */
export function parse(data) {
  const sign1 = cose.parseSign1(data);
  return { claims: parseClaims(sign1.payload), sign1 };
}

/** The claims in `data`, each registered one of its type. Raises Malformed cbor-…, cwt-claims.
 * @param {Uint8Array} data @returns {Claims} */
export function parseClaims(data) {
  const claims = expect(decode(data), "map", "cwt-claims");
  for (const [name, value] of claims) {
    expect(name, ["int", "text"], "cwt-claims");
    if (KINDS.has(name)) expect(value, KINDS.get(name), "cwt-claims");
  }
  const audience = claims.get(AUD);
  if (Array.isArray(audience)) {
    must(audience.length, "cwt-claims");
    for (const each of audience) expect(each, "text", "cwt-claims");
  }
  return claims;
}

/** The 16-byte site id in an `iss` claim of ours. Raises Malformed cwt-issuer. @param {any} text */
export function parseIssuer(text) {
  must(/^[0-9a-f]{32}$/.test(expect(text, "text", "cwt-issuer")), "cwt-issuer");
  return unhex(text);
}

/** [public key, kid or null] of the COSE_Key in `cnf`. Raises Malformed cwt-cnf, cose-key. @param {Claims} claims */
export function cnfKey(claims) {
  const held = expect(claims.get(CNF), "map", "cwt-cnf");
  must(held.size === 1 && held.has(COSE_KEY), "cwt-cnf");
  return cose.decodeKey(held.get(COSE_KEY));
}

/** The value of `cnf`. @param {Uint8Array} publicKey */
export function cnf(publicKey) {
  return new Map([[COSE_KEY, cose.encodeKey(publicKey)]]);
}

/** The CCS by which a key without a grant shows itself: cnf alone. @param {Uint8Array} publicKey */
export function encodeCcs(publicKey) {
  return encode(new Map([[CNF, cnf(publicKey)]]));
}
