// QR codes that others scan.

import { encodeQR } from "../vendor/qr.js";
import { svg } from "./dom.js";

const MAX_TEXT = 2953; // bytes that the largest code holds

/** A text as a QR code. @param {string} text @param {string} label what it is, for those who cannot see it */
export function qr(text, label) {
  if (text.length > MAX_TEXT) return null; // it can be sent still
  /** @type {boolean[][]} */
  const rows = encodeQR(text, "raw", { ecc: text.length > 300 ? "low" : "medium", border: 3 });
  const path = rows.map((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : "")).join("")).join("");
  const size = rows.length;
  return svg("svg", { viewBox: `0 0 ${size} ${size}`, class: "qr", role: "img", "aria-label": label, "shape-rendering": "crispEdges" },
    svg("path", { d: path }));
}
