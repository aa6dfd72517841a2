/** The browser's WebSocket, as much of it as phone/visit/websocket.js uses, for versions of Node.js that have none. */

import { randomBytes } from "node:crypto";
import { request } from "node:http";

const [BINARY, CLOSE] = [2, 8];

export class NodeWebSocket {
  static OPEN = 1;
  readyState = 0;
  protocol = "";
  onopen = null;
  onmessage = null;
  onclose = null;

  constructor(url, protocol) {
    if (!/^wss?:/.test(url)) throw new SyntaxError("not ws: or wss:");
    const headers = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-key": randomBytes(16).toString("base64"),
      "sec-websocket-version": 13,
      "sec-websocket-protocol": protocol,
    };
    const asking = request(url.replace(/^ws/, "http"), { headers });
    asking.on("upgrade", (response, socket, head) => this.#begin(response, socket, head));
    asking.on("response", () => this.#end());
    asking.on("error", () => this.#end());
    asking.end();
  }

  #begin(response, socket, head) {
    this.socket = socket;
    this.protocol = response.headers["sec-websocket-protocol"] ?? "";
    this.readyState = 1;
    let buffer = head;
    const take = (data) => {
      buffer = Buffer.concat([buffer, data]);
      for (let frame; (frame = frameIn(buffer)); buffer = buffer.subarray(frame.end)) this.#hear(frame);
    };
    socket.on("data", take);
    socket.on("close", () => this.#end());
    socket.on("error", () => this.#end());
    this.onopen?.({});
    setImmediate(() => take(Buffer.alloc(0))); // an event of its own, as in a browser: who waits for onopen listens by then
  }

  #hear({ opcode, payload }) {
    if (opcode === CLOSE) return this.#end();
    const data = opcode === BINARY ? new Uint8Array(payload).buffer : payload.toString();
    this.onmessage?.({ data });
  }

  send(data) {
    const mask = randomBytes(4);
    const length = data.length < 126 ? [0x80 | data.length] : [0x80 | 126, data.length >> 8, data.length & 255];
    const masked = data.map((byte, at) => byte ^ mask[at % 4]);
    this.socket.write(Buffer.concat([Buffer.from([0x80 | BINARY, ...length]), mask, masked]));
  }

  close() {
    this.socket?.destroy();
  }

  #end() {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.socket?.destroy();
    this.onclose?.({});
  }
}

/** The first frame in a buffer, if it is whole. */
function frameIn(buffer) {
  if (buffer.length < 2) return null;
  const short = buffer[1] & 127;
  const start = short === 126 ? 4 : 2;
  if (buffer.length < start) return null;
  const end = start + (short === 126 ? buffer.readUInt16BE(2) : short);
  return buffer.length < end ? null : { opcode: buffer[0] & 15, payload: buffer.subarray(start, end), end };
}
