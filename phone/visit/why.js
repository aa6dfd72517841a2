/**
 * Why not: what an error at a kiosk means for whoever visits it, and what would get them further.
 *
 * Must not know: sessions, the page, and the words that people read.
 *
 * @typedef {"code" | "button" | "approvals" | "grant" | "wait" | "again" | null} Help
 * @typedef {{reason: string, detail: string, kind: string, stage: string | undefined, rule: any, help: Help}} Why
 *   rule: the one of the user's own grant that stood in the way (rule.js), or null; help: what would get further
 */

import { BUTTON, PRESENCE } from "../protocol/rule.js";
import { LOST } from "./asking.js";

const AGAIN = [...LOST, "request-timeout", "routine-running", "connect-failed", "gateway-unreachable"];
const WAIT = ["rule-rate", "code-wait", "login-taken", "rule-outside-window", "rule-not-yet-valid", "gateway-busy"];
const GRANT = ["rule-used-up", "rule-expired", "rule-none", "rule-method"];

/** @param {any} error that something at a kiosk has raised @param {import("../store/wallet.js").Held[]} grants that
 * were brought there @returns {Why} */
export function why(error, grants) {
  const { reason = "bug", detail = String(error), kind = "Error", stage } = error;
  const own = grants.length === 1 ? grants[0].grant.rules : [];
  const rule = (Number.isInteger(error.rule) && own[error.rule]) || null;
  return { reason, detail, kind, stage, rule, help: error.isAltered ? "again" : helpFor(reason, detail, rule) };
}

/** @param {string} reason @param {string} detail @param {any} rule @returns {Help} */
function helpFor(reason, detail, rule) {
  if (reason === "rule-presence") {
    return (rule ? rule.conditions.get(PRESENCE) === BUTTON : detail.endsWith("button")) ? "button" : "code";
  }
  if (reason === "rule-approvals") return "approvals";
  if (WAIT.includes(reason)) return "wait";
  if (GRANT.includes(reason) || reason.startsWith("grant-")) return "grant";
  return AGAIN.includes(reason) ? "again" : null;
}
