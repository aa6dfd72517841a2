/**
 * CBOR, deterministic only: RFC 8949 section 4.2.1, and exactly one encoding of every value. docs/SPEC.md section 1.1.
 *
 * Rules: `encode(decode(x))` equals x for every x that `decode` accepts. Integers are numbers, beyond 2^53 - 1 bigints
 * (which `expect` lets nobody take for an int); a map key that is a byte string can be carried, not looked up.
 * Must not know: what any item means. Tags are carried, never interpreted.
 */

import { EMPTY, compare, concat, equal, fromUint, text, utf8 } from "./bytes.js";
import { LocalError, Malformed, must } from "./errors.js";

const MAX_DEPTH = 8; // arrays, maps and tags inside one another
const MAX_LENGTH = 4096; // bytes
const SIMPLE = [false, true, null]; // 0xf4, 0xf5, 0xf6
const SMALLEST = [24, 0x100, 0x10000, 0x100000000]; // of an argument in 1, 2, 4, 8 bytes

export class Tag {
  /** @param {number | bigint} number 0 to 2^64-1 @param {any} value */
  constructor(number, value) {
    this.number = number;
    this.value = value;
  }
}

/**
 * The one encoding of an integer -2^64 to 2^64-1, Uint8Array, string, boolean, null, Array, Map or Tag, nested 8 deep.
 * Raises LocalError: cbor-type, cbor-utf8, cbor-too-deep. @param {any} value
 */
export function encode(value) {
  return encodeItem(value, MAX_DEPTH);
}

/** The encodings of `values` one after the other. RFC 8742. @param {any[]} values */
export function encodeSequence(values) {
  return concat(...values.map(encode));
}

/** The one item that `data`, at most `limit` bytes, holds. Raises Malformed. @param {Uint8Array} data @returns {any} */
export function decode(data, limit = MAX_LENGTH) {
  const values = decodeSequence(data, limit, 1);
  must(values.length, "cbor-truncated");
  return values[0];
}

/**
 * The items that `data` holds, at most `most`. RFC 8742. Raises Malformed.
 * @param {Uint8Array} data @returns {any[]}
 */
export function decodeSequence(data, limit = MAX_LENGTH, most = Infinity) {
  must(data.length <= limit, "cbor-too-long");
  const reader = new Reader(data);
  const values = [];
  for (; reader.at < data.length; values.push(reader.item(MAX_DEPTH))) {
    must(values.length < most, "cbor-trailing");
  }
  return values;
}

/**
 * The item that begins at `offset`, and the offset behind it. Raises Malformed.
 * @param {Uint8Array} data @returns {[any, number]}
 */
export function decodeFirst(data, offset = 0) {
  const reader = new Reader(data, offset);
  const value = reader.item(MAX_DEPTH);
  must(reader.at - offset <= MAX_LENGTH, "cbor-too-long");
  return [value, reader.at];
}

/**
 * @typedef {{map: Map<any, any>, array: any[], bytes: Uint8Array, text: string, uint: number, int: number,
 *   bool: boolean, tag: Tag, null: null}} Kinds
 */

/**
 * `value` if it is of that kind, or of one of those kinds, else raises Malformed(reason).
 * @template {keyof Kinds} K @param {any} value @param {K | K[]} kind @param {string} reason @returns {Kinds[K]}
 */
export function expect(value, kind, reason) {
  const found = kindOf(value);
  must([kind].flat().some((one) => one === found || (one === "int" && found === "uint")), reason);
  return value;
}

/** @type {Map<string, string>} */
const OTHERS = new Map([["string", "text"], ["boolean", "bool"], ["bigint", "bigint"]]);

/** Nothing for what CBOR, or ours, has not. @param {any} value @returns {string | undefined} */
function kindOf(value) {
  if (Number.isSafeInteger(value)) return value < 0 ? "int" : "uint";
  if (value instanceof Map) return "map";
  if (Array.isArray(value)) return "array";
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof Tag) return "tag";
  if (value === null) return "null";
  return OTHERS.get(typeof value);
}

/** @param {any} value @param {number} depth @returns {Uint8Array} */
function encodeItem(value, depth) {
  const kind = kindOf(value);
  if (kind === "uint" || kind === "int" || kind === "bigint") {
    return value >= 0 ? head(0x00, value) : head(0x20, -1n - BigInt(value));
  }
  if (kind === "bool" || kind === "null") return Uint8Array.of(0xf4 + SIMPLE.indexOf(value));
  if (kind === "bytes") return concat(head(0x40, value.length), value);
  if (kind === "text") return encodeText(value);
  if (!kind) throw new LocalError("cbor-type");
  if (!depth) throw new LocalError("cbor-too-deep");
  if (kind === "tag") return concat(head(0xc0, value.number), encodeItem(value.value, depth - 1));
  if (kind === "map") return encodeMap(value, depth - 1);
  return concat(head(0x80, value.length), ...value.map((/** @type {any} */ item) => encodeItem(item, depth - 1)));
}

/** @param {Map<any, any>} map @param {number} depth */
function encodeMap(map, depth) {
  const pairs = Array.from(map, ([key, value]) => [encodeKey(key), encodeItem(value, depth)]);
  pairs.sort((one, other) => compare(one[0], other[0]));
  if (pairs.some(([key], i) => i && equal(key, pairs[i - 1][0]))) throw new LocalError("cbor-type", "map key twice");
  return concat(head(0xa0, pairs.length), ...pairs.flat());
}

/** @param {any} key */
function encodeKey(key) {
  const isKey = ["uint", "int", "bigint", "bytes", "text"].includes(kindOf(key) ?? "");
  if (!isKey) throw new LocalError("cbor-type", "map key");
  return encodeItem(key, 0);
}

/** @param {string} value */
function encodeText(value) {
  if (/\p{Surrogate}/u.test(value)) throw new LocalError("cbor-utf8");
  const raw = utf8(value);
  return concat(head(0x60, raw.length), raw);
}

/** @param {number} major @param {any} argument */
function head(major, argument) {
  const fits = typeof argument === "bigint" ? argument >> 64n === 0n : Number.isSafeInteger(argument) && argument >= 0;
  if (!fits) throw new LocalError("cbor-type", "integer out of range");
  if (argument < 24) return Uint8Array.of(major | Number(argument));
  const step = SMALLEST.filter((least) => argument >= least).length - 1;
  return concat([major | (24 + step)], fromUint(argument, 1 << step));
}

class Reader {
  /** @param {Uint8Array} data */
  constructor(data, at = 0) {
    this.data = data;
    this.at = at;
  }

  /** The next item, with at most `depth` levels below. @param {number} depth @returns {any} */
  item(depth) {
    const first = this.take(1)[0];
    if (first >= 0xf4 && first <= 0xf6) return SIMPLE[first - 0xf4];
    if (first >= 0xe0) throw new Malformed(first === 0xff ? "cbor-indefinite" : "cbor-type");
    const n = this.argument(first & 31);
    const major = first >> 5;
    if (major === 0) return n;
    if (major === 1) return n < Number.MAX_SAFE_INTEGER ? -1 - Number(n) : -1n - BigInt(n);
    if (major === 2) return this.take(n).slice();
    if (major === 3) return text(this.take(n), "cbor-utf8");
    must(depth, "cbor-too-deep");
    if (major === 4) return this.array(n, depth - 1);
    return major === 5 ? this.map(n, depth - 1) : new Tag(n, this.item(depth - 1));
  }

  /** @param {number | bigint} count */
  take(count) {
    const end = this.at + Number(count);
    must(end <= this.data.length, "cbor-truncated");
    const taken = this.data.subarray(this.at, end);
    this.at = end;
    return taken;
  }

  /** @param {number} info @returns {number | bigint} */
  argument(info) {
    if (info < 24) return info;
    if (info > 27) throw new Malformed(info === 31 ? "cbor-indefinite" : "cbor-type");
    const value = this.take(1 << (info - 24)).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    must(value >= SMALLEST[info - 24], "cbor-not-shortest");
    return value > Number.MAX_SAFE_INTEGER ? value : Number(value);
  }

  /** @param {number | bigint} count @param {number} depth */
  array(count, depth) {
    const items = [];
    while (items.length < count) items.push(this.item(depth));
    return items;
  }

  /** @param {number | bigint} count @param {number} depth */
  map(count, depth) {
    const items = new Map();
    let previous = EMPTY;
    for (let i = 0; i < count; i++) {
      const start = this.at;
      must(!(this.data[start] >= 0x80), "cbor-key-type");
      const key = this.item(0);
      const raw = this.data.subarray(start, this.at);
      if (compare(raw, previous) <= 0) {
        const isKnown = [...items.keys()].some((one) => equal(encode(one), raw));
        throw new Malformed(isKnown ? "cbor-duplicate-key" : "cbor-key-order");
      }
      previous = raw;
      items.set(key, this.item(depth));
    }
    return items;
  }
}
