// What is done with keys and cards away from any kiosk: taking, passing on and forgetting cards, showing and renewing keys.
//
// Must not know: how anything looks.

import { hex } from "../protocol/bytes.js";
import { keyLink } from "../protocol/label.js";
import { forget } from "./settings.js";
import { attempt, go, goBack, goHome, set, state, swap } from "./state.js";
import { NEW, ensureSite, refresh } from "./wallet.js";

/** Take the grant of an invitation. */
export const accept = () =>
  attempt(async () => {
    const { link } = state;
    await ensureSite(link.anchor.siteId);
    const grant = await state.wallet?.accept(link);
    await refresh();
    set({ link: null });
    if (grant) swap("card", { site: hex(grant.siteId), grant: hex(grant.id) });
  });

/** The site and grant that a page is about, or null if they are gone. */
export function shown() {
  const site = state.sites.find((each) => each.id === state.args.site);
  const held = site?.held.find((each) => hex(each.grant.id) === state.args.grant);
  return site && held ? { site, held } : null;
}

/** Forget a grant. */
export const drop = () =>
  attempt(async () => {
    const found = shown();
    if (found) await state.wallet?.dropGrant(found.site.id, found.held.grant.id);
    await refresh();
    goBack();
  });

/** The link by which others know this phone's keys at a site. @param {import("./state.js").Site} site */
export const ownLink = (site) => keyLink(site.publics[0], site.publics[1], site.person);

/** Show the key for a site, or for one that is still to come. @param {string} id */
export const showKey = (id) =>
  attempt(async () => {
    if (id === NEW) await ensureSite();
    go("key", { site: id });
  });

/**
 * Pass on a part of a grant to the keys in `state.link`.
 * @param {{rules: import("../protocol/rule.js").Rule[] | null, audience: string[] | null, expires: number | null, delegate: number}} wish
 */
export const share = (wish) =>
  attempt(async () => {
    const found = shown();
    if (!found || !state.wallet) return;
    const { login, sign, name } = state.link;
    const made = await state.wallet.share(found.site.id, { name, login, sign, ...wish }, [found.held]);
    set({ made: { link: made.link, name, grant: made.grant }, link: null });
    swap("shared");
  });

/** A new key in the place of a lost one. @param {string} id */
export const renew = (id) =>
  attempt(async () => {
    await state.wallet?.renew(id);
    await refresh();
    swap("key", { site: id });
  });

/** Forget a site, its key and its grants. @param {string} id */
export const removeSite = (id) =>
  attempt(async () => {
    await state.wallet?.removeSite(id);
    forget(`last-${id}-`);
    await refresh();
    goHome();
  });
