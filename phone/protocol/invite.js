/**
 * Invites: what their link holds, the key of their secret, how one is redeemed. docs/SPEC.md sections 3.5, 8.5, 17.13.
 *
 * Owns: the derivation of the key, the body of the request that redeems.
 * Rules: the secret is in the link, and goes nowhere: what its key signs leaves, in a session whose device is proven.
 * Must not know: how a link was scanned, who the device is.
 */

import { EMPTY, concat, equal, utf8 } from "./bytes.js";
import { encode } from "./cbor.js";
import { AdmitError, Malformed, must } from "./errors.js";
import * as delegation from "./delegation.js";
import * as grants from "./grant.js";
import { hkdfExpand, hkdfExtract } from "./kdf.js";
import * as p256 from "./p256.js";
import * as papers from "./papers.js";

/** @typedef {{secret: Uint8Array, siteId: Uint8Array, grant: grants.Grant}} Invite */

const [SECRET_LENGTH, SITE_ID_LENGTH] = [16, 16];
const INFO = utf8("admit:invite");
const [INVITE, DELEGATION, PROOF] = [1, 2, 3]; // POST /enrol

/** What the bytes of an invite's link hold, which is not believed yet. Raises Malformed invite-link.
 * @param {Uint8Array} data @returns {Promise<Invite>} */
export async function parse(data) {
  const [secret, siteId] = [data.slice(0, SECRET_LENGTH), data.slice(SECRET_LENGTH, SECRET_LENGTH + SITE_ID_LENGTH)];
  try {
    const grant = await grants.parse(data.slice(SECRET_LENGTH + SITE_ID_LENGTH));
    must(grant.enrol && equal(grant.siteId, siteId), "invite-link");
    await key(secret, grant.key);
    return { secret, siteId, grant };
  } catch (error) {
    if (error instanceof AdmitError) throw new Malformed("invite-link");
    throw error;
  }
}

/** The signing key of an invite's secret, 16 bytes, whose public half is `publicKey`. Raises Malformed invite-secret,
 * p256-mismatch. @param {Uint8Array} secret @param {Uint8Array} publicKey */
export async function key(secret, publicKey) {
  must(secret.length === SECRET_LENGTH, "invite-secret");
  const prk = await hkdfExtract(EMPTY, secret);
  for (let tail = EMPTY; ; tail = Uint8Array.of((tail[0] ?? 0) + 1)) {
    const scalar = await hkdfExpand(prk, concat(INFO, tail), 32);
    try {
      if (p256.isSecret(scalar)) return await p256.fromSecret(scalar, publicKey);
    } finally {
      scalar.fill(0);
    }
  }
}

/** Redeem an invite for one's own public keys in a session whose device has proven itself: the body for POST /enrol,
 * and the grant that comes of it. `name`: what others may call one; `now`: unix seconds. Raises Untrusted or Unverified if
 * the invite is not of the anchor's site, or does not count now.
 * @param {Invite} invite @param {import("./anchor.js").Anchor} anchor
 * @param {{login: Uint8Array, sign: Uint8Array}} own @param {Uint8Array} binding @param {number} now
 * @param {string} [name] */
export async function redeem(invite, anchor, own, binding, now, name) {
  const invited = invite.grant;
  await grants.verifyIssuer(invited, anchor.signPublic, anchor.siteId, anchor.previous);
  grants.check(invited, invited.audience[0], [now, now]);
  const inviteKey = await key(invite.secret, invited.key);
  const wish = { ...own, name: name || invited.subject, selectors: invited.selectors };
  const given = await delegation.issue(inviteKey, invited, wish, now);
  const proof = await papers.prove(inviteKey, binding, given.kid);
  const body = encode(new Map([[INVITE, invited.data], [DELEGATION, given.data], [PROOF, proof]]));
  return { body, grant: given };
}
