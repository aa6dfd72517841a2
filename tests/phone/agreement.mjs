/**
 * `node agreement.mjs KIND FILE`: repeats in JavaScript what test_agreement.py did, and says where it comes out
 * otherwise.
 */

import { readFileSync } from "node:fs";

import { hex, unhex, utf8 } from "../../phone/protocol/bytes.js";
import * as block from "../../phone/protocol/block.js";
import * as cbor from "../../phone/protocol/cbor.js";
import * as coap from "../../phone/protocol/coap.js";
import * as coapWs from "../../phone/protocol/coap_ws.js";
import { AdmitError } from "../../phone/protocol/errors.js";
import * as gatt from "../../phone/protocol/gatt.js";
import * as oscore from "../../phone/protocol/oscore.js";
import * as problem from "../../phone/protocol/problem.js";

const SECRET = Uint8Array.from({ length: 16 }, (_, i) => i);

// The same texts as in test_agreement.py

function shown(value) {
  if (Array.isArray(value)) return `[${value.map(shown).join(",")}]`;
  if (value instanceof Map) return `{${[...value].map(([key, item]) => `${shown(key)}:${shown(item)}`).join(",")}}`;
  if (value instanceof cbor.Tag) return `${value.number}(${shown(value.value)})`;
  if (typeof value === "string") return `"${hex(utf8(value))}"`;
  return value instanceof Uint8Array ? `h${hex(value)}` : String(value);
}

const byte = (number) => number.toString(16).padStart(2, "0");
const shownOptions = (options) => options.map(([number, value]) => `${number}=${hex(value)}`).join(" ");
const shownMessage = ({ code, token, options, payload }) =>
  `${byte(code)} ${hex(token)} [${shownOptions(options)}] ${hex(payload)}`;

function verdict(error) {
  if (!(error instanceof AdmitError)) throw error;
  return `!${error.kind} ${error.reason}`;
}

const READERS = {
  cbor: (data) => shown(cbor.decode(data)),
  sequence: (data) => shown(cbor.decodeSequence(data)),
  body(data) {
    const { options, payload } = coap.decodeBody(data);
    return `[${shownOptions(options)}] ${hex(payload)}`;
  },
  gatt(data) {
    const { bits, message } = gatt.decodeValue(data);
    return `${byte(bits)} ${shownMessage(message)}`;
  },
  websocket: (data) => shownMessage(coapWs.decodeMessage(data)),
  option(data) {
    const { partialIv, kid, kidContext } = oscore.parseOption(data);
    return shown([partialIv, kid, kidContext]);
  },
  block(data) {
    const { number, more, szx } = block.parse(data);
    return `${number} ${more} ${szx}`;
  },
  problem: (data) => shown(new Map([...problem.decode(data)].sort(([one], [other]) => one - other))),
};

let compared = 0;
let different = 0;

function compare(what, ours, theirs) {
  if (ours === theirs) return;
  different += 1;
  if (different <= 5) console.log(`${JSON.stringify(what)}\n  JavaScript: ${ours}\n  Python:     ${theirs}`);
}

function read(kind, { input, verdict: theirs }) {
  let ours;
  try {
    ours = READERS[kind](unhex(input));
  } catch (error) {
    ours = verdict(error);
  }
  compare(input, ours, theirs);
}

function gattLayer(events) {
  const layer = new gatt.GattLayer();
  for (const event of events) compare(event, gattEvent(layer, event), event.said);
}

function gattEvent(layer, { what, now, data: digits }) {
  const data = unhex(digits);
  let said = "";
  if (what === "send") {
    const message = coap.request(coap.GET, "/r");
    message.token = data.slice(0, 2);
    layer.send(message, now);
  } else if (what === "receive") {
    said = layer.receive(data, now).map(shownMessage).join(";");
  } else if (what === "outgoing") {
    const value = layer.outgoing(now);
    said = value ? hex(value) : "nothing";
  } else if (what === "failed") {
    said = layer.failed().map(hex).join(",");
  }
  return `${said} ${layer.deadline()} ${layer.garbage}`;
}

function webSocketLayer(events) {
  const layer = new coapWs.WebSocketLayer("lobby-1");
  for (const event of events) {
    let ours;
    try {
      ours = webSocketEvent(layer, event);
    } catch (error) {
      ours = verdict(error);
    }
    compare(event, ours, event.said);
  }
}

function webSocketEvent(layer, { what, data: digits }) {
  const data = unhex(digits);
  let said = "";
  if (what === "send") {
    layer.send(coap.request(coap.GET, "/r", new Uint8Array(data.length * 40)), 0);
  } else if (what === "receive") {
    said = layer.receive(data, 0).map(shownMessage).join(";");
  } else {
    const value = layer.outgoing(0);
    const shortened = value?.[1] === 0xe5 ? value.slice(0, 2) : value; // an Abort's words are each side's own
    said = shortened ? hex(shortened) : "nothing";
  }
  return `${said} ${layer.deadline()} ${layer.released}`;
}

function transfer({ code, body, size, limit, steps }) {
  const request = coap.request(code, "/x", unhex(body), null, [[coap.OBSERVE, 0]]);
  const running = new block.Transfer(request, size, limit);
  compare(steps[0], shownMessage(running.next()), steps[0].said);
  for (const step of steps.slice(1)) {
    const { options, payload } = coap.decodeBody(unhex(step.answer[1]));
    let ours;
    try {
      running.answer(new coap.Message(step.answer[0], undefined, options, payload));
      ours = shownMessage(running.next() ?? running.response);
    } catch (error) {
      ours = verdict(error);
    }
    compare(step, ours, step.said);
  }
}

function unwire(line) {
  const [code, token, body] = line.split(" ");
  const { options, payload } = coap.decodeBody(unhex(body));
  return new coap.Message(parseInt(code, 16), unhex(token), options, payload);
}

async function oscoreCase({ sequence, context, request, outer: theirs, responses }) {
  const idContext = context === null ? null : unhex(context);
  const ids = [unhex("17"), unhex("2a")];
  const client = await oscore.ClientContext.create(SECRET, utf8("salt"), ...ids, idContext);
  client.sequence = sequence;
  const { outer, ref } = await client.protectRequest(unwire(request));
  compare(request, shownMessage(outer), theirs);
  for (const { outer: line, said } of responses) {
    const ours = client.unprotectResponse(unwire(line), ref).then(shownMessage, verdict);
    compare(line, await ours, said);
  }
}

const [kind, path] = process.argv.slice(2);
const objects = { "gatt-layer": gattLayer, "websocket-layer": webSocketLayer, transfer, oscore: oscoreCase };
for (const one of JSON.parse(readFileSync(path, "utf8"))) {
  await (objects[kind] ?? read.bind(null, kind))(one);
  compared += 1;
}
console.log(different ? `${different} differ` : `${compared} agreed`);
process.exitCode = different ? 1 : 0;
