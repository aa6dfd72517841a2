// Elements, and nothing that would read markup out of data.
//
// Owns: `h` and `svg`, by which every view is built.
// Rules: values become text and attributes, never markup; a handler is a function, never text. No text of anybody's
// turns the direction of what stands around it, or has control characters.
// Must not know: what a view shows.

/** @typedef {Node | string | number | null | undefined | boolean | any[]} Child */
/** @typedef {Record<string, any>} Props */

const PROPERTIES = new Set(["value", "checked", "disabled", "srcObject", "muted", "playsInline"]);

/**
 * An element. Of `props`, functions are handlers (`onclick`), `true` is an attribute without value, and `false`, null
 * and undefined are left out.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Props | null} [props] @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same of SVG. @param {string} tag @param {Props | null} [props] @param {...Child} children */
export function svg(tag, props, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);
}

/** @template {Element} E @param {E} element @param {Props | null | undefined} props @param {Child[]} children */
function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) Object.assign(element, { [name]: value });
    else element.setAttribute(name, value === true ? "" : plain(value));
  }
  append(element, children);
  return element;
}

/** @param {Element} element @param {Child[]} children */
function append(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(element, child);
    else if (child instanceof Node) element.append(child);
    else if (child !== null && child !== undefined && child !== false) element.append(plain(child));
  }
}

/** @param {any} value */
const plain = (value) => String(value).replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
