// Grants, rules and requests in the user's words.
//
// Owns: what SPEC 7.1's conditions are called.
// Rules: nothing that limits a grant is left out; a condition that is not known is named as such.
// Must not know: whether a grant counts.

import { hex } from "../protocol/bytes.js";
import { Tag } from "../protocol/cbor.js";
import { describe } from "../protocol/rule.js";
import { days, duration, has, list, moment, t } from "./i18n.js";
import { title } from "./parts.js";

/** @typedef {import("../protocol/rule.js").Rule} Rule */

/** What a path stands for: "Open", "everything". @param {string} pattern */
export function what(pattern) {
  const known = `what-${pattern}`;
  if (has(known)) return t(known);
  return pattern.startsWith("/r/") ? title(pattern.slice(3).replace("*", "…")) : pattern;
}

/** Where a grant counts. @param {string[]} audience */
export const where = (audience) => (audience.includes("*") ? t("everywhere") : list(audience.map((each) => each.replace("*", "…"))));

/** All that a rule asks for, each as a phrase. @param {Rule} rule @returns {string[]} */
export function conditions(rule) {
  const told = describe(rule);
  return [
    told.windows.map(window).join(", ") + (told.windows.length && told.isUtc ? " UTC" : ""),
    ...told.bounds.map(bounds),
    told.uses && t("rule-uses", { n: told.uses }),
    told.rate && t("rule-rate-is", { n: told.rate.count, time: duration(told.rate.seconds) }),
    told.presence && t(told.presence === "code" ? "rule-code" : "rule-button"),
    told.approvals && t("rule-consent", { n: told.approvals.count, who: list(told.approvals.who.map(selector)) }),
    told.fresh && t("rule-fresh", { time: duration(told.fresh) }),
    ...life(told.from, told.until),
    ...told.unknown.map((number) => t("rule-unknown", { number })),
  ].filter(Boolean);
}

/** @param {{days: [number, number][], start: number, end: number}} window */
function window({ days: runs, start, end }) {
  const names = days();
  const said = runs.map(([a, b]) => (a === b ? names[a] : `${names[a]}–${names[b]}`)).join(" ");
  return start === 0 && end === 0 ? said : `${said} ${clock(start)}–${clock(end)}`;
}

/** @param {number} minute */
const clock = (minute) => `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;

/** @param {{name: string, least: number | null, most: number | null}} bounds */
function bounds({ name, least, most }) {
  if (least === null) return t("at-most", { name, most: most ?? "" });
  return most === null ? t("at-least", { name, least }) : t("between", { name, least, most });
}

/** From when and until when, each as a phrase, as far as it is said. @param {number | null} from @param {number | null} until */
export const life = (from, until) =>
  [from === null ? "" : t("from", { when: moment(from) }), until === null ? "" : t("until", { when: moment(until) })].filter(Boolean);

/** Whom a selector means. @param {string} text */
const selector = (text) => text.slice(text.indexOf(":") + 1);

const METHODS = ["GET", "POST", "PUT", "DELETE", "FETCH", "PATCH", "iPATCH"];

/** A request as it is signed by who consents, beside its arguments. @param {number} method AIF's bits @param {string} path */
export const request = (method, path) => `${METHODS[Math.log2(method)] ?? method} ${exact(path)}`;

/** A value as it is signed: whole, and no other looks like it. @param {any} value @returns {string} */
export function exact(value) {
  if (value instanceof Map) return `{${[...value].map(([name, each]) => `${exact(name)}: ${exact(each)}`).join(", ")}}`;
  if (Array.isArray(value)) return `[${value.map(exact).join(", ")}]`;
  if (value instanceof Uint8Array) return `h'${hex(value)}'`;
  if (value instanceof Tag) return `${value.number}(${exact(value.value)})`;
  if (typeof value !== "string") return String(value);
  return JSON.stringify(value).replace(/[^\P{C} ]|[\p{Zl}\p{Zp}]/gu, (each) => `\\u{${each.codePointAt(0)?.toString(16)}}`);
}

/** An invocation: "Open, seconds 5". @param {string} path @param {Iterable<[string, any]>} args */
export const wish = (path, args) => [what(path), ...pairs(args)].join(", ");

/** @param {Iterable<[string, any]>} args */
const pairs = (args) => [...args].map(([name, value]) => `${title(name)}: ${said(value)}`);

/** A value of an argument or a result. @param {any} value @returns {string} */
export function said(value) {
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (value instanceof Map) return pairs(value).join(", ");
  if (Array.isArray(value)) return list(value.map(said));
  if (value instanceof Uint8Array) return t("bytes", { n: value.length });
  return value === null || value === undefined ? "" : String(value);
}
