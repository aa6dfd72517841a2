/** Visits by Web Bluetooth: the browser's part is played here, on a link of visit_support's; the kiosk is real. */

import assert from "node:assert/strict";

import { parseLink } from "../../phone/protocol/label.js";
import { BluetoothTransport, hasBluetooth } from "../../phone/visit/bluetooth.js";
import { meet, wantedBy } from "../../phone/visit/kiosk.js";
import { TcpTransport, about, newWallet, play, refused, until, walletWith } from "./visit_support.mjs";

const ERRORS = {
  off: "Bluetooth adapter not available.",
  denied: "User denied the browser permission to scan for Bluetooth devices.",
};

/** What a browser and its Bluetooth are; `trouble`: what goes wrong, by the name of the call. */
class Browser extends EventTarget {
  asked = [];
  writing = 0;
  connects = 0;

  constructor(trouble = {}, name = "kiosk-1") {
    super();
    Object.assign(this, { trouble, name });
    Object.defineProperty(globalThis, "navigator", { value: { bluetooth: this }, configurable: true });
    this.gatt = { connected: false, connect: () => this.connect(), disconnect: () => this.disconnect() };
  }

  #may(call) {
    const [error] = this.trouble[call]?.splice(0, 1) ?? [];
    if (error) throw error;
  }

  async getAvailability() {
    return !this.trouble.off;
  }

  async requestDevice(options) {
    this.asked.push(options);
    this.#may("requestDevice");
    return this;
  }

  async connect() {
    this.connects += 1;
    this.#may("connect");
    const startNotifications = async () => this.#may("startNotifications");
    this.upstream = Object.assign(new EventTarget(), { startNotifications });
    this.link = new TcpTransport();
    this.link.onvalue = (value) => {
      this.upstream.value = new DataView(Uint8Array.of(0, ...value).buffer, 1);
      this.upstream.dispatchEvent(new Event("characteristicvaluechanged"));
    };
    this.link.onclose = () => this.disconnect();
    await this.link.open();
    this.gatt.connected = true;
    return Object.assign(this.gatt, { getPrimaryService: async () => (this.#may("getPrimaryService"), this) });
  }

  async getCharacteristic(uuid) {
    return uuid.startsWith("ab37") ? this.upstream : { writeValueWithResponse: (value) => this.write(value) };
  }

  async write(value) {
    assert.equal((this.writing += 1), 1, "two writes at once");
    await new Promise((resolve) => setTimeout(resolve, 1));
    this.writing -= 1;
    this.#may("write");
    await this.link.send(value);
  }

  disconnect() {
    if (!this.gatt.connected) return;
    this.gatt.connected = false;
    this.link.close();
    this.dispatchEvent(new Event("gattserverdisconnected"));
  }
}

const failure = (name, message = "") => new DOMException(message, name);

/** A visit by Bluetooth to the kiosk of the label. */
async function visit(wallet, transport = new BluetoothTransport({ name: "kiosk-1" }), onStage = () => {}) {
  return meet(transport, wallet, wantedBy(await parseLink(about.label)), onStage);
}

await play({
  async "a whole visit, one write at a time, with a chooser that shows that one kiosk"() {
    const browser = new Browser();
    assert.equal(hasBluetooth(), true);
    const wallet = await walletWith();
    const kiosk = await visit(wallet);
    const services = ["8df804b7-3300-496d-9dfa-f8fb40a236bc"];
    assert.deepEqual(browser.asked, [{ filters: [{ services, name: "kiosk-1" }] }]);
    await Promise.all([kiosk.login(), kiosk.routines(), kiosk.routine("open")]);
    assert.equal((await kiosk.invoke("open", { seconds: 1 })).state, "done");
    assert.equal((await wallet.device(about.siteId, "kiosk-1")).maxPayload, 512);
    await kiosk.close();
    assert.equal(browser.gatt.connected, false);
    const again = await visit(wallet);
    assert.equal((await again.invoke("open", { seconds: 1 })).state, "done");
    assert.equal(again.flights, 4);
  },

  async "a lost link is got back without the chooser"() {
    const browser = new Browser();
    const kiosk = await visit(await walletWith());
    await kiosk.login();
    browser.disconnect();
    await kiosk.routines();
    assert.deepEqual([browser.asked.length, browser.connects], [1, 2]);
  },

  async "connecting is tried three times, each with its reason"() {
    const browser = new Browser({ connect: [failure("NetworkError", "one"), failure("NetworkError", "two")] });
    const told = [];
    await visit(await newWallet(), undefined, (...stage) => told.push(stage.join(" ").trim()));
    assert.deepEqual(told, ["finding", "connecting", "connecting one", "connecting two", "proving", "ready"]);
    Object.assign(browser.trouble, { connect: [1, 2, 3].map((each) => failure("NetworkError", `no ${each}`)) });
    const { detail } = await refused("connect-failed", visit(await newWallet()), "connecting");
    assert.equal(detail, "no 3");
  },

  async "whoever leaves while it is being tried ends that"() {
    const browser = new Browser({ connect: [1, 2, 3].map((each) => failure("NetworkError", `no ${each}`)) });
    const transport = new BluetoothTransport({ name: "kiosk-1" });
    const opening = refused("link-dropped", transport.open());
    await until(() => browser.connects === 1);
    await transport.close();
    await opening;
    assert.deepEqual([browser.connects, browser.gatt.connected], [1, false]);
  },

  async "what goes wrong in the chooser"() {
    const cancelled = () => [failure("NotFoundError", "User cancelled the requestDevice() chooser.")];
    const cases = {
      "chooser-cancelled": { requestDevice: cancelled() },
      "bluetooth-off": { requestDevice: [failure("NotFoundError", ERRORS.off)], off: true },
      "bluetooth-refused": { requestDevice: [failure("NotFoundError", ERRORS.denied)] },
    };
    for (const [reason, trouble] of Object.entries(cases)) {
      new Browser(trouble);
      await refused(reason, visit(await newWallet()), "finding");
    }
    new Browser({ requestDevice: [failure("SecurityError", "Must be handling a user gesture.")] });
    await refused("bluetooth-refused", visit(await newWallet()), "finding");
    Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
    assert.equal(hasBluetooth(), false);
    await refused("bluetooth-missing", visit(await newWallet()), "finding");
  },

  async "what is no kiosk is not tried again"() {
    const browser = new Browser({ getPrimaryService: [failure("NotFoundError", "No Services matching UUID")] });
    await refused("device-wrong", visit(await newWallet()), "connecting");
    assert.deepEqual([browser.connects, browser.gatt.connected], [1, false]);
  },

  async "a write that fails is a lost link"() {
    new Browser({ write: [failure("NetworkError", "GATT Server is disconnected.")] });
    await refused("link-dropped", visit(await newWallet()), "proving");
  },

  async "a long name is asked for as far as it is on the air"() {
    const browser = new Browser({}, "kiosk-1");
    const transport = new BluetoothTransport({ name: "empfangshalle-im-erdgeschoß-süd-1" });
    await transport.open();
    const [{ filters }] = browser.asked;
    assert.equal(filters[0].namePrefix, "empfangshalle-im-erdgeschoß-");
    await transport.close();
    await until(() => !browser.gatt.connected);
  },
});
