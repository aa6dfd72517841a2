/** OSCORE as a client: the vectors of RFC 8613 appendix C, what is seen, what is refused. */

import assert from "node:assert/strict";
import test from "node:test";

import { EMPTY, concat, equal, fromUint, hex } from "../../phone/protocol/bytes.js";
import * as cbor from "../../phone/protocol/cbor.js";
import * as ccm from "../../phone/protocol/ccm.js";
import * as coap from "../../phone/protocol/coap.js";
import * as errors from "../../phone/protocol/errors.js";
import { hkdfExpand, hkdfExtract } from "../../phone/protocol/kdf.js";
import { ClientContext, combine, parseOption } from "../../phone/protocol/oscore.js";
import { ascii, bytes, filled, refuses, vectors } from "./support.js";

const { LocalError, Malformed, Replayed, Unauthenticated, Unsupported, Unverified } = errors;
const { Message, OBSERVE, OSCORE } = coap;
const SECRET = Uint8Array.from({ length: 16 }, (_, i) => i);
const SALT = ascii("salt");
const [CLIENT, SERVER] = [bytes("17"), bytes("2a")];
const HIDDEN = [1, 4, 5, 8, 11, 12, 14, 15, 17, 20, 23, 27, 28, 60, 252, 258, 292, 2048, 65001];

// Appendix C

const VECTORS = new Map(vectors("rfc8613_oscore.json").vectors.map((vector) => [vector.section, vector]));

function vector(section) {
  const fields = Object.entries(VECTORS.get(section)).filter(([name]) => !["section", "title"].includes(name));
  return Object.fromEntries(fields.map(([name, value]) => [name, bytes(value)]));
}

async function vectorContext(section) {
  const v = vector(section);
  const salt = v.master_salt ?? EMPTY;
  return ClientContext.create(v.master_secret, salt, v.sender_id, v.recipient_id, v.id_context ?? null);
}

/** A message of a CoAP over UDP datagram with a four-byte header. */
function fromDatagram(data) {
  const end = 4 + (data[0] & 15);
  const { options, payload } = coap.decodeBody(data.subarray(end));
  return new Message(data[1], data.slice(4, end), options, payload);
}

/** The value of which `parseOption` makes these three. */
function encodeOption(partialIv, kid, kidContext) {
  const flags = (partialIv?.length ?? 0) | (kidContext ? 0x10 : 0) | (kid ? 8 : 0);
  const context = kidContext ? concat([kidContext.length], kidContext) : EMPTY;
  return flags ? concat([flags], partialIv ?? EMPTY, context, kid ?? EMPTY) : EMPTY;
}

const parts = ({ code, token, options, payload }) => ({ code, token, options, payload });

test("requests of appendix C.4 to C.6, with the keys of C.1 to C.3", async () => {
  for (const [section, keys] of [["C.4", "C.1.1"], ["C.5", "C.2.1"], ["C.6", "C.3.1"]]) {
    const v = vector(section);
    const context = await vectorContext(keys);
    context.sequence = 20;
    const { outer, ref } = await context.protectRequest(fromDatagram(v.unprotected));
    assert.equal(hex(ref.aad()), hex(v.aad), section);
    assert.equal(hex(outer.option(OSCORE)), hex(v.option), section);
    assert.equal(hex(outer.payload), hex(v.ciphertext), section);
    assert.deepEqual(parts(outer), parts(fromDatagram(v.protected)), section);
  }
});

test("responses of appendix C.7 and C.8", async () => {
  for (const section of ["C.7", "C.8"]) {
    const v = vector(section);
    const context = await vectorContext("C.1.1");
    context.sequence = 20;
    const { ref } = await context.protectRequest(fromDatagram(vector("C.4").unprotected));
    const inner = await context.unprotectResponse(fromDatagram(v.protected), ref);
    assert.deepEqual(parts(inner), parts(fromDatagram(v.unprotected)), section);
  }
});

test("options of section 6.3", () => {
  for (const [value, partialIv, kid, kidContext] of [
    ["090525", "05", "25", null],
    ["0900", "00", "", null],
    ["19050544616c656b", "05", "", "44616c656b"],
    ["", null, null, null],
    ["0107", "07", null, null],
  ]) {
    const told = [partialIv, kid, kidContext].map((digits) => digits !== null && bytes(digits) || null);
    assert.deepEqual(Object.values(parseOption(bytes(value))), told, value);
    assert.equal(hex(encodeOption(...told)), value);
  }
});

// A device as a peer: written for these tests alone

class Server {
  constructor(context, keys) {
    this.keys = keys;
    this.context = context;
  }

  nonce(id, partialIv) {
    const padded = [filled(7 - id.length), id, filled(5 - partialIv.length), partialIv];
    return concat([id.length], ...padded).map((byte, i) => byte ^ this.keys.iv[i]);
  }

  aad({ kid, partialIv }) {
    return cbor.encode(["Encrypt0", EMPTY, cbor.encode([1, [10], kid, partialIv, EMPTY])]);
  }

  /** The inner request, and what an answer needs. */
  async open(outer) {
    const asked = parseOption(outer.option(OSCORE));
    const nonce = this.nonce(asked.kid, asked.partialIv);
    const plaintext = await ccm.decrypt(this.keys.client, nonce, outer.payload, this.aad(asked));
    const { options, payload } = coap.decodeBody(plaintext.subarray(1));
    return { asked, inner: new Message(plaintext[0], outer.token, options, payload), token: outer.token };
  }

  /** The outer response; on the request's nonce, or with `number` as Partial IV. */
  async answer({ asked, token }, inner, number = null, kid = null) {
    const partialIv = number === null ? null : number === 0 ? bytes("00") : shortest(number);
    const nonce = partialIv ? this.nonce(SERVER, partialIv) : this.nonce(asked.kid, asked.partialIv);
    const plaintext = concat([inner.code], coap.encodeBody(inner.options, inner.payload));
    const sealed = await ccm.encrypt(this.keys.server, nonce, plaintext, this.aad(asked));
    const value = encodeOption(partialIv, kid, null);
    const code = inner.option(OBSERVE) ? coap.CONTENT : coap.CHANGED;
    const outside = inner.option(OBSERVE) ? [[OBSERVE, 1]] : [];
    return new Message(code, token, [...outside, [OSCORE, value]], sealed);
  }
}

const shortest = (number) => {
  const all = fromUint(number, 5);
  return all.slice(all.findIndex((byte) => byte));
};

async function peers(idContext = null) {
  const prk = await hkdfExtract(SALT, SECRET);
  const derive = (id, kind, length) => hkdfExpand(prk, cbor.encode([id, idContext, 10, kind, length]), length);
  const [client, server] = [await derive(CLIENT, "Key", 16), await derive(SERVER, "Key", 16)];
  const keys = { client, server, iv: await derive(EMPTY, "IV", 13) };
  const context = await ClientContext.create(SECRET, SALT, CLIENT, SERVER, idContext);
  return { client: context, server: new Server(context, keys) };
}

function get(path = "/r", options = []) {
  const message = coap.request(coap.GET, path, EMPTY, null, options);
  message.token = bytes("01");
  return message;
}

const content = (payload = "yes", options = []) => coap.response(coap.CONTENT, ascii(payload), null, options);
const notification = (payload = "yes") => content(payload, [[OBSERVE, EMPTY]]);

async function asked(options) {
  const { client, server } = await peers();
  const { outer, ref } = await client.protectRequest(get("/r", options));
  return { client, server, outer, ref, request: await server.open(outer) };
}

test("a request and its response arrive, and show nothing", async () => {
  const { client, server } = await peers();
  const request = coap.request(coap.POST, "/r/open", ascii("arguments"), coap.CONTENT_CBOR);
  request.token = ascii("tk");
  const { outer, ref } = await client.protectRequest(request);
  assert.deepEqual([outer.code, outer.token, outer.options], [coap.POST, ascii("tk"), [[OSCORE, bytes("090017")]]]);
  assert.equal(outer.payload.length, 1 + coap.encodeBody(request.options, request.payload).length + 8);
  const opened = await server.open(outer);
  assert.deepEqual(parts(opened.inner), parts(request));
  const response = coap.response(coap.FORBIDDEN, ascii("reason"), coap.CONTENT_PROBLEM);
  const inner = await client.unprotectResponse(await server.answer(opened, response), ref);
  assert.deepEqual(parts(inner), { ...parts(response), token: ascii("tk") });
});

test("requests at the same time have numbers of their own, and their order is that of the calls", async () => {
  const { client } = await peers();
  const made = await Promise.all(Array.from({ length: 40 }, () => client.protectRequest(get())));
  const numbers = made.map(({ outer }) => coap.decodeUint(parseOption(outer.option(OSCORE)).partialIv));
  assert.deepEqual(numbers, [...Array(40).keys()]);
  assert.equal(new Set(made.map(({ outer }) => hex(outer.payload))).size, 40);
});

test("the same response twice at the same time is taken once", async () => {
  const { client, server, ref, request } = await asked();
  const answer = await server.answer(request, content());
  const taken = await Promise.allSettled([1, 2, 3].map(() => client.unprotectResponse(answer, ref)));
  assert.deepEqual(taken.map(({ status }) => status).sort(), ["fulfilled", "rejected", "rejected"]);
});

test("ids have up to seven bytes", async () => {
  for (const [one, other] of [["", "00"], ["31323334353637", "37363534333231"], ["00", "0000"]]) {
    await ClientContext.create(SECRET, EMPTY, bytes(one), bytes(other));
  }
  for (const [one, other] of [["3132333435363738", ""], ["", "3132333435363738"], ["05", "05"]]) {
    await refuses(LocalError, "oscore-id", () => ClientContext.create(SECRET, EMPTY, bytes(one), bytes(other)));
  }
});

test("one response to one request", async () => {
  const { client, server, ref, request } = await asked();
  const answers = [await server.answer(request, content()), await server.answer(request, content(), 7)];
  await client.unprotectResponse(answers[0], ref);
  for (const again of answers) await refuses(Replayed, "oscore-replayed", () => client.unprotectResponse(again, ref));
});

test("a response to another request is refused", async () => {
  const { client, server, ref, request } = await asked();
  const other = await client.protectRequest(get("/b"));
  for (const number of [null, 1]) {
    const answer = await server.answer(request, content(), number);
    await refuses(Unverified, "ccm-tag", () => client.unprotectResponse(answer, other.ref));
  }
  assert.equal((await client.unprotectResponse(await server.answer(request, content()), ref)).payload.length, 3);
  const { client: stranger } = await peers();
  const answer = await server.answer(request, content());
  await refuses(LocalError, "oscore-ref", () => stranger.unprotectResponse(answer, ref));
});

test("what is reflected, or not protected at all, is no response", async () => {
  const { client, outer, ref } = await asked();
  await refuses(Unauthenticated, "oscore-context", () => client.unprotectResponse(outer, ref));
  await refuses(Unauthenticated, "oscore-unprotected", () => client.unprotectResponse(content(), ref));
});

test("the code inside is one of a response", async () => {
  for (const code of [0x00, 0x01, 0x1f, 0x20, 0x40, 0x41, 0xbf, 0xc0, 0xe1]) {
    const { client, server, ref, request } = await asked();
    const answer = await server.answer(request, new Message(code));
    if (code >= 0x41 && code <= 0xbf) assert.equal((await client.unprotectResponse(answer, ref)).code, code);
    else await refuses(Malformed, "oscore-code", () => client.unprotectResponse(answer, ref));
  }
});

test("every changed byte is noticed, and nothing changes by it", async () => {
  const { client, server, ref, request } = await asked();
  const answer = await server.answer(request, content(), 5);
  for (let i = 0; i < answer.payload.length; i++) {
    const bad = answer.copy();
    bad.payload = answer.payload.map((byte, at) => (at === i ? byte ^ 0x80 : byte));
    await refuses(Unverified, "ccm-tag", () => client.unprotectResponse(bad, ref));
    bad.payload = answer.payload.slice(0, i);
    const [kind, reason] = i < 9 ? [Malformed, "oscore-too-short"] : [Unverified, "ccm-tag"];
    await refuses(kind, reason, () => client.unprotectResponse(bad, ref));
  }
  for (const value of ["", "0106"]) {
    const bad = answer.withOption(OSCORE, bytes(value));
    await refuses(Unverified, "ccm-tag", () => client.unprotectResponse(bad, ref));
  }
  await client.unprotectResponse(answer, ref);
});

test("hostile OSCORE options", async () => {
  const { client, server, ref, request } = await asked();
  const answer = await server.answer(request, content());
  for (const value of [
    "00", // all flags zero must be no byte at all
    "20",
    "490017",
    "8900",
    "e9",
    "0e010203040506", // n = 6 and 7 are reserved
    "0f01020304050607",
    "09", // a Partial IV cut off
    "0b0102",
    "0100ff", // something behind the end
    "11000155aa",
    "1900", // no kid context
    "190005aabb", // a kid context cut off
    "0a0005", // a leading zero
    "0d0000000001",
  ]) {
    const bad = answer.withOption(OSCORE, bytes(value));
    await refuses(Unsupported, "oscore-option", () => client.unprotectResponse(bad, ref));
  }
  const twice = answer.copy();
  twice.addOption(OSCORE, EMPTY);
  await refuses(Unsupported, "oscore-option", () => client.unprotectResponse(twice, ref));
  for (const value of ["0817", "08", "1001aa", "18002a"]) { // another kid; kid contexts that nobody has
    const bad = answer.withOption(OSCORE, bytes(value));
    await refuses(Unauthenticated, "oscore-context", () => client.unprotectResponse(bad, ref));
  }
  await client.unprotectResponse(await server.answer(request, content(), null, SERVER), ref); // its own kid is allowed
});

test("an id context is told, and may be left out of answers", async () => {
  const { client, server } = await peers(ascii("room 5"));
  const { outer, ref } = await client.protectRequest(get());
  assert.deepEqual(parseOption(outer.option(OSCORE)).kidContext, ascii("room 5"));
  const answer = await server.answer(await server.open(outer), content());
  const wrong = answer.withOption(OSCORE, encodeOption(null, null, ascii("room 6")));
  await refuses(Unauthenticated, "oscore-context", () => client.unprotectResponse(wrong, ref));
  await client.unprotectResponse(answer.withOption(OSCORE, encodeOption(null, null, ascii("room 5"))), ref);
});

test("options for proxies stay outside, and all others go inside", async () => {
  const { client, server } = await peers();
  const outside = [[3, ascii("kiosk")], [7, bytes("1633")], [16, bytes("08")], [21, EMPTY], [39, ascii("coap")]];
  const inside = HIDDEN.map((number) => [number, bytes("01")]);
  const request = new Message(coap.POST, EMPTY, [...inside, ...outside], ascii("x"));
  const { outer } = await client.protectRequest(request);
  assert.deepEqual(outer.options.filter(([number]) => number !== OSCORE), outside);
  assert.deepEqual((await server.open(outer)).inner.options, inside);
  assert.equal(request.payload.length, 1); // what was asked to be protected stays as it was
  assert.ok(!request.option(OSCORE));
});

test("what a stranger adds outside is dropped", async () => {
  const { client, server, ref, request } = await asked();
  const answer = await server.answer(request, content());
  answer.code = coap.NOT_FOUND;
  for (const number of [...HIDDEN, OBSERVE]) answer.addOption(number, bytes("01"));
  const inner = await client.unprotectResponse(answer, ref);
  assert.deepEqual([inner.code, inner.options], [coap.CONTENT, []]);
});

test("what may stand outside only is refused inside", async () => {
  for (const option of [[3, "h"], [OSCORE, EMPTY], [39, "coap"], [21, EMPTY], [35, "x"], [7, EMPTY], [16, EMPTY]]) {
    const { client, server, ref, request } = await asked();
    const answer = await server.answer(request, content("yes", [option]));
    await refuses(Malformed, "oscore-inner-option", () => client.unprotectResponse(answer, ref));
    await client.unprotectResponse(await server.answer(request, content()), ref); // and nothing has changed by it
  }
});

test("a request that would show its path is our own mistake", async () => {
  const { client } = await peers();
  const send = (option) => () => client.protectRequest(get("/r", [option]));
  await refuses(LocalError, "oscore-proxy-uri", send([coap.PROXY_URI, "coap://kiosk/secret"]));
  await refuses(LocalError, "oscore-nested", send([OSCORE, EMPTY]));
  assert.equal(client.sequence, 0);
});

// Observe

test("notifications come in order, each once, until one is the last", async () => {
  const { client, server, outer, ref, request } = await asked([[OBSERVE, 0]]);
  assert.deepEqual([outer.code, outer.uint(OBSERVE), request.inner.uint(OBSERVE)], [coap.FETCH, 0, 0]);
  const first = await client.unprotectResponse(await server.answer(request, notification()), ref);
  assert.equal(first.uint(OBSERVE), 0);
  for (const number of [0, 3, 0x1000002]) {
    const answer = await server.answer(request, notification(), number);
    assert.equal((await client.unprotectResponse(answer, ref)).uint(OBSERVE), number & 0xffffff);
    await refuses(Replayed, "oscore-replayed", () => client.unprotectResponse(answer, ref));
  }
  for (const number of [null, 1, 3, 0x1000001]) {
    const old = await server.answer(request, notification(), number);
    await refuses(Replayed, "oscore-replayed", () => client.unprotectResponse(old, ref));
  }
  const last = await client.unprotectResponse(await server.answer(request, content("no more"), 0x1000003), ref);
  assert.equal(last.option(OBSERVE), null);
  const late = await server.answer(request, notification(), 0x1000004);
  await refuses(Replayed, "oscore-replayed", () => client.unprotectResponse(late, ref));
});

test("notifications that arrive together are taken in their order", async () => {
  const { client, server, ref, request } = await asked([[OBSERVE, 0]]);
  const answers = await Promise.all([4, 3].map((number) => server.answer(request, notification(), number)));
  const taken = [];
  const take = async (answer) => taken.push((await client.unprotectResponse(answer, ref)).uint(OBSERVE));
  await Promise.allSettled(answers.map(take));
  assert.ok(["4", "3,4"].includes(taken.join()), taken.join());
});

test("a notification that nobody asked for is refused, and one with a value", async () => {
  for (const options of [[], [[OBSERVE, 1]]]) { // no registration, or the end of one
    const { client, server, ref, request } = await asked(options);
    const answer = await server.answer(request, notification());
    await refuses(Malformed, "oscore-observe", () => client.unprotectResponse(answer, ref));
    await client.unprotectResponse(await server.answer(request, content()), ref);
  }
  const { client, server, ref, request } = await asked([[OBSERVE, 0]]);
  const valued = await server.answer(request, content("yes", [[OBSERVE, 5]]), 1);
  await refuses(Malformed, "oscore-observe", () => client.unprotectResponse(valued, ref));
  await client.unprotectResponse(await server.answer(request, notification(), 0), ref);
});

test("sequence numbers end, and are never used twice", async () => {
  const { client } = await peers();
  client.sequence = 2 ** 40 - 1;
  const { outer } = await client.protectRequest(get());
  assert.equal(hex(outer.option(OSCORE)), "0dffffffffff17");
  for (let i = 0; i < 2; i++) await refuses(LocalError, "oscore-exhausted", () => client.protectRequest(get()));
});

test("Partial IVs have no leading zeros", async () => {
  const { client } = await peers();
  for (const [number, digits] of [[0, "00"], [1, "01"], [255, "ff"], [256, "0100"], [2 ** 32, "0100000000"]]) {
    client.sequence = number;
    const { outer } = await client.protectRequest(get());
    assert.equal(hex(parseOption(outer.option(OSCORE)).partialIv), digits);
  }
});

// The combined request, RFC 9668

test("a combined request carries message_3 before its ciphertext", async () => {
  const { outer } = await asked();
  const message3 = cbor.encode(filled(18, 0xaa));
  const combined = combine(message3, outer);
  assert.deepEqual(combined.options.map(([number]) => number), [OSCORE, coap.EDHOC]);
  assert.equal(combined.option(coap.EDHOC).length, 0);
  assert.ok(equal(combined.payload, concat(message3, outer.payload)));
  assert.equal(outer.option(coap.EDHOC), null);
  refuses(LocalError, "oscore-combined", () => combine(message3, get()));
  refuses(LocalError, "oscore-combined", () => combine(cbor.encode("text"), outer));
});
