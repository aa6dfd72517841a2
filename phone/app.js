// The page begins here: what is drawn when, and what is looked after while it is open.
//
// Owns: the table of pages, drawing, the focus, the start.
// Rules: a page is drawn anew from the state each time. A new page takes the focus to its heading; on the same page it
// stays where it was. A new version of all this takes over now or not at all.
// Must not know: what is on a page.

import { connectHooks, go, goHome, set, start, state, swap } from "./acts/state.js";
import { loadNear } from "./acts/visiting.js";
import { refresh, refreshUnasked, takeAddress } from "./acts/wallet.js";
import { openWallet } from "./store/wallet.js";
import { h } from "./views/dom.js";
import { preferred, speak, speakMore, t } from "./views/i18n.js";
import * as home from "./views/home.js";
import { explained, fetchIt, isThere, sentence } from "./views/late.js";
import { button, icon, note, p, page } from "./views/parts.js";
import * as runs from "./views/run.js";
import * as visits from "./views/visit.js";
import { hasBluetooth } from "./visit/bluetooth.js";

/** Pages by the module that draws them; those of the lower table are fetched when they are first needed. */
const START = { home: home.home, find: home.findByName, visit: visits.visit, routine: runs.routine, run: runs.run };
/** @type {Record<string, () => Promise<any>>} */
const MODULES = {
  others: () => import("./views/others.js"), scan: () => import("./views/scan.js"),
  cards: () => import("./views/cards.js"), settings: () => import("./views/settings.js"),
};
/** @type {Record<string, string>} */
const PAGES = {
  approvals: "others", pair: "others", ask: "others", why: "others", scan: "scan", add: "scan", link: "scan",
  cards: "cards", card: "cards", share: "cards", shared: "cards",
  keys: "settings", key: "settings", lost: "settings", settings: "settings",
};
/** @type {Record<string, any>} */
const fetched = {};
/** @type {[string, import("./views/parts.js").Icon][]} */
const TABS = [["home", "home"], ["cards", "cards"], ["keys", "key"], ["settings", "more"]];

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const nav = /** @type {HTMLElement} */ (document.getElementById("nav"));
const live = /** @type {HTMLElement} */ (document.getElementById("live"));
let drawn = "";
let said = "";

function draw() {
  const { view, visit, trouble } = state;
  const module = PAGES[view];
  if (view !== "scan") fetched.scan?.leave();
  if ((module && !fetched[module]) || (hasTrouble() && !isThere())) return void fetchFor(module);
  const name = view === "visit" ? (visit?.state ?? "") : view === "home" && !state.sites.length ? "welcome" : view;
  const at = places().indexOf(/** @type {any} */ (document.activeElement));
  const told = trouble && h("div", { role: "alert" }, note([sentence(trouble), explained(trouble, opening(view) ?? null, false)], "bad"));
  const top = main.querySelector(".content")?.scrollTop ?? 0;
  main.replaceChildren((module ? fetched[module][view] : START[/** @type {"home"} */ (view)])());
  main.dataset.view = name;
  main.setAttribute("aria-busy", String(state.busy));
  const heading = main.querySelector("h1");
  if (told) heading?.after(told);
  const page = `${name} ${heading?.textContent}`;
  drawTabs(view);
  if (page !== drawn) opened(page, heading);
  else stay(at, top);
  const content = /** @type {HTMLElement} */ (main.querySelector(".content"));
  if (content.scrollHeight > content.clientHeight) content.tabIndex = 0; // so that keys can move it
  announce(name);
}

/** What can have the focus on this page. @returns {HTMLElement[]} */
const places = () => [...document.querySelectorAll(/** @type {"button"} */ ("button, input, select, textarea, summary"))];

/** What a page asks for as it is opened. @param {string} view @returns {(() => void) | undefined} */
const opening = (view) => (view === "find" ? loadNear : fetched[PAGES[view]]?.opened?.[view]);

function hasTrouble() {
  const { trouble, visit } = state;
  return trouble || visit?.error || visit?.access || visit?.run?.error || visit?.why?.error;
}

/** Fetch what this page needs, then draw it. @param {string | undefined} module */
async function fetchFor(module) {
  try {
    await Promise.all([speakMore(), hasTrouble() && fetchIt()]);
    if (module) fetched[module] ??= await MODULES[module]();
    draw();
  } catch {
    main.replaceChildren(page(t("offline"), p(t("offline-why")), button(t("try-again"), () => location.reload(), "main")));
  }
}

/** Where the focus was, and what was in sight. @param {number} at @param {number} top */
function stay(at, top) {
  const content = /** @type {HTMLElement} */ (main.querySelector(".content"));
  places()[at]?.focus({ preventScroll: true });
  content.scrollTop = top;
}

/** @param {string} page @param {HTMLElement | null} heading */
function opened(page, heading) {
  const isFirst = !drawn;
  drawn = page;
  document.title = `${heading?.textContent} · admit`;
  if (!isFirst) heading?.focus();
  opening(state.view)?.();
}

/** @param {string} view */
function drawTabs(view) {
  const isShown = state.sites.length > 0 && TABS.some(([name]) => name === view) && !state.visit;
  document.body.className = state.visit?.state === "warning" ? "alarm" : "";
  nav.setAttribute("aria-label", t("pages"));
  nav.replaceChildren(...(isShown ? [h("ul", null, TABS.map(([name, its]) => h("li", null,
    h("button", { type: "button", id: `tab-${name}`, "aria-current": view === name && "page", onclick: () => (name === "home" ? goHome() : view === "home" ? go(name) : swap(name)) },
      icon(its), t(name)))))] : []));
}

/** Stages and what was done are said aloud once. @param {string} name */
function announce(name) {
  const { visit } = state;
  const stage = name === "connect" && visit ? t(visit.stage) : name === "run" && visit?.run ? t(`run-${visit.run.state}`) : "";
  const says = state.says ? t(state.says) : stage;
  if (says !== said) live.textContent = said = says;
  state.says = "";
}

/** A version that was fetched meanwhile takes over before anything begins; the page then starts once more. */
async function takeOver() {
  const worker = navigator.serviceWorker;
  const waiting = worker?.controller && (await worker.getRegistration())?.waiting;
  if (!waiting) return;
  const taken = new Promise((resolve) => worker.addEventListener("controllerchange", () => resolve(true), { once: true }));
  waiting.postMessage("take-over");
  if (await Promise.race([taken, new Promise((resolve) => setTimeout(resolve, 2000))])) location.reload();
}

async function install() {
  try {
    const policy = window.trustedTypes?.createPolicy("admit", { createScriptURL: () => "sw.js" });
    const address = /** @type {any} */ (policy?.createScriptURL("") ?? "sw.js");
    await navigator.serviceWorker?.register(address, { updateViaCache: "none" });
  } catch {
    // without it the page needs a network to start, and works all the same
  }
}

async function gateway() {
  try {
    return (await (await fetch("config.json")).json()).gateway ?? null;
  } catch {
    return null;
  }
}

async function begin() {
  if (window.top !== window) return; // in a frame, somebody else's page could choose what is pressed
  await takeOver().catch(() => {});
  const [own] = await Promise.all([gateway(), speak(preferred())]);
  state.gateway = own;
  if (hasBluetooth()) state.ways.push("bluetooth");
  if (own) state.ways.push("gateway");
  connectHooks({ draw });
  try {
    state.wallet = await openWallet();
    state.wallet.onchange = refreshUnasked;
    await refresh();
  } catch (error) {
    state.trouble = error;
  }
  const { trouble } = state;
  start();
  if (trouble) set({ trouble });
  else if (state.lost.length && state.view === "home") go("lost");
  takeAddress();
  addEventListener("hashchange", takeAddress);
  document.addEventListener("visibilitychange", () => document.hidden || refreshUnasked());
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    set({ install: event });
  });
  await install();
}

begin();
