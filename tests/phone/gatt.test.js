/** The message layer over GATT, as a client: draft-ietf-core-coap-over-gatt-00 section 3.2, minimal use (3.2.2). */

import assert from "node:assert/strict";
import test from "node:test";

import { concat, hex } from "../../phone/protocol/bytes.js";
import { CONTENT, GET, Message, OBSERVE, encodeBody, request } from "../../phone/protocol/coap.js";
import { LocalError, Malformed, Unsupported } from "../../phone/protocol/errors.js";
import { GattLayer, decodeValue } from "../../phone/protocol/gatt.js";
import { example, hexExample } from "./spec.js";
import { ascii, bytes, filled, refuses } from "./support.js";

function asking(token) {
  const message = request(GET, "/r");
  message.token = ascii(token);
  return message;
}

const tokens = (messages) => messages.map((message) => message.token);
const out = (layer, nowMs = 0) => {
  const value = layer.outgoing(nowMs);
  return value && hex(value);
};

test("the first value of docs/SPEC.md", () => {
  const layer = new GattLayer();
  layer.send(request(GET, "/id"), 0);
  assert.equal(out(layer), hex(hexExample("gatt-value")));
  assert.match(example("text", "board-json"), /esp32/); // other kinds of blocks are found too
});

test("a request and a piggybacked response, byte for byte", () => {
  const layer = new GattLayer();
  layer.send(asking("\x01"), 0);
  assert.equal(out(layer), "210101b172"); // M=0 C=1 A=0 TKL=1, GET, token, Uri-Path r
  assert.equal(out(layer), null);
  const [answered] = layer.receive(bytes("214501ff6f6b"), 0); // M=0 C=1 A=0
  assert.deepEqual([answered.code, answered.token, answered.payload], [CONTENT, bytes("01"), ascii("ok")]);
  assert.equal(layer.deadline(), 0); // acknowledge at once
  assert.equal(out(layer), "00"); // empty: M=0 C=0 A=0
  assert.equal(layer.deadline(), null);
  layer.send(asking("\x02"), 0);
  assert.equal(out(layer), "610102b172"); // M=1
  layer.receive(bytes("714502"), 0); // M=1 C=1 A=1
  layer.send(asking("\x03"), 0);
  assert.equal(out(layer), "310103b172"); // M=0, and the acknowledgement rides along
});

test("a slow response comes after an acknowledgement of its own", () => {
  const layer = new GattLayer();
  layer.send(asking("t"), 0);
  layer.outgoing(0);
  assert.deepEqual(layer.receive(bytes("40"), 1), []); // empty: M=1, the id before any message
  assert.equal(layer.deadline(), null);
  assert.deepEqual(tokens(layer.receive(bytes("214574"), 2)), [ascii("t")]);
});

test("the draft's example as a client sees it", () => {
  // Section 3.2.8, the server's side as written there; our requests begin with M=0, its acknowledgements follow.
  const layer = new GattLayer();
  layer.send(new Message(GET, bytes("01"), [[OBSERVE, 0], [11, "temp"]]), 0);
  layer.send(new Message(GET, bytes("02"), [[11, "model"]]), 0);
  assert.equal(out(layer).slice(0, 2), "21");
  const [first] = layer.receive(bytes("4145016101ff3232c2b043"), 1); // unreliable: M=1 C=0 A=0
  assert.equal(first.uint(OBSERVE), 1);
  assert.equal(out(layer, 1).slice(0, 2), "61"); // acknowledged, and no acknowledgement owed: the next request goes
  const [model] = layer.receive(bytes("714502ff4578616d706c655363616e"), 2);
  assert.deepEqual(model.payload, ascii("ExampleScan"));
  assert.equal(out(layer, 2), "50");
  assert.equal(layer.receive(bytes("1145016103ff3230c2b043"), 3).length, 1);
  assert.equal(out(layer, 3), null);
  const [last] = layer.receive(bytes("3145016104ff3230c2b043"), 4);
  assert.equal(last.uint(OBSERVE), 4);
  assert.equal(out(layer, 4), "40");
  assert.deepEqual([layer.deadline(), layer.failed()], [null, []]);
});

test("either first id of a peer is accepted, and a duplicate is ignored up to its token", () => {
  for (const [first, acknowledged] of [["214574", "40"], ["614574", "50"]]) {
    const layer = new GattLayer();
    assert.equal(layer.receive(bytes(first), 0).length, 1);
    assert.equal(out(layer), acknowledged);
    assert.deepEqual(layer.receive(bytes(first), 1), []);
    assert.deepEqual(layer.receive(bytes(first + "b17a"), 2), []); // the same up to the token
    assert.equal(out(layer, 2), null); // and no second acknowledgement
  }
});

const HOSTILE = [
  ["", "gatt-truncated"],
  ["80", "gatt-reserved-bit"],
  ["a10174", "gatt-reserved-bit"],
  ["2901" + "00".repeat(9), "gatt-token-length"],
  ["2f", "gatt-token-length"],
  ["01", "gatt-empty"], // an empty message with a token length
  ["2000", "gatt-empty"], // the code of an empty message is not sent
  ["2000ff", "gatt-empty"],
  ["220174", "gatt-truncated"],
  ["2021", "coap-code"],
  ["20e1", "coap-code"],
  ["2001ff", "coap-empty-payload"],
  ["2001b572", "coap-truncated"],
  ["2001f0", "coap-option-reserved"],
];

test("hostile values are ignored whole", () => {
  for (const [digits, reason] of HOSTILE) {
    refuses(Malformed, reason, () => decodeValue(bytes(digits)));
    const layer = new GattLayer();
    assert.deepEqual(layer.receive(bytes(digits), 0), []);
    assert.equal(layer.garbage, 1);
    assert.equal(out(layer), null); // not even acknowledged
    layer.send(asking("t"), 0);
    layer.outgoing(0);
    layer.receive(bytes(digits), 0);
    assert.equal(layer.deadline(), 5000); // and no acknowledgement of anything
  }
});

test("every truncation of a value is ignored, or another whole value", () => {
  const value = (bits, { code, token, options, payload }) =>
    concat([bits | token.length, code], token, encodeBody(options, payload));
  const whole = value(0x20, new Message(GET, ascii("tok"), [[11, "r"], [292, filled(20)]], ascii("payload")));
  let kept = 0;
  for (let end = 0; end < whole.length; end++) {
    const part = whole.slice(0, end);
    const layer = new GattLayer();
    layer.receive(part, 0);
    if (layer.garbage || end === 1) continue;
    const { bits, message } = decodeValue(part);
    assert.deepEqual(value(bits, message), part);
    kept += 1;
  }
  assert.ok(kept > 3);
});

test("values fit the link", () => {
  for (const [set, fits] of [[125, 125], [182, 182], [512, 512], [597, 512]]) {
    const layer = new GattLayer();
    assert.equal(layer.maxPayload, 512);
    layer.maxPayload = set;
    assert.equal(layer.maxPayload, fits);
    refuses(LocalError, "gatt-too-long", () => layer.send(new Message(GET, undefined, [], filled(fits - 2)), 0));
    layer.send(new Message(GET, undefined, [], filled(fits - 3)), 0);
    assert.equal(layer.outgoing(0).length, fits);
  }
  for (const small of [20, 124, NaN]) {
    refuses(Unsupported, "gatt-mtu", () => new GattLayer(small));
    refuses(Unsupported, "gatt-mtu", () => (new GattLayer().maxPayload = small));
  }
});

test("no acknowledgement within five seconds fails the token", () => {
  const layer = new GattLayer();
  layer.send(asking("1"), 1000);
  layer.send(asking("2"), 1000);
  assert.equal(out(layer, 1000).slice(0, 2), "21");
  assert.equal(layer.deadline(), 6000);
  assert.equal(out(layer, 5999), null);
  assert.deepEqual(layer.failed(), []);
  assert.equal(out(layer, 6000).slice(0, 2), "61"); // the next one goes, with the other id
  assert.deepEqual([layer.failed(), layer.failed()], [[ascii("1")], []]);
  layer.receive(bytes("00"), 7000); // an acknowledgement of the first one, late: it does not count for the second
  assert.equal(out(layer, 11000), null);
  assert.deepEqual(layer.failed(), [ascii("2")]);
});

test("what waits is bounded, and a forgotten request is not sent", () => {
  const layer = new GattLayer();
  for (let i = 0; i < 3 + 8; i++) layer.send(asking(String.fromCharCode(65 + i)), 0);
  assert.deepEqual(layer.failed(), [ascii("A"), ascii("B"), ascii("C")]);
  for (let i = 3; i < 3 + 8; i++) layer.forget(ascii(String.fromCharCode(65 + i)));
  assert.deepEqual([out(layer), layer.deadline()], [null, null]);
});

test("a peer that crosses our first message, or cancels with an empty one, is acknowledged", () => {
  const layer = new GattLayer();
  layer.send(asking("c"), 0);
  assert.equal(out(layer).slice(0, 2), "21");
  assert.equal(layer.receive(bytes("214573"), 1).length, 1);
  assert.equal(out(layer, 1), "00");
  assert.deepEqual(layer.receive(bytes("60"), 2), []);
  assert.equal(out(layer, 2), "10");
});
