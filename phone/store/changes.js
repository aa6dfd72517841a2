/**
 * What is seldom done with a wallet: beginning and ending sites, taking and passing on grants, meeting new kiosks.
 *
 * Rules: as wallet.js says; each function has its documentation there, where it is a method.
 * Must not know: transports, sessions, and the page.
 *
 * @typedef {import("./wallet.js").Wallet} Wallet
 * @typedef {import("./wallet.js").Site} Site
 * @typedef {import("./wallet.js").Held} Held
 * @typedef {import("../protocol/anchor.js").Anchor} Anchor
 * @typedef {import("../protocol/grant.js").Grant} Grant
 * @typedef {import("../protocol/credential.js").Credential} Credential
 */

import * as anchors from "../protocol/anchor.js";
import * as credentials from "../protocol/credential.js";
import * as delegation from "../protocol/delegation.js";
import * as grants from "../protocol/grant.js";
import * as papers from "../protocol/papers.js";
import * as successions from "../protocol/succession.js";
import { equal, hex } from "../protocol/bytes.js";
import { NotFound, Untrusted } from "../protocol/errors.js";
import { invitationLink } from "../protocol/label.js";
import { askPersistence, makeKeys } from "./keys.js";
import { NEW } from "./wallet.js";

/** @typedef {import("./database.js").Transaction} Transaction */

/** @param {Wallet} wallet @param {{name: string, anchor?: Anchor | null}} person */
export async function newSite(wallet, { name, anchor = null }) {
  const id = anchor ? hex(anchor.siteId) : NEW;
  wallet.isPersistent = await askPersistence();
  await begin(wallet, id, { person: name, anchor: anchor && anchors.encode(anchor), notice: null });
  return wallet.site(id);
}

/** @param {Wallet} wallet @param {string} id @returns {Promise<Site>} */
export async function renew(wallet, id) {
  const lost = (await wallet.lostKeys()).find((each) => each.id === id);
  if (!lost) throw new NotFound("wallet-no-site");
  const record = await get(wallet, "sites", id);
  if (!record) {
    retrace(wallet, id);
    return newSite(wallet, { name: lost.person });
  }
  await begin(wallet, id, record, true);
  return wallet.site(id);
}

/** @param {Wallet} wallet @param {string} id */
export async function removeSite(wallet, id) {
  retrace(wallet, id);
  await wallet.database.transact(["sites", "keys", "grants", "devices"], async (change) => {
    await dropAll(change, "grants", id);
    await dropAll(change, "devices", id);
    change.delete("sites", id);
    change.delete("keys", id);
  });
}

/** @param {Wallet} wallet @param {Anchor} anchor @returns {Promise<Site>} */
export async function bind(wallet, anchor) {
  const id = hex(anchor.siteId);
  if (!(await get(wallet, "sites", id))) retrace(wallet, NEW); // before it moves, or another tab takes it for lost
  await wallet.database.transact(["sites", "keys"], async (change) => {
    if (await change.get("sites", id)) return;
    const record = await change.get("sites", NEW);
    if (!record) throw new NotFound("wallet-no-site", anchor.name);
    change.put("sites", id, { ...record, anchor: anchors.encode(anchor) });
    change.put("keys", id, await change.get("keys", NEW));
    change.delete("sites", NEW);
    change.delete("keys", NEW);
  });
  const site = await wallet.site(id);
  retrace(wallet, id, site);
  return site;
}

/** @param {Wallet} wallet @param {string} id */
export async function unbind(wallet, id) {
  retrace(wallet, id);
  await wallet.database.transact(["sites", "keys", "grants", "devices"], async (change) => {
    const record = await change.get("sites", id);
    const kept = [...(await change.all("grants")).keys(), ...(await change.all("devices")).keys()];
    if (!record || (await change.get("sites", NEW)) || kept.some((key) => key.startsWith(`${id}/`))) return;
    change.put("sites", NEW, { ...record, anchor: null, notice: null });
    change.put("keys", NEW, await change.get("keys", id));
    change.delete("sites", id);
    change.delete("keys", id);
  });
  const site = await wallet.siteFor(id);
  if (site) retrace(wallet, site.id, site);
}

/** @param {Wallet} wallet @param {string} id @param {Anchor} told */
export async function follow(wallet, id, told) {
  const known = /** @type {Anchor} */ ((await wallet.site(id)).anchor);
  const next = await successions.further(known, told);
  if (!next) return;
  const isNext = next.successions?.length === (known.successions?.length ?? 0) + 1; // only the key just before counts
  await wallet.database.transact(["sites", "grants"], async (change) => {
    const record = await change.get("sites", id);
    if (!record || !equal(record.anchor, anchors.encode(known))) return; // another tab was faster: the next visit tells
    change.put("sites", id, { ...record, anchor: anchors.encode(next) });
    for (const [key, { renewed, ...held }] of await change.all("grants")) {
      const ends = isNext && (renewed || held.ends === undefined) ? next.ends : 0;
      if (key.startsWith(`${id}/`)) change.put("grants", key, { ...held, data: renewed ?? held.data, ends });
    }
  });
}

/** @param {Wallet} wallet @param {string} siteId @param {Grant[]} given */
export async function renewGrants(wallet, siteId, given) {
  const site = await wallet.site(siteId);
  for (const grant of given) {
    await verified([grant], { .../** @type {Anchor} */ (site.anchor), previous: null }, site);
    await wallet.database.transact(["grants"], async (change) => {
      const key = `${siteId}/${hex(grant.id)}`;
      const held = await change.get("grants", key);
      if (held?.ends !== undefined && !held.chain.length) change.put("grants", key, { ...held, renewed: grant.data });
    });
  }
}

/** @param {Wallet} wallet @param {string} siteId @param {Grant[]} chain @returns {Promise<Grant>} */
export async function addGrants(wallet, siteId, chain) {
  const site = await wallet.site(siteId);
  const anchor = /** @type {Anchor} */ (site.anchor);
  const grant = await verified(chain, anchor, site);
  const root = chain[chain.length - 1];
  const isPresent = await grants.verifyIssuer(root, anchor.signPublic, anchor.siteId).then(() => true, () => false);
  const [data, ...behind] = chain.map((each) => each.data);
  await wallet.database.transact(["grants"], async (change) => {
    for (const [key, { chain: other }] of await change.all("grants")) {
      const isSame = key.startsWith(siteId) && other.length && behind.length && equal(other[0], behind[0]);
      if (isSame && chain[1].enrol) change.delete("grants", key); // an invite that is redeemed again is one grant still
    }
    change.put("grants", `${siteId}/${hex(grant.id)}`, { data, chain: behind, at: Date.now(), isRevoked: false, ...(!isPresent && { ends: anchor.ends }) });
  });
  return grant;
}

/** @param {Wallet} wallet @param {{anchor: Anchor, grants: Grant[]}} invitation */
export async function accept(wallet, { anchor, grants: chain }) {
  const site = await wallet.siteFor(hex(anchor.siteId));
  if (!site) throw new NotFound("wallet-no-site", anchor.name);
  if (site.anchor) await follow(wallet, site.id, anchor);
  else await successions.verify(anchor);
  const trusted = (await wallet.site(site.id)).anchor ?? anchors.at(anchor, Date.now() / 1000);
  await verified(chain, trusted, site);
  return addGrants(wallet, (await bind(wallet, anchor)).id, chain);
}

/** @param {Wallet} wallet @param {string} siteId @param {Uint8Array} grantId */
export async function dropGrant(wallet, siteId, grantId) {
  await wallet.database.transact(["grants"], async (change) => change.delete("grants", `${siteId}/${hex(grantId)}`));
}

/** @param {Wallet} wallet @param {string} siteId @param {delegation.Wish} wish @param {Held[]} [among] */
export async function share(wallet, siteId, wish, among) {
  const { keys, anchor } = await wallet.site(siteId);
  const own = (among ?? (await wallet.grants(siteId))).map((each) => each.grant);
  const grant = await delegation.share(own, wish, keys.sign, Math.floor(Date.now() / 1000));
  return { grant, link: invitationLink(/** @type {Anchor} */ (anchor), grant) };
}

/** @param {Wallet} wallet @param {string} siteId @param {Uint8Array} data */
export async function addDevice(wallet, siteId, data) {
  const found = credentials.parse(data);
  await credentials.verify(found, /** @type {Anchor} */ ((await wallet.site(siteId)).anchor));
  await wallet.database.transact(["devices"], async (change) => {
    const key = `${siteId}/${found.deviceId}`;
    const record = await change.get("devices", key);
    change.put("devices", key, { ...(record && equal(record.data, data) ? record : { data }), metAt: Date.now() });
  });
  return found;
}

/** @param {Wallet} wallet @param {string} siteId @param {string} deviceId */
export async function dropDevice(wallet, siteId, deviceId) {
  await wallet.database.transact(["devices"], async (change) => change.delete("devices", `${siteId}/${deviceId}`));
}

/** @param {Wallet} wallet @param {string} siteId @param {Uint8Array} data */
export async function takeNotice(wallet, siteId, data) {
  const told = papers.parseNotice(data);
  await papers.verifyNotice(told, /** @type {Anchor} */ ((await wallet.site(siteId)).anchor));
  await wallet.database.transact(["sites"], async (change) => {
    const record = await change.get("sites", siteId);
    const isNews = record && (!record.notice || papers.parseNotice(record.notice).number < told.number);
    if (isNews) change.put("sites", siteId, { ...record, notice: data });
  });
}

/** @param {Uint8Array} notice @param {Credential} credential */
export async function checkDevice(notice, credential) {
  const name = await papers.fingerprint(credential.public);
  const { devices } = papers.parseNotice(notice);
  if (devices.some((each) => equal(each, name))) throw new Untrusted("device-struck-off", credential.deviceId);
}

/** @param {Wallet} wallet @param {string} siteId @param {string} deviceId @param {Uint8Array} signed */
export async function keepHead(wallet, siteId, deviceId, signed) {
  const device = await wallet.device(siteId, deviceId);
  if (!device) throw new NotFound("wallet-no-device", deviceId);
  const head = await papers.witness(device.head, signed, device.credential);
  await wallet.rememberDevice(siteId, deviceId, { head });
}

/** Put a site with new keys; in the place of what is there only if `isRenewed`.
 * @param {Wallet} wallet @param {string} id @param {any} record @param {boolean} [isRenewed] */
async function begin(wallet, id, record, isRenewed = false) {
  const keys = await makeKeys();
  const publics = [keys.login.public, keys.sign.public];
  const fingerprint = hex(await papers.fingerprint(publics[0]));
  await wallet.database.transact(["sites", "keys", "grants"], async (change) => {
    if (!isRenewed && (await change.get("sites", id))) return;
    await dropAll(change, "grants", id); // of a key that is no more
    change.put("sites", id, { ...record, publics, fingerprint });
    change.put("keys", id, keys);
  });
  retrace(wallet, id, await wallet.site(id));
}

/** @param {Wallet} wallet @param {string} store @param {string} key */
function get(wallet, store, key) {
  return wallet.database.transact([store], (change) => change.get(store, key));
}

/** Note, outside of the database, that there is such a key; or no more.
 * @param {Wallet} wallet @param {string} id @param {Site} [site] */
function retrace(wallet, id, site) {
  const { [id]: _, ...others } = wallet.trace();
  const own = site && { [id]: { name: site.name, person: site.person, fingerprint: site.fingerprint } };
  wallet.database.writeTrace(JSON.stringify({ ...others, ...own }));
}

/** @param {Transaction} change @param {string} store @param {string} siteId */
async function dropAll(change, store, siteId) {
  for (const key of (await change.all(store)).keys()) if (key.startsWith(`${siteId}/`)) change.delete(store, key);
}

/** @param {Grant[]} chain @param {Anchor} anchor @param {Site} site */
async function verified(chain, anchor, site) {
  const given = await delegation.verifyChain(chain, anchor.signPublic, anchor.siteId, anchor.previous);
  if (!equal(given.key, site.publics[0])) throw new Untrusted("wallet-other-key", "the grant is for another key");
  return given;
}
