// What the wallet holds, and the links that are scanned or pasted, or stand in the address.
//
// Rules: a link's content is kept in memory only; before it is believed, the wallet has verified it.
// Must not know: how anything looks.

import { hex } from "../protocol/bytes.js";
import { attempt, go, set, state, swap } from "./state.js";

export const NEW = "new"; // the wallet's name for a site that is still to come

/** Look anew at what the wallet holds. */
export async function refresh() {
  const { wallet } = state;
  if (!wallet) return;
  const sites = await Promise.all((await wallet.sites()).map(async (site) => ({
    ...site, devices: await wallet.devices(site.id), held: await wallet.grants(site.id),
  })));
  set({ sites, lost: await wallet.lostKeys() });
}

/** The same unasked: if storage fails, what is drawn stays, and the next tap tells. */
export const refreshUnasked = () => refresh().catch(() => {});

/** The user's name, as they first gave it. */
export const person = () => state.sites[0]?.person ?? "";

/** Make the first key. @param {string} name */
export const begin = (name) =>
  attempt(async () => {
    await state.wallet?.newSite({ name: name.trim().slice(0, 60) });
    await refresh();
    resume();
  });

/** See that there is a key for a site, or for one that is still to come. @param {Uint8Array} [siteId] */
export async function ensureSite(siteId) {
  const { wallet } = state;
  if (wallet && !(await wallet.siteFor(siteId ? hex(siteId) : NEW))) await wallet.newSite({ name: person() });
  await refresh();
}

/** On to what a link asks for, if one waits. */
export const resume = () => (state.link ? go("link") : swap("home"));

/** Take a text that was scanned, pasted, or stood in the address; what the user does meanwhile goes on.
 * @param {string} text */
export async function takeText(text) {
  try {
    const { parseLink } = await import("../protocol/label.js");
    const link = await parseLink(text);
    set({ link, trouble: null });
    if (!person()) return;
    if (!["scan", "add"].includes(state.view)) go("link"); // it came by the address, from wherever
    else if (link.kind === "key" && state.args.grant) swap("share", state.args);
    else swap("link");
  } catch (error) {
    set({ trouble: error });
  }
}

/** Take what stands behind the # of the address, which is cleared at once: it may be a secret. */
export function takeAddress() {
  const { hash } = location;
  if (hash.length < 2) return;
  history.replaceState(history.state, "", location.pathname + location.search);
  takeText(`https://x/${hash}`);
}

/** Copy a text, or hand it to the system's sheet. @param {string} text @param {boolean} [sheet] */
export const handOver = (text, sheet = false) =>
  attempt(async () => {
    if (sheet) await navigator.share({ text }).catch(() => {}); // they may have changed their mind
    else await navigator.clipboard.writeText(text).then(() => set({ says: "copied" }));
  });
