// Other people at a kiosk: consenting to what they ask, letting them in, asking to be let in; and why one is not.

import { hex } from "../protocol/bytes.js";
import { approve, askWhy, loadApprovals, loadNewcomers, pair as letIn } from "../acts/others.js";
import { set, state } from "../acts/state.js";
import { narrowed, narrowing } from "./cards.js";
import { sentence } from "./explain.js";
import { h } from "./dom.js";
import { t } from "./i18n.js";
import { back, button, facts, field, mark, note, p, page, submit, title } from "./parts.js";
import { exact, request, what } from "./words.js";

/** What a page asks the kiosk as it is opened. @type {Record<string, () => void>} */
export const opened = { approvals: loadApprovals, pair: loadNewcomers };

export function approvals() {
  const waiting = state.visit?.waiting;
  return page(t("approvals"), [
    !waiting ? h("progress", { "aria-label": t("looking") }) : !waiting.length && p(t("approvals-empty"), "soft"),
    h("ul", null, waiting?.map((item) => h("li", { class: "card" },
      h("h2", null, what(item.path)),
      p(request(item.method, item.path), "soft small code"),
      facts([
        ...[...(item.args ?? [])].map(([name, value]) => /** @type {[string, string]} */ ([exact(name), exact(value)])),
        [t("who-asks"), item.who],
        [t("their-key"), h("span", { class: "code" }, hex(item.key))],
        [t("consent"), t("consent-is", { got: item.got, n: item.needed, minutes: Math.ceil(item.expiresS / 60) })],
      ]),
      item.isOwn ? p(t("own-request"), "soft") : button(t("approve"), () => approve(item), "main")))),
  ], back());
}

/** Let somebody in who stands beside. */
export function pair() {
  const { draft, visit } = state;
  const kiosk = visit?.kiosk;
  const chosen = visit?.waiting?.find((each) => each.fingerprint === draft.who) ?? (visit?.waiting?.length === 1 ? visit.waiting[0] : null);
  const own = kiosk?.grants.find((each) => each.grant.delegate && each.state === "valid");
  const site = kiosk && state.sites.find((each) => each.id === kiosk.site.id);
  if (!visit?.waiting) return page(t("pair"), h("progress", { "aria-label": t("looking") }), back());
  if (!own || !site || !kiosk) return page(t("pair"), p(t("e-share-none")), back());
  if (!visit.waiting.length) return page(t("pair"), [p(t("pair-empty")), p(t("pair-how"), "soft")], back());
  if (!chosen) {
    return page(t("pair"), h("ul", null, visit.waiting.map((each) => h("li", null,
      button([mark(each.fingerprint), h("span", null, each.name, h("br"), h("span", { class: "code" }, each.fingerprint))], () => set({ draft: { who: each.fingerprint } }), "row")))), back());
  }
  return page(t("pair-whom", { name: chosen.name }), [
    p(t("pair-code"), "soft"),
    field(draft, "code", t("code-of", { name: chosen.name }), { class: "digits", inputmode: "numeric", maxlength: 10, autocomplete: "off", required: true }),
    narrowing(site, own, kiosk.deviceId),
  ], [back(t("cancel")), submit(t("let-in"), !narrowed(site, own, kiosk.deviceId).rules.length)], {
    send: () => letIn(chosen, draft.code ?? "", narrowed(site, own, kiosk.deviceId)),
  });
}

/** Ask to be let in: the code for who stands beside. */
export const ask = () =>
  page(t("ask"), [
    p(t("ask-why", { name: state.visit?.kiosk?.deviceId ?? "" })),
    h("p", { class: "secret" }, (state.visit?.code ?? "").replace(/(\d{3})(\d)/, "$1 $2")),
    h("progress", { "aria-label": t("waiting") }),
  ], back(t("cancel")));

/** Why can't I? */
export function why() {
  const { visit } = state;
  const kiosk = visit?.kiosk;
  const now = [...(visit?.routines?.keys() ?? [])];
  const told = (kiosk?.grants ?? []).flatMap(({ grant }) => grant.rules.map((/** @type {any} */ rule) => rule.pattern));
  const names = [...told.filter((path) => /^\/r\/[^*]+$/.test(path)).map((path) => path.slice(3)), ...(visit?.before ?? [])];
  const closed = [...new Set(names)].filter((each) => !now.includes(each));
  const answer = visit?.why;
  return page(t("why-not"), [
    p(t(closed.length ? "why-which" : "why-none")),
    h("ul", null, closed.map((each) => h("li", null, button(title(each), () => askWhy(each)),
      answer?.name === each && h("div", { role: "status" }, note(answer?.error ? sentence(answer.error) : p(t("why-can")), "late"))))),
  ], back());
}
