// A routine: what it needs to be told, while it runs, what stands in its way, and what came of it.

import { again, askCode, prove, run as start } from "../acts/visiting.js";
import { goBack, set, state } from "../acts/state.js";
import { explained, sentence } from "./late.js";
import { h } from "./dom.js";
import { t } from "./i18n.js";
import { back, button, choice, field, icon, note, p, page, submit, title, toggle } from "./parts.js";
import { said, wish } from "./words.js";

/** The form of a routine, made from its typed signature. */
export function routine() {
  const { name } = state.args;
  const its = state.visit?.routines?.get(name) ?? state.visit?.kiosk?.remembered?.get(name);
  if (!its) return page(title(name), p(t("gone")), back());
  const { draft } = state;
  const fields = [...its.properties];
  for (const [key, schema] of fields) draft[key] ??= beginning(schema);
  const send = () => {
    const args = fields.map(([key, schema]) => /** @type {[string, any]} */ ([key, value(schema, draft[key])]));
    const changed = args.filter(([key, its]) => String(its) !== String(draft[key]).trim());
    for (const [key, its] of changed) draft[key] = its; // to be looked at first: what runs is what was seen
    return changed.length ? set() : start(name, new Map(args));
  };
  return page(title(name), [
    its.description && p(its.description, "soft"),
    fields.map(([key, schema]) => input(key, schema)),
  ], [back(), submit(t("start"))], { send });
}

/** @param {any} schema */
const beginning = (schema) => schema.default ?? schema.enum?.[0] ?? (schema.type === "integer" ? schema.minimum : schema.type === "boolean" ? false : "");

/** @param {any} schema @param {any} told */
const value = (schema, told) => (schema.type === "integer" ? clamped(schema, told) : told);

/** @param {any} schema @param {any} told */
const clamped = ({ minimum, maximum }, told) => Math.min(maximum, Math.max(minimum, Math.round(Number(told)) || 0));

/** @param {string} key @param {any} schema */
function input(key, schema) {
  const { draft } = state;
  if (schema.type === "boolean") return toggle(draft, key, title(key));
  if (schema.enum) return choice(draft, key, title(key), schema.enum.map((/** @type {string} */ each) => [each, title(each)]));
  if (schema.type === "string") return field(draft, key, title(key), { maxlength: schema.maxLength });
  return stepper(key, schema);
}

/** A number with its bounds. @param {string} key @param {any} schema */
function stepper(key, schema) {
  const { draft } = state;
  const { minimum, maximum } = schema;
  const id = `f-${key}`;
  const now = clamped(schema, draft[key]);
  const by = (/** @type {number} */ step) => {
    draft[key] = clamped(schema, Number(draft[key]) + step);
    set();
  };
  return h("div", { class: "field" },
    h("label", { for: id }, title(key)),
    h("div", { class: "step" },
      button("−", () => by(-1), "", { id: `${id}-less`, "aria-label": t("less", { name: title(key) }), disabled: now <= minimum }),
      h("input", {
        id, type: "text", inputmode: "numeric", role: "spinbutton", value: draft[key],
        "aria-valuemin": minimum, "aria-valuemax": maximum, "aria-valuenow": now, "aria-describedby": `${id}-hint`,
        oninput: (/** @type {any} */ event) => (draft[key] = event.target.value),
        onchange: () => by(0),
        onkeydown: (/** @type {any} */ { key: pressed }) => pressed === "ArrowUp" ? by(1) : pressed === "ArrowDown" && by(-1),
      }),
      button("+", () => by(1), "", { id: `${id}-more`, "aria-label": t("greater", { name: title(key) }), disabled: now >= maximum })),
    h("p", { id: `${id}-hint`, class: "soft small" }, t("between", { name: "", least: minimum, most: maximum })));
}

/** An invocation on its way and its end. */
export function run() {
  const own = /** @type {import("../acts/visiting.js").Run} */ (state.visit?.run);
  const what = wish(`/r/${own.name}`, own.args);
  const by = { running, done, failed: notDone, interrupted: notDone, code, button: pressIt, approvals, error };
  return by[own.state](own, what);
}

/** @typedef {import("../acts/visiting.js").Run} Run */

/** @param {Run} _own @param {string} what */
const running = (_own, what) => page(t("run-running"), [p(what, "result"), h("progress", { "aria-label": t("run-running") })], back(t("in-background")));

/** @param {Run} own @param {string} what */
const done = (own, what) =>
  page(t("run-done"), [h("div", { class: "proven" }, icon("done", "sign good"), p(what, "result"), own.result !== null && p(t("result", { value: said(own.result) }))),
  ], button(t("ok"), goBack, "main"));

/** @param {Run} own @param {string} what */
const notDone = (own, what) =>
  page(t(`run-${own.state}`), [p(what, "result"), p(t(`${own.state}-why`)), own.result !== null && p(said(own.result), "soft")], back(t("ok")));

/** The code that the kiosk shows: after its name and place. @param {Run} own @param {string} what */
function code(own, what) {
  const kiosk = state.visit?.kiosk;
  const { draft } = state;
  const tries = 5 - own.wrong;
  return page(t("run-code"), [
    p([t("code-where"), " ", h("strong", null, `${kiosk?.deviceId}, ${kiosk?.site.name}`), "."]),
    p(t("code-why", { what, n: own.digits }), "soft"),
    field(draft, "code", t("code-label"), {
      class: "digits", inputmode: "numeric", maxlength: own.digits + 4, required: true,
    }, own.wrong > 0 && tries > 0 ? t("tries", { n: tries }) : t("code-blink")),
  ], [back(t("cancel")), button(t("new-code"), askCode), submit(t("go-on"))], { send: () => prove(draft.code ?? "") });
}

/** @param {Run} _own @param {string} what */
const pressIt = (_own, what) =>
  page(t("run-button"), [p(t("press-why", { what, name: state.visit?.kiosk?.deviceId ?? "" }))], [
    back(t("cancel")),
    button(t("pressed"), () => prove(), "main"),
  ]);

/** @param {Run} own @param {string} what */
const approvals = ({ asked }, what) =>
  page(t("run-approvals"), [
    p(what, "result"),
    p(t("consent-why"), "soft"),
    h("progress", { max: asked.needed, value: asked.got, "aria-label": t("run-approvals") }),
    p(t("consent-is", { got: asked.got, n: asked.needed, minutes: Math.ceil(asked.expiresS / 60) })),
  ], back(t("cancel")));

/** @param {Run} own @param {string} what */
const error = (own, what) => page(t("run-error"), [p(what, "result"), note(sentence(own.error), "bad")], explained(own.error, again));
