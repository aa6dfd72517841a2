/**
 * CoAP over GATT by Web Bluetooth.
 *
 * Owns: the browser's chooser, connecting with a reason for each new try, one write at a time, indications in their
 * order, and what goes wrong in errors of ours. Must not know CoAP.
 * The chooser is asked once: `open` again connects to the kiosk that was chosen (browsers forget it with the page).
 */

import { Busy, LocalError, NotFound, TimedOut, Unsupported } from "../protocol/errors.js";
import { DOWNSTREAM, GattLayer, SERVICE, UPSTREAM } from "../protocol/gatt.js";

const TRIES = 3;
const PAUSE_MS = 300;
const CONNECT_TIMEOUT_MS = 10000;
const LEAVING_MS = 8000; // that an earlier visit takes to end
const UNKNOWN_MAX = 125; // bytes of a value, while the kiosk has not told more: an ATT MTU of 128, less 3
export const MAX_NAME = 29; // bytes that are on the air of a long name

export class BluetoothTransport {
  layer = new GattLayer(UNKNOWN_MAX);
  isFixed = false;
  /** @type {(value: Uint8Array) => void} */
  onvalue = () => {};
  /** @type {(error: TimedOut) => void} */
  onclose = () => {};
  #wanted;
  /** @type {BluetoothDevice | null} */
  #device = null;
  /** @type {BluetoothRemoteGATTCharacteristic | null} */
  #downstream = null;
  #writing = Promise.resolve();
  #isOpen = false;
  #leave = () => {};
  #giveUp = async () => {}; // the right to speak with that kiosk

  /** @param {{name?: string}} [wanted] what the kiosk that is meant is called: the chooser then shows no other */
  constructor({ name } = {}) {
    this.#wanted = name ?? "";
  }

  /** What stood in the chooser. */
  get name() {
    return this.#device?.name ?? "";
  }

  get description() {
    return `bluetooth:${this.name}`;
  }

  /**
   * Let the user choose, if they have not, which needs a tap just before; and connect.
   * Raises LocalError bluetooth-missing (this browser has none), bluetooth-off, bluetooth-refused (no permission);
   * NotFound chooser-cancelled; Busy bluetooth-other-tab; Unsupported device-wrong (no kiosk); TimedOut connect-failed,
   * with the last reason.
   * @param {(stage: string, detail?: string) => void} [onStage]
   */
  async open(onStage = () => {}) {
    this.#isOpen = true;
    this.#device ??= await choose(this.#wanted);
    this.#giveUp = await alone(this.#device.id);
    try {
      await this.#try(this.#device, onStage);
    } catch (error) {
      await this.#giveUp();
      throw error;
    }
  }

  /** @param {BluetoothDevice} device @param {(stage: string, detail?: string) => void} onStage */
  async #try(device, onStage) {
    let reason = "";
    for (let number = 1; number <= TRIES; number++) {
      if (!this.#isOpen) throw new TimedOut("link-dropped", "it was closed meanwhile");
      onStage("connecting", reason);
      try {
        return await this.#connect(device);
      } catch (error) {
        this.#hangUp();
        if (error instanceof Unsupported) throw error;
        reason = wordsOf(error);
      }
      if (this.#isOpen && number < TRIES) await pause(PAUSE_MS * number);
    }
    throw new TimedOut(this.#isOpen ? "connect-failed" : "link-dropped", reason);
  }

  /** Write one value, and wait for the kiosk's Bluetooth to acknowledge it. Raises TimedOut link-dropped.
   * @param {Uint8Array} value */
  send(value) {
    const written = this.#writing.then(async () => {
      if (!this.#downstream) throw new TimedOut("link-dropped");
      try {
        await this.#downstream.writeValueWithResponse(value);
      } catch (error) {
        throw new TimedOut("link-dropped", wordsOf(error));
      }
    });
    this.#writing = written.catch(() => {});
    return written;
  }

  /** Disconnect, also while it is being opened. */
  async close() {
    this.#isOpen = false;
    this.#hangUp();
    await this.#giveUp();
  }

  #hangUp() {
    this.#leave();
    this.#leave = () => {};
    this.#downstream = null;
    this.#device?.gatt?.disconnect();
  }

  /** @param {BluetoothDevice} device */
  async #connect(device) {
    const server = await inTime(/** @type {BluetoothRemoteGATTServer} */ (device.gatt).connect());
    const [downstream, upstream] = await inTime(characteristics(server));
    const heard = () => this.onvalue(bytesOf(upstream.value));
    const dropped = () => this.onclose(new TimedOut("link-dropped", "the kiosk is out of reach, or has hung up"));
    upstream.addEventListener("characteristicvaluechanged", heard);
    device.addEventListener("gattserverdisconnected", dropped);
    this.#leave = () => {
      upstream.removeEventListener("characteristicvaluechanged", heard);
      device.removeEventListener("gattserverdisconnected", dropped);
    };
    this.layer = new GattLayer(UNKNOWN_MAX);
    this.#writing = Promise.resolve();
    await inTime(upstream.startNotifications());
    if (!server.connected) throw new TimedOut("link-dropped");
    this.#downstream = downstream;
  }
}

/** Is there Web Bluetooth at all? Where not, a gateway is the way. */
export function hasBluetooth() {
  return Boolean(globalThis.navigator?.bluetooth);
}

/** @param {string} name */
async function choose(name) {
  const { bluetooth } = navigator;
  if (!bluetooth) throw new LocalError("bluetooth-missing");
  const called = new TextEncoder().encode(name).length > MAX_NAME ? { namePrefix: cut(name, MAX_NAME) } : { name };
  try {
    return await bluetooth.requestDevice({ filters: [{ services: [SERVICE], ...(name && called) }] });
  } catch (error) {
    const { name: kind, message } = /** @type {DOMException} */ (error);
    const isRefused = kind !== "NotFoundError" || /permission|disabled/i.test(message);
    if (isRefused) throw new LocalError("bluetooth-refused", message);
    if (!(await bluetooth.getAvailability())) throw new LocalError("bluetooth-off", message);
    throw new NotFound("chooser-cancelled", message);
  }
}

/** Be the only visit to a kiosk: tabs share a link, and each would hear the other's answers. Returns what ends that; it
 * ends with the tab, too. @param {string} id @returns {Promise<() => Promise<void>>} */
function alone(id) {
  return new Promise((resolve, reject) => {
    if (!navigator.locks) return resolve(async () => {});
    const signal = AbortSignal.timeout(LEAVING_MS);
    const hold = () => new Promise((done) => resolve(() => (done(null), held)));
    const held = navigator.locks.request(`admit-${id}`, { signal }, hold).then(() => {});
    held.catch(() => reject(new Busy("bluetooth-other-tab")));
  });
}

/** @param {BluetoothRemoteGATTServer} server */
async function characteristics(server) {
  try {
    const service = await server.getPrimaryService(SERVICE);
    return [await service.getCharacteristic(DOWNSTREAM), await service.getCharacteristic(UPSTREAM)];
  } catch (error) {
    if (/** @type {DOMException} */ (error).name !== "NotFoundError") throw error;
    throw new Unsupported("device-wrong", "it does not speak CoAP over GATT");
  }
}

/** As much of a name as `size` bytes hold, in whole characters. @param {string} name @param {number} size */
export function cut(name, size) {
  const short = new TextEncoder().encode(name).slice(0, size);
  return new TextDecoder().decode(short, { stream: true });
}

/** @param {DataView | undefined} view */
function bytesOf(view) {
  return view ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice() : new Uint8Array(0);
}

/** @template T @param {Promise<T>} work @returns {Promise<T>} */
async function inTime(work) {
  /** @type {any} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new TimedOut("connect-failed", "no answer")), CONNECT_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, /** @type {Promise<never>} */ (late)]);
  } finally {
    clearTimeout(timer);
  }
}

/** @param {unknown} error */
function wordsOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
