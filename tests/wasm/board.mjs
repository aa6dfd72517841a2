// The firmware on MicroPython's WebAssembly build, a 32-bit one: a kiosk whose links, randomness and AES are this
// program's. It is spoken to by lines of JSON on standard input and answers by lines of JSON; see boards.py.
//
// This build collects garbage only when no Python runs at all. So the heap is looked at between two calls, when every
// byte that is in use is needed.

import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { pathToFileURL } from 'node:url';

const [build, firmware] = process.argv.slice(2);
const tell = (what) => process.stdout.write(JSON.stringify(what) + '\n');

const { loadMicroPython } = await import(pathToFileURL(build));
const python = await loadMicroPython({
  heapsize: 8192, // it grows
  linebuffer: true,
  stdout: (line) => tell({ line }),
  stderr: (line) => tell({ line }),
});

// The collector takes for a pointer whatever looks like one. Here addresses are so low that two names in a module's
// table do (a chip's, at 0x3ffxxxxx, never), and a module that was let go might stay: so the heap grows far up.
python._module._malloc(512 << 20);

const unhex = (text) => Buffer.from(text, 'hex');

python.registerJsModule('bridge', {
  random: (length) => crypto.randomBytes(length).toString('hex'),
  now: () => Math.floor(Date.now() / 1000),
  send: (kind, link, data) => tell({ kind, link, data }),
  output: (name, value) => tell({ output: name, value }),
  aes: (key, mode, iv, data) => {
    const cipher = crypto.createCipheriv(mode === 1 ? 'aes-128-ecb' : 'aes-128-cbc', unhex(key), mode === 1 ? null : unhex(iv));
    cipher.setAutoPadding(false);
    return Buffer.concat([cipher.update(unhex(data)), cipher.final()]).toString('hex');
  },
});

// What the ESP32's own modules are asked for when the port's files are loaded, which is done here for their weight.
const anything = new Proxy(function () {}, { get: (_, name) => (typeof name === 'string' ? 0 : undefined), apply: () => 0 });
for (const name of ['machine', 'esp32', 'bluetooth', 'select']) python.registerJsModule(name, anything);

const copy = (from, to) => {
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), `${to}/${entry.name}`];
    if (entry.isDirectory()) {
      python.FS.mkdir(target);
      copy(source, target);
    } else {
      python.FS.writeFile(target, fs.readFileSync(source));
    }
  }
};
for (const folder of ['/a', '/data', '/keys']) python.FS.mkdir(folder);
copy(firmware, '/a');

python.runPython('import sys; sys.path[:] = ["/a", ".frozen"]');
python.runPython('import kiosk');
const kiosk = python.pyimport('kiosk');
const [collect, used, start] = ['collect', 'used', 'start'].map((name) => kiosk[name]);

const measure = () => {
  kiosk.modules(); // what the last call has left behind looks as if it were in use, until there is another one
  collect(); // asks for it; it happens when this call has returned
  return used();
};

// Let the event loop run until the kiosk has had nothing to do for a while; the most that was in use meanwhile.
const settle = async () => {
  let most = 0;
  for (let last = -1, same = 0; same < 4; ) {
    await new Promise((done) => setTimeout(done, 60));
    const now = measure();
    most = Math.max(most, now);
    same = now === last ? same + 1 : 0;
    last = now;
  }
  return most;
};

const stored = () =>
  ['/data', '/keys'].flatMap((folder) =>
    python.FS.readdir(folder).filter((name) => !name.startsWith('.')).map((name) => `${folder}/${name}`));

const commands = {
  start: () => start(),
  open: ({ kind, link, mtu }) => kiosk.opened(kind, link, mtu),
  receive: ({ kind, link, data }) => kiosk.received(kind, link, data),
  confirm: ({ kind, link }) => kiosk.confirmed(kind, link),
  close: ({ kind, link }) => kiosk.closed(kind, link),
  settle: async () => ({ most: await settle(), modules: kiosk.modules().split(' ') }),
  // What lies in storage, to be put back into the next process: a power cut.
  save: () => ({ files: Object.fromEntries(stored().map((file) => [file, Buffer.from(python.FS.readFile(file)).toString('hex')])) }),
  restore: ({ files }) => {
    for (const [file, content] of Object.entries(files)) {
      python.FS.mkdirTree(file.slice(0, file.lastIndexOf('/')));
      python.FS.writeFile(file, unhex(content));
    }
  },
  names: () => kiosk.names(),
  weigh: ({ name }) => {
    const before = measure();
    kiosk.load(name);
    return { bytes: measure() - before };
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  const answer = await commands[command.do](command);
  tell({ done: command.id, used: measure(), ...answer });
}
