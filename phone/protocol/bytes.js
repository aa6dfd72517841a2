/**
 * Byte strings: joining, comparing, and their forms as text.
 *
 * Owns: the one place that finds WebCrypto, in browsers, workers and Node alike.
 * Rules: each reader takes exactly the one text that its writer makes, and says nothing of what it was given.
 */

import { Malformed, must } from "./errors.js";

/** @type {Crypto} */
export const webcrypto = globalThis.crypto ?? (await import("node:crypto")).webcrypto;

export const EMPTY = new Uint8Array(0);

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** `parts` one after the other. @param {...ArrayLike<number>} parts */
export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Equality in a time that depends on nothing but the lengths. @param {Uint8Array} a @param {Uint8Array} b */
export function equal(a, b) {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a[i] ^ b[i];
  return difference === 0;
}

/** Bytewise order, a prefix first, of public data. @param {Uint8Array} a @param {Uint8Array} b */
export function compare(a, b) {
  for (let i = 0; i < a.length && i < b.length; i++) {
    if (a[i] !== b[i]) return a[i] - b[i];
  }
  return a.length - b.length;
}

/** Lower-case hexadecimal. @param {Uint8Array} bytes */
export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The bytes of `hex`. Raises Malformed(reason). @param {string} digits */
export function unhex(digits, reason = "bytes-hex") {
  must(/^([0-9a-f]{2})*$/.test(digits), reason);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** UTF-8, in which half a surrogate pair becomes U+FFFD. @param {string} value */
export function utf8(value) {
  return new TextEncoder().encode(value);
}

/** The text of its UTF-8 (RFC 3629). Raises Malformed(reason). @param {Uint8Array} bytes */
export function text(bytes, reason = "bytes-utf8") {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Malformed(reason);
  }
}

/** Big-endian, in `length` bytes. @param {number | bigint} value below 256 ** length @param {number} length */
export function fromUint(value, length) {
  const out = new Uint8Array(length);
  for (let rest = BigInt(value), at = length; rest; rest >>= 8n) out[--at] = Number(rest & 255n);
  return out;
}

/** RFC 4648 section 5, without padding. @param {Uint8Array} bytes */
export function base64url(bytes) {
  const code = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return code.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The bytes of `base64url`. Raises Malformed(reason). @param {string} code */
export function unbase64url(code, reason = "bytes-base64url") {
  let bytes = EMPTY;
  try {
    bytes = Uint8Array.from(atob(code.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  } catch {
    throw new Malformed(reason);
  }
  must(base64url(bytes) === code, reason);
  return bytes;
}

/**
 * The bytes of base32 in Crockford's alphabet, docs/SPEC.md section 24.1. Raises Malformed(reason).
 * @param {string} code
 */
export function uncrockford(code, reason = "bytes-crockford") {
  let number = 0n;
  for (const digit of code) {
    const value = CROCKFORD.indexOf(digit);
    must(value >= 0, reason);
    number = (number << 5n) | BigInt(value);
  }
  const spare = (code.length * 5) % 8; // bits behind the last byte: no whole digit, and zero
  must(spare < 5 && !(number & ((1n << BigInt(spare)) - 1n)), reason);
  return fromUint(number >> BigInt(spare), (code.length * 5 - spare) / 8);
}

/** @param {number} length */
export function random(length) {
  return webcrypto.getRandomValues(new Uint8Array(length));
}
