// The user's keys, a lost phone, languages and lights.

import { keep, kept } from "../acts/settings.js";
import { ownLink, removeSite, renew, showKey } from "../acts/papers.js";
import { handOver } from "../acts/wallet.js";
import { go, goBack, set, state } from "../acts/state.js";
import { h } from "./dom.js";
import { LANGUAGES, language, speak, t } from "./i18n.js";
import { back, button, card, facts, mark, note, p, page, toggle } from "./parts.js";
import { qr } from "./qr.js";

/** The keys, one a site. */
export function keys() {
  const isOpen = state.sites.some((site) => site.id === "new");
  return page(t("keys"), [
    p(t("keys-why"), "soft"),
    h("ul", null, state.sites.map((site) => h("li", null,
      button([mark(site.fingerprint), h("span", null, h("strong", null, site.name || t("new-site")), h("br"),
        h("span", { class: "soft small" }, site.person))], () => showKey(site.id), "row")))),
  ], [
    button(t("lost"), () => go("lost")),
    !isOpen && button(t("new-site"), () => showKey("new")),
  ]);
}

/** One key, to be scanned by an admin or by who shares a card. */
export function key() {
  const site = state.sites.find((each) => each.id === state.args.site) ?? state.sites.find((each) => each.id === "new");
  if (!site) return page(t("keys"), p(t("gone")), back());
  const text = ownLink(site);
  return page(t("my-key"), [
    p(t("my-key-why", { site: site.name || t("new-site") })),
    qr(text, t("my-key")),
    facts([[t("fingerprint"), h("span", { class: "code" }, site.fingerprint)], [t("your-name"), site.person]]),
  ], [button(t("copy"), () => handOver(text)), button(t("ok"), goBack, "main")]);
}

/** A lost phone, and a key that this browser has lost. */
export function lost() {
  return page(t("lost"), [
    state.lost.map((each) => note([
      h("h2", null, t("key-gone", { site: each.name || t("new-site") })),
      p(t("key-gone-why")),
      button(t("new-key"), () => renew(each.id), "main"),
      button(t("forget"), () => removeSite(each.id), "quiet"),
    ], "bad")),
    p(t("lost-why")),
    h("ol", { class: "numbered" }, ["lost-1", "lost-2", "lost-3"].map((each) => h("li", null, t(each)))),
    state.sites.map((site) => card([
      h("h2", null, site.name || t("new-site")),
      p(t("fingerprint"), "soft small"),
      h("p", { class: "code" }, `admit revoke --key ${site.fingerprint}`),
    ])),
  ], back());
}

export function settings() {
  const lights = { dim: kept("dim") };
  const names = Object.entries(LANGUAGES);
  return page(t("settings"), [
    h("fieldset", null, h("legend", null, t("language")), h("div", { class: "pair" }, names.map(([code, name]) =>
      button(name, () => speak(code, true).then(() => set()), language() === code ? "main" : "", { lang: code, "aria-pressed": String(language() === code) })))),
    toggle(lights, "dim", t("dim"), () => {
      keep("dim", lights.dim ? "1" : null);
      document.documentElement.toggleAttribute("data-dim", Boolean(lights.dim));
    }),
    button(t("lost"), () => go("lost")),
    state.install && button(t("install"), () => state.install?.prompt()),
    h("h2", null, t("sites")),
    h("ul", null, state.sites.map((site) => h("li", { class: "card" }, h("strong", null, site.name || t("new-site")),
      p(t("site-holds", { n: site.held.length, kiosks: site.devices.length }), "soft small"),
      button(t("forget-site"), () => confirm(t("forget-sure", { site: site.name })) && removeSite(site.id), "bad")))),
    state.wallet?.isPersistent === false && note(p(t("may-vanish")), "late"),
    p(t("no-export"), "soft small"),
  ]);
}
