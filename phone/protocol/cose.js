/**
 * COSE: P-256 keys, COSE_Sign1 with ES256, and what a signature is for. docs/SPEC.md section 3.
 *
 * Owns: the structures, the headers, the purposes.
 * Rules: one tagged form; `alg` in the protected header and nowhere else; nothing critical is understood.
 * `parseSign1` believes nothing, `verifySign1` decides; `checkForm` asks for one form where the bytes are a name.
 * Must not know: what a payload means, nor whose key it is handed.
 */

import { concat, equal, utf8 } from "./bytes.js";
import { Tag, decode, encode, expect } from "./cbor.js";
import { Unsupported, Unverified, must } from "./errors.js";
import * as p256 from "./p256.js";

/** @typedef {{protected: Uint8Array, headers: Map<any, any>, payload: Uint8Array, signature: Uint8Array}} Sign1 */

// What a signature is for: its external_aad.
export const [DEVICE_CREDENTIAL, GRANT, DELEGATION, JOURNAL_HEAD, ENROLMENT, APPROVAL, NOTICE, SUCCESSION, SUCCESSOR] = [
  "device-credential", "grant", "delegation", "journal-head", "enrolment", "approval", "notice", "succession", "successor",
].map((purpose) => utf8("admit:" + purpose));

const [ALG, CRIT, KID, IV] = [1, 2, 4, 5];
const TAG_SIGN1 = 18;
const ES256 = -7;
const [KTY, KEY_KID, CRV, X, Y] = [1, 2, -1, -2, -3];
const [EC2, P256] = [2, 1];

/** The COSE_Key map of a public key. @param {Uint8Array} publicKey */
export function encodeKey(publicKey) {
  return new Map().set(KTY, EC2).set(CRV, P256).set(X, publicKey.slice(0, 32)).set(Y, publicKey.slice(32));
}

/** [public key, kid or null] of a COSE_Key in which nothing else stands. Raises Malformed cose-key. Whoever computes
 * with the point checks it. @param {any} key @returns {[Uint8Array, Uint8Array|null]} */
export function decodeKey(key) {
  expect(key, "map", "cose-key");
  const kid = expect(key.get(KEY_KID) ?? null, ["bytes", "null"], "cose-key");
  const [x, y] = [X, Y].map((label) => expect(key.get(label), "bytes", "cose-key"));
  must(key.size === (kid ? 5 : 4) && key.get(KTY) === EC2 && key.get(CRV) === P256, "cose-key");
  must(x.length === 32 && y.length === 32, "cose-key");
  return [concat(x, y), kid];
}

/** A COSE_Sign1 over `payload` for a purpose. RFC 9052 section 4.2.
 * @param {p256.KeyPair} key @param {Uint8Array} payload @param {Uint8Array} purpose */
export async function sign1(key, payload, purpose) {
  const headers = encode(new Map([[ALG, ES256]]));
  const signature = await p256.sign(key.privateKey, sigStructure(headers, purpose, payload));
  return encode(new Tag(TAG_SIGN1, [headers, new Map(), payload, signature]));
}

/** The Sign1 in `data`, not yet verified. Raises Malformed cbor-…, cose-tag, cose-structure, cose-headers,
 * cose-signature-length; Unsupported cose-algorithm, cose-critical. @param {Uint8Array} data @returns {Sign1} */
export function parseSign1(data) {
  const message = decode(data);
  must(message instanceof Tag && message.number === TAG_SIGN1, "cose-tag");
  must(expect(message.value, "array", "cose-structure").length === 4, "cose-structure");
  const [protectedHeaders, unprotected, payload, signature] = message.value;
  const headers = parseHeaders(protectedHeaders, unprotected);
  expect(payload, "bytes", "cose-structure");
  must(expect(signature, "bytes", "cose-structure").length === 64, "cose-signature-length");
  return { protected: protectedHeaders, headers, payload, signature };
}

/** Returns if `message` was signed for this purpose by `publicKey`, or by the `previous` key if that counts too; else
 * raises Unverified cose-signature.
 * @param {Pick<Sign1, "protected" | "payload" | "signature">} message @param {Uint8Array} publicKey
 * @param {Uint8Array} purpose @param {Uint8Array | null} [previous] */
export async function verifySign1(message, publicKey, purpose, previous = null) {
  const signed = sigStructure(message.protected, purpose, message.payload);
  const isBy = (/** @type {Uint8Array} */ key) => p256.verify(key, message.signature, signed);
  if (!(await isBy(publicKey)) && !(previous && (await isBy(previous)))) throw new Unverified("cose-signature");
}

/** Returns if `message` is in the one form that nobody but its signer can change: no unprotected header, and s in the
 * lower half. Raises Malformed cose-form. @param {Sign1} message */
export function checkForm(message) {
  must(equal(encode(message.headers), message.protected) && p256.isLow(message.signature), "cose-form");
}

/** Both headers in one map. RFC 9052 section 3. @param {any} protectedHeaders @param {any} unprotected */
function parseHeaders(protectedHeaders, unprotected) {
  const headers = expect(decode(expect(protectedHeaders, "bytes", "cose-structure")), "map", "cose-headers");
  if (headers.get(ALG) !== ES256) throw new Unsupported("cose-algorithm");
  for (const [label, value] of expect(unprotected, "map", "cose-structure")) {
    must(!headers.has(label), "cose-headers"); // it would stand twice
    headers.set(label, value);
  }
  if (headers.has(CRIT)) throw new Unsupported("cose-critical");
  for (const [label, value] of headers) {
    expect(label, ["int", "text"], "cose-headers");
    if (label === KID || label === IV) expect(value, "bytes", "cose-headers");
  }
  return headers;
}

/** RFC 9052 section 4.4. @param {Uint8Array} headers @param {Uint8Array} externalAad @param {Uint8Array} payload */
function sigStructure(headers, externalAad, payload) {
  return encode(["Signature1", headers, externalAad, payload]);
}
