// The page's state, and where in it the user is.
//
// Owns: the one state object, the browser's history.
// Rules: events go one way: a view calls an act, the act changes the state, the state is drawn. What the history keeps is
// names only; the Back button leads to the page before, and out of a visit only by ending it.
// Must not know: how anything looks, or what a kiosk is.

/**
 * @typedef {import("../store/wallet.js").Wallet} Wallet
 * @typedef {import("../store/wallet.js").Site & {devices: import("../store/wallet.js").Device[],
 *   held: import("../store/wallet.js").Held[]}} Site
 * @typedef {{[name: string]: any}} Draft
 * @typedef {{
 *   view: string, args: {[name: string]: any},
 *   wallet: Wallet | null, sites: Site[], lost: import("../store/wallet.js").LostKey[],
 *   gateway: string | null, ways: ("bluetooth" | "gateway")[],
 *   link: any, near: string[] | null, visit: import("./visiting.js").Visit | null, made: any,
 *   draft: Draft, busy: boolean, trouble: any, says: string,
 *   install: BeforeInstallPromptEvent | null,
 * }} State
 * link: what was scanned and is not done yet; near: kiosks that a gateway leads to; made: what was made to be handed over; trouble: the error to be told of
 */

/** @type {State} */
export const state = {
  view: "home", args: {}, wallet: null, sites: [], lost: [], gateway: null, ways: [],
  link: null, near: null, visit: null, made: null, draft: {}, busy: false, trouble: null, says: "", install: null,
};

/** Pages of a visit, and those to which one may turn aside without ending it. */
const IN_VISIT = new Set(["visit", "routine", "run", "approvals", "pair", "ask", "why"]);
const ASIDE = new Set([...IN_VISIT, "add", "scan", "link"]);

let depth = 0;
let isDue = false;
const hooks = { draw: () => {}, leave: () => {} };

/** Who draws the state, and who ends a visit. @param {Partial<typeof hooks>} own */
export const connectHooks = (own) => Object.assign(hooks, own);

/** Change the state, and have it drawn. @param {Partial<State>} [changes] */
export function set(changes = {}) {
  Object.assign(state, changes);
  if (isDue) return;
  isDue = true;
  queueMicrotask(() => {
    isDue = false;
    hooks.draw();
  });
}

/** Go on to a page. @param {string} view @param {{[name: string]: any}} [args] what can be stored, and is no secret */
export function go(view, args = {}) {
  history.pushState({ view, args, depth: ++depth }, "");
  show(view, args);
}

/** Put a page in the place of this one. @param {string} view @param {{[name: string]: any}} [args] */
export function swap(view, args = {}) {
  history.replaceState({ view, args, depth }, "");
  show(view, args);
}

/** Back to the page before; never out of this site's pages. */
export function goBack() {
  if (depth) history.back();
  else swap("home");
}

/** Back to the first page; what lies between is left. */
export function goHome() {
  if (depth) history.go(-depth);
  else swap("home");
}

/** @param {string} view @param {{[name: string]: any}} args */
function show(view, args) {
  if (state.visit && !ASIDE.has(view)) hooks.leave();
  if (!state.visit && IN_VISIT.has(view)) return swap("home");
  if (view === "run" && !state.visit?.run) return swap("visit");
  if (view === "home" && state.lost.length && !state.sites.length) return swap("lost");
  set({ view, args, draft: {}, trouble: null });
}

/** Begin where the history says that we are: after a reload on the same page, if it can stand alone. */
export function start() {
  const found = history.state;
  depth = found?.depth ?? 0;
  swap(found?.view ?? "home", found?.args ?? {});
  addEventListener("popstate", (event) => {
    depth = event.state?.depth ?? 0;
    show(event.state?.view ?? "home", event.state?.args ?? {});
  });
}

/**
 * Do what takes time: one thing at once, and what fails is told on the page that shows then.
 * @param {() => Promise<void>} work
 */
export async function attempt(work) {
  if (state.busy) return;
  set({ busy: true, trouble: null });
  try {
    await work();
  } catch (error) {
    set({ trouble: error });
  }
  set({ busy: false });
}

/** Have a screen reader say it. @param {string} says */
export const say = (says) => set({ says });
