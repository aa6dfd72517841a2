/**
 * Delegations: grants passed on, narrower, signed with the giver's own key. docs/SPEC.md section 8.4.
 *
 * Owns: which grant may stand behind which; making a narrower one.
 * Rules: parse (grant.js), then link to a parent that was verified itself, up to a grant of the authority. What cannot
 * be seen to be narrower counts as wider, and is neither taken nor made.
 * Must not know: where grants come from, and whether they count here and now.
 */

import { compare, equal, hex, utf8 } from "./bytes.js";
import * as cose from "./cose.js";
import * as cwt from "./cwt.js";
import { LocalError, NotFound, Untrusted } from "./errors.js";
import * as grants from "./grant.js";
import { BOUNDS, allCovered, covers, matches, within } from "./rule.js";

/** @typedef {grants.Grant} Grant */
/** @typedef {import("./rule.js").Rule} Rule */
/** @typedef {import("./p256.js").KeyPair} KeyPair */

/**
 * What to pass on, and to whom: their name, as it is told to others, and public keys. What is left out is as one's own
 * grant says; `delegate`: how many more links may follow.
 * @typedef {{name: string, login: Uint8Array, sign?: Uint8Array|null, rules?: Rule[]|null, audience?: string[]|null,
 *   notBefore?: number|null, expires?: number|null, delegate?: number, selectors?: string[]}} Wish
 */

/** The first of `chain` (parsed; each made from the next, the last by the authority), verified and with its chain.
 * Raises as verifyIssuer, `link`. @param {Grant[]} chain @param {Uint8Array} publicKey @param {Uint8Array} siteId
 * @param {Uint8Array | null} [previous] */
export async function verifyChain(chain, publicKey, siteId, previous) {
  let linked = chain[chain.length - 1];
  await grants.verifyIssuer(linked, publicKey, siteId, previous);
  for (const child of chain.slice(0, -1).reverse()) linked = await link(child, linked);
  return linked;
}

/** `child` with its chain, once it is seen to have been made from `parent`, which was verified. Raises as `prepare`,
 * and Unverified cose-signature. @param {Grant} child @param {Grant} parent */
export async function link(child, parent) {
  const [linked, publicKey] = prepare(child, parent);
  await cose.verifySign1(cose.parseSign1(child.data), publicKey, cose.DELEGATION);
  return linked;
}

/** [`child` with its chain, the key with which it must be signed]: all that `link` asks but the signature. Raises
 * Untrusted delegation-other-parent, grant-other-site, delegation-depth, delegation-no-key or grant-wider.
 * @param {Grant} child @param {Grant} parent @returns {[Grant, Uint8Array]} */
export function prepare(child, parent) {
  if (!child.parent || !equal(child.parent, parent.kid)) throw new Untrusted("delegation-other-parent");
  if (!equal(child.siteId, parent.siteId)) throw new Untrusted("grant-other-site");
  if (child.delegate >= parent.delegate) throw new Untrusted("delegation-depth");
  const publicKey = parent.enrol ? parent.key : parent.sigKey;
  if (!publicKey) throw new Untrusted("delegation-no-key");
  checkNarrow(child, parent);
  return [{ ...child, chain: [{ ...parent, chain: [] }, ...parent.chain] }, publicKey];
}

/** Raises Untrusted grant-wider unless `child` is surely no wider. @param {Grant} child @param {Grant} parent */
function checkNarrow(child, parent) {
  /** @type {[string, boolean][]} */
  const seen = [
    ["devices", allCovered(matches, parent.audience, child.audience)],
    ["life", within([child.notBefore, child.expires], [parent.notBefore, parent.expires])],
    ["selectors", child.selectors.every((each) => parent.selectors.includes(each))],
    ["rules", allCovered(covers, parent.rules, child.rules)],
  ];
  for (const [what, isNarrow] of seen) {
    if (!isNarrow) throw new Untrusted("grant-wider", "its " + what);
  }
}

/** A delegation made from `parent`, signed with its holder's `signKey` (an invite's own), with its chain. Raises what
 * grant.parse and `prepare` do; LocalError delegation-key for another's `signKey`.
 * @param {KeyPair} signKey @param {Grant} parent @param {Wish} wish @param {number} now unix seconds */
export async function issue(signKey, parent, wish, now) {
  const data = await cwt.issue(signKey, claimsOf(parent, wish, now), cose.DELEGATION);
  const [linked, publicKey] = prepare(await grants.parse(data), parent);
  if (!equal(publicKey, signKey.public)) throw new LocalError("delegation-key");
  return linked;
}

/** The wish fulfilled from the first of one's `own` grants (each with its chain) that allows it. Raises NotFound
 * share-none if none may be passed on, else what keeps the last of them from it.
 * @param {Grant[]} own @param {Wish} wish @param {KeyPair} signKey @param {number} now */
export async function share(own, wish, signKey, now) {
  /** @type {Error} */
  let refusal = new NotFound("share-none");
  for (const each of own) {
    if (!each.delegate) continue;
    try {
      return await passOn(each, wish, signKey, now);
    } catch (error) {
      if (!(error instanceof Untrusted)) throw error;
      refusal = error;
    }
  }
  throw refusal;
}

/** The wish fulfilled from the grant `own`. Raises Untrusted share-ended, share-wider, or as `issue`.
 * @param {Grant} own @param {Wish} wish @param {KeyPair} signKey @param {number} now */
async function passOn(own, wish, signKey, now) {
  const until = grants.lifeOf(own)[1];
  if (until !== null && until <= now) throw new Untrusted("share-ended");
  const rules = wish.rules ? wish.rules.flatMap((each) => narrowed(own.rules, each)) : own.rules;
  try {
    return await issue(signKey, own, { ...wish, rules }, now);
  } catch (error) {
    if (error instanceof Untrusted && error.reason === "grant-wider") throw new Untrusted("share-wider", error.detail);
    throw error;
  }
}

/** The rules that allow `wanted` as far as one's own do: with all their conditions, and the tighter bounds of both.
 * Raises Untrusted share-wider if none of one's own does. @param {Rule[]} own @param {Rule} wanted @returns {Rule[]} */
export function narrowed(own, wanted) {
  const found = own.filter((each) => matches(each.pattern, wanted.pattern) && !(wanted.methods & ~each.methods));
  if (!found.length) throw new Untrusted("share-wider", wanted.pattern);
  return found.map((each) => ({ ...wanted, conditions: merged(each.conditions, wanted.conditions) }));
}

/** @param {Grant} parent @param {Wish} wish @param {number} now */
function claimsOf(parent, wish, now) {
  const audience = wish.audience ?? parent.audience;
  const selectors = [...new Set(wish.selectors)].sort((one, other) => compare(utf8(one), utf8(other)));
  const claims = new Map()
    .set(cwt.ISS, hex(parent.siteId))
    .set(cwt.SUB, wish.name)
    .set(cwt.AUD, audience.length === 1 ? audience[0] : audience)
    .set(cwt.EXP, wish.expires ?? parent.expires)
    .set(cwt.NBF, wish.notBefore ?? parent.notBefore)
    .set(cwt.IAT, now)
    .set(cwt.CNF, cwt.cnf(wish.login))
    .set(cwt.SCOPE, grants.encodeScope(wish.rules ?? parent.rules))
    .set(cwt.SIG_KEY, wish.sign ? cose.encodeKey(wish.sign) : null)
    .set(cwt.SELECTORS, selectors.length ? selectors : null)
    .set(cwt.DELEGATE, wish.delegate || null)
    .set(cwt.PARENT, parent.kid);
  return new Map([...claims].filter(([, value]) => value !== null));
}

/** @param {Map<any, any>} own @param {Map<any, any>} wanted */
function merged(own, wanted) {
  const both = new Map([...own, ...wanted]);
  const [mine, theirs] = [own.get(BOUNDS), wanted.get(BOUNDS)];
  if (!mine || !theirs) return both;
  const names = [...mine.keys(), ...theirs.keys()];
  return both.set(BOUNDS, new Map(names.map((name) => [name, tighter(mine.get(name), theirs.get(name))])));
}

/** @param {any[]} one @param {any[]} other */
function tighter(one = [null, null], other = [null, null]) {
  const least = Math.max(one[0] ?? -Infinity, other[0] ?? -Infinity);
  const most = Math.min(one[1] ?? Infinity, other[1] ?? Infinity);
  return [least === -Infinity ? null : least, most === Infinity ? null : most];
}
