/**
 * A visit: the kiosk that the user chose, proven to be that one, and all that a view may do there.
 *
 * Owns: which kiosk is meant, what may be asked of it, and what of the visit the wallet keeps. How it is proven is
 * proof.js's, what happens when a link is lost asking.js's. What is not done on each visit is in more.js, loaded when
 * it is asked for.
 * Rules: only a kiosk that is proven is asked anything. Asked again, after whatever broke, nothing is done twice.
 * Must not know: the page, the words that people read, and how bytes travel.
 *
 * All is async and raises AdmitError; `.stage` says where: "finding", "connecting", "proving", "ready".
 *
 * @typedef {{siteId?: Uint8Array | string, deviceId?: string, fingerprint?: Uint8Array}} Wanted
 *   which kiosk is meant: of `wantedBy` a link, or one that was met; {}: the one that is picked in the chooser
 * @typedef {import("./answers.js").Routine} Routine
 * @typedef {import("./answers.js").Outcome} Outcome
 * @typedef {import("./asking.js").OnStage} OnStage
 * @typedef {import("./more_answers.js").Newcomer} Newcomer
 * @typedef {import("./more_answers.js").Approval} Approval
 * @typedef {import("./session.js").Session} Session
 * @typedef {import("../store/wallet.js").Wallet} Wallet
 * @typedef {import("../store/wallet.js").Site} Site
 * @typedef {import("../store/wallet.js").Held} Held
 * @typedef {import("../store/wallet.js").Device} Device
 * @typedef {import("../protocol/grant.js").Grant} Grant
 * @typedef {Map<string, any> | {[name: string]: any}} Args
 */

import * as cbor from "../protocol/cbor.js";
import * as coap from "../protocol/coap.js";
import { random, unhex } from "../protocol/bytes.js";
import { NotFound } from "../protocol/errors.js";
import * as answers from "./answers.js";
import { Asking, pause } from "./asking.js";
import { prove } from "./proof.js";
import { why } from "./why.js";

const RUNNING_MS = 10 * 60 * 1000; // for how long an invocation is asked about
const PAUSE_MS = 1000;
const more = () => import("./more.js");

/** The kiosk that a label or an invite (label.js's parseLink) is for. @param {any} link @returns {Wanted} */
export function wantedBy({ kind, siteId, deviceId, fingerprint, grant }) {
  return kind === "invite" ? { siteId, deviceId: grant.audience[0] } : { siteId, deviceId, fingerprint };
}

/**
 * Go to a kiosk and prove it. Afterwards nothing of the user has left yet; the first request names them to the kiosk.
 *
 * Raises what the transport does (bluetooth.js, websocket.js); Untrusted device-unproven (no credential), device-other
 * (another kiosk, a renamed one, another key than the label's or the known one), credential-other-site,
 * anchor-other-site, device-struck-off; Unverified edhoc-signature-2, cose-signature and others (an impostor); NotFound
 * wallet-no-site (no key for that site yet: newSite; or only radio speaks for the site: scan the kiosk's label).
 * @param {any} transport @param {Wallet} wallet @param {Wanted} [wanted] @param {OnStage} [onStage]
 */
export async function meet(transport, wallet, wanted = {}, onStage) {
  const kiosk = new Kiosk(transport, wallet, wanted);
  await kiosk.again(onStage);
  return kiosk;
}

/** Use `meet`. */
export class Kiosk {
  /** The site, with its name as the anchor tells it. @type {Site} */
  site = /** @type {any} */ (null);
  /** It was never met before. */
  isNew = true;
  /** Its key was made without a source of randomness, and guards nothing: say so. */
  testOnly = false;
  /** It is to change hands, says the kiosk once `keepWitness` has asked it. @type {{seconds: number} | null} */
  takeover = null;
  /** The grants that are brought, the best first. @type {Held[]} */
  grants = [];
  /** What the user could do here the last time, by name; null if that is not known.
   * @type {Map<string, Routine> | null} */
  remembered = null;
  /** An invocation of a few minutes ago of which nobody knows how it ended: `invoke` with its id tells.
   * @type {{name: string, args: Map<string, any>, id: Uint8Array} | null} */
  unfinished = null;
  /** Called when the link of somebody with a grant is gone while nothing is asked: the turn is over. Whatever is asked
   * next gets it back. @type {(error: import("../protocol/errors.js").AdmitError) => void} */
  onlost = () => {};
  #transport;
  #wanted;
  #siteId; // of a kiosk that was met
  #asking;
  #binds = false; // its site is new here: the keys that waited for one have become that site's

  /** @param {any} transport @param {Wallet} wallet @param {Wanted} wanted */
  constructor(transport, wallet, wanted) {
    this.wallet = wallet;
    /** What the kiosk is called at its site. */
    this.deviceId = wanted.deviceId ?? "";
    const { siteId } = wanted;
    this.#transport = transport;
    this.#siteId = typeof siteId === "string" ? siteId : "";
    this.#wanted = { ...wanted, siteId: typeof siteId === "string" ? unhex(siteId) : siteId };
    this.#asking = new Asking(transport, (connection) => this.#prove(connection));
    // A kiosk hangs up on whoever is silent, and has shown no grant: that tells nobody anything.
    this.#asking.onlost = (error) => this.hasGrant && this.onlost(error);
  }

  /** Is any grant brought that is for this kiosk? Without one: `redeem` or `askToPair`. */
  get hasGrant() {
    return this.grants.length > 0;
  }

  /** Is it this user's turn? */
  get isLoggedIn() {
    return this.#asking.isLoggedIn;
  }

  /** How many messages have crossed the link, both ways. */
  get flights() {
    return this.#asking.connection.flights;
  }

  /** Connect (again), and prove the kiosk; go on in the session that was there, if it lasts. As `meet`.
   * @param {OnStage} [onStage] */
  async again(onStage = () => {}) {
    await this.#asking.reach(onStage);
  }

  /** Leave. The turn ends with the link; the kiosk forgets the session after ten minutes, or by `logout`. */
  async close() {
    await this.#asking.leave();
  }

  /** It is not the one that was meant, and was asked nothing: as if it had never been met. */
  async forget() {
    await this.wallet.dropDevice(this.site.id, this.deviceId);
    if (this.#binds) await this.wallet.unbind(this.site.id);
  }

  // Turn and routines

  /** It is this user's turn now. Raises Conflict login-taken. @returns {Promise<{seconds: number, subject: string}>} */
  async login() {
    const told = answers.loginIn(await this.ask(coap.POST, "/login"));
    this.#asking.isLoggedIn = true;
    return told;
  }

  /** End the turn and the session. The next request begins another. */
  async logout() {
    await this.ask(coap.DELETE, "/login");
    this.#asking.ended();
  }

  /** What this user may do here now, by name. */
  async routines() {
    const data = await this.ask(coap.GET, "/r");
    this.remembered = answers.routinesIn(data);
    this.#remember({ routines: data });
    return this.remembered;
  }

  /** One routine, and what it moves, as that stands now. @param {string} name */
  async routine(name) {
    return answers.routineIn(await this.ask(coap.GET, `/r/${name}`));
  }

  /** The same, again each time it changes, until the caller stops. @param {string} name */
  async *watch(name) {
    for await (const { payload } of this.#asking.session.observe(`/r/${name}`)) yield answers.routineIn(payload);
  }

  /**
   * Run a routine; its outcome, whatever broke meanwhile. With the `id` of an earlier call nothing is run twice: its
   * outcome is told. After TimedOut nobody knows yet: the same call with the same id finds out (also from `unfinished`,
   * when the page was loaded anew). Raises Denied, Malformed routine-argument.
   * @param {string} name @param {Args} [args] @param {Uint8Array} [id] 8 bytes @param {() => void} [onWait] called each
   * time the kiosk says that it still runs @returns {Promise<Outcome>}
   */
  async invoke(name, args = {}, id = random(8), onWait = () => {}) {
    const given = toMap(args);
    const body = new Map(/** @type {[number, any][]} */ ([[1, id], [2, given]]).slice(0, given.size ? 2 : 1));
    const pending = { name, args: cbor.encode(given), id, at: Date.now() };
    const noted = this.#remember({ pending }); // beside the request, which it does not delay
    let isKnown = true;
    try {
      return answers.outcomeIn(await this.#untilDone(name, body, onWait), id);
    } catch (error) {
      const { isTold, reason } = /** @type {any} */ (error);
      isKnown = isTold && reason !== "routine-running";
      throw error;
    } finally {
      if (isKnown) await noted.then(() => this.#remember({ pending: null }));
    }
  }

  /** Why not: of an error that something here has raised. @param {any} error */
  why(error) {
    return why(error, this.grants);
  }

  // Being let in

  /**
   * Redeem an invite (label.js's "invite") for this phone's keys. Again is as good as once. Raises Denied invite-used;
   * Untrusted grant-expired, grant-other-device and others. @param {import("../protocol/invite.js").Invite} invite
   * @param {string} [name] what others may call the user; by default as the site knows them @returns {Promise<Grant>}
   */
  async redeem(invite, name) {
    return (await more()).redeem(this, invite, name);
  }

  /**
   * Ask to be paired by somebody who may: `code` is for them to see and type; `poll`, each second, gives the grant once
   * they have, else null. Raises Conflict enrol-known; `poll` TimedOut pairing-lost: ask anew.
   * @param {string} [name] @returns {Promise<{code: string, poll: () => Promise<Grant | null>}>}
   */
  async askToPair(name) {
    return (await more()).askToPair(this, name);
  }

  /** Who asks to be paired here now; for users with a rule for /enrol. */
  async waitingPairs() {
    return (await more()).waitingPairs(this);
  }

  /**
   * Pass on a part of one's own grant to somebody who asks, and shows `code`. Raises what Wallet.share does; Denied
   * code-wrong, Busy code-wait, NotFound enrol-gone. @param {Newcomer} newcomer @param {string} code six digits
   * @param {Omit<import("../protocol/delegation.js").Wish, "name" | "login" | "sign">} [wish] by default all of it
   */
  async pair(newcomer, code, wish) {
    return (await more()).pair(this, newcomer, code, wish);
  }

  // Consent

  /** What waits here for this user's consent, and what this user waits for. */
  async approvals() {
    return (await more()).approvals(this);
  }

  /**
   * Consent to `item`: signed is what stands in it, so give the very one that was shown. Raises Denied approval-own,
   * approval-not-asked; NotFound approval-unknown. @param {Approval} item
   */
  async approve(item) {
    return (await more()).approve(this, item);
  }

  /**
   * Ask for others' consent; the request's id, with which `approvals` lists how it stands. Raises Denied if that would
   * not help, Conflict approval-needless. @param {number} method AIF's bit: POST is 2 @param {string} path "/r/open"
   * @param {Args} [args]
   */
  async wish(method, path, args) {
    return (await more()).wish(this, method, path, args);
  }

  /**
   * Why a routine is not offered, without doing it or asking anybody. Raises Denied with the reason: rule-argument if
   * that depends on the arguments; Conflict approval-needless if it may be done. @param {string} name
   */
  async explain(name) {
    return (await more()).explain(this, name);
  }

  // Presence

  /** Have the kiosk show a code; of how many digits. */
  async askCode() {
    return (await more()).askCode(this);
  }

  /** Tell what the kiosk shows. Raises Denied code-wrong, presence-none; Busy code-wait. @param {string} text */
  async giveCode(text) {
    return (await more()).giveCode(this, text);
  }

  /** Tell that the kiosk's button was pressed within the last ten seconds. Raises Denied presence-button. */
  async pressed() {
    return (await more()).pressed(this);
  }

  /**
   * In the background, once there is a session and nobody waits: take along the newest head of the kiosk's journal, as
   * a witness, and the authority's notice. Raises only what the user must know: device-struck-off, journal-rolled-back,
   * journal-rewritten; all else may as well be done the next time.
   */
  async keepWitness() {
    return (await more().catch(() => null))?.keepWitness(this);
  }

  // Within

  /** @param {import("./connection.js").Connection} connection */
  async #prove(connection) {
    await this.#checkWallet();
    const chosen = { ...this.#wanted, deviceId: this.deviceId, name: this.#transport.name ?? "" };
    const { session, site, credential, grants, isNew, binds, before } = await prove(connection, this.wallet, chosen);
    this.site = site;
    this.deviceId = credential.deviceId;
    this.testOnly = credential.testOnly;
    this.grants = grants;
    this.isNew = isNew;
    this.#binds ||= binds;
    if (before) this.#recall(before);
    return session;
  }

  /** Where its site was known, storage may have been cleared since. */
  async #checkWallet() {
    const id = this.site?.id ?? this.#siteId;
    const isThere = (await this.wallet.sites()).some((site) => site.id === id);
    if (id && !isThere) throw new NotFound("wallet-key-lost", "the browser has cleared what it kept");
  }

  /** What was kept of it. @param {Device} before */
  #recall({ routines, pending }) {
    this.remembered = routines && answers.routinesIn(routines);
    this.unfinished = unfinishedOf(pending);
    this.#remember({ metAt: Date.now() });
  }

  /** The payload of the response to one protected request. For more.js, as the three below.
   * @param {number} method @param {string} path @param {Map<number, any>} [body] */
  async ask(method, path, body) {
    const data = body && cbor.encode(body);
    const { payload } = await this.within((session) => session.request(method, path, data));
    if (path !== "/enrol") await this.#learn(false); // which is open to those without a grant, too
    return payload;
  }

  /** Do `work` in the session, as asking.js says.
   * @template T @param {(session: Session) => Promise<T>} work @returns {Promise<T>} */
  async within(work) {
    try {
      return await this.#asking.within(work);
    } catch (error) {
      const { reason, isTold } = /** @type {any} */ (error);
      if (isTold && reason === "grant-revoked") await this.#learn(true);
      throw error;
    }
  }

  /** @param {string} name @param {Map<number, any>} body @param {() => void} onWait */
  async #untilDone(name, body, onWait) {
    for (const end = Date.now() + RUNNING_MS; ; await pause(PAUSE_MS)) {
      try {
        return await this.ask(coap.POST, `/r/${name}`, body);
      } catch (error) {
        const { reason } = /** @type {any} */ (error);
        if (!["routine-running", "request-timeout"].includes(reason) || Date.now() > end) throw error;
        onWait();
      }
    }
  }

  /** What the kiosk's word means for the grant, if it can mean one only. @param {boolean} isRevoked */
  async #learn(isRevoked) {
    const [held, ...others] = this.grants;
    if (!held || others.length || (held.state === "revoked") === isRevoked) return;
    await this.wallet.markRevoked(this.site.id, held.grant.id, isRevoked);
    await this.reload();
  }

  /** See anew which grants there are. */
  async reload() {
    this.grants = await this.wallet.grantsFor(this.site.id, this.deviceId);
  }

  /** @param {Partial<Device>} more */
  async #remember(more) {
    await this.wallet.rememberDevice(this.site.id, this.deviceId, more).catch(() => {}); // it only saves time
  }

  /** The session, once nobody waits for anything. */
  idle() {
    return this.#asking.idle();
  }
}

/** @param {import("../store/wallet.js").Pending | null} pending */
function unfinishedOf(pending) {
  if (!pending || Date.now() - pending.at > RUNNING_MS) return null; // a kiosk does not remember for ever
  return { name: pending.name, args: cbor.decode(pending.args), id: pending.id };
}

/** @param {Args} args @returns {Map<string, any>} */
export function toMap(args) {
  return args instanceof Map ? args : new Map(Object.entries(args));
}
