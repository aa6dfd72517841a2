// The kiosk's own screen. Owns: what of a view stands where, and the seconds of a code.
// Rules: all that comes from the device is text. It decides nothing: which view is shown is the server's.
import { fill, wordsOf } from "./words.js";

/**
 * @typedef {{view: string, name: string, site: string, fingerprint: string, who?: string, code?: string,
 *   seconds?: number | null, newcomer?: boolean, takeover?: number}} View
 */

const asked = new URLSearchParams(location.search).get("lang");
const { lang, words } = wordsOf(asked ? [asked] : navigator.languages);
const CODE_S = 60;
const LONG = 36; // characters of a title
const PATIENCE_MS = 2000; // with a stream that has broken off
let ends = 0; // when the code that is shown is over, as performance.now() says it

/** @param {string} id @returns {any} */
const at = (id) => document.getElementById(id);

/** Write a text, or hide what would hold it. @param {string} id @param {string} text */
function write(id, text) {
  const place = at(id);
  if (place.textContent !== text) place.textContent = text; // else a screen reader would say it again
  place.hidden = !text;
}

/** @param {View} view */
function show(view) {
  const names = { who: view.who ?? "", name: view.name, fingerprint: inFours(view.fingerprint) };
  const [title, text] = /** @type {Record<string, any>} */ (words)[view.view] ?? words.fault;
  document.body.dataset.view = view.view;
  document.body.toggleAttribute("data-long", fill(title, names).length > LONG);
  document.title = [view.name, fill(title, names)].filter(Boolean).join(": ");
  write("site", view.site);
  write("name", view.name);
  write("title", fill(title, names));
  showCode(view);
  write("text", fill(text, names));
  write("hint", view.newcomer ? words.newcomer : "");
  write("takeover", view.takeover ? fill(words.takeover, { left: lasting(view.takeover) }) : "");
  write("key", view.fingerprint ? fill(words.key, names) : "");
  showQr(view, names);
}

/** Hours in words. @param {number} hours */
function lasting(hours) {
  const parts = /** @type {[number, string[]][]} */ ([[Math.floor(hours / 24), words.days], [hours % 24, words.hours]]);
  const said = parts.filter(([n]) => n).map(([n, [one, many]]) => (n === 1 ? one : fill(many, { n })));
  return said.join(" ");
}

/** @param {View} view */
function showCode(view) {
  const code = view.view === "code" ? (view.code ?? "") : "";
  write("code", code.replace(/(\d{3})(?=\d)/g, "$1\u202f"));
  at("code").setAttribute("aria-label", [...code].join(" ")); // digit by digit, not a hundred and twenty thousand
  ends = code && view.seconds != null ? performance.now() + view.seconds * 1000 : 0;
  tick();
}

/** @param {View} view @param {Record<string, string>} names */
function showQr(view, names) {
  const picture = at("qr");
  const isShown = view.view === "waiting" || view.view === "fault";
  const source = isShown && view.fingerprint ? `code.svg?${view.fingerprint}` : "";
  if (source && picture.getAttribute("src") !== source) picture.setAttribute("src", source);
  picture.alt = fill(words.qr, names);
  picture.hidden = !source;
  const steps = at("steps");
  steps.replaceChildren(...words.steps.map((each) => item(fill(each, names))));
  steps.hidden = view.view !== "waiting" || view.newcomer === true || !!view.takeover;
}

/** @param {string} text */
const item = (text) => Object.assign(document.createElement("li"), { textContent: text });

/** The seconds that are left. */
function tick() {
  const left = Math.max(0, Math.ceil((ends - performance.now()) / 1000));
  const bar = at("left");
  bar.hidden = !ends;
  bar.value = Math.min(left, CODE_S);
  bar.setAttribute("aria-label", fill(words.seconds, { n: left }));
  write("count", ends ? fill(words.seconds, { n: left }) : "");
}

/** @param {string} hex */
const inFours = (hex) => hex.replace(/(.{4})(?=.)/g, "$1 ");

/** Keep the screen on, where the browser can. */
async function stayAwake() {
  if (document.visibilityState !== "visible") return;
  try {
    await navigator.wakeLock?.request("screen");
  } catch {
    // it may sleep then: nothing else depends on it
  }
}

document.documentElement.lang = lang;
show({ view: "connecting", name: "", site: "", fingerprint: "" });
let silence = 0;

/** Hear what is to be seen. A stream that broke off is taken up again by the browser, one that was refused by us. */
function listen() {
  const events = new EventSource("events");
  events.onmessage = (/** @type {MessageEvent} */ event) => {
    clearTimeout(silence);
    show(JSON.parse(event.data));
  };
  events.onerror = () => {
    clearTimeout(silence);
    silence = setTimeout(() => {
      show({ view: "stopped", name: "", site: "", fingerprint: "" });
      if (events.readyState === EventSource.CLOSED) listen();
    }, PATIENCE_MS);
  };
}

listen();
setInterval(tick, 250);
document.addEventListener("visibilitychange", stayAwake);
stayAwake();
