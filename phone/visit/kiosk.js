/**
 * A visit: the kiosk that the user chose, proven to be that one, and all that a view may do there.
 *
 * Owns: which kiosk is meant, what is proven before anything of the user leaves, the way back after a lost link or
 * session, and what of the visit the wallet keeps. What is not done on each visit is in first.js and more.js, loaded
 * when it is asked for.
 * Rules: the credential is verified against the site's anchor and what was chosen, then message_2 against that very
 * credential; only then anything of the user goes. Asked again, after whatever broke, nothing is done twice.
 * Must not know: the page, the words that people read, and how bytes travel.
 *
 * All is async and raises AdmitError; `.stage` says where: "finding", "connecting", "proving", "ready".
 *
 * @typedef {{siteId?: Uint8Array | string, deviceId?: string, fingerprint?: Uint8Array}} Wanted
 *   which kiosk is meant: of `wantedBy` a link, or one that was met; {}: the one that is picked in the chooser
 * @typedef {import("./answers.js").Routine} Routine
 * @typedef {import("./answers.js").Outcome} Outcome
 * @typedef {import("./more_answers.js").Newcomer} Newcomer
 * @typedef {import("./more_answers.js").Approval} Approval
 * @typedef {import("../store/wallet.js").Wallet} Wallet
 * @typedef {import("../store/wallet.js").Site} Site
 * @typedef {import("../store/wallet.js").Held} Held
 * @typedef {import("../store/wallet.js").Device} Device
 * @typedef {import("../protocol/anchor.js").Anchor} Anchor
 * @typedef {import("../protocol/credential.js").Credential} Credential
 * @typedef {import("../protocol/grant.js").Grant} Grant
 * @typedef {Map<string, any> | {[name: string]: any}} Args
 * @typedef {(stage: string, detail?: string) => void} OnStage   detail: why a connection is tried again
 * @typedef {{reason: string, detail: string, kind: string, stage: string | undefined, rule: any,
 *   help: "code" | "button" | "approvals" | "grant" | "wait" | "again" | null}} Why
 *   rule: the one of the user's own grant that stood in the way (rule.js), or null; help: what would get further
 */

import * as cbor from "../protocol/cbor.js";
import * as coap from "../protocol/coap.js";
import * as credentials from "../protocol/credential.js";
import { equal, random, unhex } from "../protocol/bytes.js";
import { AdmitError, TimedOut } from "../protocol/errors.js";
import { sha256 } from "../protocol/kdf.js";
import { BUTTON, PRESENCE } from "../protocol/rule.js";
import * as answers from "./answers.js";
import { Connection } from "./connection.js";
import { Session } from "./session.js";

const MAX_GRANTS = 4; // that a kiosk lets count in one session
const RUNNING_MS = 10 * 60 * 1000; // for how long an invocation is asked about
const PAUSE_MS = 1000;
const RESUMES = 3; // of one request
const IDLE_TRIES = 60;
const FINGERPRINT = 8; // bytes of a key's SHA-256
const GATEWAYS = ["gateway-no-link", "gateway-link-lost", "gateway-no-answer"];
const LOST = ["link-dropped", "request-unanswered", "session-lost", ...GATEWAYS];
const AGAIN = [...LOST, "request-timeout", "routine-running", "connect-failed", "gateway-unreachable"];
/** What a device may raise that was met before, if it was given a new key since. */
const CHANGED = ["NotFound", "Refused", "Untrusted", "Unverified"];
const WAIT = ["rule-rate", "code-wait", "login-taken", "rule-outside-window", "rule-not-yet-valid", "gateway-busy"];
const GRANT = ["rule-used-up", "rule-expired", "rule-none", "rule-method"];
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
  /** The grants that are brought, the best first. @type {Held[]} */
  grants = [];
  /** What the user could do here the last time, by name; null if that is not known.
   * @type {Map<string, Routine> | null} */
  remembered = null;
  /** An invocation of a few minutes ago of which nobody knows how it ended: `invoke` with its id tells.
   * @type {{name: string, args: Map<string, any>, id: Uint8Array} | null} */
  unfinished = null;
  /** Is it this user's turn? */
  isLoggedIn = false;
  /** Called when the link of somebody with a grant is gone while nothing is asked: the turn is over. Whatever is asked
   * next gets it back. @type {(error: AdmitError) => void} */
  onlost = () => {};
  #transport;
  #wanted;
  #stage = "finding";
  /** @type {Connection} */
  #connection = /** @type {any} */ (null);
  /** @type {Session} */
  #session = /** @type {any} */ (null);
  #busy = 0;
  #hasLeft = false; // nothing gets the link back then, but `again`
  #owesTurn = false;
  #binds = false; // its site is new here: the keys that waited for one have become that site's
  /** @type {Promise<void> | null} */
  #resuming = null;

  /** @param {any} transport @param {Wallet} wallet @param {Wanted} wanted */
  constructor(transport, wallet, wanted) {
    this.wallet = wallet;
    /** What the kiosk is called at its site. */
    this.deviceId = wanted.deviceId ?? "";
    const { siteId } = wanted;
    this.#transport = transport;
    this.#wanted = { ...wanted, siteId: typeof siteId === "string" ? unhex(siteId) : siteId };
  }

  /** Is any grant brought that is for this kiosk? Without one: `redeem` or `askToPair`. */
  get hasGrant() {
    return this.grants.length > 0;
  }

  /** How many messages have crossed the link, both ways. */
  get flights() {
    return this.#connection.flights;
  }

  /** Connect (again), and prove the kiosk; go on in the session that was there, if it lasts. As `meet`.
   * @param {OnStage} [onStage] */
  async again(onStage = () => {}) {
    this.#hasLeft = false;
    await this.#resume(onStage);
  }

  /** Leave. The turn ends with the link; the kiosk forgets the session after ten minutes, or by `logout`. */
  async close() {
    this.#hasLeft = true;
    await this.#hangUp();
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
    this.isLoggedIn = true;
    return told;
  }

  /** End the turn and the session. The next request begins another. */
  async logout() {
    await this.ask(coap.DELETE, "/login");
    this.isLoggedIn = this.#session.isEstablished = false;
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
    for await (const { payload } of this.#session.observe(`/r/${name}`)) yield answers.routineIn(payload);
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

  /** Why not: of an error that something here has raised. @param {any} error @returns {Why} */
  why(error) {
    const { reason = "bug", detail = String(error), kind = "Error", stage } = error;
    const own = this.grants.length === 1 ? this.grants[0].grant.rules : [];
    const rule = (Number.isInteger(error.rule) && own[error.rule]) || null;
    return { reason, detail, kind, stage, rule, help: helpFor(reason, detail, rule) };
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

  // Proving

  /** @param {OnStage} onStage */
  async #reach(onStage) {
    await this.#hangUp();
    const stage = (/** @type {string} */ name, detail = "") => onStage((this.#stage = name), detail);
    stage("finding");
    try {
      this.#connection = new Connection(this.#transport);
      await this.#connection.open(stage);
      this.#connection.onlost = (error) => this.#lost(error);
      if (this.#session?.isEstablished) {
        this.#session.connection = this.#connection;
      } else {
        stage("proving");
        await this.#prove();
      }
      if (this.#hasLeft) throw new TimedOut("link-dropped", "it was left meanwhile");
      stage("ready");
    } catch (error) {
      await this.#hangUp();
      throw this.#staged(error);
    }
  }

  /** EDHOC up to a message_2 that has verified against the kiosk that the user chose. */
  async #prove() {
    const known = await this.#known();
    if (known && (await this.#meetAgain(known))) return;
    const { identify } = await import("./first.js");
    const wanted = { ...this.#wanted, deviceId: this.deviceId, name: this.#transport.name ?? "" };
    const { credential, site, anchor, isNew, maxPayload } = await identify(this.#connection, this.wallet, wanted);
    this.#connection.maxPayload = maxPayload;
    await this.#start(site, credential, false);
    this.#binds = !site.anchor;
    this.site = await this.wallet.bind(anchor);
    this.isNew = isNew;
    await this.wallet.addDevice(this.site.id, credential.data);
    await this.#remember({ maxPayload });
  }

  async #hangUp() {
    this.isLoggedIn = false;
    await this.#connection?.close();
  }

  /** A kiosk that was met before, under the name that was chosen; null if there is none, or not just one. */
  async #known() {
    const { siteId, fingerprint } = this.#wanted;
    const found = [];
    for (const site of await this.wallet.sites()) {
      if (!site.anchor || (siteId && !equal(site.anchor.siteId, siteId))) continue;
      const device = await this.wallet.device(site.id, this.deviceId || this.#transport.name || "");
      if (device) found.push({ site, device });
    }
    if (found.length !== 1) return null;
    const print = (await sha256(found[0].device.credential.public)).slice(0, FINGERPRINT);
    return !fingerprint || equal(fingerprint, print) ? found[0] : null;
  }

  /** Whether it is that kiosk still. Nothing is asked of it first, so this takes two flights.
   * @param {{site: Site, device: Device}} known */
  async #meetAgain({ site, device }) {
    await credentials.verify(device.credential, /** @type {Anchor} */ (site.anchor));
    await this.wallet.checkDevice(site.id, device.credential);
    if (device.maxPayload) this.#connection.maxPayload = device.maxPayload;
    try {
      await this.#start(site, device.credential, true);
    } catch (error) {
      if (error instanceof AdmitError && CHANGED.includes(error.kind)) return false;
      throw error;
    }
    this.site = site;
    this.isNew = false;
    this.remembered = device.routines && answers.routinesIn(device.routines);
    this.unfinished = unfinishedOf(device.pending);
    this.#remember({ metAt: Date.now() });
    return true;
  }

  /** @param {Site} site @param {Credential} credential @param {boolean} isKnown */
  async #start(site, credential, isKnown) {
    const held = site.anchor ? await this.wallet.grantsFor(site.id, credential.deviceId) : [];
    const chains = held.slice(0, MAX_GRANTS).map(({ grant, chain }) => [grant, ...chain].map((each) => each.data));
    const session = new Session(this.#connection, { key: site.keys.login, chains }, credential.data, isKnown);
    await session.start();
    this.#session = session;
    this.deviceId = credential.deviceId;
    this.testOnly = credential.testOnly;
    this.grants = held;
  }

  // Asking

  /** The payload of the response to one protected request. For more.js, as the three below.
   * @param {number} method @param {string} path @param {Map<number, any>} [body] */
  async ask(method, path, body) {
    const data = body && cbor.encode(body);
    const { payload } = await this.within((session) => session.request(method, path, data));
    if (path !== "/enrol") await this.#learn(false); // which is open to those without a grant, too
    return payload;
  }

  /**
   * Do `work` in the session; again if link or session are lost, for nothing that is asked twice is done twice.
   * @template T @param {(session: Session) => Promise<T>} work @returns {Promise<T>}
   */
  async within(work) {
    this.#busy += 1;
    try {
      for (let left = RESUMES; ; left--) {
        try {
          await this.#takeTurn();
          return await work(this.#session);
        } catch (error) {
          const { reason, isTold } = this.#staged(error);
          if (isTold && reason === "grant-revoked") await this.#learn(true);
          if (!left || this.#hasLeft || !LOST.includes(reason)) throw error;
          if (reason === "session-lost") this.#session.isEstablished = false;
          else await pause(PAUSE_MS * (1 - left / RESUMES)); // at once, and then not so soon
          this.#owesTurn ||= this.isLoggedIn;
          await this.#resume();
        }
      }
    } finally {
      this.#busy -= 1;
    }
  }

  /** Get back what was lost; once, however many wait for it. */
  #resume(onStage = /** @type {OnStage} */ (() => {})) {
    return (this.#resuming ??= this.#reach(onStage).finally(() => (this.#resuming = null)));
  }

  /** The turn that was lost on the way; somebody else may have it now. */
  async #takeTurn() {
    if (!this.#owesTurn) return;
    try {
      await this.#session.request(coap.POST, "/login");
      this.isLoggedIn = true;
    } catch (error) {
      if (LOST.includes(/** @type {AdmitError} */ (error).reason)) throw error;
    }
    this.#owesTurn = false;
  }

  /** @param {string} name @param {Map<number, any>} body @param {() => void} onWait */
  async #untilDone(name, body, onWait) {
    for (const end = Date.now() + RUNNING_MS; ; await pause(PAUSE_MS)) {
      try {
        return await this.ask(coap.POST, `/r/${name}`, body);
      } catch (error) {
        const { reason } = /** @type {AdmitError} */ (error);
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

  /** The session, once it is there and nobody waits for anything; null if that does not come.
   * @returns {Promise<Session | null>} */
  async idle() {
    for (let left = IDLE_TRIES; left && !this.#hasLeft; left--) {
      if (!this.#busy && this.#session.isEstablished) return this.#session;
      await pause(PAUSE_MS / 2);
    }
    return null;
  }

  /** @param {AdmitError} error */
  #lost(error) {
    this.isLoggedIn &&= this.#busy > 0; // whoever waits gets it back
    // A kiosk hangs up on whoever is silent, and has shown no grant: that tells nobody anything.
    if (!this.#busy && this.hasGrant && this.#session.isEstablished) this.onlost(error);
  }

  /** @param {any} error */
  #staged(error) {
    if (error instanceof AdmitError) error.stage ??= this.#stage;
    return error;
  }
}

/** @param {import("../store/wallet.js").Pending | null} pending */
function unfinishedOf(pending) {
  if (!pending || Date.now() - pending.at > RUNNING_MS) return null; // a kiosk does not remember for ever
  return { name: pending.name, args: cbor.decode(pending.args), id: pending.id };
}

/** @param {string} reason @param {string} detail @param {any} rule @returns {Why["help"]} */
function helpFor(reason, detail, rule) {
  if (reason === "rule-presence") {
    return (rule ? rule.conditions.get(PRESENCE) === BUTTON : detail.endsWith("button")) ? "button" : "code";
  }
  if (reason === "rule-approvals") return "approvals";
  if (WAIT.includes(reason)) return "wait";
  if (GRANT.includes(reason) || reason.startsWith("grant-")) return "grant";
  return AGAIN.includes(reason) ? "again" : null;
}

/** @param {Args} args @returns {Map<string, any>} */
export function toMap(args) {
  return args instanceof Map ? args : new Map(Object.entries(args));
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
