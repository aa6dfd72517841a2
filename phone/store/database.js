/**
 * What the page keeps: the IndexedDB database "admit", in promises.
 *
 * Owns: opening it, its stores and version, and telling the other tabs that something has changed.
 * Rules: what is written in one `transact` is there whole or not at all; each error is an AdmitError.
 * Must not know: what is kept. Tests put a database of memory in its place.
 *
 * @typedef {{get(store: string, key: string): Promise<any>, all(store: string): Promise<Map<string, any>>,
 *   put(store: string, key: string, value: any): void, delete(store: string, key: string): void}} Transaction
 * @typedef {{transact<T>(stores: string[], work: (change: Transaction) => Promise<T>): Promise<T>,
 *   onchange: () => void, readTrace(): string | null, writeTrace(text: string): void, close(): void}} Store
 */

import { StorageError } from "../protocol/errors.js";

const VERSION = 1;
export const STORES = ["sites", "keys", "grants", "devices"];
const TRACE = "admit";

/** The database `name`. Raises StorageError store-refused. @param {string} [name] @returns {Promise<Store>} */
export async function openDatabase(name = "admit") {
  const database = new Database(name);
  await database.open();
  return database;
}

/** @implements {Store} */
class Database {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    /** @type {Promise<IDBDatabase> | null} */
    this.opening = null;
    /** Called when another tab has changed something. */
    this.onchange = () => {};
    this.channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(name) : null;
    if (this.channel) this.channel.onmessage = () => this.onchange();
  }

  /** Open it, again if the browser has closed it. @returns {Promise<IDBDatabase>} */
  open() {
    this.opening ??= this.#open().catch((error) => {
      this.opening = null;
      throw new StorageError("store-refused", nameOf(error));
    });
    return this.opening;
  }

  async #open() {
    const request = indexedDB.open(this.name, VERSION);
    request.onupgradeneeded = () => STORES.forEach((store) => request.result.createObjectStore(store));
    const handle = await settled(request);
    handle.onclose = handle.onversionchange = () => this.close();
    return handle;
  }

  /**
   * Run `work` on some stores; nothing else comes between its reads and its writes. It awaits nothing but its reads.
   * Raises StorageError store-refused, store-full or store-failed, and what `work` raises: nothing is written then.
   * @template T @param {string[]} stores @param {(change: Transaction) => Promise<T>} work @returns {Promise<T>}
   */
  async transact(stores, work) {
    const transaction = await this.begin(stores);
    const ended = new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(null);
      transaction.onabort = () => reject(failure(transaction.error));
    });
    ended.catch(() => {});
    let written = false;
    try {
      const result = await work({
        get: (store, key) => settled(transaction.objectStore(store).get(key)),
        all: (store) => entries(transaction.objectStore(store)),
        put: (store, key, value) => void ((written = true), transaction.objectStore(store).put(value, key)),
        delete: (store, key) => void ((written = true), transaction.objectStore(store).delete(key)),
      });
      await ended;
      if (written) this.channel?.postMessage(null);
      return result;
    } catch (error) {
      abort(transaction);
      throw error instanceof DOMException ? failure(error) : error;
    }
  }

  /** @param {string[]} stores */
  async begin(stores) {
    try {
      return (await this.open()).transaction(stores, "readwrite");
    } catch (error) {
      if (error instanceof StorageError) throw error;
      return this.#beginAgain(stores);
    }
  }

  /** After it was closed under our hands: storage was cleared. @param {string[]} stores */
  async #beginAgain(stores) {
    this.opening = null;
    const handle = await this.open();
    try {
      return handle.transaction(stores, "readwrite");
    } catch (error) {
      throw failure(/** @type {DOMException} */ (error));
    }
  }

  /** What is remembered outside of the database, where it may outlive that: nothing but public words. */
  readTrace() {
    try {
      return localStorage.getItem(TRACE);
    } catch {
      return null;
    }
  }

  /** @param {string} text */
  writeTrace(text) {
    try {
      localStorage.setItem(TRACE, text);
    } catch {
      // It only helps to tell of a lost key.
    }
  }

  close() {
    this.opening?.then((handle) => handle.close(), () => {});
    this.opening = null;
  }
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** @param {IDBObjectStore} store @returns {Promise<Map<string, any>>} */
async function entries(store) {
  const [keys, values] = await Promise.all([settled(store.getAllKeys()), settled(store.getAll())]);
  return new Map(keys.map((key, at) => [String(key), values[at]]));
}

/** @param {IDBTransaction} transaction */
function abort(transaction) {
  try {
    transaction.abort();
  } catch {
    // It has ended.
  }
}

/** @param {DOMException | null} error */
function failure(error) {
  return new StorageError(error?.name === "QuotaExceededError" ? "store-full" : "store-failed", nameOf(error));
}

/** @param {unknown} error */
function nameOf(error) {
  return error instanceof Error || error instanceof DOMException ? error.name : "";
}
