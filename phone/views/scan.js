// Taking in a code: by the camera, from a picture, pasted or typed; and what it asks for.

import { hex } from "../protocol/bytes.js";
import { accept } from "../acts/papers.js";
import { takeText } from "../acts/wallet.js";
import { connect } from "../acts/visiting.js";
import { set, state, swap } from "../acts/state.js";
import { wantedBy } from "../visit/kiosk.js";
import * as camera from "./camera.js";
import { h } from "./dom.js";
import { moment, t } from "./i18n.js";
import { back, button, card, facts, field, icon, mark, note, p, page, submit } from "./parts.js";
import { grantCard, rulesOf } from "./cards.js";
import { where } from "./words.js";

/** The camera is let go of as soon as its page is left. */
export const leave = camera.stop;

export function scan() {
  const failed = (/** @type {string} */ reason) => set({ trouble: { reason } });
  return page(t("scan"), [
    camera.video(t("camera"), takeText, failed),
    p(t("scan-why"), "soft"),
  ], [back(t("cancel")), button(t("type-it"), () => swap("add", state.args))]);
}

/** Without a camera. */
export function add() {
  const { draft } = state;
  return page(t("type-it"), [
    field(draft, "text", t("code-text"), { rows: 5, autocapitalize: "none", spellcheck: "false", required: true }, t("code-text-hint")),
    h("label", { class: "button" }, t("picture"), h("input", { type: "file", accept: "image/*", class: "unseen", onchange: readPicture })),
  ], [back(), button([icon("scan"), t("scan")], () => swap("scan", state.args)), submit(t("go-on"))], { send: () => draft.text && takeText(draft.text) });
}

/** @param {any} event */
async function readPicture(event) {
  const text = await camera.readFile(event.target.files[0]);
  if (text) takeText(text);
  else set({ trouble: { reason: "no-code" } });
}

/** What was scanned, and what it is good for. */
export function link() {
  const { link: its } = state;
  if (!its) return page(t("scan"), p(t("gone")), back());
  return { label, invite, invitation, key }[/** @type {"label"} */ (its.kind)](its);
}

/** @param {any} its */
const label = (its) =>
  page(its.deviceId, [
    mark(hex(its.fingerprint), true),
    p(state.ways.length ? t("label-why") : t("no-way"), "center"),
  ], [back(t("cancel")), state.ways.length > 0 && button(t("connect"), () => connect(wantedBy(its)), "main")]);

/** @param {number | null} end */
const until = (end) => facts([[t("until-is"), end === null ? t("no-end") : moment(end)]]);

/** @param {any} its */
function invite(its) {
  const [deviceId] = its.grant.audience;
  return page(t("invite"), [
    p(t("invite-why", { name: deviceId })),
    card([rulesOf(its.grant.rules), until(its.grant.expires)]),
  ], [
    back(t("cancel")),
    state.ways.length > 0 && button(t("redeem", { name: deviceId }), () => connect(wantedBy(its), { kind: "redeem", link: its }), "main"),
  ]);
}

/** @param {any} its */
function invitation(its) {
  const site = state.sites.find((each) => each.id === hex(its.anchor.siteId)); // an anchor's name is anybody's word
  return page(t("invitation"), [
    p(t("invitation-why", { site: site?.name ?? its.anchor.name })),
    !site && note(p(t("site-unchecked")), "late"),
    card([h("h2", null, where(its.grants[0].audience)), rulesOf(its.grants[0].rules), until(its.grants[0].expires)]),
  ], [back(t("cancel")), button(t("take"), accept, "main")]);
}

/** Somebody's key: which card to share with them? @param {any} its */
function key(its) {
  const held = state.sites.flatMap((site) => site.held.map((each) => ({ site, held: each })));
  const good = held.filter((each) => each.held.grant.delegate && each.held.state === "valid");
  return page(t("key-of", { name: its.name }), [
    p(good.length ? t("key-of-why", { name: its.name }) : t("e-share-none")),
    h("ul", null, good.map((each) => h("li", null, grantCard(each.site, each.held, () => swap("share", { site: each.site.id, grant: hex(each.held.grant.id) }))))),
  ], back(t("cancel")));
}
