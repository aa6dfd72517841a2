/**
 * CoAP over WebSockets: the way to a kiosk through a gateway (RFC 8323), for browsers without Web Bluetooth.
 *
 * Owns: one WebSocket, and what goes wrong on the way to it. The gateway only forwards: it is nobody's word for
 * anything, not even for which kiosks there are. Must not know what a message says.
 */

import * as coap from "../protocol/coap.js";
import { text } from "../protocol/bytes.js";
import { PATH, SUBPROTOCOL, WebSocketLayer } from "../protocol/coap_ws.js";
import { AdmitError, LocalError, Malformed, TimedOut } from "../protocol/errors.js";
import { Connection } from "./connection.js";

const OPEN_TIMEOUT_MS = 10000;
const LINK = /<coap:\/\/([^/>]+)\/>;[^,<]*rt="admit\.kiosk"/g;

/** The kiosks that a gateway says it leads to. Raises as a visit does; Malformed gateway-lied. @param {string} url
 * @returns {Promise<string[]>} names, as for WebSocketTransport */
export async function listKiosks(url) {
  const connection = new Connection(new WebSocketTransport(url));
  try {
    await connection.open();
    const { code, payload } = await connection.request(coap.request(coap.GET, "/.well-known/core"));
    if (code !== coap.CONTENT) throw new Malformed("gateway-lied", coap.codeText(code));
    return [...text(payload, "gateway-lied").matchAll(LINK)].map((found) => decodeURIComponent(found[1]));
  } catch (error) {
    throw error instanceof URIError ? new Malformed("gateway-lied") : error;
  } finally {
    await connection.close();
  }
}

export class WebSocketTransport {
  isFixed = true; // nobody knows the link behind a gateway
  layer = new WebSocketLayer();
  /** @type {(value: any) => void} */
  onvalue = () => {};
  /** @type {(error: AdmitError) => void} */
  onclose = () => {};
  #url;
  /** @type {WebSocket | null} */
  #socket = null;

  /** @param {string} url wss://HOST[:PORT] of the gateway @param {string | null} [name] of the kiosk there */
  constructor(url, name = null) {
    this.name = name ?? "";
    this.#url = url.replace(/\/$/, "") + PATH;
  }

  get description() {
    return `${this.#url}#${this.name}`;
  }

  /** Connect. Raises TimedOut gateway-unreachable, LocalError gateway-address.
   * @param {(stage: string) => void} [onStage] */
  async open(onStage = () => {}) {
    onStage("connecting");
    this.layer = new WebSocketLayer(this.name || null);
    const socket = (this.#socket = openSocket(this.#url));
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => this.onvalue(typeof data === "string" ? data : new Uint8Array(data));
    const opened = await new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), OPEN_TIMEOUT_MS);
      socket.onopen = () => (clearTimeout(timer), resolve(true));
      socket.onclose = socket.onerror = () => (clearTimeout(timer), resolve(false));
    });
    if (!opened || socket.protocol !== SUBPROTOCOL) {
      await this.close();
      throw new TimedOut("gateway-unreachable", opened ? "it does not speak CoAP" : "");
    }
    socket.onclose = () => this.onclose(new TimedOut("link-dropped", "the gateway has hung up"));
    for (let data; (data = this.layer.outgoing(0)); ) await this.send(data);
  }

  /** Raises TimedOut link-dropped. @param {Uint8Array} data */
  async send(data) {
    if (this.#socket?.readyState !== WebSocket.OPEN) throw new TimedOut("link-dropped");
    this.#socket.send(data);
  }

  async close() {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onclose = socket.onerror = socket.onmessage = null;
    socket.close();
  }

  /** What breaks the format is the gateway's doing. @param {AdmitError} error */
  explain(error) {
    if (error.reason === "ws-aborted") return new TimedOut("link-dropped", error.detail);
    return new Malformed("gateway-lied", error.reason);
  }
}

/** @param {string} url */
function openSocket(url) {
  try {
    return new WebSocket(url, SUBPROTOCOL);
  } catch (error) {
    throw new LocalError("gateway-address", error instanceof Error ? error.message : "");
  }
}
