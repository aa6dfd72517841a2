/**
 * A site's two key pairs: one to log in with (ECDH), one to sign with (ECDSA), P-256.
 *
 * Rules: the private halves are made here and are not extractable: no code, ours included, can read them.
 * Must not know: where they are kept, and what they are used for.
 */

import * as p256 from "../protocol/p256.js";

/** @typedef {{login: p256.KeyPair, sign: p256.KeyPair}} Keys */

/** Two new pairs. @returns {Promise<Keys>} */
export async function makeKeys() {
  return { login: await p256.generate("ECDH"), sign: await p256.generate("ECDSA") };
}

/** Whether what came out of storage still is a site's keys. @param {any} keys */
export function areKeys(keys) {
  return isPair(keys?.login, "ECDH") && isPair(keys?.sign, "ECDSA");
}

/** Ask the browser not to evict what we keep; whether it agrees. @returns {Promise<boolean>} */
export async function askPersistence() {
  try {
    return (await navigator.storage.persist()) === true;
  } catch {
    return false; // nowhere to ask: it may be evicted, and is then shown as lost
  }
}

/** @param {any} found @param {string} name */
function isPair(found, name) {
  const key = found?.privateKey;
  return key?.type === "private" && key.algorithm?.name === name && found.public?.length === 64;
}
