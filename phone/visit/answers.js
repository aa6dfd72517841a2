/**
 * What a kiosk answers on each visit: docs/SPEC.md sections 17.5 and 17.6. Bytes in, values out; what does not fit is
 * Malformed.
 *
 * Must not know: sessions, and what is done with the answers.
 *
 * @typedef {{type: string, minimum?: number, maximum?: number, maxLength?: number, enum?: string[],
 *   default?: any}} Schema
 * @typedef {{description: string, properties: Map<string, Schema>, required: string[],
 *   outputs: Map<string, {value: any, atPowerLoss: string}>}} Routine   outputs: of one routine asked by name only
 * @typedef {{state: "done" | "failed" | "interrupted", result: any, id: Uint8Array}} Outcome
 */

import { decode, expect } from "../protocol/cbor.js";
import { Malformed } from "../protocol/errors.js";

const BOUNDS = ["minimum", "maximum", "maxLength"];
/** @type {Outcome["state"][]} */
const STATES = ["done", "failed", "interrupted"];

/** @param {Uint8Array} data */
export function loginIn(data) {
  const body = mapIn(data, "login-body");
  return { seconds: expect(body.get(1), "uint", "login-body"), subject: expect(body.get(2), "text", "login-body") };
}

/** @param {Uint8Array} data @returns {Map<string, Routine>} */
export function routinesIn(data) {
  const found = [...mapIn(data, "routine-signature")];
  return new Map(found.map(([name, value]) => [expect(name, "text", "routine-signature"), routineOf(value)]));
}

/** @param {Uint8Array} data */
export function routineIn(data) {
  return routineOf(decode(data));
}

/** @param {Uint8Array} data @param {Uint8Array} id @returns {Outcome} */
export function outcomeIn(data, id) {
  const body = mapIn(data, "routine-outcome");
  const state = STATES[expect(body.get(1), "uint", "routine-outcome") - 1];
  if (!state) throw new Malformed("routine-outcome");
  return { state, result: body.get(2) ?? null, id };
}

/** @param {any} value @returns {Routine} */
function routineOf(value) {
  const reason = "routine-signature";
  const fields = expect(value, "map", reason);
  const required = expect(fields.get("required"), "array", reason).map((each) => expect(each, "text", reason));
  const properties = [...expect(fields.get("properties"), "map", reason)].map(([name, schema]) =>
    /** @type {[string, Schema]} */ ([expect(name, "text", reason), schemaOf(schema)]),
  );
  const outputs = [...expect(fields.get("outputs") ?? new Map(), "map", reason)].map(([name, output]) => {
    const told = expect(output, "map", reason);
    const atPowerLoss = expect(told.get("at_power_loss"), "text", reason);
    return /** @type {[string, any]} */ ([expect(name, "text", reason), { value: told.get("value"), atPowerLoss }]);
  });
  const description = expect(fields.get("description"), "text", reason);
  return { description, properties: new Map(properties), required, outputs: new Map(outputs) };
}

/** @param {any} value @returns {Schema} */
function schemaOf(value) {
  const reason = "routine-signature";
  const fields = expect(value, "map", reason);
  /** @type {any} */
  const schema = { type: expect(fields.get("type"), "text", reason) };
  for (const bound of BOUNDS) if (fields.has(bound)) schema[bound] = expect(fields.get(bound), "int", reason);
  const choices = fields.get("enum");
  if (choices) schema.enum = expect(choices, "array", reason).map((each) => expect(each, "text", reason));
  if (fields.has("default")) schema.default = fields.get("default");
  return schema;
}

/** @param {Uint8Array} data @param {string} reason */
function mapIn(data, reason) {
  return expect(decode(data), "map", reason);
}
