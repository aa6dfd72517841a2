/**
 * The user's side of a session: prove the kiosk that the user chose, prove the user to it, then ask under protection.
 *
 * Order: the kiosk's credential was verified against the site's anchor before; nothing of the user leaves before
 * message_2 has verified against that very credential. message_3 goes with the first protected request (RFC 9668), so a
 * repeat visit takes four flights. Whoever brings a delegation hands in what is behind it before anything else.
 * Must not know: which kiosk is meant, and what is asked of it.
 */

import * as cbor from "../protocol/cbor.js";
import * as coap from "../protocol/coap.js";
import * as cwt from "../protocol/cwt.js";
import * as edhoc from "../protocol/edhoc.js";
import * as errors from "../protocol/errors.js";
import * as oscore from "../protocol/oscore.js";
import * as problem from "../protocol/problem.js";
import { EMPTY, equal, random } from "../protocol/bytes.js";
import { kidOf } from "../protocol/grant.js";
import { blockWise } from "./connection.js";

/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("../protocol/p256.js").KeyPair} KeyPair */
/** @typedef {{key: KeyPair, chains: Uint8Array[][]}} Holder
 *   chains: grants of the key, each with those behind it; the first is whom EDHOC names, none a bare key */

const METHOD = 2; // the user by static Diffie-Hellman, the device by signature
const SUITE = 2;
// What OSCORE and CoAP add to a block: OSCORE option 14, tag 8, tokens and ids 8, inner code and options 26.
const OVERHEAD = 56;
const REASON = /^[a-z][a-z0-9-]{0,63}$/; // any other text that comes in its place is not shown
const MAX_TEXT = 400; // characters that are shown of a device's own words
const [BINDING_LABEL, BINDING_LENGTH] = [32768, 32]; // SPEC 11.3
const BAD_GATEWAY = 0xa2;
const IGNORED = ["Malformed", "Replayed", "Unauthenticated", "Unsupported", "Unverified"];

/** A session with one device. `start` runs EDHOC up to message_2; the first request carries message_3. */
export class Session {
  /** Has the device answered under protection? Then the session outlives its link. */
  isEstablished = false;
  /** 32 bytes that the two ends of the session alone know. */
  binding = EMPTY;
  #holder;
  #device;
  #byValue;
  #handedIn = false;
  #introduced = false; // message_3 has gone, and the grants
  /** @type {oscore.ClientContext} */
  #context = /** @type {any} */ (null);
  /** @type {Uint8Array | null} */
  #message3 = null;
  /** @type {Promise<any>} message_3 goes once, with the first request */
  #first = Promise.resolve();

  /** @param {Connection} connection @param {Holder} holder @param {Uint8Array} credential the device's, verified
   * @param {boolean} known does the device know the grant, as far as we know? */
  constructor(connection, holder, credential, known = false) {
    this.connection = connection;
    this.#holder = holder;
    this.#device = edhoc.cwtCredential(credential);
    this.#byValue = !known;
  }

  /** message_1 and message_2: afterwards the device has proven itself, and nothing of the user has left. */
  async start() {
    this.isEstablished = this.#handedIn = this.#introduced = false;
    const initiator = await this.#initiator();
    const message1 = edhoc.encodePrefixed(null, await initiator.message1());
    const response = await this.connection.request(edhocRequest(message1));
    raiseEdhocError(response);
    const [cR, idCredR] = await initiator.parseMessage2(unproven(response).payload);
    if (!equal(cbor.encode(idCredR), cbor.encode(this.#device.idCred))) {
      throw new errors.Untrusted("device-other", "it names another key than the one in its credential");
    }
    await initiator.verifyMessage2(this.#device);
    this.#message3 = await initiator.message3();
    this.binding = await initiator.exporter(BINDING_LABEL, EMPTY, BINDING_LENGTH);
    const [secret, salt] = await initiator.oscore();
    this.#context = await oscore.ClientContext.create(secret, salt, cR, initiator.cI);
  }

  /**
   * One protected request and its whole response. Raises Denied, Refused and others, with the device's reason.
   * @param {number} method @param {string} path @param {Uint8Array} [payload] CBOR @param {string} [query]
   */
  async request(method, path, payload = EMPTY, query = "") {
    /** @type {[number, string][]} */
    const options = query ? [[coap.URI_QUERY, query]] : [];
    const message = coap.request(method, path, payload, payload.length ? coap.CONTENT_CBOR : null, options);
    const exchange = (/** @type {coap.Message} */ part) => this.#introducing(() => this.#protected(part));
    return checked(await this.#inTurn(() => this.#whole(message, exchange)));
  }

  /** The response to GET `path`, and another each time it changes, until the caller stops. @param {string} path */
  async *observe(path) {
    await this.#inTurn(() => this.#introducing(() => this.#sendMessage3()));
    const message = coap.request(coap.GET, path, EMPTY, null, [[coap.OBSERVE, EMPTY]]);
    const { outer, ref } = await this.#context.protectRequest(message);
    for await (const response of this.connection.observe(outer)) {
      let told;
      try {
        told = await this.#context.unprotectResponse(response, ref);
      } catch (error) {
        if (IGNORED.includes(/** @type {errors.AdmitError} */ (error).kind)) continue; // anybody may send that
        throw error;
      }
      yield checked(told);
    }
  }

  /** One after the other, until the first has introduced us.
   * @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  #inTurn(work) {
    if (this.#introduced) return work();
    const turn = this.#first.then(work);
    this.#first = turn.then(() => (this.#introduced = true), () => {});
    return turn;
  }

  /** @param {coap.Message} message @param {(part: coap.Message) => Promise<coap.Message>} exchange */
  #whole(message, exchange) {
    return blockWise(message, this.connection.maxPayload - OVERHEAD, exchange);
  }

  /** Show what is behind a delegation that goes by value, and further grants, of which the best then decides. */
  async #handIn() {
    if (this.#handedIn) return;
    const [own = [], ...further] = this.#holder.chains;
    for (const chain of this.#byValue && own.length > 1 ? [own, ...further] : further) {
      const message = coap.request(coap.POST, "/grants", cbor.encode(chain), coap.CONTENT_CBOR);
      checked(await this.#whole(message, (part) => this.#protected(part)));
    }
    this.#handedIn = true;
  }

  /**
   * Run `step`; if the device does not know the grant yet, run EDHOC again with the grant itself, and repeat it. That
   * is safe: a device that did not know the grant has executed nothing. Nobody vouches for its saying so: it is
   * believed of message_3 alone, and once. @template T @param {() => Promise<T>} step @returns {Promise<T>}
   */
  async #introducing(step) {
    try {
      await this.#handIn();
      return await step();
    } catch (error) {
      if (!(error instanceof errors.UnknownCredential) || this.#byValue) throw error;
      this.#byValue = true;
      await this.start();
      await this.#handIn();
      return step();
    }
  }

  /** @param {coap.Message} message */
  async #protected(message) {
    if (this.#message3 && !this.#fits(message)) await this.#sendMessage3();
    const first = this.#message3;
    const { outer, ref } = await this.#context.protectRequest(message);
    const response = await this.connection.exchange(first ? oscore.combine(first, outer) : outer);
    if (first) raiseEdhocError(response);
    if (!response.option(coap.OSCORE)) throw bare(response);
    const inner = await this.#context.unprotectResponse(response, ref).catch(altered);
    this.#message3 = null;
    this.isEstablished = true;
    return inner;
  }

  /** Does message_3 go with it in one value? @param {coap.Message} message */
  #fits(message) {
    const length = /** @type {Uint8Array} */ (this.#message3).length + message.payload.length;
    return length + OVERHEAD + 32 <= this.connection.maxPayload;
  }

  async #sendMessage3() {
    if (!this.#message3) return;
    const body = edhoc.encodePrefixed(this.#context.senderId, this.#message3);
    const response = await this.connection.request(edhocRequest(body));
    raiseEdhocError(response);
    unproven(response);
    this.#message3 = null;
  }

  async #initiator() {
    const { key, chains } = this.#holder;
    const own = chains.length
      ? edhoc.cwtCredential(chains[0][0], await kidOf(chains[0][0]))
      : edhoc.ccsCredential(cwt.encodeCcs(key.public));
    const idCredI = this.#byValue && chains.length ? edhoc.byValue(own.data) : own.idCred;
    const cI = Uint8Array.of(random(1)[0] % 24);
    return new edhoc.Initiator({ method: METHOD, suites: [SUITE], key, idCredI, credI: own, cI });
  }
}

/** @param {Uint8Array} body */
function edhocRequest(body) {
  return coap.request(coap.POST, "/.well-known/edhoc", body, coap.CONTENT_CID_EDHOC);
}

/** Raise what an EDHOC error message says. It is not authenticated: it may stop us, never persuade us.
 * @param {coap.Message} response */
function raiseEdhocError(response) {
  if (response.code < 0x80 || response.uint(coap.CONTENT_FORMAT) !== coap.CONTENT_EDHOC) return;
  const error = edhoc.parseError(response.payload);
  if (error?.[0] === 3) throw new errors.UnknownCredential("edhoc-unknown-credential");
  const said = printable(String(error?.[1] ?? ""));
  if (said === "edhoc-unexpected") throw new errors.TimedOut("session-lost", "it knows nothing of this handshake");
  throw new errors.Refused("handshake-refused", said, response.code);
}

/** What an answer without protection to a protected request means. @param {coap.Message} response */
function bare(response) {
  if (response.code === coap.UNAUTHORIZED) return new errors.TimedOut("session-lost"); // RFC 8613 section 8.2
  const error = asError(response);
  return isGateways(error) ? error : new errors.Refused("device-refused", coap.codeText(response.code), response.code);
}

/** The response of somebody who has proven nothing; an error in it is no more than a refusal.
 * @param {coap.Message} response */
export function unproven(response) {
  if (response.code < 0x80) return response;
  const error = asError(response);
  throw isGateways(error) ? error : new errors.Refused(error.reason, error.detail, response.code);
}

/** Whose tag or form is wrong was changed on its way: the device has proven itself, so it is no impostor's.
 * @param {any} error @returns {never} */
function altered(error) {
  throw Object.assign(error, { isAltered: true });
}

/** The protected response, or the error that it tells of, `isTold`: by the device itself.
 * @param {coap.Message} response */
function checked(response) {
  if (response.code >= 0x80) throw Object.assign(asError(response), { isTold: true });
  return response;
}

/** @type {Record<number, typeof errors.NotFound>} */
const BY_CODE = {
  [coap.NOT_FOUND]: errors.NotFound,
  [coap.CONFLICT]: errors.Conflict,
  [coap.SERVICE_UNAVAILABLE]: errors.Busy,
  [BAD_GATEWAY]: errors.TimedOut,
  [coap.GATEWAY_TIMEOUT]: errors.TimedOut,
};

/** @param {coap.Message} response @returns {errors.AdmitError} */
function asError(response) {
  const { code, payload } = response;
  const told = response.uint(coap.CONTENT_FORMAT) === coap.CONTENT_PROBLEM ? problem.decode(payload) : new Map();
  const title = told.get(problem.TITLE) ?? "";
  const reason = REASON.test(title) ? title : "device-refused";
  const detail = printable(told.get(problem.DETAIL) ?? (told.has(problem.TITLE) ? "" : coap.codeText(code)));
  if (code === coap.FORBIDDEN) return new errors.Denied(reason, detail, told.get(problem.RULE) ?? null);
  return code in BY_CODE ? new BY_CODE[code](reason, detail) : new errors.Refused(reason, detail, code, told);
}

/** A gateway's own word, for which nobody vouches. @param {errors.AdmitError} error */
function isGateways(error) {
  return error.reason.startsWith("gateway-");
}

/** What a device says, fit to be shown: one line, no control characters, not endless. @param {string} text */
function printable(text) {
  return text.slice(0, MAX_TEXT).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "\ufffd");
}
