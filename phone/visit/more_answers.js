/**
 * What a kiosk answers now and then: docs/SPEC.md sections 17.7, 17.13 to 17.15. As answers.js.
 *
 * @typedef {{id: Uint8Array, name: string, key: Uint8Array, sigKey: Uint8Array, fingerprint: string}} Newcomer
 * @typedef {{id: Uint8Array, who: string, method: number, path: string, args: Map<string, any> | null, needed: number,
 *   got: number, expiresS: number, key: Uint8Array, isOwn: boolean}} Approval   method: AIF's bit, POST is 2
 */

import { decode as decodeAnchor } from "../protocol/anchor.js";
import { hex } from "../protocol/bytes.js";
import { decode, expect } from "../protocol/cbor.js";
import { decodeKey } from "../protocol/cose.js";
import { Malformed } from "../protocol/errors.js";
import { parse as parseGrant } from "../protocol/grant.js";
import { fingerprint } from "../protocol/papers.js";

const [ID, SITE_ID] = [8, 16]; // bytes

/** @param {Uint8Array} data */
export function digitsIn(data) {
  return expect(mapIn(data, "presence-body").get(1), "uint", "presence-body");
}

/** The id, 8 bytes, of what was asked for. @param {Uint8Array} data @param {string} reason */
export function idIn(data, reason) {
  return idOf(mapIn(data, reason).get(1), reason);
}

/** @param {Uint8Array} data @returns {Promise<Newcomer[]>} */
export function newcomersIn(data) {
  const reason = "enrol-list";
  return Promise.all(
    expect(decode(data), "array", reason).map(async (item) => {
      const fields = expect(item, "map", reason);
      const [sigKey, key] = [5, 6].map((number) => decodeKey(expect(fields.get(number), "map", reason))[0]);
      const name = expect(fields.get(4), "text", reason);
      if (!name) throw new Malformed(reason);
      return { id: idOf(fields.get(1), reason), name, key, sigKey, fingerprint: hex(await fingerprint(key)) };
    }),
  );
}

/** The grants, nearest first, that somebody has passed on. @param {Uint8Array} data */
export function grantsIn(data) {
  const body = mapIn(data, "enrol-body");
  const chain = [body.get(2), ...expect(body.get(3), "array", "enrol-body")];
  return Promise.all(chain.map((each) => parseGrant(expect(each, "bytes", "enrol-body"))));
}

/** @param {Uint8Array} data @param {string} own fingerprint of one's own login key @returns {Approval[]} */
export function approvalsIn(data, own) {
  const reason = "approval-list";
  return expect(decode(data), "array", reason).map((item) => {
    const fields = expect(item, "map", reason);
    const [method, needed, got, expiresS] = [3, 6, 7, 8].map((number) => expect(fields.get(number), "uint", reason));
    const [who, path] = [2, 4].map((number) => expect(fields.get(number), "text", reason));
    const [id, key] = [1, 9].map((number) => idOf(fields.get(number), reason));
    const args = expect(fields.get(5), ["map", "null"], reason);
    if (fields.size !== 9) throw new Malformed(reason);
    return { id, who, method, path, args, needed, got, expiresS, key, isOwn: hex(key) === own };
  });
}

/** @param {Uint8Array} data */
export function bundleIn(data) {
  const body = mapIn(data, "bundle-answer");
  const head = expect(body.get(3), "bytes", "bundle-answer");
  const followed = expect(body.get(6) ?? 0, "uint", "bundle-answer");
  return { head, notice: expect(body.get(4) ?? null, ["bytes", "null"], "bundle-answer"), followed };
}

/** The anchor of its site, with the successions that it follows, and the takeover that it waits for, as a kiosk tells
 * of itself at /id. @param {Uint8Array} data */
export async function idOfSite(data) {
  const body = mapIn(data, "id-body");
  const [anchor, takeover] = [expect(body.get(8) ?? null, ["bytes", "null"], "id-body"), body.get(10)];
  return { anchor: anchor && (await decodeAnchor(anchor)), takeover: takeover ? takeoverIn(takeover) : null };
}

/** @param {any} value @returns {{seconds: number, signed: number}} under power; by how many holders of keys */
function takeoverIn(value) {
  const [site, seconds, signed, ...rest] = expect(value, "array", "id-body");
  if (expect(site, "bytes", "id-body").length !== SITE_ID || rest.length) throw new Malformed("id-body");
  return { seconds: expect(seconds, "uint", "id-body"), signed: expect(signed, "uint", "id-body") };
}

/** The grants in the answer to GET /grants. @param {Uint8Array} data */
export function renewedIn(data) {
  const items = expect(decode(data), "array", "grants-body");
  return Promise.all(items.map((each) => parseGrant(expect(each, "bytes", "grants-body"))));
}

/** @param {Uint8Array} data @param {string} reason */
function mapIn(data, reason) {
  return expect(decode(data), "map", reason);
}

/** @param {any} value @param {string} reason */
function idOf(value, reason) {
  if (expect(value, "bytes", reason).length !== ID) throw new Malformed(reason);
  return value;
}
