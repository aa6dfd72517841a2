/**
 * Device credentials: the CWT by which a site's authority vouches for one device's key. docs/SPEC.md section 6.
 *
 * Owns: its claims, no others.
 * Rules: it never expires; it ends when the device leaves the site or makes a new key.
 * Must not know: whether the peer holds the key; EDHOC proves that.
 */

import { equal, utf8 } from "./bytes.js";
import { expect } from "./cbor.js";
import * as cose from "./cose.js";
import * as cwt from "./cwt.js";
import { isShort } from "./edhoc.js";
import { Untrusted, must } from "./errors.js";

/**
 * `testOnly`: the key was made without a hardware source of randomness, and guards nothing.
 * @typedef {{deviceId: string, public: Uint8Array, kid: Uint8Array, siteId: Uint8Array, issuedAt: number,
 *   sign1: cose.Sign1, data: Uint8Array, testOnly: boolean, sealPublic: Uint8Array}} Credential
 */

const MAX_DEVICE_ID = 64; // bytes

/** The credential in `data`, not yet verified. Raises Malformed or Unsupported cbor-…, cose-…, cwt-…; Malformed
 * credential-claims, credential-kid. @param {Uint8Array} data @returns {Credential} */
export function parse(data) {
  const { claims, sign1 } = cwt.parse(data);
  cose.checkForm(sign1);
  const testOnly = claims.has(cwt.TEST_ONLY);
  must(claims.size === (testOnly ? 6 : 5) && (!testOnly || claims.get(cwt.TEST_ONLY) === true), "credential-claims");
  must([cwt.ISS, cwt.SUB, cwt.IAT].every((name) => claims.has(name)), "credential-claims");
  const [deviceId, issuedAt] = [claims.get(cwt.SUB), claims.get(cwt.IAT)];
  must(deviceId && utf8(deviceId).length <= MAX_DEVICE_ID, "credential-claims");
  const [publicKey, kid] = cwt.cnfKey(claims);
  must(kid && isShort(kid), "credential-kid");
  const [sealPublic, sealKid] = cose.decodeKey(expect(claims.get(cwt.SEAL_KEY), "map", "credential-claims"));
  must(!sealKid, "credential-claims");
  const siteId = cwt.parseIssuer(claims.get(cwt.ISS));
  return { deviceId, public: publicKey, kid, siteId, issuedAt, sign1, data, testOnly, sealPublic };
}

/** Returns if the authority of `anchor` issued it, with its present key or one that still counts. Raises Untrusted credential-other-site, Unverified cose-signature.
 * @param {Credential} credential @param {import("./anchor.js").Anchor} anchor */
export async function verify(credential, anchor) {
  if (!equal(credential.siteId, anchor.siteId)) throw new Untrusted("credential-other-site");
  await cose.verifySign1(credential.sign1, anchor.signPublic, cose.DEVICE_CREDENTIAL, anchor.previous);
}
