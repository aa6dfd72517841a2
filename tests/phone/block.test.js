/** Block-wise transfer, the client's part: a Transfer against a server as a device is one, and against others. */

import assert from "node:assert/strict";
import test from "node:test";

import { EMPTY, concat, hex } from "../../phone/protocol/bytes.js";
import { Transfer, encode, parse, sizeSzx } from "../../phone/protocol/block.js";
import * as coap from "../../phone/protocol/coap.js";
import { Conflict, LocalError, Malformed, TooLarge } from "../../phone/protocol/errors.js";
import { hexExample } from "./spec.js";
import { ascii, bytes, filled, refuses } from "./support.js";

const { BLOCK1, BLOCK2, Message } = coap;
const BODY = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) & 255);

/** Assembles, serves, and keeps the response for its later blocks, as a device does it. */
class Server {
  parts = [];
  answers = [];
  served = [];
  #upload = EMPTY;
  #kept = null;

  constructor(serve = (request) => coap.response(coap.CHANGED, request.payload), maxSize = 64) {
    this.serve = serve;
    this.maxSize = maxSize;
  }

  forget() {
    this.#upload = EMPTY;
    this.#kept = null;
  }

  answer(request) {
    this.parts.push(request);
    this.answers.push(this.#answer(request));
    return this.answers.at(-1);
  }

  #answer(request) {
    const part = request.option(BLOCK1) && parse(request.option(BLOCK1));
    if (part) {
      if (part.number === 0) this.#upload = EMPTY;
      if (part.number * (16 << part.szx) !== this.#upload.length) return new Message(coap.REQUEST_ENTITY_INCOMPLETE);
      this.#upload = concat(this.#upload, request.payload);
      const szx = Math.min(part.szx, sizeSzx(this.maxSize));
      if (part.more) return new Message(coap.CONTINUE, EMPTY, [[BLOCK1, encode(part.number, true, szx)]]);
      request = request.copy();
      request.payload = this.#upload;
    }
    const asked = request.option(BLOCK2) ? parse(request.option(BLOCK2)) : { number: 0, szx: 6 };
    if (!asked.number || !this.#kept) {
      this.served.push(request);
      this.#kept = this.serve(request);
    }
    return this.#cut(this.#kept, asked, part && request.option(BLOCK1));
  }

  #cut(whole, { number, szx }, acknowledged) {
    const answer = whole.copy();
    if (acknowledged) answer.setOption(BLOCK1, acknowledged);
    if (whole.payload.length <= this.maxSize) return answer;
    const start = number * (16 << szx);
    szx = Math.min(szx, sizeSzx(this.maxSize));
    const end = start + (16 << szx);
    answer.payload = whole.payload.slice(start, end);
    answer.setOption(BLOCK2, encode(start / (16 << szx), end < whole.payload.length, szx));
    answer.setOption(coap.ETAG, whole.payload.slice(0, 4));
    if (start) answer.setOption(coap.OBSERVE, null);
    else answer.setOption(coap.SIZE2, whole.payload.length);
    return answer;
  }
}

function run(transfer, server) {
  for (let turns = 0; turns < 200; turns++) {
    const part = transfer.next();
    if (!part) return transfer.response;
    transfer.answer(server.answer(part));
  }
  return assert.fail("endless");
}

const post = (length) => coap.request(coap.POST, "/x", BODY.slice(0, length));
const get = () => coap.request(coap.GET, "/x");
const blocks = (messages, option) => messages.map((message) => message.option(option) && parse(message.option(option)));

test("the option of docs/SPEC.md", () => {
  assert.deepEqual(parse(hexExample("block-option")), { number: 2, more: true, szx: 4 });
  assert.deepEqual(encode(2, true, 4), hexExample("block-option"));
  assert.deepEqual(parse(EMPTY), { number: 0, more: false, szx: 0 });
  assert.deepEqual(parse(bytes("fffff6")), { number: 0xfffff, more: false, szx: 6 });
  for (const value of ["07", "0f", "00000000", "0000000000000007", "ff".repeat(200)]) {
    refuses(Malformed, "block-option", () => parse(bytes(value)));
  }
  for (const [number, szx] of [[-1, 0], [2 ** 20, 0], [0, 7], [0, -1]]) {
    refuses(LocalError, "block-option", () => encode(number, false, szx));
  }
  for (const [size, szx] of [[16, 0], [31, 0], [32, 1], [1023, 5], [1024, 6], [5000, 6]]) {
    assert.equal(sizeSzx(size), szx);
  }
  for (const size of [15, 0, NaN]) refuses(LocalError, "block-size", () => sizeSzx(size));
});

test("a large request and its large response", () => {
  const server = new Server();
  const request = coap.request(coap.POST, "/r/open", BODY, coap.CONTENT_CBOR);
  request.token = ascii("t");
  const response = run(new Transfer(request, 64), server);
  assert.deepEqual([response.code, response.payload], [coap.CHANGED, BODY]);
  assert.deepEqual(response.options.map(([number]) => number), [coap.ETAG]);
  assert.equal(server.served.length, 1);
  const [whole] = server.served;
  assert.deepEqual([whole.path, whole.uint(coap.CONTENT_FORMAT), whole.payload], [["r", "open"], 60, BODY]);
  assert.equal(server.parts.length, 16 + 15);
  assert.ok(server.parts.every((part) => hex(part.token) === "74"));
  assert.equal(server.parts[0].uint(coap.SIZE1), 1000);
  assert.deepEqual(blocks(server.parts.slice(0, 16), BLOCK1).map(({ number }) => number), [...Array(16).keys()]);
  const answered = blocks(server.answers.slice(16), BLOCK2).map((told) => ({ ...told, more: false }));
  assert.deepEqual(blocks(server.parts.slice(16), BLOCK2), answered);
});

test("lengths round the block size", () => {
  for (const length of [0, 1, 15, 16, 17, 31, 32, 33, 47, 48, 49]) {
    const server = new Server(undefined, 16);
    assert.deepEqual(run(new Transfer(post(length), 16), server).payload, BODY.slice(0, length));
    assert.equal(server.parts.length, 2 * Math.max(Math.ceil(length / 16), 1) - 1);
  }
});

test("what fits is not cut, nor said to be", () => {
  const server = new Server(undefined, 100);
  assert.deepEqual(run(new Transfer(post(100), 100), server).payload, BODY.slice(0, 100));
  assert.deepEqual(server.parts.map(({ options }) => options), [[[coap.URI_PATH, ascii("x")]]]);
});

test("the server may ask for smaller blocks: RFC 7959 figure 8", () => {
  const server = new Server(undefined, 32);
  assert.deepEqual(run(new Transfer(post(300), 128), server).payload, BODY.slice(0, 300));
  const sent = blocks(server.parts.filter(({ payload }) => payload.length), BLOCK1);
  const rest = [4, 5, 6, 7, 8, 9].map((number) => ({ number, more: number < 9, szx: 1 }));
  assert.deepEqual(sent, [{ number: 0, more: true, szx: 3 }, ...rest]);
});

test("4.13 with a smaller size begins again", () => {
  for (const blockSize of [64, 500]) { // cut too coarsely, and not cut at all
    const server = new Server();
    const { answer } = server;
    server.answer = (request) => {
      if (request.payload.length <= 32) return answer.call(server, request);
      server.parts.push(request);
      return new Message(coap.REQUEST_ENTITY_TOO_LARGE, EMPTY, [[BLOCK1, encode(0, true, 1)]]);
    };
    assert.deepEqual(run(new Transfer(post(300), blockSize), server).payload, BODY.slice(0, 300));
    assert.deepEqual(server.parts.slice(0, 3).map(({ payload }) => payload.length), [Math.min(blockSize, 300), 32, 32]);
  }
});

test("a client whose upload was lost begins again, three times, with a Request-Tag of its own", () => {
  for (const [forgets, code, parts] of [[(n) => n === 5, coap.CHANGED, 5 + 1 + 16 + 15], [() => true, 0x88, 8]]) {
    const server = new Server();
    const { answer } = server;
    server.answer = (request) => {
      if (forgets(server.parts.length)) server.forget();
      return answer.call(server, request);
    };
    assert.equal(run(new Transfer(coap.request(coap.POST, "/x", BODY), 64), server).code, code);
    assert.equal(server.parts.length, parts);
    if (code === coap.CHANGED) {
      const tags = server.parts.map((part) => hex(part.option(coap.REQUEST_TAG)));
      assert.deepEqual([tags[0] === tags[5], tags[5] === tags[6], tags[6] === tags[7]], [true, false, true]);
    }
  }
});

test("each upload has its own Request-Tag", () => {
  const seen = new Set();
  for (let i = 0; i < 3; i++) {
    const server = new Server();
    run(new Transfer(post(100), 64), server);
    const tags = new Set(server.parts.map((part) => hex(part.option(coap.REQUEST_TAG))));
    assert.equal(tags.size, 1);
    seen.add([...tags][0]);
  }
  assert.equal(seen.size, 3);
});

function answerBlock(number, more, payload, etag = "e", options = []) {
  const message = new Message(coap.CONTENT, EMPTY, options, payload);
  if (etag !== null) message.setOption(coap.ETAG, etag);
  message.setOption(BLOCK2, encode(number, more, 0));
  return message;
}

test("a changed representation of a GET begins again, three times", () => {
  for (const changes of [4, 5]) {
    const transfer = new Transfer(get(), 64);
    const play = () => {
      for (let version = 1; version < changes; version++) {
        assert.equal(transfer.next().option(BLOCK2), null);
        transfer.answer(answerBlock(0, true, filled(16, version), `${version}`));
        transfer.answer(answerBlock(1, true, filled(16, version + 1), `${version + 1}`));
      }
      transfer.answer(answerBlock(0, true, filled(16, 9), "n"));
      transfer.answer(answerBlock(1, false, filled(16, 9), "n"));
      return transfer.response.payload;
    };
    if (changes === 4) assert.deepEqual(play(), filled(32, 9));
    else refuses(Conflict, "block-changed", play);
  }
});

test("a changed response to a POST is an error, and so is an ETag that comes or goes", () => {
  for (const [first, second] of [["e", "other"], ["e", null], [null, "e"]]) {
    const transfer = new Transfer(coap.request(coap.POST, "/x"), 64);
    transfer.answer(answerBlock(0, true, filled(16), first));
    refuses(Conflict, "block-changed", () => transfer.answer(answerBlock(1, true, filled(16), second)));
  }
});

test("a large notification is fetched without observing again", () => {
  const server = new Server(() => coap.response(coap.CONTENT, BODY, null, [[coap.OBSERVE, 5]]));
  const response = run(new Transfer(coap.request(coap.GET, "/j", EMPTY, null, [[coap.OBSERVE, 0]]), 64), server);
  assert.deepEqual([response.payload, response.uint(coap.OBSERVE)].map(String), [BODY, null].map(String));
  assert.deepEqual(server.parts.map((part) => part.uint(coap.OBSERVE)), [0, ...Array(15).fill(null)]);
  assert.equal(server.served.length, 1);
});

test("hostile servers", () => {
  const first = answerBlock(0, true, filled(16));
  const bare = coap.response(coap.CONTENT, ascii("a"), null, [[coap.ETAG, "e"]]);
  for (const [reason, ...answers] of [
    ["block-number", answerBlock(1, true, filled(16))],
    ["block-number", first, first],
    ["block-number", first, answerBlock(2, true, filled(16))],
    ["block-size", answerBlock(0, true, filled(15))],
    ["block-size", answerBlock(0, true, EMPTY)],
    ["block-size", first, answerBlock(1, false, filled(17))],
    ["block-missing", first, bare],
    ["block-option", first, bare.withOption(BLOCK2, bytes("17"))],
    ["block-continue", new Message(coap.CONTINUE)],
  ]) {
    const transfer = new Transfer(get(), 64);
    for (const answer of answers.slice(0, -1)) transfer.answer(answer);
    refuses(Malformed, reason, () => transfer.answer(answers.at(-1)));
  }
});

test("hostile acknowledgements", () => {
  const acknowledge = (number, value = encode(number, true, 0)) => new Message(coap.CONTINUE, EMPTY, [[BLOCK1, value]]);
  for (const [reason, ...answers] of [
    ["block-number", acknowledge(1)],
    ["block-number", acknowledge(0), acknowledge(0)],
    ["block-continue", new Message(coap.CONTINUE)],
    ["block-continue", acknowledge(0), acknowledge(1), acknowledge(2)], // after the last block
    ["block-option", acknowledge(0, bytes("0f"))],
  ]) {
    const transfer = new Transfer(post(40), 16);
    for (const answer of answers.slice(0, -1)) transfer.answer(answer);
    refuses(Malformed, reason, () => transfer.answer(answers.at(-1)));
  }
});

test("a response without end is stopped, and so is one that says how long it is", () => {
  for (const [options, stopped] of [[[], 62], [[[coap.SIZE2, 1001]], 0], [[[coap.SIZE2, filled(255, 255)]], 0]]) {
    const transfer = new Transfer(get(), 64, 1000);
    let number = 0;
    const play = () => {
      for (; number < 100; number++) transfer.answer(answerBlock(number, true, filled(16), "e", options));
    };
    refuses(TooLarge, "block-too-large", play);
    assert.equal(number, stopped);
  }
  const transfer = new Transfer(get(), 64, 32);
  transfer.answer(answerBlock(0, true, filled(16), "e", [[coap.SIZE2, 32]]));
  transfer.answer(answerBlock(1, false, filled(16)));
  assert.equal(transfer.response.payload.length, 32);
});

test("an error is the response, in the middle and during an upload", () => {
  const transfer = new Transfer(get(), 64);
  transfer.answer(answerBlock(0, true, filled(16)));
  transfer.answer(coap.response(coap.BAD_REQUEST, ascii("gone")));
  assert.deepEqual([transfer.next(), transfer.response.code], [null, coap.BAD_REQUEST]);
  assert.deepEqual(transfer.response.payload, ascii("gone"));
  refuses(LocalError, "block-done", () => transfer.answer(coap.response(coap.CONTENT)));
  const upload = new Transfer(post(1000), 64);
  upload.answer(coap.response(coap.FORBIDDEN));
  assert.deepEqual([upload.next(), upload.response.code], [null, coap.FORBIDDEN]);
});
