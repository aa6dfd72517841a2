/**
 * CoAP's message layer over one pair of GATT characteristics, the client's side: draft-ietf-core-coap-over-gatt-00
 * section 3.2, its minimal use (section 3.2.2). docs/SPEC.md section 15.
 *
 * Owns the first byte of every value (ids, acknowledgements), one message under way at a time, and duplicates. Fed with
 * bytes and time: after `receive` and `send` call `outgoing` until it gives null, and again at `deadline`. Nothing that
 * a peer sends makes it raise. It must not know Bluetooth, nor what a message means. A new link needs a new layer.
 */

import { EMPTY as NOTHING, concat, equal } from "./bytes.js";
import { EMPTY, MAX_TOKEN, Message, checkCode, decodeBody, encodeBody } from "./coap.js";
import { LocalError, Unsupported, must } from "./errors.js";

export const SERVICE = "8df804b7-3300-496d-9dfa-f8fb40a236bc";
export const DOWNSTREAM = "8bf52767-5625-43ca-a678-70883a366866"; // the client writes, with response
export const UPSTREAM = "ab3720c8-7fc0-41f8-aa2a-9a45c2c01a4b"; // the server indicates

const MAX_VALUE = 512; // Bluetooth Core, part F section 3.2.9
const MIN_VALUE = 125; // an ATT MTU of 128, less 3
const MAX_QUEUE = 8;
const TIMEOUT_MS = 5000;

const [RESERVED, MESSAGE_ID, CONFIRM, ACKNOWLEDGE_ID] = [0x80, 0x40, 0x20, 0x10];

/**
 * First byte & 0xF0, and the message, of one value; an empty message has code EMPTY. Raises Malformed: gatt-truncated,
 * gatt-reserved-bit, gatt-token-length, gatt-empty, coap-code and those of `decodeBody`. @param {Uint8Array} data
 */
export function decodeValue(data) {
  must(data.length, "gatt-truncated");
  const bits = data[0] & 0xf0;
  const start = 2 + (data[0] & 15);
  must(!(bits & RESERVED), "gatt-reserved-bit");
  must(start <= 2 + MAX_TOKEN, "gatt-token-length");
  if (data.length === 1 && start === 2) return { bits, message: new Message(EMPTY) };
  must(data.length > 1 && data[1] !== EMPTY, "gatt-empty");
  must(start <= data.length, "gatt-truncated");
  checkCode(data[1]);
  const { options, payload } = decodeBody(data.subarray(start));
  return { bits, message: new Message(data[1], data.slice(2, start), options, payload) };
}

/** One link's message layer. `garbage` counts ignored values. */
export class GattLayer {
  garbage = 0;
  #maxPayload = MAX_VALUE;
  // Bits of our latest message; the first one takes the other, 0. The peer's acknowledgement bit begins as 0: a value
  // that crosses our very first message passes for its acknowledgement: no harm, as GATT loses nothing.
  #ownId = MESSAGE_ID;
  #peerId = 0; // ACKNOWLEDGE_ID if the peer's latest message that asked for an acknowledgement had MESSAGE_ID
  #seen = NOTHING; // the peer's latest value up to its token
  #ackOwed = false;
  /** @type {{message: Message, value: Uint8Array}[]} */
  #queue = [];
  /** @type {{token: Uint8Array, dueMs: number} | null} our message that has no acknowledgement yet */
  #underWay = null;
  /** @type {Uint8Array[]} */
  #failed = [];

  constructor(maxPayload = MAX_VALUE) {
    this.maxPayload = maxPayload;
  }

  /** The longest value, in bytes: min(512, ATT MTU - 3). Raises Unsupported gatt-mtu if set below 125. */
  get maxPayload() {
    return this.#maxPayload;
  }

  set maxPayload(bytes) {
    if (!(bytes >= MIN_VALUE)) throw new Unsupported("gatt-mtu", `${bytes + 3}, at least ${MIN_VALUE + 3} is needed`);
    this.#maxPayload = Math.min(bytes, MAX_VALUE);
  }

  /**
   * Take one value; what is in it, if that is new: none or one message.
   * @param {Uint8Array} data @param {number} _nowMs
   */
  receive(data, _nowMs) {
    let bits, message;
    try {
      ({ bits, message } = decodeValue(data));
    } catch {
      this.garbage += 1;
      return [];
    }
    const seen = data.slice(0, 2 + message.token.length);
    if (equal(seen, this.#seen)) return [];
    this.#seen = seen;
    if (Boolean(bits & ACKNOWLEDGE_ID) === Boolean(this.#ownId)) this.#underWay = null;
    if (bits & CONFIRM) {
      this.#peerId = bits & MESSAGE_ID ? ACKNOWLEDGE_ID : 0;
      this.#ackOwed = true;
    }
    return message.code === EMPTY ? [] : [message];
  }

  /**
   * Queue a message. When more than MAX_QUEUE wait, the oldest has failed. Raises LocalError gatt-too-long.
   * @param {Message} message @param {number} _nowMs
   */
  send(message, _nowMs) {
    const { code, token, options, payload } = message;
    const value = concat([token.length, code], token, encodeBody(options, payload));
    if (value.length > this.#maxPayload) throw new LocalError("gatt-too-long", `${value.length} bytes`);
    this.#queue.push({ message, value });
    const dropped = this.#queue.splice(0, Math.max(this.#queue.length - MAX_QUEUE, 0));
    this.#failed.push(...dropped.map((item) => item.message.token));
  }

  /**
   * The next value to write, or null. A message that is queued by now carries the acknowledgement.
   * @param {number} nowMs
   */
  outgoing(nowMs) {
    if (this.#underWay && nowMs >= this.#underWay.dueMs) {
      this.#failed.push(this.#underWay.token);
      this.#underWay = null;
    }
    const next = this.#underWay ? null : this.#queue.shift();
    if (!next && !this.#ackOwed) return null;
    this.#ackOwed = false;
    if (!next) return Uint8Array.of(this.#ownId | this.#peerId);
    this.#ownId ^= MESSAGE_ID;
    this.#underWay = { token: next.message.token, dueMs: nowMs + TIMEOUT_MS };
    next.value[0] |= this.#ownId | this.#peerId | CONFIRM;
    return next.value;
  }

  /** When `outgoing` has something to do even if nothing arrives, in ms; null for never. */
  deadline() {
    if (this.#ackOwed || (this.#queue.length && !this.#underWay)) return 0;
    return this.#underWay && this.#underWay.dueMs;
  }

  /** Tokens of messages that were given up on since the last call: the link is as good as lost. */
  failed() {
    return this.#failed.splice(0);
  }

  /** Do not send our request `token` if it still waits. @param {Uint8Array} token */
  forget(token) {
    this.#queue = this.#queue.filter(({ message }) => !(message.isRequest && equal(message.token, token)));
  }
}
