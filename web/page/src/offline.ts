// The service worker: the page, the engine and the demo model from the cache, so that a reload works offline and starts
// at once. Models that the user loads are not its business; they lie in the package's own store.
/// <reference lib="webworker" />
declare const self: ServiceWorkerGlobalScope;
declare const __FILES__: string[];
declare const __VERSION__: string;
export {};

const kPatienceMs = 1500; // for a network that neither answers nor fails
const kCache = `tern-${__VERSION__}`;
const address = (name: string) => new URL(name === "index.html" ? "./" : name, self.registration.scope).href;
const kAddresses = new Set(__FILES__.map(address));

/// Of the engine's modules a browser needs one: that which the page has loaded, and so lies in the HTTP cache.
const isModule = (url: string): boolean => url.endsWith(".wasm");

async function fill(): Promise<void> {
  const cache = await caches.open(kCache);
  // Names under assets/ carry hashes: what the HTTP cache has of them is right. Others are asked for anew.
  const fresh = (url: string): RequestCache => (url.includes("/assets/") ? "default" : "no-cache");
  const pages = [...kAddresses].filter((url) => !isModule(url));
  await cache.addAll(pages.map((url) => new Request(url, { cache: fresh(url) })));
  for (const url of [...kAddresses].filter(isModule)) {
    const used = await fetch(url, { cache: "only-if-cached", mode: "same-origin" }).catch(() => null);
    if (used?.ok) await cache.put(url, used);
  }
}

async function dropOthers(): Promise<void> {
  for (const name of await caches.keys()) {
    if (name.startsWith("tern-") && name !== kCache) await caches.delete(name);
  }
  await self.clients.claim();
}

/// The page itself comes from the server if that answers soon, so that a reload is enough to get a new version. The
/// rest is named by what it contains and comes from the cache.
async function answer(request: Request, url: string): Promise<Response> {
  const cache = await caches.open(kCache);
  const cached = await cache.match(url);
  if (cached === undefined) {
    const response = await fetch(request);
    // A store that is full keeps no module, but the page needs it all the same, and at once.
    if (response.ok && isModule(url)) void cache.put(url, response.clone()).catch(() => undefined);
    return response;
  }
  if (request.mode !== "navigate") return cached;
  const late = new Promise<Response>((resolve) => setTimeout(resolve, kPatienceMs, cached));
  return Promise.race([fetch(request).catch(() => cached), late]);
}

self.addEventListener("install", (event) => event.waitUntil(fill().then(() => self.skipWaiting())));
self.addEventListener("activate", (event) => event.waitUntil(dropOthers()));
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  url.hash = "";
  url.search = "";
  if (url.pathname.endsWith("/index.html")) url.pathname = url.pathname.slice(0, -"index.html".length);
  if (event.request.method === "GET" && kAddresses.has(url.href)) event.respondWith(answer(event.request, url.href));
});
