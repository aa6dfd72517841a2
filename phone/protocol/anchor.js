/**
 * The trust anchor of a site: the authority's two public keys, the site's name, and its id. docs/SPEC.md section 5.
 *
 * Owns: the anchor's bytes and the site id.
 * Must not know: how an anchor reached us, and so whether it may be believed.
 */

import { utf8 } from "./bytes.js";
import { decode as decodeItem, encode as encodeItem, expect } from "./cbor.js";
import { decodeKey, encodeKey } from "./cose.js";
import { must } from "./errors.js";
import { sha256 } from "./kdf.js";

/** @typedef {{signPublic: Uint8Array, ecdhPublic: Uint8Array, name: string, siteId: Uint8Array}} Anchor */

const MAX_NAME = 64; // bytes

/** The anchor's one encoding. @param {Anchor} anchor */
export function encode({ signPublic, ecdhPublic, name }) {
  return encodeItem([encodeKey(signPublic), encodeKey(ecdhPublic), name]);
}

/** The anchor in `data`. Raises Malformed cbor-…, cose-key, anchor-structure or anchor-name.
 * @param {Uint8Array} data @returns {Promise<Anchor>} */
export async function decode(data) {
  const items = expect(decodeItem(data), "array", "anchor-structure");
  must(items.length === 3, "anchor-structure");
  const [[signPublic, signKid], [ecdhPublic, ecdhKid]] = [decodeKey(items[0]), decodeKey(items[1])];
  must(!signKid && !ecdhKid, "anchor-structure");
  const name = expect(items[2], "text", "anchor-name");
  must(name && utf8(name).length <= MAX_NAME, "anchor-name");
  const siteId = (await sha256(encodeItem(items.slice(0, 2)))).slice(0, 16);
  return { signPublic, ecdhPublic, name, siteId };
}
