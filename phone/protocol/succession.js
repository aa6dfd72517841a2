/**
 * Successions: how a site's authority changes its keys, and those who trust it follow. The site's id stays.
 * docs/SPEC.md section 5.
 *
 * Owns: a succession's bytes, when a chain of them leads from a site's first keys to the present ones, and when an anchor
 * takes the place of one that is held.
 * Rules: each is signed by the key before it, and by the new key for another purpose. One that was believed is never
 * replaced by another; a shorter chain leads nowhere.
 * Must not know: where anchors are kept, and the time.
 *
 * @typedef {import("./anchor.js").Anchor} Anchor
 * @typedef {{siteId: Uint8Array, number: number, signPublic: Uint8Array, ecdhPublic: Uint8Array, ends: number,
 *   words: any[], possession: Uint8Array, sign1: import("./cose.js").Sign1}} Succession
 */

import { equal } from "./bytes.js";
import { encode, expect } from "./cbor.js";
import * as cose from "./cose.js";
import { Untrusted, must } from "./errors.js";
import { read } from "./papers.js";

const MAX = 8;
const SHAPE = "succession-structure";

/** The succession in `data`, not yet verified. Raises Malformed or Unsupported cbor-…, cose-…; Malformed
 * succession-structure. @param {Uint8Array} data @returns {Succession} */
export function parse(data) {
  const [...words] = read(data, [16, "uint", 64, 64, "uint", "uint", 64], SHAPE);
  const [possession, sign1] = words.splice(6);
  const [siteId, number, signPublic, ecdhPublic, issuedAt, ends] = words;
  must(number && ends >= issuedAt, SHAPE);
  return { siteId, number, signPublic, ecdhPublic, ends, words, possession, sign1 };
}

/** The anchor to which an anchor's fourth item leads, not yet verified. Raises Malformed anchor-structure, anchor-chain
 * and what `parse` does. @param {Anchor} anchor of the first keys @param {any} item @returns {Anchor} */
export function succeed(anchor, item) {
  const successions = expect(item, "array", "anchor-structure");
  must(successions.length, "anchor-structure");
  for (const each of successions) expect(each, "bytes", "anchor-structure");
  must(successions.length <= MAX, "anchor-chain");
  const found = { ...anchor, first: [anchor.signPublic, anchor.ecdhPublic], successions };
  for (const [at, data] of successions.entries()) {
    const { siteId, number, signPublic, ecdhPublic, ends } = parse(data);
    must(number === at + 1 && equal(siteId, anchor.siteId), "anchor-chain");
    Object.assign(found, { previous: found.signPublic, ends, signPublic, ecdhPublic });
  }
  return found;
}

/** Returns if each succession follows from the one before it, the first from the keys that the site's id is made of.
 * Raises Untrusted succession-same-key, Unverified cose-signature. @param {Anchor} anchor */
export async function verify(anchor) {
  let key = anchor.first?.[0] ?? anchor.signPublic;
  for (const each of (anchor.successions ?? []).map(parse)) {
    const { sign1, signPublic, possession, words } = each;
    if (equal(key, signPublic)) throw new Untrusted("succession-same-key");
    await cose.verifySign1(sign1, key, cose.SUCCESSION);
    const payload = encode(new Map(words.map((value, at) => [at + 1, value])));
    await cose.verifySign1({ ...sign1, payload, signature: possession }, signPublic, cose.SUCCESSOR);
    key = signPublic;
  }
}

/** What takes the place of `known` after `told` was heard, verified; null if that leads no further. The name stays.
 * Raises Untrusted anchor-other-site, succession-fork, and what `verify` does.
 * @param {Anchor} known @param {Anchor} told @returns {Promise<Anchor | null>} */
export async function further(known, told) {
  if (!equal(known.siteId, told.siteId)) throw new Untrusted("anchor-other-site");
  const [held = [], heard = []] = [known.successions, told.successions];
  for (const [at, each] of held.entries()) {
    if (at < heard.length && !equal(each, heard[at])) throw new Untrusted("succession-fork");
  }
  if (heard.length <= held.length) return null;
  await verify(told);
  return { ...told, name: known.name };
}

/** Whether any of the authority's keys has ever signed it. @param {Anchor} anchor
 * @param {import("./cose.js").Sign1} sign1 @param {Uint8Array} purpose */
export async function wasOfAuthority({ signPublic, first = [signPublic], successions = [] }, sign1, purpose) {
  const keys = [first[0], ...successions.map((each) => parse(each).signPublic)];
  const told = await Promise.allSettled(keys.map((key) => cose.verifySign1(sign1, key, purpose)));
  return told.some((each) => each.status === "fulfilled");
}
