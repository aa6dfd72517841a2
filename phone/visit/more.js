/**
 * What is done at a kiosk now and then: being let in, letting others in, consent, presence, the witness.
 *
 * Rules: as kiosk.js says; each function has its documentation there, where it is a method.
 *
 * @typedef {import("./kiosk.js").Kiosk} Kiosk
 * @typedef {import("./kiosk.js").Args} Args
 * @typedef {import("../protocol/grant.js").Grant} Grant
 */

import * as cbor from "../protocol/cbor.js";
import * as coap from "../protocol/coap.js";
import * as invites from "../protocol/invite.js";
import * as papers from "../protocol/papers.js";
import { EMPTY, equal, unhex } from "../protocol/bytes.js";
import { encodeKey } from "../protocol/cose.js";
import { RemoteError, TimedOut } from "../protocol/errors.js";
import { toMap } from "./kiosk.js";
import * as answers from "./more_answers.js";

const NO_RECORD = 10 ** 9 - 1; // the number of a record that no kiosk reaches: nothing is carried, only the head
const ALARMS = ["bug", "device-struck-off", "journal-rolled-back", "journal-rewritten"];

// Being let in

/** @param {Kiosk} kiosk @param {invites.Invite} invite @param {string} [name] */
export async function redeem(kiosk, invite, name = kiosk.site.person) {
  const { anchor, publics } = kiosk.site;
  const own = { login: publics[0], sign: publics[1] };
  const now = Math.floor(Date.now() / 1000);
  const chain = await kiosk.within(async (session) => {
    const paper = await invites.redeem(invite, /** @type {any} */ (anchor), own, session.binding, now, name);
    const given = [paper.grant, ...paper.grant.chain];
    try {
      await session.request(coap.POST, "/enrol", paper.body);
    } catch (error) {
      if (error instanceof TimedOut) await kiosk.wallet.addGrants(kiosk.site.id, given); // perhaps it was let in
      throw error;
    }
    return given;
  });
  return letIn(kiosk, chain);
}

/** @param {Kiosk} kiosk @param {string} [name] @returns {Promise<{code: string, poll: () => Promise<Grant | null>}>} */
export async function askToPair(kiosk, name = kiosk.site.person) {
  const body = cbor.encode(bodyOf([4, name], [5, encodeKey(kiosk.site.publics[1])]));
  const { id, binding } = await kiosk.within(async (session) => {
    const { payload } = await session.request(coap.POST, "/enrol", body);
    return { id: answers.idIn(payload, "enrol-body"), binding: session.binding };
  });
  const poll = async () => {
    const { payload } = await kiosk.within((session) => {
      if (!equal(session.binding, binding)) throw new TimedOut("pairing-lost", "another session has another code");
      return session.request(coap.GET, "/enrol");
    });
    return payload.length ? letIn(kiosk, await answers.grantsIn(payload)) : null;
  };
  return { code: await papers.code(binding, id), poll };
}

/** @param {Kiosk} kiosk */
export async function waitingPairs(kiosk) {
  return answers.newcomersIn(await kiosk.ask(coap.GET, "/enrol"));
}

/** @param {Kiosk} kiosk @param {answers.Newcomer} newcomer @param {string} code
 * @param {Omit<import("../protocol/delegation.js").Wish, "name" | "login" | "sign">} [wish] */
export async function pair(kiosk, newcomer, code, wish = {}) {
  const whole = { ...wish, name: newcomer.name, login: newcomer.key, sign: newcomer.sigKey };
  const { grant } = await kiosk.wallet.share(kiosk.site.id, whole, kiosk.grants);
  await kiosk.ask(coap.POST, "/enrol", bodyOf([7, newcomer.id], [8, code], [9, grant.data]));
  return grant;
}

/** Keep what somebody has let us in with. @param {Kiosk} kiosk @param {Grant[]} chain */
async function letIn(kiosk, chain) {
  const given = await kiosk.wallet.addGrants(kiosk.site.id, chain);
  await kiosk.reload();
  return given;
}

// Consent

/** @param {Kiosk} kiosk */
export async function approvals(kiosk) {
  return answers.approvalsIn(await kiosk.ask(coap.GET, "/approvals"), kiosk.site.fingerprint);
}

/** @param {Kiosk} kiosk @param {answers.Approval} item */
export async function approve(kiosk, { id, key, method, path, args }) {
  const digest = await papers.digest(key, method, path, args);
  const paper = await papers.approve(kiosk.site.keys.sign, unhex(kiosk.site.id), kiosk.deviceId, id, digest);
  await kiosk.ask(coap.POST, "/approvals", bodyOf([4, paper]));
}

/** @param {Kiosk} kiosk @param {number} method @param {string} path @param {Args} [args] */
export async function wish(kiosk, method, path, args = {}) {
  const body = bodyOf([1, method], [2, path]);
  const given = toMap(args);
  if (given.size) body.set(3, given);
  return answers.idIn(await kiosk.ask(coap.POST, "/approvals", body), "approval-body");
}

/** @param {Kiosk} kiosk @param {string} name */
export async function explain(kiosk, name) {
  await kiosk.within((session) => session.request(coap.GET, "/approvals", EMPTY, `why=${name}`));
}

// Presence

/** @param {Kiosk} kiosk */
export async function askCode(kiosk) {
  return answers.digitsIn(await kiosk.ask(coap.GET, "/presence"));
}

/** @param {Kiosk} kiosk @param {string} text */
export async function giveCode(kiosk, text) {
  await kiosk.ask(coap.POST, "/presence", bodyOf([1, text]));
}

/** @param {Kiosk} kiosk */
export async function pressed(kiosk) {
  await kiosk.ask(coap.POST, "/presence", bodyOf([2, true]));
}

// The witness

/** @param {Kiosk} kiosk */
export async function keepWitness(kiosk) {
  const { wallet, site, deviceId } = kiosk;
  try {
    const session = await kiosk.idle();
    if (!session) return;
    const { payload } = await session.request(coap.GET, "/bundle", EMPTY, `from=${NO_RECORD}`);
    const { head, notice, followed } = answers.bundleIn(payload);
    await follow(kiosk, session, followed).catch(ignoreRemote);
    if (notice) await wallet.takeNotice(site.id, notice).catch(ignoreRemote); // by a key that others follow
    const device = await wallet.device(site.id, deviceId);
    if (device) await wallet.checkDevice(site.id, device.credential);
    await wallet.keepHead(site.id, deviceId, head);
  } catch (error) {
    const { reason = "bug" } = /** @type {any} */ (error);
    if (ALARMS.includes(reason)) throw error;
  }
}

/**
 * What the kiosk tells at /id in the session: a takeover, and how far it has followed its authority, of which it knows
 * `followed` other keys; then what the present key has signed anew of this phone's grants.
 * @param {Kiosk} kiosk @param {import("./session.js").Session} session @param {number} followed
 */
async function follow(kiosk, session, followed) {
  const { wallet, site } = kiosk;
  const known = (await wallet.site(site.id)).anchor?.successions?.length ?? 0;
  const { payload } = await session.request(coap.GET, "/id", EMPTY, followed > known ? "anchor=1" : "");
  const { anchor, takeover } = await answers.idOfSite(payload);
  kiosk.takeover = takeover;
  if (anchor) await wallet.follow(site.id, anchor);
  const held = await wallet.grants(site.id);
  if (!held.some((each) => each.ends !== undefined && !each.chain.length)) return;
  const told = await session.request(coap.GET, "/grants");
  await wallet.renewGrants(site.id, await answers.renewedIn(told.payload));
}

/** What leads elsewhere, or nowhere, changes nothing and is no alarm. @param {any} error */
function ignoreRemote(error) {
  if (!(error instanceof RemoteError)) throw error;
}

/** @param {[number, any][]} fields @returns {Map<number, any>} */
function bodyOf(...fields) {
  return new Map(fields);
}
