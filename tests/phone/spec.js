/** The examples of docs/SPEC.md: what its blocks ```hex NAME and ```edn NAME hold. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { bytes } from "./support.js";

export const PAGE = readFileSync(new URL("../../docs/SPEC.md", import.meta.url), "utf8");
const BLOCKS = new Map(
  [...PAGE.matchAll(/^```(hex|edn|text) ([\w-]+)\n(.*?)^```$/gms)].map(([, kind, name, content]) => [
    `${kind} ${name}`,
    content,
  ]),
);

/** The text of a block: `example("edn", "denial")`. */
export function example(kind, name) {
  const found = BLOCKS.get(`${kind} ${name}`);
  assert.ok(found !== undefined, `docs/SPEC.md has no block ${kind} ${name}`);
  return found.trim();
}

/** The bytes of a hexadecimal block. */
export const hexExample = (name) => bytes(example("hex", name));
