/**
 * P-256 by WebCrypto: key pairs, ECDH, ES256. docs/SPEC.md section 2.
 *
 * Owns: the checking of points, how keys are made, signatures with s in the lower half.
 * Rules: BigInt works on public numbers only, since its time depends on them; private keys cannot be exported.
 * Must not know: what a key is for, and where it is kept.
 *
 * Public keys are x || y, 64 bytes; signatures r || s, 64 bytes; secrets 32 bytes.
 */

import { base64url, compare, concat, fromUint, hex, utf8, webcrypto } from "./bytes.js";
import { LocalError, Malformed } from "./errors.js";

/** @typedef {{privateKey: CryptoKey, public: Uint8Array}} KeyPair */

const { subtle } = webcrypto;
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const namedCurve = "P-256";
const ES256 = { name: "ECDSA", hash: "SHA-256" };
const ROUND_TRIP = utf8("admit");

/** A new key pair. @param {"ECDH"|"ECDSA"} name @returns {Promise<KeyPair>} */
export async function generate(name) {
  const usages = /** @type {KeyUsage[]} */ (name === "ECDH" ? ["deriveBits"] : ["sign", "verify"]);
  const pair = await subtle.generateKey({ name, namedCurve }, false, usages);
  const raw = new Uint8Array(await subtle.exportKey("raw", pair.publicKey));
  return { privateKey: pair.privateKey, public: raw.slice(1) };
}

/**
 * The key pair, for signing, of a secret whose public key is told: so an invite's (SPEC 3.5). That they belong together
 * is proven by a signature. Raises LocalError p256-secret unless it is in 1..n-1; Malformed p256-point, p256-mismatch.
 * @param {Uint8Array} secret @param {Uint8Array} publicKey @returns {Promise<KeyPair>}
 */
export async function fromSecret(secret, publicKey) {
  if (!isSecret(secret)) throw new LocalError("p256-secret");
  checkPoint(publicKey);
  const [d, x, y] = [secret, publicKey.slice(0, 32), publicKey.slice(32)].map(base64url);
  try {
    const jwk = { kty: "EC", crv: namedCurve, d, x, y };
    const privateKey = await subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve }, false, ["sign"]);
    const signature = await sign(privateKey, ROUND_TRIP);
    if (await verify(publicKey, signature, ROUND_TRIP)) return { privateKey, public: publicKey };
  } catch {
    // the browser's own check says so too
  }
  throw new Malformed("p256-mismatch");
}

/** Whether it is 32 bytes of a number in 1..n-1; without BigInt, since it is secret. @param {Uint8Array} secret */
export function isSecret(secret) {
  return secret.length === 32 && secret.some((byte) => byte) && compare(secret, fromUint(N, 32)) < 0;
}

/** Raises Malformed p256-point unless it is x || y of a point of the curve. @param {Uint8Array} point */
export function checkPoint(point) {
  const [x, y] = [point.slice(0, 32), point.slice(32)].map(number);
  if (point.length !== 64 || x >= P || y >= P || (y * y - curve(x)) % P) throw new Malformed("p256-point");
}

/** x || y of the point with this x (32 bytes) and an even y. SEC 1 section 2.3.4. Raises Malformed p256-point if there
 * is none. @param {Uint8Array} x32 */
export function publicFromX(x32) {
  const root = power(curve(number(x32)), (P + 1n) / 4n); // because P is 3 modulo 4
  const point = concat(x32, fromUint(root & 1n ? P - root : root, 32));
  checkPoint(point);
  return point;
}

/** WebCrypto's key of a point, 64 bytes, or 32 as for `publicFromX`. Raises Malformed p256-point.
 * @param {Uint8Array} point @param {"ECDH"|"ECDSA"} name */
export function importPublic(point, name) {
  if (point.length === 32) point = publicFromX(point);
  else checkPoint(point);
  return subtle.importKey("raw", concat([4], point), { name, namedCurve }, true, name === "ECDH" ? [] : ["verify"]);
}

/** The x of secret * peer, 32 bytes. SEC 1 section 3.3.1. @param {CryptoKey} privateKey @param {Uint8Array} peer */
export async function sharedSecret(privateKey, peer) {
  const algorithm = { name: "ECDH", public: await importPublic(peer, "ECDH") };
  return new Uint8Array(await subtle.deriveBits(algorithm, privateKey, 256));
}

/** The ES256 signature of `data`, with s in the lower half. @param {CryptoKey} privateKey @param {Uint8Array} data */
export async function sign(privateKey, data) {
  const signature = new Uint8Array(await subtle.sign(ES256, privateKey, data));
  if (!isLow(signature)) signature.set(fromUint(N - number(signature.slice(32)), 32), 32);
  return signature;
}

/** Whether a signature has its s in the lower half. @param {Uint8Array} signature */
export function isLow(signature) {
  return number(signature.slice(32)) <= N / 2n;
}

/** Whether `signature` of `data` is by the holder of the public key; false, too, for whatever is malformed.
 * @param {Uint8Array} publicKey @param {Uint8Array} signature @param {Uint8Array} data */
export async function verify(publicKey, signature, data) {
  if (signature.length !== 64 || publicKey.length !== 64) return false;
  try {
    return await subtle.verify(ES256, await importPublic(publicKey, "ECDSA"), signature, data);
  } catch {
    return false;
  }
}

/** x^3 - 3x + b modulo p. @param {bigint} x */
function curve(x) {
  return ((x * x - 3n) * x + B) % P;
}

/** @param {bigint} base @param {bigint} exponent */
function power(base, exponent) {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = (result * result) % P;
    if (bit === "1") result = (result * base) % P;
  }
  return result;
}

/** @param {Uint8Array} bytes */
function number(bytes) {
  return BigInt("0x0" + hex(bytes));
}
