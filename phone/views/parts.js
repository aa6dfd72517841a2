// What views are put together from: pages, buttons, fields, marks, QR codes.
//
// Owns: how things look and behave that more than one view shows.
// Rules: a page has one heading, which takes the focus; what one acts with stands at its end, under the thumb.
// Must not know: what is asked or told.

import { goBack } from "../acts/state.js";
import { h, svg } from "./dom.js";
import { t } from "./i18n.js";

/** @typedef {import("./dom.js").Child} Child */
/** @typedef {Record<string, any>} Draft   what was typed on this page so far, by the field's name */

const ICONS = {
  home: "M3 11l9-8 9 8M5 9.5V21h5v-6h4v6h5V9.5",
  cards: "M3 7h18v12H3zM3 11h18M6.5 15.5h4",
  key: "M8 12a4 4 0 1 0 0 8 4 4 0 0 0 0-8M11 13l9-9M16 8l3 3",
  more: "M4 6h10M18 6h2M4 12h2M10 12h10M4 18h8M16 18h4M16 4v4M8 10v4M14 16v4",
  scan: "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M4 12h16",
  done: "M4 12.5l5 5L20 6.5",
  now: "M12 3a9 9 0 1 1-9 9",
  todo: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8",
  failed: "M6 6l12 12M18 6L6 18",
  stop: "M8 2h8l6 6v8l-6 6H8l-6-6V8zM12 7v6M12 17h.01",
  run: "M8 5l11 7-11 7z",
  forth: "M9 5l7 7-7 7",
};
/** @typedef {keyof typeof ICONS} Icon */

/** @param {Icon} name @param {string} [kind] */
export const icon = (name, kind) =>
  svg("svg", { viewBox: "0 0 24 24", width: 24, height: 24, "aria-hidden": "true", class: kind }, svg("path", { d: ICONS[name] }));

/**
 * A whole page: what one reads, and below it what one acts with.
 * @param {string} title @param {Child} content @param {Child} [actions]
 * @param {{above?: Child, send?: () => void}} [more] above: before the heading; send: the page is a form, and this is done
 */
export function page(title, content, actions, { above, send } = {}) {
  const onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    send?.();
  };
  return h(send ? "form" : "div", send ? { class: "page", novalidate: true, onsubmit } : { class: "page" },
    h("div", { class: "content" }, above, h("h1", { tabindex: -1 }, title), content),
    actions && h("div", { class: "actions" }, actions));
}

/** @param {Child} label @param {() => void} press @param {string} [kind] main, quiet, bad @param {import("./dom.js").Props} [more] */
export const button = (label, press, kind, more) =>
  h("button", { type: "button", class: kind, onclick: () => press(), ...more }, label);

/** The way back, as a button. @param {string} [label] */
export const back = (label) => button(label ?? t("back"), goBack, "quiet");

/** @param {Child} content @param {string} [kind] */
export const card = (content, kind = "") => h("section", { class: `card ${kind}` }, content);

/** @param {Child} content @param {string} [kind] bad, late */
export const note = (content, kind = "") => h("div", { class: `note ${kind}` }, content);

/** @param {Child} content @param {string} [kind] */
export const p = (content, kind) => h("p", { class: kind }, content);

/** Terms and what they are; those without a value are left out. @param {[string, Child][]} pairs */
export const facts = (pairs) =>
  h("dl", null, pairs.filter(([, value]) => value).map(([term, value]) => h("div", null, h("dt", null, term), h("dd", null, value))));

/**
 * A labelled field whose text is kept in `draft`.
 * @param {Draft} draft @param {string} name @param {string} label @param {import("./dom.js").Props} [props] @param {string} [hint]
 */
export function field(draft, name, label, props = {}, hint = "") {
  const tag = props.rows ? "textarea" : "input";
  const id = `f-${name}`;
  const input = h(tag, {
    id, name, value: draft[name] ?? "", autocomplete: "off", "aria-describedby": hint && `${id}-hint`, ...props,
    oninput: (/** @type {any} */ event) => (draft[name] = event.target.value),
  });
  return h("div", { class: "field" }, h("label", { for: id }, label), input, hint && h("p", { id: `${id}-hint`, class: "soft small" }, hint));
}

/** A switch kept in `draft`. @param {Draft} draft @param {string} name @param {string} label @param {() => void} [changed] */
export const toggle = (draft, name, label, changed) =>
  h("label", { class: "switch" }, h("span", null, label), h("input", {
    type: "checkbox", role: "switch", id: `f-${name}`, checked: Boolean(draft[name]),
    onchange: (/** @type {any} */ event) => {
      draft[name] = event.target.checked;
      changed?.();
    },
  }));

/** One of several, kept in `draft`. @param {Draft} draft @param {string} name @param {string} label @param {[string, string][]} options */
export function choice(draft, name, label, options) {
  const id = `f-${name}`;
  const items = options.map(([value, text]) => h("option", { value, selected: draft[name] === value }, text));
  const onchange = (/** @type {any} */ event) => (draft[name] = event.target.value);
  return h("div", { class: "field" }, h("label", { for: id }, label), h("select", { id, onchange }, items));
}

/** @param {string} label @param {boolean} [disabled] */
export const submit = (label, disabled) => h("button", { class: "main", disabled }, label);

/**
 * The mark of a site or kiosk: a pattern and a colour by which people know it again; it proves nothing.
 * @param {string} seed hexadecimal, 8 digits or more @param {boolean} [big]
 */
export function mark(seed, big = false) {
  const bits = parseInt(seed.slice(0, 6), 16);
  const hue = (parseInt(seed.slice(6, 8), 16) * 360) / 256;
  const cells = Array.from({ length: 15 }, (_, i) => i).filter((i) => (bits >> i) & 1);
  const path = cells.map((i) => [i % 3, 4 - (i % 3)].map((x) => `M${x + 1} ${Math.floor(i / 3) + 1}h1v1h-1z`).join("")).join("");
  return svg("svg", { viewBox: "0 0 7 7", class: big ? "mark big" : "mark", "aria-hidden": "true", "shape-rendering": "crispEdges" },
    svg("rect", { width: 7, height: 7, fill: `hsl(${hue} 45% 28%)` }), svg("path", { d: path, fill: `hsl(${hue} 60% 78%)` }));
}

/** A name as people read it: "open_door" as "Open door". @param {string} name */
export function title(name) {
  const words = String(name).replace(/[-_]+/g, " ").trim() || String(name);
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}
