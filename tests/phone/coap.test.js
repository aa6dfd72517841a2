/** CoAP messages: RFC 7252 section 3, byte for byte. */

import assert from "node:assert/strict";
import test from "node:test";

import { hex } from "../../phone/protocol/bytes.js";
import * as coap from "../../phone/protocol/coap.js";
import { LocalError, Malformed } from "../../phone/protocol/errors.js";
import { hexExample } from "./spec.js";
import { ascii, bytes, filled, refuses } from "./support.js";

const { Message, decodeBody, encodeBody } = coap;
const x = (count) => filled(count, 0x78);

const BODIES = [
  ["nothing at all", [], "", ""],
  ["a payload alone", [], "p", "ff70"],
  ["two options", [[11, ascii("r")], [11, ascii("open")]], "", "b172046f70656e"],
  ["delta 12, the largest without extension", [[12, ascii("<")]], "", "c13c"],
  ["delta 13, the smallest extended", [[13, filled(0)]], "", "d000"],
  ["delta 268, the largest in one byte", [[268, filled(0)]], "", "d0ff"],
  ["delta 269, the smallest in two bytes", [[269, filled(0)]], "", "e00000"],
  ["option 65535", [[65535, filled(0)]], "", "e0fef2"],
  ["length 12", [[1, x(12)]], "", "1c" + "78".repeat(12)],
  ["length 13", [[1, x(13)]], "", "1d00" + "78".repeat(13)],
  ["length 268", [[1, x(268)]], "", "1dff" + "78".repeat(268)],
  ["length 269", [[1, x(269)]], "", "1e0000" + "78".repeat(269)],
  ["both extended", [[292, x(20)]], "p", "ed001707" + "78".repeat(20) + "ff70"],
  ["0xFF inside a value", [[4, bytes("ff")]], "p", "41ffff70"],
];

test("bodies byte for byte", () => {
  for (const [what, options, payload, expected] of BODIES) {
    assert.equal(hex(encodeBody(options, ascii(payload))), expected, what);
    assert.deepEqual(decodeBody(bytes(expected)), { options, payload: ascii(payload) }, what);
  }
});

test("every truncation is refused, or is a shorter body", () => {
  const whole = bytes("b172046f70656eed001707" + "79".repeat(20) + "ff70");
  for (let end = 0; end < whole.length; end++) {
    const part = whole.subarray(0, end);
    if ([0, 2, 7, 31].includes(end)) {
      const { options, payload } = decodeBody(part);
      assert.deepEqual(encodeBody(options, payload), part.slice());
    } else {
      refuses(Malformed, part.at(-1) === 0xff ? "coap-empty-payload" : "coap-truncated", () => decodeBody(part));
    }
  }
});

test("hostile bodies", () => {
  for (const [reason, data] of [
    ["coap-option-reserved", "f0"],
    ["coap-option-reserved", "0f"],
    ["coap-option-reserved", "1ff1"],
    ["coap-empty-payload", "ff"],
    ["coap-empty-payload", "b172ff"],
    ["coap-option-number", "e0fef310"],
    ["coap-option-number", "e0fef210"],
    ["coap-option-number", "e0ffff"],
    ["coap-truncated", "d0"],
    ["coap-truncated", "e000"],
    ["coap-truncated", "1e00"],
    ["coap-truncated", "1effff"],
    ["coap-truncated", "12aa"],
  ]) {
    refuses(Malformed, reason, () => decodeBody(bytes(data)));
  }
});

test("what cannot be encoded", () => {
  refuses(LocalError, "coap-option-order", () => encodeBody([[11, filled(1)], [3, filled(1)]], filled(0)));
  refuses(LocalError, "coap-option-order", () => encodeBody([[65536, filled(0)]], filled(0)));
  refuses(LocalError, "coap-option-length", () => encodeBody([[1, filled(65536)]], filled(0)));
  for (const number of [-1, 2 ** 32, 0.5, NaN]) refuses(LocalError, "coap-uint", () => coap.encodeUint(number));
});

test("unsigned integers", () => {
  const edges = [[0, ""], [1, "01"], [255, "ff"], [256, "0100"], [65536, "010000"], [2 ** 32 - 1, "ffffffff"]];
  for (const [number, digits] of edges) {
    assert.equal(hex(coap.encodeUint(number)), digits);
    assert.equal(coap.decodeUint(bytes(digits)), number);
  }
  assert.equal(coap.decodeUint(bytes("00003c")), 60); // leading zeros: RFC 7252 section 3.2
});

test("a message keeps its options in order, however they are added", () => {
  const message = new Message(coap.GET);
  for (const [number, value] of [[15, "a=1"], [11, "r"], [23, 60], [11, "open"], [6, 0], [15, ascii("b=2")]]) {
    message.addOption(number, value);
  }
  assert.deepEqual(message.options.map(([number]) => number), [6, 11, 11, 15, 15, 23]);
  assert.deepEqual([message.path, message.all(15)], [["r", "open"], [ascii("a=1"), ascii("b=2")]]);
  assert.deepEqual([message.uint(coap.OBSERVE), message.uint(coap.BLOCK2)], [0, 60]);
  assert.deepEqual([message.option(coap.ETAG), message.uint(coap.ETAG), message.all(coap.ETAG)], [null, null, []]);
  assert.deepEqual(message.option(coap.URI_PATH), ascii("r"));
});

test("setOption replaces and removes, and a copy stays apart", () => {
  const message = coap.request(coap.POST, "/r/open", ascii("payload"), coap.CONTENT_CBOR);
  message.token = ascii("t");
  const twin = message.withOption(coap.URI_PATH, "id");
  assert.deepEqual([twin.path, twin.code, twin.token, twin.payload], [["id"], coap.POST, ascii("t"), ascii("payload")]);
  twin.setOption(coap.CONTENT_FORMAT, null);
  assert.equal(twin.option(coap.CONTENT_FORMAT), null);
  assert.deepEqual([message.path, message.uint(coap.CONTENT_FORMAT)], [["r", "open"], 60]);
});

test("requests and responses are built from paths", () => {
  assert.deepEqual(coap.request(coap.GET, "/.well-known/core").path, [".well-known", "core"]);
  assert.deepEqual(coap.request(coap.GET, ["r", "a/b"]).path, ["r", "a/b"]);
  assert.deepEqual(coap.request(coap.GET, "/").options, []);
  const asked = coap.request(coap.GET, "/r", undefined, null, [[coap.OBSERVE, 0]]);
  assert.ok(asked.isRequest);
  assert.deepEqual(asked.options, [[6, filled(0)], [11, ascii("r")]]);
  const answer = coap.response(coap.CONTENT, ascii("x"), 40);
  assert.ok(!answer.isRequest && !new Message(coap.EMPTY).isRequest);
  assert.deepEqual([answer.options, answer.payload, answer.token], [[[12, bytes("28")]], ascii("x"), filled(0)]);
});

test("a path that is not text is malformed", () => {
  refuses(Malformed, "coap-utf8", () => new Message(coap.GET, undefined, [[coap.URI_PATH, bytes("ff")]]).path);
});

test("codes have classes", () => {
  assert.equal(coap.codeText(coap.CONTENT), "2.05");
  assert.equal(coap.codeText(0xa4), "5.04");
  for (const code of [0x00, 0x01, 0x1f, 0x45, 0x80, 0xbf]) coap.checkCode(code);
  for (const code of [0x20, 0x3f, 0xc0, 0xe1, 0xff]) refuses(Malformed, "coap-code", () => coap.checkCode(code));
});

test("the body of docs/SPEC.md's datagram", () => {
  const { options, payload } = decodeBody(hexExample("datagram").subarray(4));
  assert.deepEqual([options, payload], [coap.request(coap.GET, "/id").options, filled(0)]);
});
