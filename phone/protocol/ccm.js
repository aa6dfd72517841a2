/**
 * AES-CCM with a 128-bit key and a 13-byte nonce, out of WebCrypto's AES-CTR and AES-CBC: RFC 3610 with L = 2.
 *
 * Owns: AES-CCM-16-64-128 and AES-CCM-16-128-128 of RFC 9053 section 4.2.
 * Rules: plaintext leaves `decrypt` only after its tag has held, compared in constant time.
 * Must not know: where keys and nonces come from, and that a nonce is never used twice.
 */

import { concat, equal, fromUint, webcrypto } from "./bytes.js";
import { LocalError, Unverified } from "./errors.js";

const BLOCK = 16;

/**
 * Ciphertext, as long as `plaintext`, and behind it the tag. Raises LocalError ccm-parameters.
 * @param {Uint8Array} key 16 bytes @param {Uint8Array} nonce 13 bytes @param {Uint8Array} plaintext below 64 KiB
 * @param {Uint8Array} aad below 65,280 bytes @param {number} [tagLength] 8 or 16
 */
export async function encrypt(key, nonce, plaintext, aad, tagLength = 8) {
  check(key, nonce, plaintext, aad, tagLength);
  const [mask, ciphertext] = await counterMode(key, nonce, plaintext);
  return concat(ciphertext, xor(await cbcMac(key, nonce, plaintext, aad, tagLength), mask));
}

/**
 * The plaintext, once the tag behind `ciphertext` has held. Raises Unverified ccm-tag; LocalError as `encrypt`.
 * @param {Uint8Array} key @param {Uint8Array} nonce @param {Uint8Array} ciphertext @param {Uint8Array} aad
 */
export async function decrypt(key, nonce, ciphertext, aad, tagLength = 8) {
  check(key, nonce, ciphertext, aad, tagLength);
  const end = ciphertext.length - tagLength;
  if (end < 0) throw new Unverified("ccm-tag", "shorter than a tag");
  const [mask, plaintext] = await counterMode(key, nonce, ciphertext.subarray(0, end));
  const tag = xor(await cbcMac(key, nonce, plaintext, aad, tagLength), mask);
  if (!equal(tag, ciphertext.subarray(end))) throw new Unverified("ccm-tag");
  return plaintext;
}

/**
 * @param {Uint8Array} key
 * @param {Uint8Array} nonce @param {Uint8Array} text @param {Uint8Array} aad @param {number} tagLength
 */
function check(key, nonce, text, aad, tagLength) {
  const sizes = key.length === 16 && nonce.length === 13 && [8, 16].includes(tagLength);
  if (!sizes || text.length > 0xffff || aad.length >= 0xff00) throw new LocalError("ccm-parameters");
}

/**
 * The unmasked tag. RFC 3610 section 2.2.
 * @param {Uint8Array} key @param {Uint8Array} nonce @param {Uint8Array} plaintext @param {Uint8Array} aad
 * @param {number} tagLength
 */
async function cbcMac(key, nonce, plaintext, aad, tagLength) {
  const flags = (aad.length ? 0x40 : 0) | ((tagLength - 2) << 2) | 1;
  const header = aad.length ? padded(concat(fromUint(aad.length, 2), aad)) : aad;
  const blocks = concat([flags], nonce, fromUint(plaintext.length, 2), header, padded(plaintext));
  const end = blocks.length - BLOCK; // behind our last block there is one of padding that WebCrypto always adds
  return (await aes(key, { name: "AES-CBC", iv: new Uint8Array(BLOCK) }, blocks)).slice(end, end + tagLength);
}

/**
 * The key stream's first block, which masks the tag, and `data` under the others. RFC 3610 section 2.3.
 * @param {Uint8Array} key @param {Uint8Array} nonce @param {Uint8Array} data
 */
async function counterMode(key, nonce, data) {
  const counter = concat([1], nonce, [0, 0]);
  const stream = await aes(key, { name: "AES-CTR", counter, length: 16 }, concat(new Uint8Array(BLOCK), data));
  return [stream.slice(0, BLOCK), stream.slice(BLOCK)];
}

/** @param {Uint8Array} key @param {AesCbcParams | AesCtrParams} mode @param {Uint8Array} data */
async function aes(key, mode, data) {
  const imported = await webcrypto.subtle.importKey("raw", key, mode.name, false, ["encrypt"]);
  return new Uint8Array(await webcrypto.subtle.encrypt(mode, imported, data));
}

/** @param {Uint8Array} data */
function padded(data) {
  return concat(data, new Uint8Array(-data.length & (BLOCK - 1)));
}

/** As long as `a`. @param {Uint8Array} a @param {Uint8Array} b */
function xor(a, b) {
  return a.map((byte, i) => byte ^ b[i]);
}
