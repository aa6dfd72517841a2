/**
 * CoAP messages apart from any transport: code, token, options, payload. RFC 7252 sections 3.1, 5.10 and 12.
 *
 * Owns the numbers that a client names, and the one encoding of options and payload, which GATT, WebSockets and OSCORE
 * share. Message ids and acknowledgements belong to the layers (gatt, coap_ws); this file must not know them, nor any
 * resource.
 */

import { EMPTY as NOTHING, concat, fromUint, text, utf8 } from "./bytes.js";
import { LocalError, Malformed, must } from "./errors.js";

export const [EMPTY, GET, POST, PUT, DELETE, FETCH] = [0, 1, 2, 3, 4, 5];

export const [CREATED, CHANGED, CONTENT, CONTINUE] = [0x41, 0x44, 0x45, 0x5f];
export const [BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND] = [0x80, 0x81, 0x83, 0x84];
export const [REQUEST_ENTITY_INCOMPLETE, CONFLICT, REQUEST_ENTITY_TOO_LARGE] = [0x88, 0x89, 0x8d];
export const [SERVICE_UNAVAILABLE, GATEWAY_TIMEOUT] = [0xa3, 0xa4];

export const [URI_HOST, ETAG, OBSERVE, URI_PORT, OSCORE, URI_PATH, CONTENT_FORMAT] = [3, 4, 6, 7, 9, 11, 12];
export const [URI_QUERY, HOP_LIMIT, EDHOC, BLOCK2, BLOCK1, SIZE2] = [15, 16, 21, 23, 27, 28];
export const [PROXY_URI, PROXY_SCHEME, SIZE1, REQUEST_TAG] = [35, 39, 60, 292];

export const [CONTENT_CBOR, CONTENT_EDHOC, CONTENT_CID_EDHOC, CONTENT_PROBLEM] = [60, 64, 65, 257];

export const MAX_TOKEN = 8;

/** @typedef {[number, Uint8Array]} Option */
/** @typedef {Uint8Array | string | number} Value of an option: a string as UTF-8, a number as uint */

/** One request or response. `options`: ascending, equal numbers in the order given. `code`: 0x45 is 2.05. */
export class Message {
  /**
   * @param {number} code @param {Uint8Array} [token] 0 to 8 bytes @param {Iterable<[number, Value]>} [options] in any
   * order @param {Uint8Array} [payload]
   */
  constructor(code, token = NOTHING, options = [], payload = NOTHING) {
    this.code = code;
    this.token = token;
    this.payload = payload;
    /** @type {Option[]} */
    this.options = [];
    for (const [number, value] of options) this.addOption(number, value);
  }

  get isRequest() {
    return this.code > 0 && this.code < 0x20;
  }

  /** Value of the first option `number`, or null. @param {number} number */
  option(number) {
    return this.all(number)[0] ?? null;
  }

  /** Values of every option `number`, in order. @param {number} number */
  all(number) {
    return this.options.filter((option) => option[0] === number).map((option) => option[1]);
  }

  /** The first option `number` as an unsigned integer, or null. @param {number} number */
  uint(number) {
    const value = this.option(number);
    return value && decodeUint(value);
  }

  /** Put one more option behind those of the same or a lower number. @param {number} number @param {Value} value */
  addOption(number, value) {
    const at = this.options.filter((option) => option[0] <= number).length;
    this.options.splice(at, 0, [number, optionBytes(value)]);
  }

  /** Make this the only option `number`; null only removes. @param {number} number @param {Value | null} value */
  setOption(number, value) {
    this.options = this.options.filter((option) => option[0] !== number);
    if (value !== null) this.addOption(number, value);
  }

  /** A message that may be changed without changing this one. */
  copy() {
    return new Message(this.code, this.token, this.options, this.payload);
  }

  /** A copy on which `setOption` was called. @param {number} number @param {Value | null} value */
  withOption(number, value) {
    const twin = this.copy();
    twin.setOption(number, value);
    return twin;
  }

  /** Uri-Path: ["r", "open"]. Raises Malformed coap-utf8. */
  get path() {
    return this.all(URI_PATH).map((value) => text(value, "coap-utf8"));
  }
}

/**
 * A request without token.
 * @param {number} code @param {string | string[]} path "/r/open", or its segments @param {Uint8Array} [payload]
 * @param {number | null} [contentFormat] @param {Iterable<[number, Value]>} [options]
 */
export function request(code, path, payload, contentFormat, options) {
  const message = response(code, payload, contentFormat, options);
  for (const segment of typeof path === "string" ? path.split("/").filter(Boolean) : path) {
    message.addOption(URI_PATH, segment);
  }
  return message;
}

/**
 * A response without token.
 * @param {number} code @param {Uint8Array} [payload] @param {number | null} [contentFormat]
 * @param {Iterable<[number, Value]>} [options]
 */
export function response(code, payload, contentFormat = null, options = []) {
  const message = new Message(code, NOTHING, options, payload);
  if (contentFormat !== null) message.addOption(CONTENT_FORMAT, contentFormat);
  return message;
}

/** 0x45 -> "2.05". @param {number} code */
export function codeText(code) {
  return `${code >> 5}.${String(code & 0x1f).padStart(2, "0")}`;
}

/** Raises Malformed coap-code for a reserved class: 1, 6 or 7. RFC 7252 section 12.1. @param {number} code */
export function checkCode(code) {
  if ([1, 6, 7].includes(code >> 5)) throw new Malformed("coap-code", codeText(code));
}

/**
 * Shortest big-endian bytes of 0 <= value < 2^32. RFC 7252 section 3.2. Raises LocalError coap-uint.
 * @param {number} value
 */
export function encodeUint(value) {
  if (value !== value >>> 0) throw new LocalError("coap-uint");
  return fromUint(value, Math.ceil((32 - Math.clz32(value)) / 8));
}

/** Unsigned integer of big-endian bytes; leading zeros are allowed. RFC 7252 section 3.2. @param {Uint8Array} data */
export function decodeUint(data) {
  return data.reduce((sum, byte) => sum * 256 + byte, 0);
}

/**
 * Options in ascending order, then 0xFF and the payload if there is one. RFC 7252 section 3.
 * Raises LocalError: coap-option-order, coap-option-length. @param {Option[]} options @param {Uint8Array} payload
 */
export function encodeBody(options, payload) {
  const parts = [];
  let previous = 0;
  for (const [number, value] of options) {
    const delta = number - previous;
    if (delta < 0 || number > 65535) throw new LocalError("coap-option-order");
    if (value.length > 65535) throw new LocalError("coap-option-length");
    const [high, ...more] = extended(delta);
    const [low, ...evenMore] = extended(value.length);
    parts.push([(high << 4) | low, ...more, ...evenMore], value);
    previous = number;
  }
  return payload.length ? concat(...parts, [0xff], payload) : concat(...parts);
}

/**
 * What `encodeBody` makes; nothing else is accepted. Raises Malformed: coap-truncated, coap-option-reserved,
 * coap-option-number, coap-empty-payload. @param {Uint8Array} data
 */
export function decodeBody(data) {
  /** @type {Option[]} */
  const options = [];
  let at = 0;
  /** @param {number} count */
  const take = (count) => {
    must(at + count <= data.length, "coap-truncated");
    at += count;
    return data.slice(at - count, at);
  };
  /** @param {number} nibble */
  const extension = (nibble) => {
    if (nibble < 13) return nibble;
    must(nibble < 15, "coap-option-reserved");
    return decodeUint(take(nibble - 12)) + (nibble === 13 ? 13 : 269);
  };
  for (let number = 0; at < data.length; ) {
    const [head] = take(1);
    if (head === 0xff) {
      must(at < data.length, "coap-empty-payload");
      return { options, payload: data.slice(at) };
    }
    number += extension(head >> 4);
    const length = extension(head & 15);
    must(number <= 65535, "coap-option-number");
    options.push([number, take(length)]);
  }
  return { options, payload: NOTHING };
}

/** @param {Value} value */
function optionBytes(value) {
  if (typeof value === "number") return encodeUint(value);
  return typeof value === "string" ? utf8(value) : value;
}

/** The nibble of a delta or length, and its extension bytes. @param {number} value */
function extended(value) {
  if (value < 13) return [value];
  return value < 269 ? [13, value - 13] : [14, (value - 269) >> 8, (value - 269) & 255];
}
