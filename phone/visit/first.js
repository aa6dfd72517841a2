/**
 * Meeting a kiosk that is not known, or that is known by another key: what it says of itself, held against what was
 * chosen, before anything else is done.
 *
 * Rules: nothing of the user leaves; nothing is kept. An anchor is believed if it is known, or if its id came by
 * another way than radio. A known key gives way only to a newer word of the authority.
 * Must not know: sessions, and what is done at a kiosk.
 *
 * @typedef {import("./connection.js").Connection} Connection
 * @typedef {import("../store/wallet.js").Wallet} Wallet
 * @typedef {import("../store/wallet.js").Site} Site
 * @typedef {import("../protocol/anchor.js").Anchor} Anchor
 * @typedef {import("../protocol/credential.js").Credential} Credential
 */

import * as anchors from "../protocol/anchor.js";
import * as cbor from "../protocol/cbor.js";
import * as coap from "../protocol/coap.js";
import * as credentials from "../protocol/credential.js";
import * as successions from "../protocol/succession.js";
import { EMPTY, equal, hex } from "../protocol/bytes.js";
import { DEVICE_CREDENTIAL } from "../protocol/cose.js";
import { NotFound, RemoteError, Untrusted, Unverified } from "../protocol/errors.js";
import { fingerprint as fingerprintOf } from "../protocol/papers.js";
import { MAX_NAME, cut } from "./bluetooth.js";
import { unproven } from "./session.js";

const [CREDENTIAL, MAX_PAYLOAD, ANCHOR] = [2, 4, 8]; // GET /id
const SHORT_NAME = 8; // bytes of a name that are on the air at first, before all MAX_NAME of them

/**
 * The credential of the kiosk that was chosen, verified; where it belongs, with the site's anchor; whether it was met
 * before; bytes of the longest value there. Raises as `meet` (kiosk.js) up to message_2.
 * @param {Connection} connection @param {Wallet} wallet
 * @param {{siteId?: Uint8Array, fingerprint?: Uint8Array, deviceId: string, name: string}} wanted
 *   deviceId: what was chosen, or ""; name: what stood in the chooser
 */
export async function identify(connection, wallet, wanted) {
  const told = await describe(connection);
  if (!told.credential) throw new Untrusted("device-unproven", "it belongs to no site, or is not what it seems");
  const credential = credentials.parse(told.credential);
  const [site, anchor] = await siteOf(wallet, credential, wanted.siteId, told.anchor);
  await vouched(credential, anchor);
  if (!isChosen(credential.deviceId, wanted)) {
    throw new Untrusted("device-other", `${credential.deviceId}, not ${wanted.deviceId || wanted.name}`);
  }
  const before = site.anchor && (await wallet.device(site.id, credential.deviceId));
  await checkKey(credential, before?.credential, wanted.fingerprint);
  if (site.anchor) await wallet.checkDevice(site.id, credential);
  return { credential, site, anchor, isNew: !before, maxPayload: told.maxPayload };
}

/** What a kiosk says of itself to anyone. @param {Connection} connection */
async function describe(connection) {
  const message = coap.request(coap.GET, "/id", EMPTY, null, [[coap.URI_QUERY, "anchor=1"]]);
  const { payload } = unproven(await connection.request(message));
  const body = cbor.expect(cbor.decode(payload), "map", "id-body");
  const bytes = (/** @type {number} */ key) => cbor.expect(body.get(key) ?? null, ["bytes", "null"], "id-body");
  const anchor = bytes(ANCHOR);
  return {
    credential: bytes(CREDENTIAL),
    maxPayload: cbor.expect(body.get(MAX_PAYLOAD), "uint", "id-body"),
    anchor: anchor && (await anchors.decode(anchor)),
  };
}

/** The wallet's record for a credential's site, and the anchor that counts. @param {Wallet} wallet
 * @param {Credential} credential @param {Uint8Array | undefined} siteId @param {Anchor | null} told
 * @returns {Promise<[Site, Anchor]>} */
async function siteOf(wallet, credential, siteId, told) {
  if (siteId && !equal(siteId, credential.siteId)) throw new Untrusted("credential-other-site");
  const site = await wallet.siteFor(hex(credential.siteId));
  if (site?.anchor) return followed(wallet, site, told);
  const isMember = (await wallet.sites()).some((each) => each.anchor);
  if (!siteId && isMember) throw new Untrusted("credential-other-site");
  if (!siteId || !site) throw new NotFound("wallet-no-site", siteId ? "" : "only radio speaks for it");
  if (!told || !equal(told.siteId, siteId)) throw new Untrusted("anchor-other-site");
  await successions.verify(told);
  return [site, anchors.at(told, Date.now() / 1000)];
}

/** A site that is known, once its authority was followed as far as the kiosk has. If that leads elsewhere, the wallet
 * keeps its own. @param {Wallet} wallet @param {Site} site @param {Anchor | null} told @returns {Promise<[Site, Anchor]>} */
async function followed(wallet, site, told) {
  if (told?.successions) await wallet.follow(site.id, told).catch(onlyRemote);
  const now = told?.successions ? await wallet.site(site.id) : site;
  return [now, /** @type {Anchor} */ (now.anchor)];
}

/** @param {any} error */
function onlyRemote(error) {
  if (!(error instanceof RemoteError)) throw error;
}

/** Returns if the authority vouches for the kiosk. Raises as credentials.verify, or Unverified device-old-authority if
 * it did so with a key that counts no more. @param {Credential} credential @param {Anchor} anchor */
async function vouched(credential, anchor) {
  try {
    await credentials.verify(credential, anchor);
  } catch (error) {
    const wasOnce = anchor.successions && (await successions.wasOfAuthority(anchor, credential.sign1, DEVICE_CREDENTIAL));
    throw wasOnce ? new Unverified("device-old-authority") : error;
  }
}

/** Is it the device that was chosen: a link's; else what stood in the chooser, where long names are cut?
 * @param {string} told @param {{deviceId: string, name: string}} wanted */
function isChosen(told, { deviceId, name }) {
  if (deviceId || told === name) return told === (deviceId || name);
  return [SHORT_NAME, MAX_NAME].some((size) => cut(told, size) === name);
}

/** @param {Credential} credential @param {Credential | undefined} before @param {Uint8Array | undefined} fingerprint */
async function checkKey(credential, before, fingerprint) {
  if (fingerprint && !equal(fingerprint, await fingerprintOf(credential.public))) {
    throw new Untrusted("device-other", "its key is not the one on its label");
  }
  if (before && !equal(before.public, credential.public) && credential.issuedAt <= before.issuedAt) {
    throw new Untrusted("device-other", "it shows an older key than the one known here");
  }
}
