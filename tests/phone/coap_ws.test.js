/** CoAP over WebSockets, as a client: RFC 8323 sections 4 and 5. */

import assert from "node:assert/strict";
import test from "node:test";

import { EMPTY, hex, text } from "../../phone/protocol/bytes.js";
import { CONTENT, GET, Message, URI_HOST, decodeBody, request, response } from "../../phone/protocol/coap.js";
import { WebSocketLayer, decodeMessage, encodeMessage } from "../../phone/protocol/coap_ws.js";
import { Malformed, TimedOut, TooLarge, Unsupported } from "../../phone/protocol/errors.js";
import { ascii, bytes, filled, refuses } from "./support.js";

const CSM = bytes("00e1");

/** A layer that has sent its CSM and got one. */
function greeted(host = null, csm = CSM) {
  const layer = new WebSocketLayer(host);
  layer.outgoing(0);
  layer.receive(csm, 0);
  return layer;
}

test("the first message is a CSM with Max-Message-Size, and does not wait for the other side's", () => {
  const layer = new WebSocketLayer("lobby-1");
  assert.deepEqual([layer.deadline(), layer.maxPayload, layer.released], [0, 200, false]);
  layer.send(request(GET, "/id"), 0);
  assert.equal(hex(layer.outgoing(0)), "00e1221100");
  const asked = decodeMessage(layer.outgoing(0));
  assert.deepEqual([asked.path, text(asked.option(URI_HOST))], [["id"], "lobby-1"]);
  assert.deepEqual([layer.outgoing(0), layer.deadline(), layer.failed()], [null, null, []]);
});

test("a request and its response, byte for byte", () => {
  const layer = greeted();
  const asked = request(GET, "/id");
  asked.token = bytes("7e");
  layer.send(asked, 0);
  assert.equal(hex(layer.outgoing(0)), "01017eb26964"); // Len=0 TKL=1, GET, token, Uri-Path id
  const [answered] = layer.receive(bytes("01457eff6f6b"), 0);
  assert.deepEqual([answered.code, answered.token, answered.payload], [CONTENT, bytes("7e"), ascii("ok")]);
  assert.equal(layer.outgoing(0), null); // nothing is acknowledged
});

test("a Uri-Host that is there stays, and responses get none", () => {
  const layer = greeted("lobby-1");
  layer.send(request(GET, "/id", EMPTY, null, [[URI_HOST, "other"]]), 0);
  assert.equal(text(decodeMessage(layer.outgoing(0)).option(URI_HOST)), "other");
  layer.send(response(CONTENT), 0);
  assert.equal(decodeMessage(layer.outgoing(0)).option(URI_HOST), null);
});

test("a ping is answered by a pong with its token; pongs, elective options and Empty messages are taken", () => {
  const layer = greeted();
  assert.deepEqual(layer.receive(bytes("02e2abcd20"), 0), []); // Ping with Custody
  assert.equal(hex(layer.outgoing(0)), "02e3abcd");
  for (const quiet of ["00e3", "0000", "00e1e0feef", "00e1"]) assert.deepEqual(layer.receive(bytes(quiet), 0), []);
  assert.equal(layer.outgoing(0), null);
});

test("Release says that no more requests are wanted", () => {
  const layer = greeted();
  layer.receive(bytes("00e4"), 0);
  assert.equal(layer.released, true);
});

test("Abort ends the connection, with words that are fit to be shown", () => {
  const layer = greeted();
  const abort = encodeMessage(new Message(0xe5, EMPTY, [], ascii("no\x1b[2J\nmore kiosks")));
  const error = refuses(TimedOut, "ws-aborted", () => layer.receive(abort, 0));
  assert.equal(error.detail, "no\ufffd[2J\ufffdmore kiosks");
  assert.equal(layer.outgoing(0), null); // an Abort is not answered
});

test("what breaks the format is answered by an Abort, in place of whatever waits", () => {
  for (const [digits, kind, reason] of [
    ["", Malformed, "coap-truncated"],
    ["00", Malformed, "coap-truncated"],
    ["0245aa", Malformed, "coap-truncated"],
    ["1045", Malformed, "ws-length"],
    ["d0450100", Malformed, "ws-length"],
    ["0945" + "00".repeat(9), Malformed, "coap-token-length"],
    ["0021", Malformed, "coap-code"],
    ["00c0", Malformed, "coap-code"],
    ["0045ff", Malformed, "coap-empty-payload"],
    ["0045b5", Malformed, "coap-truncated"],
    ["00e6", Malformed, "ws-signal"],
    ["00e0", Malformed, "ws-signal"],
    ["00e210", Unsupported, "ws-option"],
    ["00e110", Unsupported, "ws-option"],
    ["00e12120", Unsupported, "ws-option"], // a Max-Message-Size of 32
    ["00e12500000000ff", Unsupported, "ws-option"],
  ]) {
    const layer = greeted();
    layer.send(request(GET, "/id"), 0);
    refuses(kind, reason, () => layer.receive(bytes(digits), 0));
    const abort = decodeMessage(layer.outgoing(0));
    assert.equal(abort.code, 0xe5, digits);
    assert.match(text(abort.payload), new RegExp(`^${reason}`));
    assert.equal(layer.outgoing(0), null);
  }
});

test("an Abort for a CSM's option names it", () => {
  const layer = greeted();
  refuses(Unsupported, "ws-option", () => layer.receive(bytes("00e190"), 0));
  assert.deepEqual(decodeMessage(layer.outgoing(0)).options, [[2, bytes("09")]]);
});

test("text, a first message that is no CSM, and what is too long are refused", () => {
  refuses(Malformed, "ws-text", () => greeted().receive("hello", 0));
  for (const first of ["01457e", "00e2", "00e5"]) {
    refuses(Malformed, "ws-no-csm", () => new WebSocketLayer().receive(bytes(first), 0));
  }
  const whole = encodeMessage(response(CONTENT, filled(4352 - 3)));
  assert.equal(greeted().receive(whole, 0)[0].payload.length, 4349);
  const longer = encodeMessage(response(CONTENT, filled(4352 - 2)));
  refuses(TooLarge, "ws-too-large", () => greeted().receive(longer, 0));
});

test("a peer gets no more than it says that it takes", () => {
  for (const [csm, takes] of [["00e1", 1152], ["00e1228000", 32768], ["00e12180", 128]]) {
    const layer = greeted(null, bytes(csm));
    layer.send(response(CONTENT, filled(takes - 3)), 0);
    assert.equal(layer.outgoing(0).length, takes);
    refuses(TooLarge, "ws-too-large", () => layer.send(response(CONTENT, filled(takes - 2)), 0));
  }
});

test("messages come back as they were", () => {
  const message = new Message(GET, ascii("12345678"), [[11, "r"], [292, filled(20)]], ascii("payload"));
  const again = decodeMessage(encodeMessage(message));
  assert.deepEqual({ ...again }, { ...message });
  assert.deepEqual(decodeBody(encodeMessage(message).subarray(10)).options, message.options);
});
