// The wallet: cards (grants), one of them, and passing on a part of one.

import { hex } from "../protocol/bytes.js";
import { lifeOf } from "../protocol/grant.js";
import { matches } from "../protocol/rule.js";
import { routinesIn } from "../visit/answers.js";
import { drop, share as make, shown } from "../acts/papers.js";
import { handOver } from "../acts/wallet.js";
import { go, goBack, set, state } from "../acts/state.js";
import { h } from "./dom.js";
import { moment, t } from "./i18n.js";
import { back, button, card as box, facts, field, icon, note, p, page, toggle } from "./parts.js";
import { qr } from "./qr.js";
import { conditions, life, what, where } from "./words.js";

/** @typedef {import("../store/wallet.js").Held} Held */
/** @typedef {import("../acts/state.js").Site} Site */
const TONES = { valid: "good", "not-yet": "late", expired: "bad", revoked: "bad" };

export function cards() {
  const all = state.sites.flatMap((site) => site.held.map((held) => grantCard(site, held, () => go("card", { site: site.id, grant: hex(held.grant.id) }))));
  return page(t("cards"), all.length ? h("ul", null, all.map((each) => h("li", null, each))) : p(t("cards-empty"), "soft"), [
    button(t("show-key"), () => go("keys")),
    button([icon("scan"), t("scan")], () => go("scan"), "main"),
  ]);
}

/** @param {Site} site @param {Held} held @param {() => void} press */
export function grantCard(site, { grant, state: its }, press) {
  const [from, until] = lifeOf(grant);
  return h("button", { type: "button", class: `card ${its === "valid" ? "" : "over"}`, onclick: press },
    h("span", { class: `tag ${TONES[its]}` }, t(`card-${its}`)),
    h("strong", null, [...new Set(grant.rules.map((/** @type {any} */ rule) => what(rule.pattern)))].join(", ")),
    h("span", null, where(grant.audience), " · ", site.name),
    h("span", { class: "soft small" }, life(its === "not-yet" ? from : null, until).join(", ") || t("no-end")));
}

/** What a grant allows, rule by rule. @param {import("../protocol/rule.js").Rule[]} rules */
export const rulesOf = (rules) =>
  h("ul", { class: "tight" }, rules.map((rule) => {
    const said = conditions(rule);
    const seeOnly = !(rule.methods & ~1) && t("see-only");
    return h("li", null, h("strong", null, what(rule.pattern)), [seeOnly, ...said].filter(Boolean).map((each) => [h("br"), each]));
  }));

/** One card. */
export function card() {
  const found = shown();
  if (!found) return page(t("cards"), p(t("gone")), back());
  const { site, held: { grant, state: its, ends } } = found;
  const [from, until] = lifeOf(grant);
  return page(where(grant.audience), [
    h("p", { class: `tag ${TONES[its]}` }, t(`card-${its}`)),
    box(rulesOf(grant.rules), its === "valid" ? "" : "over"),
    ends !== undefined && note(p(oldKey(ends, grant.chain.length > 0)), "late"),
    facts([
      [t("site"), site.name],
      [t("from-is"), from !== null && moment(from)],
      [t("until-is"), until === null ? t("no-end") : moment(until)],
      [t("through"), grant.chain.length > 0 && grant.chain.map((/** @type {any} */ each) => each.subject).join(", ")],
      [t("passes-on"), grant.delegate > 0 && t("passes-on-is", { n: grant.delegate })],
      [t("number"), h("span", { class: "code" }, hex(grant.id))],
    ]),
  ], [
    back(),
    button(t("forget"), drop, "bad"),
    grant.delegate > 0 && its === "valid" && button(t("share"), () => go("share", state.args), "main"),
  ]);
}

/** That another key signs now, and what becomes of the card. @param {number} ends @param {boolean} isShared */
function oldKey(ends, isShared) {
  const when = moment(ends);
  if (ends <= Date.now() / 1000) return t("old-key-over");
  return isShared ? t("old-key-shared", { when }) : t("old-key", { when });
}

/** Pass on a part of a card to the key that was scanned. */
export function share() {
  const found = shown();
  const { link } = state;
  if (!found) return page(t("share"), p(t("gone")), back());
  if (link?.kind !== "key") {
    return page(t("share"), [p(t("share-why")), p(t("share-how"), "soft")],
      [back(t("cancel")), button([icon("scan"), t("scan-key")], () => go("scan", state.args), "main")]);
  }
  const fields = narrowing(found.site, found.held);
  const wish = narrowed(found.site, found.held);
  return page(t("share-with", { name: link.name }), fields, [
    back(t("cancel")),
    button(t("make"), () => make(narrowed(found.site, found.held)), "main", { disabled: !wish.rules.length || wish.audience?.length === 0 }),
  ]);
}

/**
 * The switches by which a grant is made narrower before it is passed on. @param {Site} site @param {Held} held
 * @param {string} [deviceId] the one kiosk that it is for
 */
export function narrowing(site, { grant }, deviceId) {
  const { draft } = state;
  const rules = offered(site, grant);
  for (const { pattern } of rules) draft[`rule-${pattern}`] ??= !pattern.endsWith("*") || rules.length === 1;
  const devices = deviceId ? [] : devicesOf(site, grant);
  return [
    h("fieldset", null, h("legend", null, t("share-what")), rules.map(({ pattern }) => toggle(draft, `rule-${pattern}`, what(pattern), set))),
    devices.length > 1 && h("fieldset", null, h("legend", null, t("share-where")), devices.map((each) => {
      draft[`on-${each}`] ??= !each.endsWith("*");
      return toggle(draft, `on-${each}`, where([each]), set);
    })),
    field(draft, "until", t("share-until"), { type: "date" }, t("share-until-hint")),
    grant.delegate > 1 && toggle(draft, "onward", t("share-onward")),
  ];
}

/** What was chosen there. @param {Site} site @param {Held} held @param {string} [deviceId] */
export function narrowed(site, { grant }, deviceId) {
  const { draft } = state;
  const rules = offered(site, grant).filter(({ pattern }) => draft[`rule-${pattern}`]);
  const devices = devicesOf(site, grant);
  const chosen = devices.length > 1 ? devices.filter((each) => draft[`on-${each}`]) : null; // none is none, not all
  const end = draft.until ? new Date(`${draft.until}T23:59:59`).getTime() / 1000 : null;
  return {
    rules: rules.map(({ pattern, methods }) => ({ pattern, methods, conditions: new Map() })),
    audience: deviceId ? [deviceId] : chosen,
    expires: end === null ? grant.expires : Math.min(Math.floor(end), grant.expires ?? Infinity),
    delegate: draft.onward ? grant.delegate - 1 : 0,
  };
}

/** A grant's rules, and each single routine that is known under a rule for many. @param {Site} site @param {any} grant */
function offered(site, grant) {
  const names = new Set(site.devices.flatMap((device) => [...(device.routines ? routinesIn(device.routines).keys() : [])]));
  const single = [...names].map((name) => `/r/${name}`);
  const rules = /** @type {import("../protocol/rule.js").Rule[]} */ (grant.rules);
  const wide = rules.filter((rule) => rule.pattern.endsWith("*"));
  const found = wide.flatMap((rule) => single.filter((path) => matches(rule.pattern, path)).map((pattern) => ({ ...rule, pattern, methods: rule.methods & 3 })));
  const all = [...rules.filter((rule) => !wide.includes(rule)), ...found, ...wide];
  return all.filter((rule, i) => all.findIndex((each) => each.pattern === rule.pattern) === i);
}

/** @param {Site} site @param {any} grant @returns {string[]} */
const devicesOf = (site, grant) =>
  grant.audience.some((/** @type {string} */ each) => each.endsWith("*"))
    ? [...site.devices.map((each) => each.deviceId).filter((id) => grant.audience.some((/** @type {string} */ each) => matches(each, id))), ...grant.audience]
    : grant.audience;

/** What was passed on, to be handed over. */
export function shared() {
  const { made } = state;
  if (!made) return page(t("share"), p(t("gone")), back());
  return page(t("shared", { name: made.name }), [
    p(t("shared-why", { name: made.name })),
    qr(made.link, t("invitation")),
    note([p(t("shared-back")), h("p", { class: "code" }, `admit revoke --grant ${hex(made.grant.id)}`)]),
  ], [
    "share" in navigator && button(t("send"), () => handOver(made.link, true)),
    button(t("copy"), () => handOver(made.link)),
    button(t("ok"), goBack, "main"),
  ]);
}
