/**
 * EDHOC (RFC 9528), the Initiator: methods 0 to 3, cipher suites 2 and 3. docs/SPEC.md section 11.
 *
 * Owns: the bytes, the key schedule, the order of steps. Names are the RFC's.
 * Rules: a session lives through its steps once; whatever fails ends it, and drops what it held. message_3, which names
 * us, is made only after message_2 has verified against the credential that the caller chose.
 * Must not know: transport, clock, who is trusted.
 */

import { EMPTY, concat, equal } from "./bytes.js";
import { Tag, decode, decodeFirst, decodeSequence, encode, encodeSequence, expect } from "./cbor.js";
import * as ccm from "./ccm.js";
import * as cwt from "./cwt.js";
import { LocalError, Malformed, Unsupported, Untrusted, Unverified, WrongSuite, must } from "./errors.js";
import { hkdfExpand, hkdfExtract, sha256 } from "./kdf.js";
import * as p256 from "./p256.js";

/** @typedef {Map<number, any>} IdCred */
/** @typedef {{data: Uint8Array, public: Uint8Array, idCred: IdCred}} Credential CRED_x, its key, its ID_CRED_x */
/** @typedef {[number, Uint8Array|null][]} Ead label (negative: critical, 0: padding) and value */

/** @type {Map<number, number>} */
const SUITES = new Map([[2, 8], [3, 16]]); // length of MAC and of AEAD tag, bytes
const [KID, KCWT, KCCS] = [4, 13, 14];
const TAG_SIGN1 = 18;
const MAX_IDENTIFIER = 7; // bytes: an OSCORE id with a 13-byte nonce, RFC 8613 section 3.3
const HASH_LENGTH = 32;
const [DEAD, BUSY, START, SENT_1, PARSED_2, VERIFIED_2, DONE, CONFIRMED] = [0, 1, 2, 3, 4, 5, 6, 7];

// Credentials: RFC 9528 section 3.5

/** A CWT's Credential: CRED_x is the CWT without its tag, identified by `kid`, else as its COSE_Key says, or by value.
 * @param {Uint8Array} data @param {Uint8Array|null} kid @returns {Credential} */
export function cwtCredential(data, kid = null) {
  const [publicKey, own] = cwt.cnfKey(cwt.parse(data).claims);
  return credentialOf(data.slice(1), publicKey, kid ?? own);
}

/** A CCS's Credential: CRED_x is `data` itself. @param {Uint8Array} data @returns {Credential} */
export function ccsCredential(data) {
  return credentialOf(data, ...cwt.cnfKey(cwt.parseClaims(data)));
}

/** @param {Uint8Array} data @param {Uint8Array} publicKey @param {Uint8Array|null} kid @returns {Credential} */
function credentialOf(data, publicKey, kid) {
  return { data, public: publicKey, idCred: kid ? new Map([[KID, kid]]) : byValue(data) };
}

/** The ID_CRED_x that carries CRED_x itself. @param {Uint8Array} data @returns {IdCred} */
export function byValue(data) {
  const item = decode(data);
  return item instanceof Map ? new Map([[KCCS, item]]) : new Map([[KCWT, new Tag(TAG_SIGN1, item)]]);
}

// Identifiers: a byte string that is itself the encoding of an int -24..23 goes as that int. Section 3.3.2

/** @param {Uint8Array} identifier */
export function isShort(identifier) {
  return identifier.length === 1 && identifier[0] < 0x38 && (identifier[0] & 0x1f) < 0x18;
}

/** @param {Uint8Array} identifier */
export function encodeIdentifier(identifier) {
  return isShort(identifier) ? identifier : encode(identifier);
}

/** @param {any} item @param {string} reason @returns {Uint8Array} */
function decodeIdentifier(item, reason) {
  if (Number.isInteger(item) && item >= -24 && item <= 23) return encode(item);
  must(!isShort(expect(item, "bytes", reason)), reason);
  return item;
}

/** @param {any} item */
function connectionId(item) {
  const identifier = decodeIdentifier(item, "edhoc-connection-id");
  must(identifier.length <= MAX_IDENTIFIER, "edhoc-connection-id");
  return identifier;
}

/** ID_CRED_x in a plaintext: a lone kid goes bare. Section 3.5.3.2. @param {IdCred} idCred */
function encodeIdCred(idCred) {
  return idCred.has(KID) ? encodeIdentifier(idCred.get(KID)) : encode(idCred);
}

/** @param {any} item @returns {IdCred} one of kid, kcwt, kccs */
function decodeIdCred(item) {
  if (!(item instanceof Map)) return new Map([[KID, decodeIdentifier(item, "edhoc-id-cred")]]);
  must(item.size !== 1 || !item.has(KID), "edhoc-id-cred"); // a lone kid goes bare
  const isKcwt = item.get(KCWT) instanceof Tag && item.get(KCWT).number === TAG_SIGN1;
  if (item.size !== 1 || !(isKcwt || item.get(KCCS) instanceof Map)) throw new Unsupported("edhoc-id-cred");
  return item;
}

// External authorization data: section 3.8

/** @param {Ead} ead */
function encodeEad(ead) {
  return encodeSequence(ead.flatMap(([label, value]) => (value ? [label, value] : [label])));
}

/** The items at the end of a message or plaintext, without padding. @param {any[]} items @returns {Ead} */
function decodeEad(items) {
  /** @type {Ead} */
  const ead = [];
  for (const item of items) {
    const last = ead[ead.length - 1];
    if (Number.isInteger(item)) ead.push([item, null]);
    else if (last && !last[1]) last[1] = expect(item, "bytes", "edhoc-ead");
    else throw new Malformed("edhoc-ead");
  }
  return ead.filter(([label]) => label);
}

// Suites, errors and messages: sections 5.2, 6, A.2.1

/** SUITES_I for the next try, after an error 2: ours up to the first that is in `suitesR`, lest a forged error choose
 * for us. Section 6.3.1. Raises WrongSuite edhoc-suite. @param {number[]} preferred @param {number[]} suitesR */
export function selectSuites(preferred, suitesR) {
  const at = preferred.findIndex((each) => suitesR.includes(each) && SUITES.has(each));
  if (at < 0) throw new WrongSuite("edhoc-suite");
  return preferred.slice(0, at + 1);
}

/** [ERR_CODE, ERR_INFO], SUITES_R as an array; null if `data` is no error message. Nobody vouches for what it says.
 * @param {Uint8Array} data @returns {[number, any]|null} */
export function parseError(data) {
  try {
    const [code, info, ...rest] = decodeSequence(data);
    if (rest.length || info === undefined || (code === 3 && info !== true)) return null;
    if (code === 1) expect(info, "text", "");
    return [expect(code, "int", ""), code === 2 ? decodeSuites(info) : info];
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
}

/** @param {any} item @returns {number[]} */
function decodeSuites(item) {
  if (Number.isInteger(item)) return [item];
  must(expect(item, "array", "edhoc-suites").length > 1, "edhoc-suites");
  return item.map((/** @type {any} */ suite) => expect(suite, "int", "edhoc-suites"));
}

/** How a CoAP request carries a message: behind C_x of who receives it, behind true if it is message_1 (null).
 * @param {Uint8Array|null} cX @param {Uint8Array} message */
export function encodePrefixed(cX, message) {
  return concat(cX ? encodeIdentifier(cX) : encode(true), message);
}

/** @param {Uint8Array} data @param {string} reason */
function parseBytes(data, reason) {
  const items = decodeSequence(data);
  must(items.length === 1, reason);
  return expect(items[0], "bytes", reason);
}

// The key schedule: section 4

/** EDHOC_KDF. @param {Uint8Array} prk @param {number} label @param {Uint8Array} context @param {number} length */
function derive(prk, label, context, length) {
  return hkdfExpand(prk, encodeSequence([label, context, length]), length);
}

/** PRK_3e2m (label 1) or PRK_4e3m (label 5).
 * @param {Uint8Array} prk @param {number} label @param {Uint8Array} th @param {Uint8Array} shared */
async function mix(prk, label, th, shared) {
  return hkdfExtract(await derive(prk, label, th, HASH_LENGTH), shared);
}

/** One session. Each step raises LocalError edhoc-state out of turn. */
export class Initiator {
  #state = START;
  /** @type {any} message_1's hash; the ephemeral key; our key; PRK, TH and PRK_out as they stand; G_Y; what arrived */
  #held;

  /**
   * `suites` in order of preference, the last one selected; `key`: static DH in methods 2 and 3, else for signing;
   * `cI`: our OSCORE recipient id, 0 to 7 bytes; `ephemeral`: for tests that replay a session; `knownEad`: labels
   * (positive) of the critical items that the caller understands.
   * @param {{method: number, suites: number[], key: p256.KeyPair, idCredI: IdCred, credI: Credential, cI: Uint8Array,
   *   ephemeral?: p256.KeyPair, knownEad?: number[]}} options
   */
  constructor({ method, suites, key, idCredI, credI, cI, ephemeral, knownEad = [] }) {
    if (![0, 1, 2, 3].includes(method)) throw new LocalError("edhoc-method");
    if (cI.length > MAX_IDENTIFIER) throw new LocalError("edhoc-connection-id");
    this.method = method;
    this.cipherSuite = suites[suites.length - 1];
    this.cI = cI;
    this.cR = EMPTY; // once message_2 is parsed
    this.#held = { suites, key, idCredI, credI, ephemeral, knownEad };
  }

  /** Ends the session, and forgets every secret. */
  erase() {
    this.#state = DEAD;
    this.#held = {};
  }

  /** message_1. Section 5.2.2. @param {Ead} ead */
  message1(ead = []) {
    return this.#step(START, SENT_1, async (held) => {
      const { suites } = held;
      held.ephemeral ??= await p256.generate("ECDH");
      const gX = held.ephemeral.public.slice(0, 32);
      const start = encodeSequence([this.method, suites.length === 1 ? suites[0] : suites, gX]);
      const message = concat(start, encodeIdentifier(this.cI), encodeEad(ead));
      held.hash = await sha256(message);
      return message;
    });
  }

  /** [C_R, ID_CRED_R, EAD_2], decrypted but trusted by nobody yet. Section 5.3.3. Raises RemoteError.
   * @param {Uint8Array} data @returns {Promise<[Uint8Array, IdCred, Ead]>} */
  parseMessage2(data) {
    return this.#step(SENT_1, PARSED_2, async (held) => {
      if (!SUITES.has(this.cipherSuite)) throw new LocalError("edhoc-suite", "offered only to be refused");
      const joined = parseBytes(data, "edhoc-message-2");
      must(joined.length > 32, "edhoc-message-2");
      const [gY, ciphertext] = [joined.slice(0, 32), joined.slice(32)];
      held.gY = p256.publicFromX(gY);
      held.th = await sha256(encode(gY), encode(held.hash));
      held.prk = await hkdfExtract(held.th, await p256.sharedSecret(held.ephemeral.privateKey, held.gY));
      const keystream = await derive(held.prk, 0, held.th, ciphertext.length);
      const plaintext = ciphertext.map((byte, at) => byte ^ keystream[at]);
      const [item, offset] = decodeFirst(plaintext);
      this.cR = connectionId(item);
      must(!equal(this.cR, this.cI), "edhoc-connection-id");
      held.received = this.#parsePlaintext(plaintext, offset);
      return [this.cR, held.received.idCred, acceptEad(held.received.items, held.knownEad)];
    });
  }

  /** Proves that the owner of `credR` sent message_2. Section 5.3.3. Raises Unverified edhoc-mac-2, edhoc-signature-2,
   * Untrusted edhoc-reflected (our own key). @param {Credential} credR @returns {Promise<void>} */
  verifyMessage2(credR) {
    return this.#step(PARSED_2, VERIFIED_2, async (held) => {
      const { plaintext, idCred, proof, ead } = held.received;
      if (!this.#signs(2)) {
        const shared = await p256.sharedSecret(held.ephemeral.privateKey, credR.public);
        held.prk = await mix(held.prk, 1, held.th, shared);
      }
      held.ephemeral = held.received = null;
      if (equal(credR.public, held.credI.public)) throw new Untrusted("edhoc-reflected");
      const [mac, signed] = await this.#mac(2, held.prk, idCred, credR.data, ead);
      if (signed && !(await p256.verify(credR.public, proof, signed))) throw new Unverified("edhoc-signature-2");
      if (!signed && !equal(mac, proof)) throw new Unverified("edhoc-mac-2");
      held.th = await sha256(encode(held.th), plaintext, credR.data);
    });
  }

  /** message_3. The exporter works from here on. Section 5.4.2. @param {Ead} ead */
  message3(ead = []) {
    return this.#step(VERIFIED_2, DONE, async (held) => {
      const { key, idCredI, credI } = held;
      let prk = held.prk;
      if (!this.#signs(3)) prk = await mix(prk, 5, held.th, await p256.sharedSecret(key.privateKey, held.gY));
      const rawEad = encodeEad(ead);
      const [mac, signed] = await this.#mac(3, prk, idCredI, credI.data, rawEad);
      const proof = signed ? await p256.sign(key.privateKey, signed) : mac;
      const plaintext = concat(encodeIdCred(idCredI), encode(proof), rawEad);
      const message = encode(await ccm.encrypt(...(await this.#aead(3, plaintext))));
      held.key = null;
      held.prk = prk;
      held.th = await sha256(encode(held.th), plaintext, credI.data);
      held.prkOut = await derive(prk, 7, held.th, HASH_LENGTH);
      return message;
    });
  }

  /** EAD_4 of a genuine message_4: the Responder has the same keys. Section 5.5.3. Raises RemoteError.
   * @param {Uint8Array} data @returns {Promise<Ead>} */
  verifyMessage4(data) {
    return this.#step(DONE, CONFIRMED, async (held) => {
      const plaintext = await ccm.decrypt(...(await this.#aead(8, parseBytes(data, "edhoc-message-4"))));
      held.prk = null;
      return acceptEad(decodeSequence(plaintext), held.knownEad);
    });
  }

  /** EDHOC_Exporter: `length` bytes for an application's label and context. Section 4.2.1.
   * @param {number} label @param {Uint8Array} context @param {number} length */
  async exporter(label, context, length) {
    const { prkOut } = this.#held;
    if (this.#state < DONE) {
      this.erase();
      throw new LocalError("edhoc-state");
    }
    return derive(await derive(prkOut, 10, EMPTY, HASH_LENGTH), label, context, length);
  }

  /** [master secret 16 bytes, master salt 8]. Our sender id is C_R. Section A.1. */
  async oscore() {
    return [await this.exporter(0, EMPTY, 16), await this.exporter(1, EMPTY, 8)];
  }

  /** Runs `work` if the state is `before`; the state is then `after`, or the session ended.
   * @template T @param {number} before @param {number} after @param {(held: any) => Promise<T>} work
   * @returns {Promise<T>} */
  async #step(before, after, work) {
    const state = this.#state;
    this.#state = BUSY;
    try {
      if (state !== before) throw new LocalError("edhoc-state");
      const result = await work(this.#held);
      if (this.#state !== BUSY) throw new LocalError("edhoc-state");
      this.#state = after;
      return result;
    } catch (error) {
      const isOver = this.#state !== BUSY; // somebody ended it meanwhile
      this.erase();
      throw isOver ? new LocalError("edhoc-state") : error;
    }
  }

  /** Whether the sender of message `number` signs, rather than uses static DH. Section 3.2. @param {number} number */
  #signs(number) {
    return number === 3 ? this.method < 2 : this.method % 2 === 0;
  }

  /** [MAC_2 or MAC_3, the Sig_structure over it if the sender signs]. Sections 5.3.2 and 5.4.2.
   * @param {number} number @param {Uint8Array} prk @param {IdCred} idCred @param {Uint8Array} cred
   * @param {Uint8Array} ead @returns {Promise<[Uint8Array, Uint8Array|null]>} */
  async #mac(number, prk, idCred, cred, ead) {
    const signs = this.#signs(number);
    const named = encode(idCred);
    const rest = concat(encode(this.#held.th), cred, ead);
    const context = concat(number === 2 ? encodeIdentifier(this.cR) : EMPTY, named, rest);
    const mac = await derive(prk, number === 2 ? 2 : 6, context, signs ? HASH_LENGTH : this.#tagLength);
    return [mac, signs ? encode(["Signature1", named, rest, mac]) : null];
  }

  /** PLAINTEXT_2 behind its C_R. @param {Uint8Array} plaintext @param {number} offset */
  #parsePlaintext(plaintext, offset) {
    const [id, proof, ...items] = decodeSequence(plaintext.slice(offset));
    must(proof !== undefined, "edhoc-plaintext");
    const idCred = decodeIdCred(id);
    const length = this.#signs(2) ? 64 : this.#tagLength;
    must(expect(proof, "bytes", "edhoc-plaintext").length === length, "edhoc-plaintext");
    return { plaintext, idCred, proof, items, ead: encodeSequence(items) };
  }

  get #tagLength() {
    return /** @type {number} */ (SUITES.get(this.cipherSuite));
  }

  /** What ccm asks for to seal message_3 (label 3) or to open message_4 (label 8).
   * @param {number} label @param {Uint8Array} text
   * @returns {Promise<[Uint8Array, Uint8Array, Uint8Array, Uint8Array, number]>} */
  async #aead(label, text) {
    const { prk, th } = this.#held;
    const [key, nonce] = [await derive(prk, label, th, 16), await derive(prk, label + 1, th, 13)];
    return [key, nonce, text, encode(["Encrypt0", EMPTY, th]), this.#tagLength];
  }
}

/** The EAD in `items`, if what is critical of it is known. @param {any[]} items @param {number[]} known */
function acceptEad(items, known) {
  const ead = decodeEad(items);
  for (const [label] of ead) {
    if (label < 0 && !known.includes(-label)) throw new Unsupported("edhoc-critical-ead", String(-label));
  }
  return ead;
}
