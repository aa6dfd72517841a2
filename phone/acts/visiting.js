// What is done on the way to a kiosk and there.
//
// Owns: a visit's course: connecting, the user's own look at a kiosk that is new, their turn, what they run, what stands
// in its way.
// Rules: nothing of the user goes to a kiosk that is new before they said that it is the one in front of them. What is
// asked again carries the same id, so that it happens once.
// Must not know: how anything looks, and what a proof is.

import { hex, random } from "../protocol/bytes.js";
import { BluetoothTransport } from "../visit/bluetooth.js";
import { meet } from "../visit/kiosk.js";
import { keep, kept } from "./settings.js";
import { attempt, connectHooks, go, goHome, set, state, swap } from "./state.js";
import { ensureSite, refresh, refreshUnasked } from "./wallet.js";

/**
 * @typedef {import("../visit/kiosk.js").Wanted} Wanted
 * @typedef {import("../visit/kiosk.js").Kiosk} Kiosk
 * @typedef {{kind: "run", name: string, args: Map<string, any>} | {kind: "redeem", link: any}} Task
 * @typedef {"bluetooth" | "gateway"} Way
 * @typedef {{
 *   wanted: Wanted, way: Way, task: Task | null, transport: any,
 *   state: "connect" | "failed" | "warning" | "confirm" | "kiosk",
 *   stage: string, retry: boolean, error: any, kiosk: Kiosk | null,
 *   isLoading: boolean, routines: Map<string, any> | null, before: string[], access: any, run: Run | null,
 *   waiting: any[] | null, code: string, why: {name: string, error: any} | null,
 * }} Visit
 * task: what is done before anything else; before: what there was to do the last time; access: why the user is not let
 * in; waiting: requests or newcomers; code: the one to show when asking
 * @typedef {{
 *   name: string, args: Map<string, any>, id: Uint8Array,
 *   state: "running" | "done" | "failed" | "interrupted" | "code" | "button" | "approvals" | "error",
 *   result: any, error: any, digits: number, wrong: number, asked: any,
 * }} Run
 */

const PAUSE_MS = 1500;
const LEAVE_MS = 1500;
const QUIET_MS = 1000;
const POST = 2; // AIF's bit

connectHooks({ leave: end });

/**
 * Go to a kiosk. To be called as a button is pressed: browsers open their chooser only then.
 * @param {Wanted} wanted @param {Task | null} [task] @param {Way} [way]
 */
export async function connect(wanted, task = null, way = state.ways[0]) {
  end();
  /** @type {Visit} */
  const visit = {
    wanted, way, task, transport: null, state: "connect", stage: "finding", retry: false, error: null, kiosk: null,
    isLoading: false, routines: null, before: [], access: null, run: null, waiting: null, code: "", why: null,
  };
  set({ visit });
  (state.view === "visit" || state.view === "link" ? swap : go)("visit");
  try {
    if (wanted.siteId instanceof Uint8Array) await ensureSite(wanted.siteId);
    const name = wanted.deviceId ?? "";
    const transport = visit.transport = way === "gateway" ? await byGateway(name) : new BluetoothTransport({ name });
    const kiosk = await meet(transport, /** @type {any} */ (state.wallet), wanted, stageOf(visit));
    if (state.visit !== visit) return void kiosk.close();
    kiosk.onlost = (error) => update(visit, { access: error });
    if (kiosk.isNew) await refresh();
    update(visit, { kiosk, state: kiosk.isNew ? "confirm" : "kiosk", before: [...(kiosk.remembered?.keys() ?? [])] });
    if (!kiosk.isNew) await enter(visit);
  } catch (error) {
    fail(visit, error);
  }
}

/** @param {string} name */
async function byGateway(name) {
  const { WebSocketTransport } = await import("../visit/websocket.js");
  return new WebSocketTransport(state.gateway ?? "", name);
}

/** Try the same once more, perhaps another way; a kiosk that was proven before is not chosen again. @param {Way} [way] */
export async function reconnect(way) {
  const { visit } = state;
  if (!visit?.kiosk || way) return visit ? connect(visit.wanted, visit.task, way ?? visit.way) : undefined;
  update(visit, { state: "connect", stage: "connecting", retry: false, error: null, access: null });
  if (state.view !== "visit") swap("visit");
  try {
    await visit.kiosk.again(stageOf(visit));
    update(visit, { state: "kiosk" });
    await enter(visit);
  } catch (error) {
    fail(visit, error);
  }
}

/** @param {Visit} visit @returns {(stage: string, detail?: string) => void} */
const stageOf = (visit) => (stage, detail = "") => update(visit, { stage, retry: Boolean(detail) });

/** The kiosk is the one in front of the user. */
export function confirm() {
  const { visit } = state;
  if (visit?.state !== "confirm") return;
  update(visit, { state: "kiosk" });
  enter(visit).catch((error) => fail(visit, error));
}

/** It is another one: as if it had never been met. */
export async function reject() {
  const kiosk = state.visit?.kiosk;
  goHome();
  await kiosk?.forget();
  await refresh();
}

/** What the wallet knows of a kiosk. @param {Kiosk} kiosk */
export const known = ({ site, deviceId }) =>
  state.sites.find((each) => each.id === site.id)?.devices.find((each) => each.deviceId === deviceId);

/** Do what the visit is for, then take one's turn and see what there is to do. @param {Visit} visit */
async function enter(visit) {
  const { task } = visit;
  if (task?.kind === "run") await run(task.name, task.args);
  if (state.visit !== visit) return;
  if (task?.kind === "redeem") await redeem(visit, task.link);
  visit.task = null;
  if (state.visit === visit) await load();
}

/** @param {Visit} visit @param {any} link */
async function redeem(visit, link) {
  try {
    await visit.kiosk?.redeem(link);
    set({ link: null });
    await refresh();
  } catch (error) {
    update(visit, { access: error });
    if (await isAlarm(error)) throw error;
  }
}

/** Take one's turn, and list what may be done. */
export async function load() {
  const { visit } = state;
  const kiosk = visit?.kiosk;
  if (!visit || !kiosk || visit.isLoading) return;
  if (!kiosk.hasGrant) return update(visit, { routines: new Map() });
  update(visit, { isLoading: true, access: null });
  try {
    await kiosk.login().catch((error) => {
      if (error.reason !== "login-taken") throw error;
      update(visit, { access: error });
    });
    update(visit, { routines: await kiosk.routines() });
    witness(visit, kiosk);
  } catch (error) {
    if (await isAlarm(error)) fail(visit, error);
    else update(visit, { access: error });
  }
  update(visit, { isLoading: false });
  await refresh();
}

/** When all is quiet, take along what tells later whether the kiosk is still honest, and what is new at the site.
 * @param {Visit} visit @param {Kiosk} kiosk */
async function witness(visit, kiosk) {
  await pause(QUIET_MS);
  if (state.visit === visit) await kiosk.keepWitness().then(refreshUnasked, (error) => fail(visit, error));
}

/** Leave the kiosk, and tell it so if that works at once. */
function end() {
  const { visit } = state;
  state.visit = null;
  const kiosk = visit?.kiosk;
  if (!kiosk) return void visit?.transport?.close();
  kiosk.onlost = () => {};
  const told = kiosk.isLoggedIn ? kiosk.logout().catch(() => {}) : null;
  Promise.race([told, pause(LEAVE_MS)]).then(() => kiosk.close());
}

// Routines

/** The routine that was last run at a kiosk, or null. @param {string} siteId @param {string} deviceId */
export function remembered(siteId, deviceId) {
  try {
    const { name, args } = JSON.parse(kept(`last-${siteId}-${deviceId}`) ?? "");
    return { name: String(name), args: new Map(args) };
  } catch {
    return null;
  }
}

/**
 * Run a routine, once for each `id`, and help with what stands in its way.
 * @param {string} name @param {Map<string, any>} args @param {Uint8Array} [id]
 */
export async function run(name, args, id = random(8)) {
  const { visit } = state;
  if (!visit?.kiosk) return;
  /** @type {Run} */
  const own = { name, args, id, state: "running", result: null, error: null, digits: 0, wrong: 0, asked: null };
  update(visit, { run: own });
  if (state.view !== "run") (state.view === "routine" ? swap : go)("run");
  try {
    const outcome = await visit.kiosk.invoke(name, args, id);
    renew(visit, own, { state: outcome.state, result: outcome.result });
    keep(`last-${visit.kiosk.site.id}-${visit.kiosk.deviceId}`, JSON.stringify({ name, args: [...args] }));
  } catch (error) {
    await hinder(visit, own, error);
  }
}

/** The same invocation again: what became of it is told, or it runs now. */
export function again() {
  const own = state.visit?.run;
  return own ? run(own.name, own.args, own.id) : undefined;
}

/** @param {Visit} visit @param {Run} own @param {any} error */
async function hinder(visit, own, error) {
  if (await isAlarm(error)) return fail(visit, error);
  const help = visit.kiosk?.why(error).help;
  if (help === "code") await askCode();
  else if (help === "button") renew(visit, own, { state: "button" });
  else if (help === "approvals") await askConsent(visit, own);
  else renew(visit, own, { state: "error", error });
}

/** Have the kiosk show a code. */
export async function askCode() {
  const [visit, own] = [state.visit, state.visit?.run];
  if (!visit?.kiosk || !own) return;
  try {
    const digits = await visit.kiosk.askCode();
    renew(visit, own, { state: "code", digits, error: null });
  } catch (error) {
    renew(visit, own, { state: "error", error });
  }
}

/** Prove to be there: by the code that the kiosk shows, or without one by its button. @param {string} [code] */
export const prove = (code) =>
  attempt(async () => {
    const [visit, own] = [state.visit, state.visit?.run];
    if (!visit?.kiosk || !own) return;
    try {
      await (code === undefined ? visit.kiosk.pressed() : visit.kiosk.giveCode(code.replace(/\D/g, "")));
    } catch (error) {
      if (/** @type {any} */ (error).reason === "code-wrong") own.wrong += 1;
      throw error;
    }
    again();
  });

/** @param {Visit} visit @param {Run} own */
async function askConsent(visit, own) {
  try {
    const id = await visit.kiosk?.wish(POST, `/r/${own.name}`, own.args);
    while (visit.run === own && state.visit === visit && state.view === "run") {
      const asked = (await visit.kiosk?.approvals())?.find((/** @type {any} */ each) => hex(each.id) === hex(id ?? own.id));
      if (!asked || asked.got >= asked.needed) return void (await again());
      renew(visit, own, { state: "approvals", asked });
      await pause(PAUSE_MS);
    }
  } catch (error) {
    renew(visit, own, { state: "error", error });
  }
}

/** The kiosks that the gateway says it leads to. */
export async function loadNear() {
  try {
    const { listKiosks } = await import("../visit/websocket.js");
    set({ near: await listKiosks(state.gateway ?? "") });
  } catch (error) {
    set({ near: [], trouble: error });
  }
}

/** @param {Visit} visit @param {Partial<Visit>} changes */
export function update(visit, changes) {
  Object.assign(visit, changes);
  if (state.visit === visit) set();
}

/** @param {Visit} visit @param {Run} own @param {Partial<Run>} changes */
function renew(visit, own, changes) {
  if (visit.run === own) update(visit, { run: Object.assign(own, changes) });
}

/** A visit that cannot go on. @param {Visit} visit @param {any} error */
export async function fail(visit, error) {
  if (state.visit !== visit) return;
  visit.kiosk?.close();
  refreshUnasked(); // what is kept may be another by now, or gone
  update(visit, { state: (await isAlarm(error)) ? "warning" : "failed", error });
  if (state.view !== "visit") swap("visit");
}

/** Whether the kiosk may not be what it seems. @param {any} error */
export const isAlarm = async (error) => (await import("./reasons.js")).isAlarm(error);

/** @param {number} ms */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
