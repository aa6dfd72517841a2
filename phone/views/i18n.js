// What is said, in the user's language.
//
// Owns: which language, its strings, numbers and dates in it.
// Rules: every string comes from strings/*.json; `{name}` in one stands for a value; `one|many` goes by the value `n`.
// Must not know: who says it.

import { kept, keep } from "../acts/settings.js";

export const LANGUAGES = { en: "English", de: "Deutsch" };

/** @type {Record<string, string>} */
let strings = {};
let current = "en";

/** The language that was chosen, else the browser's, else English. @returns {string} */
export function preferred() {
  const wanted = [kept("lang"), ...navigator.languages].map((each) => (each ?? "").slice(0, 2));
  return wanted.find((each) => each in LANGUAGES) ?? "en";
}

/** Speak this language from now on; `choose`: at the next start too. @param {string} language @param {boolean} [choose] */
export async function speak(language, choose = false) {
  strings = await read(language);
  if (isMore) Object.assign(strings, await read(`${language}-more`));
  current = document.documentElement.lang = language;
  if (choose) keep("lang", language);
}

let isMore = false;

/** Have the strings at hand that are not needed at the start. */
export async function speakMore() {
  if (isMore) return;
  Object.assign(strings, await read(`${current}-more`));
  isMore = true;
}

/** @param {string} name */
const read = async (name) => (await fetch(`strings/${name}.json`)).json();

export const language = () => current;

/** Whether there is such a string. @param {string} key */
export const has = (key) => key in strings;

/**
 * The string `key`, with `values` in the place of their names.
 * @param {string} key @param {Record<string, string | number>} [values] @returns {string}
 */
export function t(key, values = {}) {
  const forms = (strings[key] ?? key).split("|");
  const form = forms.length > 1 && values.n !== 1 ? forms[1] : forms[0];
  return form.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** The browser's own form of the current language: "en-GB" for "en". */
const locale = () => navigator.languages.find((each) => each.startsWith(current)) ?? current;

/** A moment, unix seconds, as people say it. @param {number} unix */
export const moment = (unix) =>
  new Date(unix * 1000).toLocaleString(locale(), { dateStyle: "medium", timeStyle: "short" });

/** The short names of the days, Monday first. @returns {string[]} */
export function days() {
  const format = new Intl.DateTimeFormat(current, { weekday: "short", timeZone: "UTC" });
  return [0, 1, 2, 3, 4, 5, 6].map((day) => format.format(new Date(Date.UTC(2024, 0, 1 + day))));
}

/** Several as one: "a, b and c". @param {string[]} items */
export const list = (items) => new Intl.ListFormat(current).format(items);

/** Seconds in the largest unit that holds them exactly: "2 hours". @param {number} seconds */
export function duration(seconds) {
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const [unit, length] = /** @type {[string, number]} */ (units.find(([, each]) => seconds % Number(each) === 0));
  return (seconds / length).toLocaleString(current, { style: "unit", unit, unitDisplay: "long" });
}
