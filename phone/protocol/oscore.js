/**
 * OSCORE, the client's part: requests protected, responses opened. RFC 8613, docs/SPEC.md section 12.
 *
 * Owns: a security context (keys, sequence numbers), which CoAP options are seen outside, which response belongs to a
 * request, and the order of notifications.
 * Rules: a nonce is used once, though calls run at the same time; nothing changes but by a message that has verified;
 * what does not verify is not looked at.
 * Must not know: links, peers, resources; how its secret came to be.
 */

import { concat, EMPTY, equal, fromUint } from "./bytes.js";
import * as cbor from "./cbor.js";
import * as ccm from "./ccm.js";
import * as coap from "./coap.js";
import { LocalError, Replayed, Unauthenticated, Unsupported, must } from "./errors.js";
import { hkdfExpand, hkdfExtract } from "./kdf.js";

const ALGORITHM = 10; // AES-CCM-16-64-128
const MAX_ID = 7; // bytes of a Sender or Recipient ID: nonce length minus 6, section 3.3
const MAX_SEQUENCE = 2 ** 40 - 1;
const TAG = 8;
const MAX_CODE = 0xbf; // of a response

// Class U. All others, unknown ones included, are class E (section 4.1); Observe is put outside as well.
const OUTSIDE = [coap.URI_HOST, coap.URI_PORT, coap.HOP_LIMIT, coap.EDHOC, coap.PROXY_URI, coap.PROXY_SCHEME];

/** A security context that asks. RFC 8613 section 3. `sequence`: the number that the next request uses. */
export class ClientContext {
  #senderKey;
  #recipientKey;
  #commonIv;

  /**
   * @param {Uint8Array} senderId
   * @param {Uint8Array} recipientId @param {Uint8Array | null} idContext @param {Uint8Array[]} keys
   */
  constructor(senderId, recipientId, idContext, keys) {
    this.senderId = senderId;
    this.recipientId = recipientId;
    this.idContext = idContext;
    this.sequence = 0;
    [this.#senderKey, this.#recipientKey, this.#commonIv] = keys;
  }

  /**
   * The context of a fresh secret. Ids: 0..7 bytes, one unlike the other. Raises LocalError oscore-id.
   * @param {Uint8Array} masterSecret @param {Uint8Array} masterSalt @param {Uint8Array} senderId
   * @param {Uint8Array} recipientId @param {Uint8Array | null} [idContext]
   */
  static async create(masterSecret, masterSalt, senderId, recipientId, idContext = null) {
    if (senderId.length > MAX_ID || recipientId.length > MAX_ID || equal(senderId, recipientId)) {
      throw new LocalError("oscore-id");
    }
    const prk = await hkdfExtract(masterSalt, masterSecret);
    /** RFC 8613 section 3.2.1. @param {Uint8Array} id @param {string} kind @param {number} length */
    const derive = (id, kind, length) =>
      hkdfExpand(prk, cbor.encode([id, idContext, ALGORITHM, kind, length]), length);
    const keys = [derive(senderId, "Key", 16), derive(recipientId, "Key", 16), derive(EMPTY, "IV", 13)];
    return new ClientContext(senderId, recipientId, idContext, await Promise.all(keys));
  }

  /**
   * The outer message, and the `ref` that `unprotectResponse` needs. RFC 8613 section 8.1. Raises LocalError:
   * oscore-exhausted, oscore-nested, oscore-proxy-uri (give host and path apart: the path is secret).
   * @param {coap.Message} message
   */
  async protectRequest(message) {
    const observe = message.uint(coap.OBSERVE);
    const outer = message.copy();
    const plaintext = hide(message, outer);
    const partialIv = this.#nextPartialIv(); // before anything is awaited, so that no two requests have the same
    const ref = new ClientReference(this, partialIv, observe === 0);
    outer.code = observe === null ? coap.POST : coap.FETCH;
    outer.addOption(coap.OSCORE, encodeOption(partialIv, this.senderId, this.idContext));
    outer.payload = await ccm.encrypt(this.#senderKey, this.#nonce(this.senderId, partialIv), plaintext, ref.aad());
    return { outer, ref };
  }

  /**
   * The inner message. RFC 8613 section 8.4. One response is accepted, and after an Observe registration any number,
   * each newer than the one before, until one comes without Observe. The value of Observe becomes the low 24 bits of
   * the Partial IV (section 4.1.3.5.2). Raises what docs/SPEC.md section 12.4 lists; LocalError oscore-ref.
   * @param {coap.Message} outer @param {ClientReference} ref
   */
  async unprotectResponse(outer, ref) {
    if (ref.context !== this) throw new LocalError("oscore-ref");
    const values = outer.all(coap.OSCORE);
    if (!values.length) throw new Unauthenticated("oscore-unprotected");
    if (values.length > 1) throw new Unsupported("oscore-option", "repeated");
    const { partialIv, kid, kidContext } = parseOption(values[0]);
    this.#checkIds(kid, kidContext);
    const number = partialIv ? coap.decodeUint(partialIv) : -1;
    ref.checkNew(number);
    must(outer.payload.length > TAG, "oscore-too-short");
    const nonce = partialIv ? this.#nonce(this.recipientId, partialIv) : this.#nonce(this.senderId, ref.partialIv);
    const copy = outer.copy();
    const plaintext = await ccm.decrypt(this.#recipientKey, nonce, outer.payload, ref.aad());
    ref.checkNew(number); // another response may have been accepted meanwhile
    const inner = reveal(copy, plaintext);
    must(inner.code >= coap.CREATED && inner.code <= MAX_CODE, "oscore-code");
    ref.accept(inner, number);
    return inner;
  }

  #nextPartialIv() {
    if (this.sequence > MAX_SEQUENCE) throw new LocalError("oscore-exhausted");
    const number = fromUint(this.sequence++, 5);
    return number.slice(Math.min(number.findIndex(Boolean) >>> 0, 4));
  }

  /** RFC 8613 section 5.2. @param {Uint8Array} id @param {Uint8Array} partialIv */
  #nonce(id, partialIv) {
    const zeros = [new Uint8Array(MAX_ID - id.length), new Uint8Array(5 - partialIv.length)];
    const parts = concat([id.length], zeros[0], id, zeros[1], partialIv);
    return parts.map((byte, i) => byte ^ this.#commonIv[i]);
  }

  /** @param {Uint8Array | null} kid @param {Uint8Array | null} kidContext */
  #checkIds(kid, kidContext) {
    const isOurs = !kid || equal(kid, this.recipientId);
    if (!isOurs || (kidContext && !(this.idContext && equal(kidContext, this.idContext)))) {
      throw new Unauthenticated("oscore-context");
    }
  }
}

/** What a client remembers of its request; callers only carry it from one call to the next. */
class ClientReference {
  #closed = false; // no more responses
  #newest = -2; // Notification Number; -1 after a response on the nonce of the request
  #registers;

  /** @param {ClientContext} context @param {Uint8Array} partialIv @param {boolean} registers it is for Observe */
  constructor(context, partialIv, registers) {
    this.context = context;
    this.partialIv = partialIv;
    this.#registers = registers;
  }

  /** RFC 8613 section 5.4. */
  aad() {
    const externalAad = cbor.encode([1, [ALGORITHM], this.context.senderId, this.partialIv, EMPTY]);
    return cbor.encode(["Encrypt0", EMPTY, externalAad]);
  }

  /** Raises Replayed unless a response of this number may still come. @param {number} number */
  checkNew(number) {
    if (this.#closed || number <= this.#newest) throw new Replayed("oscore-replayed");
  }

  /**
   * Take note of a response that has verified. RFC 8613 section 8.4.2.
   * @param {coap.Message} response @param {number} number
   */
  accept(response, number) {
    const value = response.option(coap.OBSERVE);
    if (value) {
      must(!value.length && this.#registers, "oscore-observe");
      response.setOption(coap.OBSERVE, Math.max(number, 0) % 0x1000000);
    }
    this.#newest = number;
    this.#closed = !value;
  }
}

/**
 * The combined request: `outer` with the EDHOC option, `message3` before its ciphertext. RFC 9668 section 3.2.1.
 * Raises LocalError oscore-combined. @param {Uint8Array} message3 one CBOR byte string @param {coap.Message} outer
 */
export function combine(message3, outer) {
  if (!outer.option(coap.OSCORE) || !(cbor.decode(message3) instanceof Uint8Array)) {
    throw new LocalError("oscore-combined");
  }
  const request = outer.withOption(coap.EDHOC, EMPTY);
  request.payload = concat(message3, outer.payload);
  return request;
}

/** An OSCORE option value. RFC 8613 section 6.1. Raises Unsupported oscore-option. @param {Uint8Array} value */
export function parseOption(value) {
  const [flags = 0] = value;
  const length = flags & 7;
  let at = value.length ? 1 + length : 0;
  const partialIv = length ? value.slice(1, at) : null;
  let kidContext = null;
  if (flags & 0x10) {
    const start = at + 1;
    at = start + (value[at] ?? 0);
    kidContext = value.slice(start, at);
  }
  const kid = flags & 8 ? value.slice(at) : null;
  const isOne = flags < 0x20 && length <= 5 && !(length > 1 && value[1] === 0) && (flags > 0 || !value.length);
  if (!isOne || at > value.length || (!kid && at < value.length)) throw new Unsupported("oscore-option");
  return { partialIv, kid, kidContext };
}

/**
 * That value for a request.
 * @param {Uint8Array} partialIv @param {Uint8Array} kid @param {Uint8Array | null} kidContext
 */
function encodeOption(partialIv, kid, kidContext) {
  const context = kidContext ? concat([kidContext.length], kidContext) : EMPTY;
  return concat([partialIv.length | 8 | (kidContext ? 0x10 : 0)], partialIv, context, kid);
}

/**
 * The plaintext of a request; `outer`, a copy of it, keeps the options that are seen. RFC 8613 sections 4.1 and 5.3.
 * @param {coap.Message} message @param {coap.Message} outer
 */
function hide(message, outer) {
  if (message.option(coap.OSCORE)) throw new LocalError("oscore-nested");
  if (message.option(coap.PROXY_URI)) throw new LocalError("oscore-proxy-uri");
  outer.options = message.options.filter(([number]) => number === coap.OBSERVE || OUTSIDE.includes(number));
  const inside = message.options.filter(([number]) => !OUTSIDE.includes(number));
  return concat([message.code], coap.encodeBody(inside, message.payload));
}

/**
 * The inner message: nothing of the outer one counts but its token and class U options. RFC 8613 section 8.4.
 * @param {coap.Message} outer @param {Uint8Array} plaintext
 */
function reveal(outer, plaintext) {
  const { options, payload } = coap.decodeBody(plaintext.subarray(1));
  must(!options.some(([number]) => number === coap.OSCORE || OUTSIDE.includes(number)), "oscore-inner-option");
  const seen = outer.options.filter(([number]) => OUTSIDE.includes(number));
  return new coap.Message(plaintext[0], outer.token, [...seen, ...options], payload);
}
