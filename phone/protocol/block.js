/**
 * Block-wise transfer, the client's part: one request and its response, in as many messages as it takes. RFC 7959.
 *
 * Owns: the Block1 and Block2 options, what to ask next, and the response body so far; inside OSCORE and outside alike.
 * Rules: a server is believed no further than `limit` bytes and RESTARTS new beginnings.
 * Must not know: how a part travels. Tokens are the caller's; each part bears the request's.
 */

import { concat, EMPTY, equal } from "./bytes.js";
import * as coap from "./coap.js";
import { Conflict, LocalError, TooLarge, must } from "./errors.js";

const MAX_RESPONSE = 1 << 20;
const RESTARTS = 3;
const MAX_SZX = 6;

let lastTag = 0;

/** A Block option. RFC 7959 section 2.2. Raises Malformed block-option. @param {Uint8Array} value */
export function parse(value) {
  const number = coap.decodeUint(value);
  must(value.length <= 3 && (number & 7) <= MAX_SZX, "block-option");
  return { number: number >> 4, more: Boolean(number & 8), szx: number & 7 };
}

/** Its value. Raises LocalError block-option. @param {number} number @param {boolean} more @param {number} szx 0..6 */
export function encode(number, more, szx) {
  if (number >>> 20 || szx >>> 0 > MAX_SZX) throw new LocalError("block-option");
  return coap.encodeUint((number << 4) | (more ? 8 : 0) | szx);
}

/**
 * Exponent of the largest block that fits `size` bytes: 16 << szx. Raises LocalError block-size.
 * @param {number} size
 */
export function sizeSzx(size) {
  if (!(size >= 16)) throw new LocalError("block-size");
  return Math.min(Math.floor(Math.log2(size)) - 4, MAX_SZX);
}

/**
 * Carries `request`, whole, to a server and brings its whole response:
 *
 *     for (let part; (part = transfer.next()); ) transfer.answer(await exchange(part));
 *     transfer.response
 */
export class Transfer {
  /** @type {coap.Message | null} the whole response, once it is there */
  response = null;
  #request;
  #limit;
  #szx;
  #fits;
  /** @type {coap.Message | null} */
  #next;
  #restarts = RESTARTS;
  /** @type {number | null} */
  #tag = null;
  #sent = 0; // end of the part that waits for its answer
  #body = EMPTY;
  /** @type {Uint8Array | null} */
  #etag = null;

  /**
   * @param {coap.Message} request @param {number} blockSize bytes of payload in a part, at least 16; the server may ask
   * for less @param {number} [limit] bytes of the response
   */
  constructor(request, blockSize, limit = MAX_RESPONSE) {
    this.#request = request;
    this.#limit = limit;
    this.#szx = sizeSzx(blockSize);
    this.#fits = request.payload.length <= blockSize;
    this.#next = this.#uploadPart(0);
  }

  /** The message to send now; null when the response is there. */
  next() {
    return this.#next;
  }

  /**
   * Take the response to the last part. Raises Malformed: block-option, block-number, block-size, block-missing,
   * block-continue; TooLarge block-too-large; Conflict block-changed, faster than it is fetched.
   * @param {coap.Message} response
   */
  answer(response) {
    if (!this.#next) throw new LocalError("block-done");
    if (response.code === coap.CONTINUE) {
      this.#next = this.#continue(response, this.#next);
    } else if (this.#smallerAsked(response) || this.#lost(response, this.#next)) {
      this.#next = this.#uploadPart(0);
    } else if (response.option(coap.BLOCK2)) {
      this.#next = this.#collect(response);
    } else {
      must(!this.#body.length || response.code >= coap.BAD_REQUEST, "block-missing");
      this.#next = this.#finish(response, response.payload);
    }
  }

  /** The part of the request body that begins at `start`. RFC 7959 section 2.5. @param {number} start */
  #uploadPart(start) {
    const part = this.#request.copy();
    if (this.#fits) return part;
    const { payload } = part;
    const size = 16 << this.#szx;
    part.payload = payload.slice(start, start + size);
    this.#sent = start + part.payload.length;
    part.setOption(coap.BLOCK1, encode(start / size, this.#sent < payload.length, this.#szx));
    // One for each upload, so that blocks of two of them are never put together. RFC 9175 section 3.4.
    this.#tag ??= lastTag = (lastTag + 1) >>> 0;
    part.setOption(coap.REQUEST_TAG, this.#tag);
    if (start === 0) part.setOption(coap.SIZE1, payload.length);
    return part;
  }

  /** @param {coap.Message} response @param {coap.Message} sent */
  #continue(response, sent) {
    const value = sent.option(coap.BLOCK1);
    const acknowledged = response.option(coap.BLOCK1);
    must(value && acknowledged && this.#sent < this.#request.payload.length, "block-continue");
    const { number, szx } = parse(acknowledged);
    must(number === parse(value).number, "block-number");
    this.#szx = Math.min(szx, this.#szx);
    return this.#uploadPart(this.#sent);
  }

  /** 4.13 with a smaller block size: begin again with that. RFC 7959 section 2.9.3. @param {coap.Message} response */
  #smallerAsked(response) {
    const hint = response.option(coap.BLOCK1);
    if (response.code !== coap.REQUEST_ENTITY_TOO_LARGE || !hint) return false;
    const { szx } = parse(hint);
    if (szx >= this.#szx) return false;
    this.#szx = szx;
    this.#fits = false;
    return true;
  }

  /**
   * 4.08 to a part of the upload: the server has lost what came before. RFC 7959 section 2.9.2.
   * @param {coap.Message} response @param {coap.Message} sent
   */
  #lost(response, sent) {
    if (response.code !== coap.REQUEST_ENTITY_INCOMPLETE || !sent.option(coap.BLOCK1)) return false;
    this.#tag = null;
    return --this.#restarts >= 0;
  }

  /**
   * Take a block of the response; the request for the next one, or null. RFC 7959 section 2.4.
   * @param {coap.Message} response
   */
  #collect(response) {
    const { number, more, szx } = parse(response.option(coap.BLOCK2) ?? EMPTY);
    const size = 16 << szx;
    const start = number * size;
    const end = start + response.payload.length;
    const etag = response.option(coap.ETAG);
    if (this.#body.length && !sameTag(etag, this.#etag)) return this.#beginAgain();
    must(start === this.#body.length, "block-number");
    must(more ? end - start === size : end - start <= size, "block-size");
    if (Math.max(end, response.uint(coap.SIZE2) ?? 0) > this.#limit) throw new TooLarge("block-too-large");
    this.#etag = etag;
    this.#body = concat(this.#body, response.payload);
    return more ? this.#requestBlock(number + 1, szx) : this.#finish(response, this.#body);
  }

  /** @param {number} number @param {number} szx */
  #requestBlock(number, szx) {
    const part = this.#request.copy();
    part.payload = EMPTY;
    part.setOption(coap.OBSERVE, null);
    part.setOption(coap.BLOCK2, encode(number, false, szx));
    if (this.#tag !== null) part.setOption(coap.REQUEST_TAG, this.#tag);
    return part;
  }

  /** The representation changed while it was fetched. Only a GET may be run again. */
  #beginAgain() {
    if (--this.#restarts < 0 || this.#request.code !== coap.GET) throw new Conflict("block-changed");
    this.#body = EMPTY;
    return this.#uploadPart(0);
  }

  /** @param {coap.Message} response @param {Uint8Array} body */
  #finish(response, body) {
    const options = response.options.filter(([number]) => ![coap.BLOCK1, coap.BLOCK2, coap.SIZE2].includes(number));
    this.response = new coap.Message(response.code, response.token, options, body);
    return null;
  }
}

/** @param {Uint8Array | null} one @param {Uint8Array | null} other */
function sameTag(one, other) {
  return one && other ? equal(one, other) : one === other;
}
