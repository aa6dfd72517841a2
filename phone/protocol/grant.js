/**
 * The grant: a CWT that binds a user's key to rules, on some devices, for some time. docs/SPEC.md section 8.
 *
 * Owns: its claims, the two forms of `scope`, and whether it counts here and now, as far as a phone can tell.
 * Rules: parse, then verify, then decide. A delegation has the same claims; delegation.js verifies it.
 * Must not know: EDHOC, storage, clocks.
 */

import { compare, equal, utf8 } from "./bytes.js";
import { decode, encode, expect } from "./cbor.js";
import * as cose from "./cose.js";
import * as cwt from "./cwt.js";
import { Unsupported, Untrusted, must } from "./errors.js";
import { sha256 } from "./kdf.js";
import * as rule from "./rule.js";

/**
 * `id` and `kid` 8 bytes, `siteId` 16, `key` (static DH) and `sigKey` (ES256) 64; `parent`: in a delegation the kid of
 * the grant that it was made from; `enrol`: for how many phones it is an invite, else 0; `chain`: the grants behind a
 * delegation that was verified, nearest first.
 * @typedef {{data: Uint8Array, kid: Uint8Array, id: Uint8Array, siteId: Uint8Array, subject: string,
 *   audience: string[], key: Uint8Array, sigKey: Uint8Array|null, rules: rule.Rule[], issuedAt: number,
 *   notBefore: number|null, expires: number|null, selectors: string[], delegate: number, parent: Uint8Array|null,
 *   enrol: number, chain: Grant[]}} Grant
 */

const [KID_LENGTH, ID_LENGTH] = [8, 8];
export const MAX_DELEGATE = 4;
const MAX_SUBJECT = 64; // bytes
const MAX_ENROL = 255;
const SCOPE_VERSION = 1;
const DYNAMIC = 2 ** 32; // Dynamic-GET, RFC 9237 section 2.3

/** The name of a grant on the wire: the first 8 bytes of the SHA-256 of its bytes. @param {Uint8Array} data */
export async function kidOf(data) {
  return (await sha256(data)).slice(0, KID_LENGTH);
}

/** The grant in `data`, not yet believed. Raises Malformed or Unsupported: docs/SPEC.md section 8.2.
 * @param {Uint8Array} data @returns {Promise<Grant>} */
export async function parse(data) {
  const { claims, sign1 } = cwt.parse(data);
  cose.checkForm(sign1);
  const kid = await kidOf(data);
  const get = (/** @type {number} */ name) => claims.get(name) ?? null;
  const found = {
    data,
    kid,
    id: parseId(get(cwt.CTI), claims.has(cwt.PARENT) ? kid : null),
    siteId: cwt.parseIssuer(get(cwt.ISS)),
    subject: parseSubject(get(cwt.SUB)),
    audience: parseAudience(get(cwt.AUD)),
    key: cwt.cnfKey(claims)[0],
    sigKey: get(cwt.SIG_KEY) && cose.decodeKey(get(cwt.SIG_KEY))[0],
    rules: decodeScope(expect(get(cwt.SCOPE), "bytes", "grant-scope")),
    issuedAt: expect(get(cwt.IAT), "int", "grant-issued-at"),
    notBefore: get(cwt.NBF),
    expires: get(cwt.EXP),
    selectors: parseSelectors(get(cwt.SELECTORS)),
    delegate: parseCount(get(cwt.DELEGATE), MAX_DELEGATE, "grant-delegate"),
    parent: parseParent(get(cwt.PARENT)),
    enrol: parseCount(get(cwt.ENROL), MAX_ENROL, "grant-enrol"),
    chain: [],
  };
  must(!found.enrol || canInvite(found), "grant-enrol");
  return found;
}

/** Believe the grant: it is of this site, and signed by its authority, with the `previous` key if that counts too. Raises
 * Untrusted grant-other-site or grant-parent-missing, Unverified cose-signature. @param {Grant} grant
 * @param {Uint8Array} publicKey @param {Uint8Array} siteId @param {Uint8Array | null} [previous] */
export async function verifyIssuer(grant, publicKey, siteId, previous = null) {
  if (!equal(grant.siteId, siteId)) throw new Untrusted("grant-other-site");
  if (grant.parent) throw new Untrusted("grant-parent-missing");
  await cose.verifySign1(cose.parseSign1(grant.data), publicKey, cose.GRANT, previous);
}

/** The bytes of `scope` for rules: plain AIF where that says it all. @param {rule.Rule[]} rules */
export function encodeScope(rules) {
  if (rules.some((each) => each.conditions.size || each.pattern.endsWith("*"))) {
    return encode([SCOPE_VERSION, rules.map((each) => [each.pattern, each.methods, each.conditions])]);
  }
  const masks = new Map(); // those with the same path become one, RFC 9237 section 3
  for (const { pattern, methods } of rules) masks.set(pattern, masks.get(pattern) | methods);
  return encode([...masks]);
}

/** The rules in the bytes of `scope`. Raises Malformed, Unsupported aif-methods. @param {Uint8Array} data */
export function decodeScope(data) {
  let items = expect(decode(data), "array", "grant-scope");
  if (items[0] === SCOPE_VERSION) {
    must(items.length === 2, "grant-scope");
    items = expect(items[1], "array", "grant-scope");
  } else {
    items = decodeAif(items);
  }
  const rules = items.map(rule.parse);
  must(equal(encodeScope(rules), data), "grant-scope"); // the form that its rules call for
  return rules;
}

/** Whether the verified grant counts on `deviceId` at `moment` (rule.lifeStep), apart from its chain, as far as a phone
 * can tell. Raises Untrusted grant-other-device, grant-time-unknown, grant-not-yet-valid or grant-expired.
 * @param {Grant} grant @param {string} deviceId @param {rule.Ends} moment */
export function check(grant, deviceId, moment) {
  if (!isFor(grant, deviceId)) throw new Untrusted("grant-other-device");
  const timeless = grant.rules.some((each) => each.conditions.has(rule.TIMELESS));
  const step = rule.lifeStep([grant.notBefore, grant.expires], moment, timeless);
  if (step) throw new Untrusted("grant-" + step);
}

/** Whether one of the grant's device patterns is that of `deviceId`. @param {Grant} grant @param {string} deviceId */
export function isFor(grant, deviceId) {
  return grant.audience.some((pattern) => rule.matches(pattern, deviceId));
}

/** When a grant lives, and all that is behind it. @param {Grant} grant @returns {rule.Ends} */
export function lifeOf(grant) {
  const links = [grant, ...grant.chain];
  const from = Math.max(...links.map((each) => each.notBefore ?? -Infinity));
  const until = Math.min(...links.map((each) => each.expires ?? Infinity));
  return [from === -Infinity ? null : from, until === Infinity ? null : until];
}

/** Decoded AIF as rules yet to be parsed. @param {any[]} items */
function decodeAif(items) {
  const seen = new Set();
  return items.map((entry) => {
    must(expect(entry, "array", "aif-structure").length === 2, "aif-structure");
    const [path, mask] = entry;
    must(expect(path, "text", "aif-path").startsWith("/"), "aif-path");
    must(expect(mask, "int", "aif-methods") > 0, "aif-methods");
    if ((mask | (mask / DYNAMIC)) & ~rule.ALL_METHODS) throw new Unsupported("aif-methods");
    must(!seen.has(path), "aif-duplicate-path");
    seen.add(path);
    return [path, mask, new Map()];
  });
}

/** The authority gives its grants ids; a delegation's is its kid. @param {any} value @param {Uint8Array|null} own */
function parseId(value, own) {
  if (value === null && own) return own;
  must(!own && expect(value, "bytes", "grant-id").length === ID_LENGTH, "grant-id");
  return value;
}

/** @param {any} value @returns {string} */
function parseSubject(value) {
  must(expect(value, "text", "grant-subject") && utf8(value).length <= MAX_SUBJECT, "grant-subject");
  return value;
}

/** @param {any} value @returns {string[]} */
function parseAudience(value) {
  const patterns = Array.isArray(value) ? value : [expect(value, "text", "grant-audience")];
  must(patterns !== value || patterns.length > 1, "grant-audience");
  must(patterns.every((each) => /^[^*]*\*?$/.test(each) && each), "grant-audience");
  return patterns;
}

/** @param {any} value @returns {string[]} */
function parseSelectors(value) {
  if (value === null) return [];
  must(expect(value, "array", "grant-selectors").length, "grant-selectors");
  let last = utf8("");
  for (const each of value) {
    rule.checkSelector(each);
    must(/^(group|role):/.test(each) && compare(last, utf8(each)) < 0, "grant-selectors");
    last = utf8(each);
  }
  return value;
}

/** @param {any} value @param {number} most @param {string} reason @returns {number} */
function parseCount(value, most, reason) {
  must(value === null || (expect(value, "int", reason) > 0 && value <= most), reason);
  return value ?? 0;
}

/** @param {any} value @returns {Uint8Array|null} */
function parseParent(value) {
  must(value === null || expect(value, "bytes", "grant-parent").length === KID_LENGTH, "grant-parent");
  return value;
}

/** An invite is redeemed at one device; its key passes it on, so it needs no other. @param {Grant} grant */
function canInvite({ parent, sigKey, delegate, audience }) {
  return !parent && !sigKey && delegate > 0 && audience.length === 1 && !audience[0].endsWith("*");
}
