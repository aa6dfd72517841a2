/**
 * The texts that QR codes and links carry: public labels, invites, keys, invitations. docs/SPEC.md, "Links".
 *
 * Owns: the kinds, `admit://KIND#…`, `ADMIT:D/…`, and the form that opens a site's page: its address, `#`, the same.
 * Rules: one text for each content. What is read is not believed yet, and a text that is refused is never repeated: it
 * may hold a secret.
 * Must not know: how a text was scanned, and what is done with what it says.
 */

import * as anchors from "./anchor.js";
import { base64url, concat, equal, text as toText, unbase64url, uncrockford, utf8 } from "./bytes.js";
import * as cbor from "./cbor.js";
import { Malformed, Unsupported, must } from "./errors.js";
import * as grants from "./grant.js";
import * as invites from "./invite.js";
import { checkPoint } from "./p256.js";

/**
 * @typedef {{kind: "label", siteId: Uint8Array, fingerprint: Uint8Array, deviceId: string}} LabelLink
 * @typedef {{kind: "invite"} & invites.Invite} InviteLink
 * @typedef {{kind: "key", login: Uint8Array, sign: Uint8Array, name: string}} KeyLink
 * @typedef {{kind: "invitation", anchor: anchors.Anchor, grants: grants.Grant[]}} InvitationLink
 */

const [DEVICE, SEALED] = ["ADMIT:D/", "ADMIT:S/"];
const HOST = String.raw`https://[A-Za-z0-9.-]+(:[0-9]{1,5})?|http://(localhost|127\.0\.0\.1)(:[0-9]{1,5})?`;
const PAGE = new RegExp(`^(${HOST})(/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$`);
const [MAX_PAGE, MAX_TEXT] = [200, 65536];
const [SITE_ID, FINGERPRINT, PUBLIC, MAX_NAME] = [16, 8, 64, 64];
const MAX_LABEL = Math.ceil(((SITE_ID + FINGERPRINT + MAX_NAME) * 8) / 5); // characters
const MAX_GRANTS = 1 + grants.MAX_DELEGATE;

/**
 * What a text says that was scanned, pasted or stands in the page's own address. Raises Malformed label-code,
 * invite-link, key-link, invitation-file; link-sealed for a sealed label, link-unknown for what is none of these.
 * @param {string} text @returns {Promise<LabelLink|InviteLink|KeyLink|InvitationLink>}
 */
export async function parseLink(text) {
  const trimmed = text.trim();
  must(trimmed.length <= MAX_TEXT, "link-unknown");
  const plain = withoutPage(trimmed);
  if (plain.startsWith(SEALED)) throw new Malformed("link-sealed");
  if (plain.startsWith(DEVICE)) return parseLabel(plain.slice(DEVICE.length));
  const [, kind, code] = /^admit:\/\/(key|invite|invitation)#([^]*)$/.exec(plain) ?? [];
  if (kind === "key") return parseKey(unbase64url(code, "key-link"));
  if (kind === "invite") return { kind, ...(await invites.parse(unbase64url(code, "invite-link"))) };
  if (kind === "invitation") return parseInvitation(unbase64url(code, "invitation-file"));
  throw new Malformed("link-unknown");
}

/** The link by which somebody shows their public keys, 64 bytes each, to be granted something.
 * @param {Uint8Array} login @param {Uint8Array} sign @param {string} name 1 to 64 bytes of UTF-8 */
export function keyLink(login, sign, name) {
  return "admit://key#" + base64url(concat(login, sign, utf8(name)));
}

/** The link that hands over a grant with its chain: docs/SPEC.md section 8.6.
 * @param {anchors.Anchor} anchor @param {grants.Grant} grant */
export function invitationLink(anchor, grant) {
  const items = [anchors.encode(anchor), ...[grant, ...grant.chain].map((each) => each.data)];
  return "admit://invitation#" + base64url(concat(...items));
}

/** The anchor in an invitation, the grant and those behind it, nearest first. Raises Malformed invitation-file.
 * @param {Uint8Array} data @returns {Promise<InvitationLink>} */
async function parseInvitation(data) {
  try {
    const [first, ...rest] = split(data);
    const found = await Promise.all(rest.map(grants.parse));
    must(found.length && found.length <= MAX_GRANTS, "invitation-file");
    return { kind: "invitation", anchor: await anchors.decode(first), grants: found };
  } catch (error) {
    if (error instanceof Malformed || error instanceof Unsupported) throw new Malformed("invitation-file");
    throw error;
  }
}

/** The items of a CBOR sequence, each as its bytes. @param {Uint8Array} data */
function split(data) {
  const items = [];
  for (let at = 0; at < data.length && items.length <= MAX_GRANTS + 1; ) {
    const end = cbor.decodeFirst(data, at)[1];
    items.push(data.slice(at, end));
    at = end;
  }
  return items;
}

/** What stands behind the `#` of a page's address, in the form that stands alone; any other text as it is.
 * @param {string} text */
function withoutPage(text) {
  const at = text.indexOf("#");
  if (at < 0 || at > MAX_PAGE || !PAGE.test(text.slice(0, at))) return text;
  const fragment = text.slice(at + 1);
  const [, kind, code] = /^(key|invite|invitation)=([^]*)$/.exec(fragment) ?? [];
  if (kind) return `admit://${kind}#${code}`;
  return fragment.startsWith(DEVICE) || fragment.startsWith(SEALED) ? fragment : text;
}

/** @param {string} code @returns {LabelLink} */
function parseLabel(code) {
  must(code.length <= MAX_LABEL, "label-code");
  const data = uncrockford(code, "label-code");
  const end = SITE_ID + FINGERPRINT;
  const deviceId = toText(data.subarray(end), "label-code");
  must(deviceId && data.length - end <= MAX_NAME, "label-code");
  return { kind: "label", siteId: data.slice(0, SITE_ID), fingerprint: data.slice(SITE_ID, end), deviceId };
}

/** @param {Uint8Array} data @returns {KeyLink} */
function parseKey(data) {
  const [login, sign, rest] = [data.slice(0, PUBLIC), data.slice(PUBLIC, 2 * PUBLIC), data.slice(2 * PUBLIC)];
  const name = toText(rest, "key-link");
  try {
    [login, sign].forEach(checkPoint);
  } catch {
    throw new Malformed("key-link");
  }
  must(name && rest.length <= MAX_NAME && !/\p{Cc}/u.test(name) && !equal(login, sign), "key-link");
  return { kind: "key", login, sign, name };
}
