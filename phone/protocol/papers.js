/**
 * The small signed papers that a phone makes or reads: approvals, proofs of enrolment, notices, journal heads.
 * docs/SPEC.md sections 9.2, 9.3, 10.4 and 17.13.
 *
 * Owns: their bytes, and what each is checked against.
 * Rules: every field is there, and no other; one encoding of each paper counts (cose.checkForm), but for the head.
 * Must not know: whose signature counts where, what a wallet is.
 */

import { compare, equal, utf8 } from "./bytes.js";
import { decode, encode, expect } from "./cbor.js";
import * as cose from "./cose.js";
import { Malformed, Untrusted, Unverified, must } from "./errors.js";
import { sha256 } from "./kdf.js";

/** @typedef {import("./p256.js").KeyPair} KeyPair */
/** @typedef {cose.Sign1} Sign1 */
/** @typedef {{siteId: Uint8Array, number: number, issuedAt: number, devices: Uint8Array[], sign1: Sign1}} Notice */
/** @typedef {{public: Uint8Array, deviceId: string}} Device */
/** @typedef {{deviceId: string, count: number, head: Uint8Array, time: number|null, sign1: Sign1}} Head */

const FINGERPRINT_LENGTH = 8;

/** How a key of 64 bytes is named in notices, labels, journals and selectors. @param {Uint8Array} publicKey */
export async function fingerprint(publicKey) {
  return (await sha256(publicKey)).slice(0, FINGERPRINT_LENGTH);
}

// Approvals

/** What is approved, 32 bytes. `requester`: fingerprint of the login key of who asks; `method`: AIF bit.
 * @param {Uint8Array} requester @param {number} method @param {string} path @param {Map<string, any>|null} args */
export function digest(requester, method, path, args) {
  return sha256(encode([requester, method, path, args]));
}

/** The approval of the request with that digest. @param {KeyPair} signKey @param {Uint8Array} siteId
 * @param {string} deviceId @param {Uint8Array} requestId 8 bytes @param {Uint8Array} requestDigest */
export function approve(signKey, siteId, deviceId, requestId, requestDigest) {
  return sign(signKey, [siteId, deviceId, requestId, requestDigest], cose.APPROVAL);
}

// Enrolment

/** The proof that redeems an invite in the session of `binding` for the delegation `kid`.
 * @param {KeyPair} inviteKey @param {Uint8Array} binding @param {Uint8Array} kid */
export function prove(inviteKey, binding, kid) {
  return sign(inviteKey, [binding, kid], cose.ENROLMENT);
}

/** The six digits that a newcomer shows, an admin types. @param {Uint8Array} binding @param {Uint8Array} requestId */
export async function code(binding, requestId) {
  const hash = await sha256(utf8("admit:code"), binding, requestId);
  return String(new DataView(hash.buffer).getUint32(0) % 1000000).padStart(6, "0");
}

// Notices

/** The notice in `data`, not yet verified. Raises Malformed or Unsupported cbor-…, cose-…; notice-structure.
 * @param {Uint8Array} data @returns {Notice} */
export function parseNotice(data) {
  const [siteId, number, issuedAt, devices, sign1] = read(data, [16, "uint", "uint", "array"], "notice-structure");
  for (const [at, each] of devices.entries()) {
    must(expect(each, "bytes", "notice-structure").length === FINGERPRINT_LENGTH, "notice-structure");
    must(!at || compare(devices[at - 1], each) < 0, "notice-structure");
  }
  return { siteId, number, issuedAt, devices, sign1 };
}

/** Returns if the anchor's authority gave it. Raises Untrusted paper-other-site, Unverified cose-signature.
 * @param {Notice} notice @param {import("./anchor.js").Anchor} anchor */
export async function verifyNotice(notice, anchor) {
  if (!equal(notice.siteId, anchor.siteId)) throw new Untrusted("paper-other-site");
  await cose.verifySign1(notice.sign1, anchor.signPublic, cose.NOTICE);
}

// Journal heads

/** The head in `data`, not yet believed. Raises Malformed or Unsupported. @param {Uint8Array} data @returns {Head} */
export function parseHead(data) {
  const sign1 = cose.parseSign1(data);
  const fields = expect(decode(sign1.payload), "array", "journal-head-shape");
  const [deviceId, count, head, time] = fields;
  expect(deviceId, "text", "journal-head-shape");
  expect(count, "uint", "journal-head-shape");
  expect(time, ["int", "null"], "journal-head-shape");
  must(fields.length === 4 && expect(head, "bytes", "journal-head-shape").length === 32, "journal-head-shape");
  return { deviceId, count, head, time, sign1 };
}

/** Believe the head: this device signed it. Raises Unverified journal-other-device or cose-signature.
 * @param {Head} head @param {Device} device */
async function verifyHead(head, device) {
  if (head.deviceId !== device.deviceId) throw new Unverified("journal-other-device");
  await cose.verifySign1(head.sign1, device.public, cose.JOURNAL_HEAD);
}

/**
 * The head to keep of a device that shows `shown`, when `kept` (bytes, or null) is what is kept already: the witness of
 * how long its journal was. Raises Malformed; Unverified cose-signature, journal-other-device, and journal-rolled-back
 * or journal-rewritten if more was seen of this very device, or something else.
 * @param {Uint8Array|null} kept @param {Uint8Array} shown @param {Device} device
 */
export async function witness(kept, shown, device) {
  const end = parseHead(shown);
  await verifyHead(end, device);
  const before = kept && (await ofSameKey(kept, device));
  if (!before || end.count > before.count) return shown;
  if (end.count < before.count) throw new Unverified("journal-rolled-back", `${before.count} > ${end.count}`);
  if (!equal(end.head, before.head)) throw new Unverified("journal-rewritten");
  return /** @type {Uint8Array} */ (kept);
}

/** A head that was kept, if it is of the same identity: a device may have been given a new key since.
 * @param {Uint8Array} kept @param {Device} device */
async function ofSameKey(kept, device) {
  try {
    const head = parseHead(kept);
    await verifyHead(head, device);
    return head;
  } catch (error) {
    if (error instanceof Malformed || error instanceof Unverified) return null;
    throw error;
  }
}

// Their form

/** The values in a paper not yet verified, and behind them its Sign1. `kinds`, one for each: of cbor's expect, or so
 * many bytes. Raises Malformed cbor-…, cose-… or `reason`; Unsupported cose-….
 * @param {Uint8Array} data @param {("text"|"uint"|"array"|number)[]} kinds @param {string} reason @returns {any[]} */
export function read(data, kinds, reason) {
  const sign1 = cose.parseSign1(data);
  cose.checkForm(sign1);
  const fields = expect(decode(sign1.payload), "map", reason);
  must(fields.size === kinds.length, reason);
  const values = kinds.map((kind, at) => {
    const value = fields.get(at + 1);
    if (typeof kind !== "number") return expect(value, kind, reason);
    must(expect(value, "bytes", reason).length === kind, reason);
    return value;
  });
  return [...values, sign1];
}

/** A paper as `read` reads it. @param {KeyPair} key @param {any[]} values @param {Uint8Array} purpose */
function sign(key, values, purpose) {
  return cose.sign1(key, encode(new Map(values.map((value, at) => [at + 1, value]))), purpose);
}
