/**
 * The trust anchor of a site: the authority's two public keys, the site's name, its id, and the successions by which
 * other keys took the place of the first (succession.js, loaded for those that have any). docs/SPEC.md section 5.
 *
 * Owns: the anchor's bytes and the site id.
 * Must not know: how an anchor reached us, and so whether it may be believed.
 */

import { utf8 } from "./bytes.js";
import { decode as decodeItem, encode as encodeItem, expect } from "./cbor.js";
import { decodeKey, encodeKey } from "./cose.js";
import { must } from "./errors.js";
import { sha256 } from "./kdf.js";

/**
 * `signPublic`, `ecdhPublic`: the present keys; `previous`: the key that signed before, and `ends`: until when its grants
 * and credentials count, unix seconds; `first`: the keys of which the site id is made.
 * @typedef {{signPublic: Uint8Array, ecdhPublic: Uint8Array, name: string, siteId: Uint8Array, first?: Uint8Array[],
 *   successions?: Uint8Array[], previous?: Uint8Array | null, ends?: number}} Anchor
 */

const MAX_NAME = 64; // bytes

/** The anchor's one encoding. @param {Anchor} anchor */
export function encode({ signPublic, ecdhPublic, name, first = [signPublic, ecdhPublic], successions }) {
  return encodeItem([...first.map(encodeKey), name, ...(successions ? [successions] : [])]);
}

/** The anchor at `time`, unix seconds: the key before counts no more once the overlap is over.
 * @param {Anchor} anchor @param {number} time @returns {Anchor} */
export const at = (anchor, time) => (time < (anchor.ends ?? 0) ? anchor : { ...anchor, previous: null });

/** The anchor in `data`, whose successions are not verified yet. Raises Malformed cbor-…, cose-key, anchor-structure,
 * anchor-name or anchor-chain, succession-structure. @param {Uint8Array} data @returns {Promise<Anchor>} */
export async function decode(data) {
  const items = expect(decodeItem(data), "array", "anchor-structure");
  must(items.length === 3 || items.length === 4, "anchor-structure");
  const [[signPublic, signKid], [ecdhPublic, ecdhKid]] = [decodeKey(items[0]), decodeKey(items[1])];
  must(!signKid && !ecdhKid, "anchor-structure");
  const name = expect(items[2], "text", "anchor-name");
  must(name && utf8(name).length <= MAX_NAME, "anchor-name");
  const siteId = (await sha256(encodeItem(items.slice(0, 2)))).slice(0, 16);
  const founded = { signPublic, ecdhPublic, name, siteId };
  return items.length === 3 ? founded : (await import("./succession.js")).succeed(founded, items[3]);
}
