/**
 * Rules as they stand in a grant, read and checked; which one is narrower; what a person is told of them.
 * docs/SPEC.md sections 7 and 8.4.
 *
 * Owns: the shape of a rule and of each condition that we know.
 * Rules: an unknown condition is kept; what cannot be seen to be narrower counts as wider.
 * Must not know: what a rule decides (the device does), and in which words it is told.
 */

import { equal, utf8 } from "./bytes.js";
import { encode, expect } from "./cbor.js";
import { must } from "./errors.js";

/** @typedef {{pattern: string, methods: number, conditions: Map<any, any>}} Rule */
/** @typedef {[number|null, number|null]} Ends a least and a most, a begin and an end: null is open */
/** @typedef {(value: any) => boolean} Check */

export const [WINDOWS, ZONE, BOUNDS, USES, RATE, PRESENCE, APPROVALS, TIMELESS, FRESH, LIFE] = [
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
];
export const [CODE, BUTTON] = [1, 2];
export const ALL_METHODS = 0x7f;
const DAY_MINUTES = 1440;
const MAX_SELECTOR = 70; // bytes

/** @param {number} least @param {number} most @returns {Check} */
const whole = (least, most = Infinity) => (value) => Number.isSafeInteger(value) && value >= least && value <= most;
/** @param {...Check} checks @returns {Check} */
const tuple = (...checks) => (value) =>
  Array.isArray(value) && value.length === checks.length && checks.every((check, at) => check(value[at]));
/** @param {number} most @param {Check} check @returns {Check} */
const some = (most, check) => (value) =>
  Array.isArray(value) && value.length > 0 && value.length <= most && value.every(check);
/** [a or null, b or null], not both null, and b at least `apart` more than a. @param {number} apart @returns {Check} */
const ends = (apart) => (value) =>
  tuple(() => true, () => true)(value) &&
  (value[0] === null || whole(-Infinity)(value[0])) &&
  (value[1] === null ? value[0] !== null : whole(value[0] === null ? -Infinity : value[0] + apart)(value[1]));
const minute = whole(0, DAY_MINUTES - 1);
const offsets = some(128, tuple(whole(-Infinity), whole(1 - DAY_MINUTES, DAY_MINUTES - 1)));

/** What each condition must be, by number, and the reason if it is not. @type {[Check, string][]} */
const CONDITIONS = [
  [() => false, ""], // none has the number 0
  [some(16, tuple(whole(1, 127), minute, minute)), "rule-window"],
  [(value) => offsets(value) && rises(value), "rule-zone"],
  [(value) => value instanceof Map && value.size > 0 && [...value].every(isBound), "rule-bounds"],
  [whole(1), "rule-condition"],
  [tuple(whole(1, 32), whole(1)), "rule-condition"],
  [whole(CODE, BUTTON), "rule-condition"],
  [(value) => tuple(whole(1), () => true)(value) && areSelectors(value[1]), "rule-condition"],
  [(value) => value === true, "rule-condition"],
  [whole(1), "rule-condition"],
  [ends(1), "rule-life"],
];
const isKnown = (/** @type {any} */ number) => number >= WINDOWS && number <= LIFE;

/** The rule in its decoded CBOR `[pattern, methods, {conditions}]`. Raises Malformed rule-….
 * @param {any} value @returns {Rule} */
export function parse(value) {
  must(expect(value, "array", "rule-shape").length === 3, "rule-shape");
  const [pattern, methods, conditions] = value;
  must(/^(\/[^*]*)?\*?$/.test(expect(pattern, "text", "rule-pattern")) && pattern, "rule-pattern");
  must(whole(1, ALL_METHODS)(methods), "rule-methods");
  for (const [number, condition] of expect(conditions, "map", "rule-shape")) {
    const [check, reason] = CONDITIONS[isKnown(expect(number, "int", "rule-shape")) ? number : 0];
    must(!reason || check(condition), reason);
  }
  return { pattern, methods, conditions };
}

/** Raises Malformed rule-selector unless it is everyone, user:…, group:…, role:… or key:HEX16. @param {any} value */
export function checkSelector(value) {
  const isOne = /^(everyone|(user|group|role):[^]+|key:[0-9a-f]{16})$/.test(expect(value, "text", "rule-selector"));
  must(isOne && utf8(value).length <= MAX_SELECTOR, "rule-selector");
}

/** Whether `text` is `pattern`, or begins with it up to its final `*`. @param {string} pattern @param {string} text */
export function matches(pattern, text) {
  return pattern.endsWith("*") ? text.startsWith(pattern.slice(0, -1)) : text === pattern;
}

/** Whether the rule `wide` surely allows whatever `narrow` allows: where `wide` has a condition, `narrow` has it too,
 * the same or stricter. @param {Rule} wide @param {Rule} narrow */
export function covers(wide, narrow) {
  const [asked, kept] = [wide.conditions, narrow.conditions];
  if (!matches(wide.pattern, narrow.pattern) || narrow.methods & ~wide.methods) return false;
  if (asked.has(WINDOWS) && !isSame(asked.get(ZONE), kept.get(ZONE))) return false;
  if (kept.has(TIMELESS) && !asked.has(TIMELESS)) return false; // it loosens
  return [...asked].every(
    ([number, value]) => number === TIMELESS || (kept.has(number) && isStricter(number, kept.get(number), value)),
  );
}

/** Whether the ends `narrow` lie within `wide`. @param {Ends} narrow @param {Ends} wide */
export function within([from, until], [least, most]) {
  return (least === null || (from !== null && from >= least)) && (most === null || (until !== null && until <= most));
}

/** Whether each of `narrow` is covered by one of `wide`.
 * @template T @param {(wide: T, narrow: T) => boolean} covers @param {T[]} wide @param {T[]} narrow */
export function allCovered(covers, wide, narrow) {
  return narrow.every((one) => wide.some((each) => covers(each, one)));
}

/** What a life says at a moment, the earliest and the latest unix second that it may be: "expired", "not-yet-valid",
 * "time-unknown", or "" if it holds. `timeless`: it holds while only a floor is known.
 * @param {Ends} life @param {Ends} moment */
export function lifeStep([begin, end], [earliest, latest], timeless = false) {
  if (end !== null && earliest !== null && earliest >= end) return "expired";
  if (begin !== null && latest !== null && latest < begin) return "not-yet-valid";
  if (timeless && latest === null) return "";
  if (end !== null && (latest === null || latest >= end)) return "time-unknown";
  return begin !== null && (earliest === null || earliest < begin) ? "time-unknown" : "";
}

/** What a rule's conditions say, for a card: `days` are runs from Monday 0 to Sunday 6, minutes those of the local day
 * (of UTC, if `isUtc`), 0 to 0 the whole of it; `unknown`: those that this version cannot tell. @param {Rule} rule */
export function describe({ conditions }) {
  const [windows, , bounds, uses, rate, presence, approvals, , fresh, life] = CONDITIONS.slice(1).map(
    (_, at) => conditions.get(at + 1) ?? null,
  );
  return {
    windows: (windows ?? []).map((/** @type {number[]} */ [days, start, end]) => ({ days: runs(days), start, end })),
    isUtc: !conditions.has(ZONE),
    bounds: [...(bounds ?? [])].map(([name, [least, most]]) => ({ name, least, most })),
    uses,
    rate: rate && { count: rate[0], seconds: rate[1] },
    presence: presence && ["", "code", "button"][presence],
    approvals: approvals && { count: approvals[0], who: approvals[1] },
    fresh,
    from: life?.[0] ?? null,
    until: life?.[1] ?? null,
    unknown: [...conditions.keys()].filter((number) => !isKnown(number)),
  };
}

/** [[first, last], ...] of the days in a mask. @param {number} mask */
function runs(mask) {
  const days = [0, 1, 2, 3, 4, 5, 6, 7].map((day) => (mask >> day) & 1);
  const firsts = days.flatMap((isOn, day) => (isOn && !days[day - 1] ? [day] : []));
  return firsts.map((first) => [first, days.indexOf(0, first) - 1]);
}

/** Whether a condition surely holds with the value `narrow` only where it does with `wide`.
 * @param {number} number @param {any} narrow @param {any} wide */
function isStricter(number, narrow, wide) {
  if (number === WINDOWS) return allCovered(isLonger, wide, narrow);
  if (number === BOUNDS) return [...wide].every(([name, ends]) => narrow.has(name) && within(narrow.get(name), ends));
  if (number === LIFE) return within(narrow, wide);
  return number === USES || number === FRESH ? narrow <= wide : isSame(narrow, wide);
}

/** Whether one window lies in another that opens on the same day. @param {number[]} wide @param {number[]} narrow */
function isLonger(wide, narrow) {
  const [lasts, needed] = [wide, narrow].map(([, start, end]) => (end - start - 1 + DAY_MINUTES) % DAY_MINUTES);
  const later = narrow[1] - wide[1];
  return !(narrow[0] & ~wide[0]) && later >= 0 && later + needed <= lasts;
}

/** @param {any} one @param {any} other */
function isSame(one, other) {
  return equal(encode(one ?? null), encode(other ?? null));
}

/** @param {number[][]} entries */
function rises(entries) {
  return entries.every(([begun], at) => !at || begun > entries[at - 1][0]);
}

/** @param {[any, any]} bound */
function isBound([name, value]) {
  return typeof name === "string" && ends(0)(value);
}

/** @param {any} selectors */
function areSelectors(selectors) {
  must(some(32, () => true)(selectors), "rule-selector");
  selectors.forEach(checkSelector);
  return true;
}
