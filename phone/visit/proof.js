/**
 * The proof: that what stands at the other end of a connection is the kiosk that the user chose.
 *
 * Order: the credential is verified against the site's anchor and what was chosen, then message_2 against that very
 * credential. Until then nothing of the user leaves, and nothing is kept. A kiosk that is not known is first.js's.
 * Must not know: what is done at a kiosk, and what happens when a link is lost.
 *
 * @typedef {{siteId?: Uint8Array, deviceId: string, fingerprint?: Uint8Array, name: string}} Chosen
 *   deviceId: what was chosen, or ""; name: what stood in the chooser
 * @typedef {{session: Session, site: Site, credential: Credential, grants: Held[], isNew: boolean, binds: boolean,
 *   before: Device | null}} Proven
 *   grants: those that are brought; isNew: never met before; binds: nor was its site, and the keys that waited for one
 *   are that site's now; before: what was kept of it, if it still is the same
 * @typedef {import("./connection.js").Connection} Connection
 * @typedef {import("../store/wallet.js").Wallet} Wallet
 * @typedef {import("../store/wallet.js").Site} Site
 * @typedef {import("../store/wallet.js").Held} Held
 * @typedef {import("../store/wallet.js").Device} Device
 * @typedef {import("../protocol/credential.js").Credential} Credential
 */

import * as credentials from "../protocol/credential.js";
import { equal } from "../protocol/bytes.js";
import { AdmitError } from "../protocol/errors.js";
import { sha256 } from "../protocol/kdf.js";
import { Session } from "./session.js";

const MAX_GRANTS = 4; // that a kiosk lets count in one session
const FINGERPRINT = 8; // bytes of a key's SHA-256
/** What a device may raise that was met before, if it or its site was given a new key since. */
const CHANGED = ["NotFound", "Refused", "Untrusted", "Unverified"];

/** EDHOC up to a message_2 that has verified against the kiosk that the user chose. Raises as `meet` (kiosk.js).
 * @param {Connection} connection @param {Wallet} wallet @param {Chosen} chosen @returns {Promise<Proven>} */
export async function prove(connection, wallet, chosen) {
  const known = await knownKiosk(wallet, chosen);
  const proven = known && (await meetAgain(connection, wallet, known));
  return proven || meetFirst(connection, wallet, chosen);
}

/** A kiosk that was met before, under the name that was chosen; null if there is none, or not just one.
 * @param {Wallet} wallet @param {Chosen} chosen */
async function knownKiosk(wallet, { siteId, deviceId, fingerprint, name }) {
  const found = [];
  for (const site of await wallet.sites()) {
    if (!site.anchor || (siteId && !equal(site.anchor.siteId, siteId))) continue;
    const device = await wallet.device(site.id, deviceId || name);
    if (device) found.push({ site, device });
  }
  if (found.length !== 1) return null;
  const print = (await sha256(found[0].device.credential.public)).slice(0, FINGERPRINT);
  return !fingerprint || equal(fingerprint, print) ? found[0] : null;
}

/** It, if it is that kiosk still. Nothing is asked of it first, so this takes two flights.
 * @param {Connection} connection @param {Wallet} wallet @param {{site: Site, device: Device}} known
 * @returns {Promise<Proven | null>} */
async function meetAgain(connection, wallet, { site, device }) {
  const { credential, maxPayload } = device;
  if (maxPayload) connection.maxPayload = maxPayload;
  try {
    await credentials.verify(credential, /** @type {any} */ (site.anchor));
    await wallet.checkDevice(site.id, credential);
    const started = await start(connection, wallet, site, credential, true);
    return { ...started, site, credential, isNew: false, binds: false, before: device };
  } catch (error) {
    if (error instanceof AdmitError && CHANGED.includes(error.kind)) return null;
    throw error;
  }
}

/** @param {Connection} connection @param {Wallet} wallet @param {Chosen} chosen @returns {Promise<Proven>} */
async function meetFirst(connection, wallet, chosen) {
  const { identify } = await import("./first.js");
  const { credential, site, anchor, isNew, maxPayload } = await identify(connection, wallet, chosen);
  connection.maxPayload = maxPayload;
  const started = await start(connection, wallet, site, credential, false);
  const bound = await wallet.bind(anchor);
  await wallet.addDevice(bound.id, credential.data);
  await wallet.rememberDevice(bound.id, credential.deviceId, { maxPayload }).catch(() => {}); // it only saves time
  return { ...started, site: bound, credential, isNew, binds: !site.anchor, before: null };
}

/** @param {Connection} connection @param {Wallet} wallet @param {Site} site @param {Credential} credential
 * @param {boolean} isKnown */
async function start(connection, wallet, site, credential, isKnown) {
  const grants = site.anchor ? await wallet.grantsFor(site.id, credential.deviceId) : [];
  const chains = grants.slice(0, MAX_GRANTS).map(({ grant, chain }) => [grant, ...chain].map((each) => each.data));
  const session = new Session(connection, { key: site.keys.login, chains }, credential.data, isKnown);
  await session.start();
  return { session, grants };
}
