/**
 * SHA-256, HMAC (RFC 2104) and HKDF (RFC 5869), over WebCrypto.
 *
 * Owns: every hash and derived key of the protocol.
 * Must not know: what a key or a digest is for.
 */

import { concat, EMPTY, webcrypto } from "./bytes.js";
import { LocalError } from "./errors.js";

const HMAC = { name: "HMAC", hash: "SHA-256" };

/**
 * The 32-byte SHA-256 of the parts, one after the other.
 * @param {...Uint8Array} parts @returns {Promise<Uint8Array>}
 */
export async function sha256(...parts) {
  return new Uint8Array(await webcrypto.subtle.digest("SHA-256", concat(...parts)));
}

/** HMAC-SHA-256, 32 bytes; `key` of any length. @param {Uint8Array} key @param {Uint8Array} data */
export async function hmacSha256(key, data) {
  return mac(await hmacKey(key), data);
}

/**
 * The 32-byte PRK; an empty salt means 32 zeros. RFC 5869 section 2.2.
 * @param {Uint8Array} salt @param {Uint8Array} ikm
 */
export function hkdfExtract(salt, ikm) {
  return hmacSha256(salt, ikm);
}

/**
 * `length` bytes (0..8160) of key material. RFC 5869 section 2.3. Raises LocalError kdf-length.
 * @param {Uint8Array} prk @param {Uint8Array} info @param {number} length @returns {Promise<Uint8Array>}
 */
export async function hkdfExpand(prk, info, length) {
  if (!(length >= 0 && length <= 255 * 32)) throw new LocalError("kdf-length");
  const key = await hmacKey(prk);
  let out = EMPTY;
  let block = EMPTY;
  for (let count = 1; out.length < length; count++) {
    block = await mac(key, concat(block, info, [count]));
    out = concat(out, block);
  }
  return out.slice(0, length);
}

/** @param {Uint8Array} key */
function hmacKey(key) {
  // WebCrypto refuses a key of no bytes; zeros are the same key (RFC 2104 section 2).
  return webcrypto.subtle.importKey("raw", key.length ? key : new Uint8Array(32), HMAC, false, ["sign"]);
}

/** @param {CryptoKey} key @param {Uint8Array} data */
async function mac(key, data) {
  return new Uint8Array(await webcrypto.subtle.sign("HMAC", key, data));
}
