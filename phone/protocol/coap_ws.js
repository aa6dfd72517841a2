/**
 * CoAP's message layer over WebSockets, the client's side: RFC 8323 sections 4 and 5.
 *
 * Owns the first byte of every message and the signals: CSM, Ping, Pong, Release, Abort. Fed with bytes like GattLayer:
 * after `receive` and `send` call `outgoing` until it gives null. Must not know sockets, nor what a message means.
 * Rule: what breaks the format ends the connection: `receive` raises, and what `outgoing` still gives is the Abort.
 */

import { concat, utf8 } from "./bytes.js";
import * as coap from "./coap.js";
import { Malformed, TimedOut, TooLarge, Unsupported, must } from "./errors.js";

export const PATH = "/.well-known/coap";
export const SUBPROTOCOL = "coap";

const [CSM, PING, PONG, RELEASE, ABORT] = [0xe1, 0xe2, 0xe3, 0xe4, 0xe5];
const MAX_MESSAGE_SIZE = 2; // option of a CSM
const BAD_CSM_OPTION = 2; // option of an Abort

// What we take. Block-wise-Transfer beside it would promise blocks of several KiB (BERT, section 6).
const OUR_MAX_MESSAGE = 4352;
const BASE_MAX_MESSAGE = 1152; // what a peer takes that does not say, section 5.3.1
const LEAST_MAX_MESSAGE = 128;
const MAX_PAYLOAD = 200; // while nobody knows the link behind a gateway: it fits a serial line too
const MAX_DIAGNOSTIC = 200;

/**
 * The message in the bytes of one WebSocket message. Raises Malformed: coap-truncated, ws-length, coap-token-length,
 * coap-code and those of `decodeBody`. @param {Uint8Array} data
 */
export function decodeMessage(data) {
  must(data.length >= 2, "coap-truncated");
  must(data[0] < 16, "ws-length");
  must(data[0] <= coap.MAX_TOKEN, "coap-token-length");
  const start = 2 + data[0];
  must(start <= data.length, "coap-truncated");
  if (data[1] >> 5 !== 7) coap.checkCode(data[1]);
  const { options, payload } = coap.decodeBody(data.subarray(start));
  return new coap.Message(data[1], data.slice(2, start), options, payload);
}

/** The bytes of one WebSocket message. @param {coap.Message} message */
export function encodeMessage({ code, token, options, payload }) {
  return concat([token.length, code], token, coap.encodeBody(options, payload));
}

/** One connection's message layer; its first message, the CSM, is ready at once. */
export class WebSocketLayer {
  /** bytes that a request may have; whoever learns what the kiosk's own link takes may set it */
  maxPayload = MAX_PAYLOAD;
  /** the peer wants no more requests, section 5.5 */
  released = false;
  #host;
  #peerMax = BASE_MAX_MESSAGE;
  #greeted = false;
  #ready = [signal(CSM, [[MAX_MESSAGE_SIZE, OUR_MAX_MESSAGE]])];

  /** @param {string | null} [host] the Uri-Host of each request that has none: the kiosk behind a gateway */
  constructor(host = null) {
    this.#host = host;
  }

  /**
   * Take one WebSocket message; the request or response in it: none or one. Raises TimedOut ws-aborted if the peer ends
   * the connection; Malformed, Unsupported ws-option or TooLarge ws-too-large if we have to.
   * @param {Uint8Array | string} data @param {number} _nowMs
   */
  receive(data, _nowMs) {
    try {
      return this.#receive(data);
    } catch (error) {
      const { option, message } = /** @type {any} */ (error);
      /** @type {[number, number][]} */
      const options = option ? [[BAD_CSM_OPTION, option]] : [];
      if (!(error instanceof TimedOut)) this.#ready = [signal(ABORT, options, message)];
      throw error;
    }
  }

  /**
   * Queue a request. Raises TooLarge ws-too-large if the peer does not take so much.
   * @param {coap.Message} message @param {number} _nowMs
   */
  send(message, _nowMs) {
    const needsHost = this.#host !== null && message.isRequest && !message.option(coap.URI_HOST);
    const data = encodeMessage(needsHost ? message.withOption(coap.URI_HOST, this.#host) : message);
    if (data.length > this.#peerMax) throw new TooLarge("ws-too-large", `${data.length} of ${this.#peerMax} bytes`);
    this.#ready.push(data);
  }

  /** The next message to put on the wire, or null. @param {number} _nowMs */
  outgoing(_nowMs) {
    return this.#ready.shift() ?? null;
  }

  /** When `outgoing` has something to do even if nothing arrives: 0 for now, null for never. */
  deadline() {
    return this.#ready.length ? 0 : null;
  }

  /** No message fails by itself: the connection does. @returns {Uint8Array[]} */
  failed() {
    return [];
  }

  /** Nothing to do: a response that nobody awaits is ignored. @param {Uint8Array} _token */
  forget(_token) {}

  /** @param {Uint8Array | string} data */
  #receive(data) {
    must(typeof data !== "string", "ws-text");
    if (data.length > OUR_MAX_MESSAGE) throw new TooLarge("ws-too-large", `${data.length} bytes`);
    const message = decodeMessage(data);
    if (message.code === coap.EMPTY) return [];
    must(this.#greeted || message.code === CSM, "ws-no-csm");
    if (message.code >> 5 !== 7) return [message];
    this.#onSignal(message);
    return [];
  }

  /** @param {coap.Message} message */
  #onSignal(message) {
    const critical = message.options.find(([number]) => number & 1);
    if (critical) throw optionError(critical[0], message.code);
    if (message.code === CSM) this.#onCsm(message);
    else if (message.code === PING) this.#ready.push(encodeMessage(new coap.Message(PONG, message.token)));
    else if (message.code === RELEASE) this.released = true;
    else if (message.code === ABORT) throw new TimedOut("ws-aborted", printable(message.payload));
    else if (message.code !== PONG) throw new Malformed("ws-signal", coap.codeText(message.code));
  }

  /** @param {coap.Message} message */
  #onCsm(message) {
    this.#greeted = true;
    const value = message.option(MAX_MESSAGE_SIZE);
    if (!value) return;
    const size = coap.decodeUint(value);
    if (value.length > 4 || size < LEAST_MAX_MESSAGE) throw optionError(MAX_MESSAGE_SIZE, CSM);
    this.#peerMax = size;
  }
}

/** @param {number} number @param {number} code of the signal */
function optionError(number, code) {
  const error = new Unsupported("ws-option", `option ${number} of ${coap.codeText(code)}`);
  return Object.assign(error, { option: code === CSM ? number : 0 });
}

/** @param {number} code @param {[number, coap.Value][]} [options] @param {string} [words] */
function signal(code, options = [], words = "") {
  return encodeMessage(new coap.Message(code, undefined, options, utf8(words).slice(0, MAX_DIAGNOSTIC)));
}

/** A diagnostic payload, fit to be shown: text without control characters. @param {Uint8Array} payload */
function printable(payload) {
  const words = new TextDecoder().decode(payload.subarray(0, MAX_DIAGNOSTIC));
  return words.replace(/[\p{C}\p{Z}]/gu, (each) => (each === " " ? each : "\ufffd"));
}
