// What is done at a kiosk with other people: consenting, letting in, asking to be let in; and asking why not.
//
// Rules: what is consented to is the very item that was shown.
// Must not know: how anything looks.

import { attempt, go, goBack, set, state } from "./state.js";
import { fail, isAlarm, load, pause, update } from "./visiting.js";

/** @typedef {import("../visit/kiosk.js").Kiosk} Kiosk */

const PAUSE_MS = 1500;
const OFFERED = ["approval-needless", "rule-argument"]; // so /r lists it

/** What waits for this user's consent. */
export const loadApprovals = () => list((kiosk) => kiosk.approvals());

/** Consent. @param {any} item the very one that was shown */
export const approve = (item) =>
  attempt(async () => {
    await state.visit?.kiosk?.approve(item);
    set({ says: "approved" });
    await loadApprovals();
  });

/** Ask why something is not offered, without doing it or asking anybody; if it is by now, see what else is.
 * @param {string} name */
export const askWhy = (name) =>
  attempt(async () => {
    const { visit } = state;
    if (!visit?.kiosk) return;
    const told = await visit.kiosk.explain(name).then(() => null, (error) => error);
    const error = OFFERED.includes(told?.reason) ? null : told;
    const routines = error ? visit.routines : await visit.kiosk.routines();
    update(visit, { routines, why: { name, error } });
  });

/** Who asks to be let in here. */
export const loadNewcomers = () => list((kiosk) => kiosk.waitingPairs());

/** Let somebody in who stands beside. @param {any} newcomer @param {string} code @param {any} wish */
export const pair = (newcomer, code, wish) =>
  attempt(async () => {
    await state.visit?.kiosk?.pair(newcomer, code.replace(/\D/g, ""), wish);
    set({ says: "paired" });
    goBack();
  });

/** Ask somebody beside to be let in: show a code until they have typed it. */
export const ask = () =>
  attempt(async () => {
    const { visit } = state;
    if (!visit?.kiosk) return;
    const { code, poll } = await visit.kiosk.askToPair();
    update(visit, { code });
    go("ask");
    state.busy = false;
    while (state.visit === visit && state.view === "ask") {
      if (await poll()) {
        goBack();
        await load();
        return;
      }
      await pause(PAUSE_MS);
    }
  });

/** @param {(kiosk: Kiosk) => Promise<any[]>} work */
async function list(work) {
  const { visit } = state;
  if (!visit?.kiosk) return;
  visit.waiting = null;
  try {
    const waiting = await work(visit.kiosk);
    update(visit, { waiting });
  } catch (error) {
    if (await isAlarm(error)) return fail(visit, error);
    update(visit, { waiting: [] });
    set({ trouble: error });
  }
}
