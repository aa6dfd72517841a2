/**
 * The user's wallet: for each site their own keys, its anchor, their grants, and the kiosks that they have met.
 *
 * Owns: what stands in each store of the database, and which grants are brought to which kiosk. What is seldom done is
 * in changes.js, loaded when it is asked for.
 * Rules: what is kept about others was verified first. Keys of one site are never used at another. A wallet that has
 * begun with no more than a person's name and keys (site id "new") takes the first site that it meets.
 * Must not know: transports, sessions, and the page.
 *
 * @typedef {import("./keys.js").Keys} Keys
 * @typedef {import("../protocol/anchor.js").Anchor} Anchor
 * @typedef {import("../protocol/grant.js").Grant} Grant
 * @typedef {import("../protocol/credential.js").Credential} Credential
 * @typedef {{id: string, name: string, anchor: Anchor | null, person: string, fingerprint: string,
 *   publics: Uint8Array[], keys: Keys}} Site   id: 32 hex digits, or "new"; publics: login, sign
 * @typedef {{id: string, name: string, person: string, fingerprint: string}} LostKey
 * @typedef {{grant: Grant, chain: Grant[], state: "valid" | "not-yet" | "expired" | "revoked", siteId: string,
 *   ends?: number}} Held   grant: with its chain linked; chain: those that it was made from, nearest first; ends: when
 *   the key that signed it counts no more, unix seconds, if the authority has another one and has not signed it anew
 * @typedef {{deviceId: string, credential: Credential, data: Uint8Array, maxPayload: number | null, metAt: number,
 *   routines: Uint8Array | null, head: Uint8Array | null, pending: Pending | null}} Device
 *   maxPayload: bytes of the longest value there; routines: the last `GET /r`; metAt: ms since 1970
 * @typedef {{name: string, args: Uint8Array, id: Uint8Array, at: number}} Pending   an invocation without an outcome
 */

import * as anchors from "../protocol/anchor.js";
import * as credentials from "../protocol/credential.js";
import * as grants from "../protocol/grant.js";
import { hex } from "../protocol/bytes.js";
import { NotFound } from "../protocol/errors.js";
import { openDatabase } from "./database.js";
import { areKeys } from "./keys.js";

/** The id of what waits for its first site. */
export const NEW = "new";
const STATES = ["valid", "not-yet", "expired", "revoked"];
const changes = () => import("./changes.js");

/** The wallet of this browser. Raises StorageError store-refused (a private window, a full disk). */
export async function openWallet() {
  return new Wallet(await openDatabase());
}

export class Wallet {
  /** @param {import("./database.js").Store} database */
  constructor(database) {
    this.database = database;
    /** Called when another tab has changed the wallet. @type {() => void} */
    this.onchange = () => {};
    database.onchange = () => this.onchange();
    /** Whether the browser promises to keep what is stored; null before it was asked. @type {boolean | null} */
    this.isPersistent = null;
  }

  // Sites and keys

  /** The sites whose keys are there. @returns {Promise<Site[]>} */
  async sites() {
    return /** @type {Site[]} */ ((await this.#sites()).filter((site) => site.keys));
  }

  /** One site. Raises NotFound wallet-no-site, wallet-key-lost. @param {string} id @returns {Promise<Site>} */
  async site(id) {
    const record = await this.#get("sites", id);
    if (!record) throw new NotFound("wallet-no-site");
    const site = await this.#site(id, record);
    if (!site.keys) throw new NotFound("wallet-key-lost", site.fingerprint);
    return /** @type {Site} */ (site);
  }

  /**
   * Begin a site: make its keys. Without an anchor it takes the first site that it meets. If it is there already, also
   * because another tab was faster, that one is returned, and nothing changes.
   * @param {{name: string, anchor?: Anchor | null}} person  name: what the person is called, 1 to 64 bytes
   */
  async newSite(person) {
    return (await changes()).newSite(this, person);
  }

  /** Keys that are gone: cleared, or evicted by the browser. @returns {Promise<LostKey[]>} */
  async lostKeys() {
    const before = Object.entries(this.trace());
    const sites = await this.#sites();
    const after = this.trace(); // another tab may be at work: what it is about to move or forget has no trace then
    const traces = before.map(([id, trace]) => ({ id, ...trace })).filter(({ id }) => id in after);
    const gone = traces.filter((trace) => !sites.some((site) => site.id === trace.id));
    return [...sites.filter((site) => !site.keys), ...gone].map(({ id, name, person, fingerprint }) => ({
      id, name, person, fingerprint,
    }));
  }

  /** The way back from a lost key: a new one, which has no grant yet. @param {string} id of lostKeys() */
  async renew(id) {
    return (await changes()).renew(this, id);
  }

  /** Forget a site with its keys and all that was kept of it; or only that a key was lost. @param {string} id */
  async removeSite(id) {
    return (await changes()).removeSite(this, id);
  }

  /** The site with this id, or what waits for its first site; null if there is neither. @param {string} id */
  async siteFor(id) {
    const records = await this.#all("sites");
    return records.has(id) ? this.site(id) : records.has(NEW) ? this.site(NEW) : null;
  }

  /**
   * The site of `anchor`, which came by a way that the user believes: the one that is known, or the one that waited.
   * Raises NotFound wallet-no-site. @param {Anchor} anchor @returns {Promise<Site>}
   */
  async bind(anchor) {
    return (await changes()).bind(this, anchor);
  }

  /** Take back `bind`, if nothing else is kept of that site: its keys, which nobody was shown, wait for another one.
   * @param {string} id */
  async unbind(id) {
    return (await changes()).unbind(this, id);
  }

  /** Follow the authority to other keys, as far as `told`, from wherever, leads from those that are known. Raises what
   * succession.further does. @param {string} id @param {Anchor} told */
  async follow(id, told) {
    return (await changes()).follow(this, id, told);
  }

  // Grants

  /** The grants of a site, or of all; the newest first. @param {string} [siteId] @returns {Promise<Held[]>} */
  async grants(siteId = "") {
    const records = [...(await this.#all("grants"))].filter(([key]) => key.startsWith(siteId));
    records.sort(([, one], [, other]) => other.at - one.at);
    const found = await Promise.all(records.map(([key, record]) => held(key.split("/")[0], record).catch(() => null)));
    return /** @type {Held[]} */ (found.filter(Boolean)); // what cannot be read is worth nothing
  }

  /**
   * Keep a grant for a site's own key. Raises what delegation.verifyChain does, Untrusted wallet-other-key.
   * @param {string} siteId @param {Grant[]} chain the grant, and those that it was made from, nearest first
   * @returns {Promise<Grant>}
   */
  async addGrants(siteId, chain) {
    return (await changes()).addGrants(this, siteId, chain);
  }

  /**
   * Take an invitation (label.js's "invitation"): its grant with those behind it, and its anchor if the wallet waits
   * for its first site. Nothing is kept unless all of it fits. Raises what `bind` and `addGrants` do.
   * @param {{anchor: Anchor, grants: Grant[]}} invitation @returns {Promise<Grant>}
   */
  async accept(invitation) {
    return (await changes()).accept(this, invitation);
  }

  /** Keep what the authority's present key has signed anew of the grants that are held, for when the old ones count no
   * more. Raises what grant.verifyIssuer does, Untrusted wallet-other-key.
   * @param {string} siteId @param {Grant[]} given */
  async renewGrants(siteId, given) {
    return (await changes()).renewGrants(this, siteId, given);
  }

  /** Forget a grant. @param {string} siteId @param {Uint8Array} grantId */
  async dropGrant(siteId, grantId) {
    return (await changes()).dropGrant(this, siteId, grantId);
  }

  /** What a kiosk has said: the grant is taken back, or is not after all. @param {string} siteId
   * @param {Uint8Array} grantId @param {boolean} isRevoked */
  async markRevoked(siteId, grantId, isRevoked) {
    await this.#change("grants", `${siteId}/${hex(grantId)}`, (record) => ({ ...record, isRevoked }));
  }

  /**
   * The grants to bring to a kiosk, the best first. This clock may be wrong, and a kiosk may know better, so those that
   * seem not to count come too, last. @param {string} siteId @param {string} deviceId @returns {Promise<Held[]>}
   */
  async grantsFor(siteId, deviceId) {
    const found = (await this.grants(siteId)).filter((each) => grants.isFor(each.grant, deviceId));
    return found.sort((one, other) => STATES.indexOf(one.state) - STATES.indexOf(other.state));
  }

  /**
   * Pass on: a narrower grant out of one's own for somebody else's keys (label.js's "key"), and the link that hands it
   * over. Raises NotFound share-none; Untrusted share-wider, share-ended.
   * @param {string} siteId @param {import("../protocol/delegation.js").Wish} wish
   * @param {Held[]} [among] by default all of the site
   * @returns {Promise<{grant: Grant, link: string}>}
   */
  async share(siteId, wish, among) {
    return (await changes()).share(this, siteId, wish, among);
  }

  // Kiosks

  /** The kiosks of a site that were met, the latest first. @param {string} siteId @returns {Promise<Device[]>} */
  async devices(siteId) {
    const records = [...(await this.#all("devices"))].filter(([key]) => key.startsWith(siteId));
    return records.map(([key, record]) => deviceOf(key, record)).sort((one, other) => other.metAt - one.metAt);
  }

  /** One of them, or null. @param {string} siteId @param {string} deviceId @returns {Promise<Device | null>} */
  async device(siteId, deviceId) {
    const key = `${siteId}/${deviceId}`;
    const record = await this.#get("devices", key);
    return record ? deviceOf(key, record) : null;
  }

  /**
   * Keep a kiosk's credential, and forget what was known of an earlier key of that name. Raises what credential.verify
   * does. @param {string} siteId @param {Uint8Array} data @returns {Promise<Credential>}
   */
  async addDevice(siteId, data) {
    return (await changes()).addDevice(this, siteId, data);
  }

  /** Remember more of a kiosk that is kept: maxPayload, routines, pending, metAt.
   * @param {string} siteId @param {string} deviceId @param {Partial<Device>} more */
  async rememberDevice(siteId, deviceId, more) {
    await this.#change("devices", `${siteId}/${deviceId}`, (record) => ({ ...record, ...more }));
  }

  /** Forget a kiosk. @param {string} siteId @param {string} deviceId */
  async dropDevice(siteId, deviceId) {
    return (await changes()).dropDevice(this, siteId, deviceId);
  }

  // What the authority and the kiosks say

  /** The newest notice of a site that was met with, bytes, or null.
   * @param {string} siteId @returns {Promise<Uint8Array | null>} */
  async notice(siteId) {
    return (await this.#get("sites", siteId))?.notice ?? null;
  }

  /** Keep what the authority tells everybody, if it is newer. Raises what papers.verifyNotice does.
   * @param {string} siteId @param {Uint8Array} data */
  async takeNotice(siteId, data) {
    return (await changes()).takeNotice(this, siteId, data);
  }

  /** Raise Untrusted device-struck-off if the authority has told that this kiosk no longer counts.
   * @param {string} siteId @param {Credential} credential */
  async checkDevice(siteId, credential) {
    const notice = await this.notice(siteId);
    if (notice) await (await changes()).checkDevice(notice, credential);
  }

  /** The newest journal heads of a site's kiosks: a witness. @param {string} siteId */
  async heads(siteId) {
    const found = await this.devices(siteId);
    return found.filter((each) => each.head).map(({ deviceId, head }) => ({ deviceId, signed: head }));
  }

  /** Keep the head that a kiosk showed, if it is newer. Raises what papers.witness does.
   * @param {string} siteId @param {string} deviceId @param {Uint8Array} signed */
  async keepHead(siteId, deviceId, signed) {
    return (await changes()).keepHead(this, siteId, deviceId, signed);
  }

  // Within

  /** @param {string} store @param {string} key */
  #get(store, key) {
    return this.database.transact([store], (change) => change.get(store, key));
  }

  /** @param {string} store */
  #all(store) {
    return this.database.transact([store], (change) => change.all(store));
  }

  /** Change a record, if it is there. @param {string} store @param {string} key @param {(record: any) => any} work */
  #change(store, key, work) {
    return this.database.transact([store], async (change) => {
      const record = await change.get(store, key);
      if (record) change.put(store, key, work(record));
    });
  }

  async #sites() {
    return Promise.all([...(await this.#all("sites"))].map(([id, record]) => this.#site(id, record)));
  }

  /** @param {string} id @param {any} record @returns {Promise<Omit<Site, "keys"> & {keys: Keys | null}>} */
  async #site(id, { anchor: data, person, publics, fingerprint }) {
    const anchor = data ? anchors.at(await anchors.decode(data), now()) : null;
    const keys = await this.#get("keys", id).catch(() => null); // what cannot be read is lost
    return { id, name: anchor?.name ?? "", anchor, person, publics, fingerprint, keys: areKeys(keys) ? keys : null };
  }

  /** What is noted of keys outside of the database.
   * @returns {{[id: string]: {name: string, person: string, fingerprint: string}}} */
  trace() {
    try {
      return Object(JSON.parse(this.database.readTrace() ?? "{}"));
    } catch {
      return {};
    }
  }
}

/** @param {string} siteId @param {any} record @returns {Promise<Held>} */
async function held(siteId, record) {
  const { data, renewed, isRevoked, ends } = record;
  const isOver = ends <= now(); // until then the old one counts everywhere, also where nobody has heard of other keys
  const [first, ...chain] = await Promise.all([(isOver && renewed) || data, ...record.chain].map(grants.parse));
  const grant = { ...first, chain };
  const state = isRevoked ? "revoked" : isOver && !renewed ? "expired" : stateAt(grant, now());
  return { grant, chain, state, siteId, ends: renewed ? undefined : ends };
}

/** Whether a grant, and all behind it, lives at `time` (unix seconds). @param {Grant} grant @param {number} time */
export function stateAt(grant, time) {
  const [from, until] = grants.lifeOf(grant);
  if (until !== null && until <= time) return "expired";
  return from !== null && time < from ? "not-yet" : "valid";
}

/** @param {string} key @param {any} record @returns {Device} */
function deviceOf(key, record) {
  const nothing = { maxPayload: null, routines: null, head: null, pending: null };
  const credential = credentials.parse(record.data);
  return { ...nothing, ...record, deviceId: key.slice(key.indexOf("/") + 1), credential };
}

function now() {
  return Math.floor(Date.now() / 1000);
}
