/**
 * A connection: CoAP requests and their responses over one transport, whatever carries it.
 *
 * Owns: who waits for which token, what is sent when, and the time that is waited at most.
 * Must not know: what is in a message, and whether it is protected (session.js).
 *
 * A transport has: `open(onStage)`, which raises what is wrong and leaves nothing open then; `layer` (gatt.js or
 * coap_ws.js), new for each `open`; `send(bytes)`; `close()`; `onvalue(bytes)` and `onclose(error)`, which are set
 * here; `description`; `name`, what the kiosk is called there, or ""; `isFixed`: `layer.maxPayload` is not to be
 * raised; `explain(error)`: what it means that the layer has raised that (a GattLayer does not).
 */

import { hex, random } from "../protocol/bytes.js";
import { Transfer } from "../protocol/block.js";
import { OBSERVE } from "../protocol/coap.js";
import { AdmitError, TimedOut } from "../protocol/errors.js";

/** @typedef {import("../protocol/coap.js").Message} Message */
/** @typedef {(answer: Message | AdmitError) => void} Listener */

export const REQUEST_TIMEOUT_MS = 30000;
const HEADERS = 48; // bytes at most of an unprotected request beside its payload, block options included

export class Connection {
  /** @type {Map<string, Listener>} by token */
  #waiting = new Map();
  /** @type {AdmitError | null} */
  #broken = null;
  /** @type {Promise<void>} */
  #flushing = Promise.resolve();
  /** @type {any} */
  #timer = null;

  /** @param {any} transport */
  constructor(transport) {
    this.transport = transport;
    /** Messages that crossed the link, either way, without empty acknowledgements. */
    this.flights = 0;
    /** Called once when the link is gone, unless `close` ended it. @type {(error: AdmitError) => void} */
    this.onlost = () => {};
  }

  /** The longest value that the link carries, in bytes; set to what `GET /id` has told. */
  get maxPayload() {
    return this.transport.layer.maxPayload;
  }

  set maxPayload(bytes) {
    if (!this.transport.isFixed) this.transport.layer.maxPayload = bytes;
  }

  /** Raises what the transport does. @param {(stage: string, detail?: string) => void} [onStage] */
  async open(onStage = () => {}) {
    this.transport.onvalue = (/** @type {Uint8Array} */ data) => this.#receive(data);
    this.transport.onclose = (/** @type {AdmitError} */ error) => this.#break(error);
    await this.transport.open(onStage);
  }

  async close() {
    this.onlost = () => {};
    this.#break(new TimedOut("link-dropped", "it was closed here"));
    await this.transport.close();
  }

  /**
   * Send one request as it is; its response. Raises TimedOut request-timeout, request-unanswered, and what broke the
   * link.
   * @param {Message} request @param {number} [timeoutMs] @returns {Promise<Message>}
   */
  async exchange(request, timeoutMs = REQUEST_TIMEOUT_MS) {
    for await (const answer of this.#answers(request, timeoutMs)) return answer;
    throw new TimedOut("link-dropped");
  }

  /** Send an Observe request as it is, and yield every response to it until the caller stops.
   * @param {Message} request */
  observe(request) {
    return this.#answers(request, null);
  }

  /** Send a request whose bodies may need several blocks; the whole response. @param {Message} request */
  request(request) {
    return blockWise(request, this.maxPayload - HEADERS, (part) => this.exchange(part));
  }

  /** @param {Message} request @param {number | null} timeoutMs @returns {AsyncGenerator<Message>} */
  async *#answers(request, timeoutMs) {
    const message = request.copy();
    if (!message.token.length) message.token = random(4);
    const key = hex(message.token);
    /** @type {(Message | AdmitError)[]} */
    const answers = [];
    let wake = () => {};
    const tell = (/** @type {Message | AdmitError} */ answer) => void (answers.push(answer), wake());
    this.#waiting.set(key, tell);
    const late = new TimedOut("request-timeout", `no answer in ${(timeoutMs ?? 0) / 1000} s`);
    const timer = timeoutMs && setTimeout(() => tell(late), timeoutMs);
    try {
      this.#put(message);
      for (;;) {
        while (!answers.length) await new Promise((resolve) => (wake = () => resolve(null)));
        const answer = /** @type {Message | AdmitError} */ (answers.shift());
        if (answer instanceof AdmitError) throw answer;
        yield answer;
      }
    } finally {
      if (timer) clearTimeout(timer);
      this.#waiting.delete(key);
      if (message.option(OBSERVE)) this.transport.layer?.forget(message.token);
    }
  }

  /** @param {Message} message */
  #put(message) {
    if (this.#broken) throw this.#broken;
    this.transport.layer.send(message, nowMs());
    this.flights += 1;
    this.#flush();
  }

  /** Put on the wire what the layer has ready: one value after the other, or two could change places. */
  #flush() {
    const { layer } = this.transport;
    this.#flushing = this.#flushing.then(async () => {
      for (let data; !this.#broken && (data = layer.outgoing(nowMs())); ) await this.transport.send(data);
      this.#expect();
    });
    this.#flushing = this.#flushing.catch((error) => this.#break(asDropped(error)));
  }

  /** @param {Uint8Array} data */
  #receive(data) {
    if (this.#broken) return;
    try {
      for (const message of this.transport.layer.receive(data, nowMs())) this.#deliver(message);
    } catch (error) {
      this.#flush(); // what the layer has to say to that
      this.#flushing.then(() => this.#break(this.transport.explain(error)));
      return;
    }
    this.#flush();
  }

  /** @param {Message} message */
  #deliver(message) {
    this.flights += 1;
    if (!message.isRequest) this.#waiting.get(hex(message.token))?.(message);
  }

  /** Whoever is not acknowledged in time fails; what is due without anything having arrived is sent. */
  #expect() {
    clearTimeout(this.#timer);
    const dueMs = this.#broken ? null : this.transport.layer.deadline();
    if (dueMs === null) return;
    this.#timer = setTimeout(() => {
      this.#flush();
      this.#flushing.then(() => {
        const error = new TimedOut("request-unanswered", "the kiosk does not acknowledge");
        for (const token of this.#broken ? [] : this.transport.layer.failed()) this.#waiting.get(hex(token))?.(error);
      });
    }, Math.max(dueMs - nowMs(), 0));
  }

  /** @param {AdmitError} error */
  #break(error) {
    if (this.#broken) return;
    this.#broken = error;
    clearTimeout(this.#timer);
    for (const tell of [...this.#waiting.values()]) tell(error);
    this.onlost(error);
  }
}

/**
 * Run `exchange(part)` for each part of a request and of its response that blocks call for; the whole response.
 * @param {Message} request @param {number} blockSize @param {(part: Message) => Promise<Message>} exchange
 * @returns {Promise<Message>}
 */
export async function blockWise(request, blockSize, exchange) {
  const transfer = new Transfer(request, blockSize);
  for (let part; (part = transfer.next()); ) transfer.answer(await exchange(part));
  return /** @type {Message} */ (transfer.response);
}

/** @param {unknown} error @returns {AdmitError} */
function asDropped(error) {
  return error instanceof AdmitError ? error : new TimedOut("link-dropped", String(error));
}

/** Of a clock that nobody sets. */
function nowMs() {
  return Math.floor(performance.now());
}
