/**
 * Asking: work in the session with a proven kiosk, and the way back after a lost link or session.
 *
 * Owns: the connection, the session, the user's turn at the kiosk, and the stage of it all.
 * Rules: asked again, after whatever broke, nothing is done twice. Whoever has left is gone until `reach`.
 * Must not know: how a kiosk is proven, and what is asked of it.
 *
 * @typedef {(stage: string, detail?: string) => void} OnStage   detail: why a connection is tried again
 * @typedef {import("./session.js").Session} Session
 */

import { POST } from "../protocol/coap.js";
import { AdmitError, TimedOut } from "../protocol/errors.js";
import { Connection } from "./connection.js";

const PAUSE_MS = 1000;
const RESUMES = 3; // of one request
const IDLE_TRIES = 60;
const GATEWAYS = ["gateway-no-link", "gateway-link-lost", "gateway-no-answer", "gateway-lied"];
export const LOST = ["link-dropped", "request-unanswered", "session-lost", ...GATEWAYS];

export class Asking {
  /** Is it this user's turn? */
  isLoggedIn = false;
  /** Called when the link is gone while nothing is asked. @type {(error: AdmitError) => void} */
  onlost = () => {};
  /** @type {Connection} */
  connection = /** @type {any} */ (null);
  /** @type {Session} */
  session = /** @type {any} */ (null);
  #transport;
  #prove;
  #stage = "finding";
  #busy = 0;
  #hasLeft = false; // nothing gets the link back then, but `reach`
  #owesTurn = false;
  /** @type {Promise<void> | null} */
  #resuming = null;

  /** @param {any} transport @param {(connection: Connection) => Promise<Session>} prove whoever is at its other end */
  constructor(transport, prove) {
    this.#transport = transport;
    this.#prove = prove;
  }

  /** Connect (again), and have the kiosk proven; go on in the session that was there, if it lasts.
   * @param {OnStage} onStage */
  async reach(onStage) {
    this.#hasLeft = false;
    await this.#resume(onStage);
  }

  /** The turn ends with the link. */
  async leave() {
    this.#hasLeft = true;
    await this.#hangUp();
  }

  /** The kiosk has ended turn and session: what is asked next begins another. */
  ended() {
    this.isLoggedIn = this.session.isEstablished = false;
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
          return await work(this.session);
        } catch (error) {
          const { reason } = this.#staged(error);
          if (!left || this.#hasLeft || !LOST.includes(reason)) throw error;
          if (reason === "session-lost") this.session.isEstablished = false;
          else await pause(PAUSE_MS * (1 - left / RESUMES)); // at once, and then not so soon
          this.#owesTurn ||= this.isLoggedIn;
          await this.#resume();
        }
      }
    } finally {
      this.#busy -= 1;
    }
  }

  /** The session, once it is there and nobody waits for anything; null if that does not come.
   * @returns {Promise<Session | null>} */
  async idle() {
    for (let left = IDLE_TRIES; left && !this.#hasLeft; left--) {
      if (!this.#busy && this.session.isEstablished) return this.session;
      await pause(PAUSE_MS / 2);
    }
    return null;
  }

  /** Get back what was lost; once, however many wait for it. */
  #resume(onStage = /** @type {OnStage} */ (() => {})) {
    return (this.#resuming ??= this.#connect(onStage).finally(() => (this.#resuming = null)));
  }

  /** @param {OnStage} onStage */
  async #connect(onStage) {
    await this.#hangUp();
    const stage = (/** @type {string} */ name, detail = "") => onStage((this.#stage = name), detail);
    stage("finding");
    try {
      this.connection = new Connection(this.#transport);
      await this.connection.open(stage);
      this.connection.onlost = (error) => this.#lost(error);
      if (this.session?.isEstablished) {
        this.session.connection = this.connection;
      } else {
        stage("proving");
        this.session = await this.#prove(this.connection);
      }
      if (this.#hasLeft) throw new TimedOut("link-dropped", "it was left meanwhile");
      stage("ready");
    } catch (error) {
      await this.#hangUp();
      throw this.#staged(error);
    }
  }

  async #hangUp() {
    this.isLoggedIn = false;
    await this.connection?.close();
  }

  /** The turn that was lost on the way; somebody else may have it now. */
  async #takeTurn() {
    if (!this.#owesTurn) return;
    try {
      await this.session.request(POST, "/login");
      this.isLoggedIn = true;
    } catch (error) {
      if (LOST.includes(/** @type {AdmitError} */ (error).reason)) throw error;
    }
    this.#owesTurn = false;
  }

  /** @param {AdmitError} error */
  #lost(error) {
    this.isLoggedIn &&= this.#busy > 0; // whoever waits gets it back
    if (!this.#busy && this.session?.isEstablished) this.onlost(error);
  }

  /** @param {any} error */
  #staged(error) {
    if (error instanceof AdmitError) error.stage ??= this.#stage;
    return error;
  }
}

/** @param {number} ms @returns {Promise<void>} */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
