// A visit: on the way, a kiosk that is new, one that is not what it should be, and what there is to do at one.

import { hex } from "../protocol/bytes.js";
import { confirm, known, load, reconnect, reject, run } from "../acts/visiting.js";
import { go, goHome, state } from "../acts/state.js";
import { explained, sentence } from "./late.js";
import { h } from "./dom.js";
import { duration, t } from "./i18n.js";
import { button, icon, mark, note, p, page, title } from "./parts.js";

/** @typedef {import("../acts/visiting.js").Visit} Visit */
const DAY_S = 86400;
const STAGES = ["finding", "connecting", "proving", "ready"];

export function visit() {
  const own = /** @type {Visit} */ (state.visit);
  return { connect: connecting, failed, warning, confirm: isItThis, kiosk }[own.state](own);
}

/** @param {Visit} own */
const name = (own) => own.kiosk?.deviceId || own.wanted.deviceId || t("the-kiosk");

/** @param {Visit} own */
const connecting = (own) =>
  page(t("connecting-to", { name: name(own) }), [
    stages(own.stage, "now"),
    own.stage === "finding" && own.way === "bluetooth" && p(t("choose-it"), "soft"),
    own.retry && p(t("once-more"), "soft"),
  ], button(t("cancel"), goHome));

/** @param {Visit} own */
const failed = (own) =>
  page(t("visit-failed"), [stages(own.error.stage ?? own.stage, "failed"), sentence(own.error)], explained(own.error, () => reconnect()));

/** @param {string} current @param {"now" | "failed"} as */
function stages(current, as) {
  const at = STAGES.indexOf(current);
  return h("ol", { class: "stages" }, STAGES.map((stage, i) => {
    const is = i < at || (i === at && stage === "ready" && as === "now") ? "done" : i === at ? as : "todo";
    return h("li", { class: is, "aria-current": is === "now" && "step" }, icon(is), t(stage), is !== "todo" && h("span", { class: "unseen" }, `: ${t(`is-${is}`)}`));
  }));
}

/** Not the kiosk that was meant, or nobody knows what it is. @param {Visit} own */
function warning(own) {
  const isUnknown = own.error.reason === "wallet-no-site";
  return page(t(isUnknown ? "warn-unknown" : "warn"), [
    sentence(own.error, [
      !isUnknown && p(t("warn-do")),
      !own.kiosk && p(t("warn-sent")),
      own.wanted.deviceId && p(t("warn-wanted", { name: own.wanted.deviceId })),
    ]),
  ], [
    isUnknown && button([icon("scan"), t("scan-label")], () => go("scan")),
    button(t("go-back"), goHome, "main"),
  ], { above: icon("stop", "sign") });
}

/** @param {Visit} own */
const isItThis = (own) =>
  page(t("is-it-this"), [proven(own), p(t("is-it-this-why"), "center")], [
    button(t("not-this"), reject),
    button(t("it-is-this"), confirm, "main"),
  ]);

/** @param {Visit} own */
function proven({ kiosk: its }) {
  return its && h("div", { class: "proven" },
    mark(hex(known(its)?.credential.public ?? new Uint8Array(4)), true),
    h("p", { class: "result" }, its.deviceId),
    h("p", null, its.site.name),
    h("p", { class: "tag good" }, "✓ ", t("proven")));
}

/** What there is to do at a kiosk that has proven itself. @param {Visit} own */
function kiosk(own) {
  const its = /** @type {import("../visit/kiosk.js").Kiosk} */ (own.kiosk);
  const routines = own.routines ?? (own.isLoading ? its.remembered : null) ?? new Map();
  return page(its.deviceId, [
    h("div", { class: "row" },
      mark(hex(known(its)?.credential.public ?? new Uint8Array(4))),
      h("p", null, its.site.name, h("br"), h("span", { class: "tag good" }, "✓ ", t("proven")))),
    its.takeover && note(p(t("takeover", { time: duration(roughly(its.takeover.seconds)) })), "late"),
    its.testOnly && note(p(t("test-only")), "late"),
    own.access && note([sentence(own.access), explained(own.access, its.why(own.access).help === "again" ? () => reconnect() : load, false)], "bad"),
    its.unfinished && unfinished(its.unfinished),
    own.isLoading && h("progress", { "aria-label": t("looking") }),
    h("div", { class: "low" }, its.hasGrant ? [offers(routines, own), more()] : newcomer()),
  ], button(t("leave"), goHome));
}

/** In days or hours, rather too few than too many. @param {number} seconds */
const roughly = (seconds) => Math.max(3600, seconds - (seconds % (seconds < 2 * DAY_S ? 3600 : DAY_S)));

/** @param {{name: string, args: Map<string, any>, id: Uint8Array}} unfinished */
const unfinished = ({ name: which, args, id }) =>
  note([p(t("unfinished", { name: title(which) })), button(t("find-out"), () => run(which, args, id))], "late");

/** @param {Map<string, import("../visit/kiosk.js").Routine>} routines @param {Visit} own */
function offers(routines, own) {
  if (!routines.size) return own.routines && !own.access && note(p(t("nothing-to-do")));
  return h("ul", null, [...routines].map(([which, routine]) => h("li", null,
    button([icon(hasFields(routine) ? "more" : "run"), h("span", null, title(which), routine.description && h("span", { class: "soft small" }, h("br"), routine.description))],
      () => (hasFields(routine) ? go("routine", { name: which }) : run(which, new Map())), "routine"))));
}

/** @param {any} routine */
const hasFields = (routine) => routine.properties.size > 0;

const more = () =>
  h("details", { open: state.draft.more, ontoggle: (/** @type {any} */ event) => (state.draft.more = event.target.open) },
    h("summary", null, t("more")),
    button(t("why-not"), () => go("why")),
    button(t("approvals"), () => go("approvals")),
    button(t("pair"), () => go("pair")));

/** Somebody without a grant for this kiosk. */
const newcomer = () => [
  note(p(t("no-card"))),
  button([icon("scan"), t("have-invite")], () => go("add"), "main"),
  button(t("ask-here"), () => import("../acts/others.js").then(({ ask }) => ask())),
  button(t("show-key"), () => go("keys")),
];
