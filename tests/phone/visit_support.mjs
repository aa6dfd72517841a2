/** What the scripts of tests/phone/test_visit.py share: a phone whose links are TCP (tests/phone_bridge.py), and whose
 * storage is memory. */

import assert from "node:assert/strict";
import { connect } from "node:net";
import { createInterface } from "node:readline";

import { TimedOut } from "../../phone/protocol/errors.js";
import { GattLayer } from "../../phone/protocol/gatt.js";
import { keyLink, parseLink } from "../../phone/protocol/label.js";
import { STORES } from "../../phone/store/database.js";
import { Wallet } from "../../phone/store/wallet.js";
import { meet, wantedBy } from "../../phone/visit/kiosk.js";

export const about = JSON.parse(process.argv[3] ?? "{}");
export const OPEN = [["/r/open", 3, {}]];

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Ask whoever stands beside the kiosk (tests/phone_world.py). */
export async function world(...asked) {
  const last = asked.at(-1);
  const options = last && typeof last === "object" && !Array.isArray(last) ? asked.pop() : {};
  process.stdout.write(JSON.stringify({ do: asked, with: options }) + "\n");
  const { told, error } = JSON.parse((await lines.next()).value);
  if (error) throw new Error(`${asked[0]}: ${error}`);
  return told;
}

/** What is kept, in memory: the interface of store/database.js. `peers`: the same in other tabs. */
export class MemoryDatabase {
  onchange = () => {};
  trace = null;

  constructor({ stores, turn, tabs } = {}) {
    this.stores = stores ?? new Map(STORES.map((store) => [store, new Map()]));
    this.turn = turn ?? { last: Promise.resolve() };
    this.tabs = tabs ?? [];
    this.tabs.push(this);
  }

  /** The same in another tab. */
  otherTab() {
    return new MemoryDatabase(this);
  }

  async transact(stores, work) {
    const result = this.turn.last.then(() => this.#transact(stores, work));
    this.turn.last = result.catch(() => {});
    return result;
  }

  async #transact(stores, work) {
    const changed = [];
    const store = (name) => {
      assert(stores.includes(name), `${name} is not in the transaction`);
      return this.stores.get(name);
    };
    const result = await work({
      get: async (name, key) => structuredClone(store(name).get(key)),
      all: async (name) => structuredClone(store(name)),
      put: (name, key, value) => changed.push(() => store(name).set(key, structuredClone(value))),
      delete: (name, key) => changed.push(() => store(name).delete(key)),
    });
    changed.forEach((change) => change());
    if (changed.length) this.tabs.filter((tab) => tab !== this).forEach((tab) => tab.onchange());
    return result;
  }

  readTrace() {
    return this.trace;
  }

  writeTrace(text) {
    this.trace = text;
  }

  close() {}
}

/** A link to a kiosk's bridge. `fault(way, number, value)`: what is done to the number-th value that is "sent" or
 * "heard", counted over all links: a list of values in its place, or "cut": the link ends instead. */
export class TcpTransport {
  isFixed = false;
  onvalue = () => {};
  onclose = () => {};
  sent = 0;
  heard = 0;
  opened = 0;
  values = [];

  constructor({ port = about.port, name = "kiosk-1", fault = () => null } = {}) {
    Object.assign(this, { port, name, fault });
  }

  async open(onStage = () => {}) {
    onStage("connecting");
    this.layer = new GattLayer(125);
    const socket = (this.socket = connect(this.port, "127.0.0.1"));
    socket.setNoDelay(true);
    await new Promise((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", () => reject(new TimedOut("connect-failed")));
    });
    this.opened += 1;
    let buffer = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("close", () => socket === this.socket && this.onclose(new TimedOut("link-dropped")));
    socket.on("data", (data) => {
      buffer = Buffer.concat([buffer, data]);
      while (buffer.length >= 2 && buffer.length >= 2 + buffer.readUInt16BE(0)) {
        const end = 2 + buffer.readUInt16BE(0);
        this.#hear(socket, new Uint8Array(buffer.subarray(2, end)));
        buffer = buffer.subarray(end);
      }
    });
  }

  #hear(socket, value) {
    if (socket !== this.socket) return;
    for (const each of this.#faulty("heard", value)) this.onvalue(each);
  }

  async send(value) {
    if (!this.socket || this.socket.destroyed) throw new TimedOut("link-dropped");
    for (const each of this.#faulty("sent", value)) {
      this.socket.write(Buffer.concat([Buffer.from([each.length >> 8, each.length & 255]), each]));
    }
  }

  #faulty(way, value) {
    this.values.push([way, value]);
    const told = this.fault(way, ++this[way], value);
    if (told !== "cut") return told ?? [value];
    this.drop();
    return [];
  }

  /** The link ends by itself. */
  drop() {
    const { socket } = this;
    socket.destroy();
    this.onclose(new TimedOut("link-dropped"));
  }

  async close() {
    const { socket } = this;
    this.socket = null;
    socket?.destroy();
  }
}

/** A wallet with new keys, which has met no site. */
export async function newWallet(name = "Alice") {
  const wallet = new Wallet(new MemoryDatabase());
  await wallet.newSite({ name });
  return wallet;
}

/** The grant that the admin gives for the wallet's keys. */
export async function granted(wallet, rules = OPEN, more = {}) {
  const [site] = await wallet.sites();
  const key = keyLink(...site.publics, site.person);
  return wallet.accept(await parseLink(await world("grant", key, rules, more)));
}

/** A wallet with a grant. */
export async function walletWith(rules = OPEN, more = {}, name = "Alice") {
  const wallet = await newWallet(name);
  await granted(wallet, rules, more);
  return wallet;
}

/** A visit to the kiosk of the label. */
export async function visit(wallet, { wanted, onStage, ...how } = {}) {
  const transport = new TcpTransport(how);
  const kiosk = await meet(transport, wallet, wanted ?? wantedBy(await parseLink(about.label)), onStage);
  return Object.assign(kiosk, { transport });
}

/** Fails unless `work` raises an error of this reason (and stage); gives it. */
export async function refused(reason, work, stage) {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (error) {
    if (error?.reason !== reason) assert.fail(`expected ${reason}, not ${error?.stack}`);
    if (stage) assert.equal(error.stage, stage);
    return error;
  }
  return assert.fail(`nothing was raised, expected ${reason}`);
}

/** Passes once `check` gives true: state that another process changes. */
export async function until(check) {
  for (let left = 200; left; left--) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail("it did not come about");
}

/** Run the scenario that was asked for. */
export async function play(scenarios) {
  await scenarios[process.argv[2]]();
  process.exit(0);
}
