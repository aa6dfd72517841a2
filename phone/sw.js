// The service worker: the page starts without a network, and is always one version as a whole.
//
// Owns: the copies of this version's files.
// Rules: what is asked for comes from there first. A new version is fetched in full beside the old one, and takes its
// place when a page starts and says so, never while one is used. Whoever serves or exports the page writes VERSION, the
// hash of all files, and FILES, their names (host/admit/phone_site.py).

const VERSION = "unversioned";
const FILES = ["./"];

const PREFIX = "admit-";
const NAME = PREFIX + VERSION;
const worker = /** @type {any} */ (self);

worker.addEventListener("install", (/** @type {any} */ event) => {
  const requests = FILES.map((file) => new Request(file, { cache: "reload" }));
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(requests)));
});

worker.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(forgetOthers()));

worker.addEventListener("message", (/** @type {any} */ event) => {
  if (event.data === "take-over") worker.skipWaiting();
});

worker.addEventListener("fetch", (/** @type {any} */ event) => {
  const { request } = event;
  if (request.method === "GET" && new URL(request.url).origin === location.origin) event.respondWith(answer(request));
});

/** @param {Request} request */
async function answer(request) {
  const cache = await caches.open(NAME);
  return (await cache.match(request.mode === "navigate" ? "./" : request, { ignoreSearch: true })) ?? fetch(request);
}

async function forgetOthers() {
  const names = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== NAME);
  await Promise.all(names.map((name) => caches.delete(name)));
}
