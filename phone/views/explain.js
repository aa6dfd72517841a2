// An error in words, and the buttons that help.

import { helpsFor, nameOf } from "../acts/reasons.js";
import { reconnect } from "../acts/visiting.js";
import { go, goBack, goHome, state } from "../acts/state.js";
import { t } from "./i18n.js";
import { button, icon, p } from "./parts.js";
import { conditions } from "./words.js";

/**
 * What happened, and why as far as the user's own card says it. @param {any} error
 * @param {import("./dom.js").Child} [more] what else is to be said
 */
export function sentence(error, more) {
  const rule = state.visit?.kiosk?.why(error).rule;
  const said = rule ? conditions(rule) : [];
  return [
    p(t(`e-${nameOf(error)}`)),
    said.length > 0 && p(t("card-says", { what: said.join("; ") }), "small"),
    more,
    error.reason && p(error.reason, "soft small code"),
  ];
}

/**
 * What helps: another try, another way, or what the reason asks for.
 * @param {any} error @param {(() => void) | null} retry @param {boolean} [home]
 */
export function explained(error, retry, home = true) {
  const helps = helpsFor(error);
  const { view, visit, ways } = state;
  const other = visit && !visit.kiosk && ways.find((way) => way !== visit.way);
  return [
    home && button(t("go-back"), state.visit?.state === "kiosk" ? goBack : goHome),
    other && visit.wanted.deviceId && button(t(`by-${other}`), () => reconnect(other)),
    helps.includes("type") && view !== "add" && button(t("type-it"), () => go("add")),
    helps.includes("key") && button(t("show-key"), () => go("keys")),
    helps.includes("lost") && button(t("lost"), () => go("lost")),
    helps.includes("scan") && view !== "scan" && button([icon("scan"), t("scan")], () => go("scan"), "main"),
    helps.includes("reload") && button(t("reload"), () => location.reload(), "main"),
    !helps.length && retry && button(t("try-again"), retry, "main"),
  ];
}
