// What the browser tests share: a server of the package and of models, with the faults of real servers on request, and
// Debian's Chromium with or without a (software) GPU.
import * as fs from "node:fs";
import * as http from "node:http";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const repository = fileURLToPath(new URL("../../", import.meta.url));
export const demo = path.join(repository, "models/tern-demo-q8_0.gguf");

const kTypes = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
};

// Nothing but the page's own scripts; WebAssembly, but no eval.
export const kStrictPolicy =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; object-src 'none'; base-uri 'none'";

const kPage = "<!doctype html><title>Tern</title><script type=module src=/page.js></script>";
// Tests reach the package through the page's own module, as a user's script would.
const kPageScript = 'import * as tern from "/package/dist/src/index.js"; globalThis.tern = tern;';

function rangeOf(header, size) {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? "");
  if (!match) return null;
  const begin = Number(match[1]);
  return [begin, match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1)];
}

/// Sends a file, in ranges when asked.
export function sendFile(request, response, file, headers = {}) {
  const { size } = fs.statSync(file);
  const type = kTypes[path.extname(file)] ?? "application/octet-stream";
  const range = rangeOf(request.headers.range, size);
  const common = { "content-type": type, "accept-ranges": "bytes", "cache-control": "no-store", ...headers };
  if (range === null) {
    response.writeHead(200, { ...common, "content-length": size });
    if (request.method === "HEAD") return response.end();
    return fs.createReadStream(file).pipe(response);
  }
  const [begin, end] = range;
  const content = { "content-range": `bytes ${begin}-${end}/${size}`, "content-length": end - begin + 1 };
  response.writeHead(206, { ...common, ...content });
  return fs.createReadStream(file, { start: begin, end }).pipe(response);
}

/// routes: path -> (request, response), before the package and the models. Returns its address and `requests`, a log.
export async function serve(routes = {}, headers = {}) {
  const requests = [];
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://x");
    requests.push({ path: pathname, range: request.headers.range ?? null });
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (routes[pathname]) return routes[pathname](request, response);
    if (pathname === "/") return response.writeHead(200, { "content-type": "text/html" }).end(kPage);
    if (pathname === "/page.js") return response.writeHead(200, { "content-type": kTypes[".js"] }).end(kPageScript);
    const roots = { "/package/": "web/", "/models/": "models/" };
    for (const [prefix, folder] of Object.entries(roots)) {
      const file = path.join(repository, folder, pathname.slice(prefix.length));
      if (pathname.startsWith(prefix) && fs.existsSync(file)) return sendFile(request, response, file);
    }
    return response.writeHead(404, { "content-type": "text/html" }).end("<!doctype html><h1>Not found</h1>");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => (server.closeAllConnections(), server.close());
  return { url: `http://127.0.0.1:${server.address().port}`, requests, close };
}

const kFlags = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const kSoftwareGpu = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/// The binary itself: Debian's wrapper script adds flags of its own.
export const chromiumPath = process.env.TERN_CHROMIUM ?? "/usr/lib/chromium/chromium";

const flagsOf = ({ gpu = true, args = [] }) => [...kFlags, ...(gpu ? kSoftwareGpu : []), ...args];

/// A browser whose contexts keep nothing, and storage in memory: above a gigabyte it loses writes without a word.
export function launch(options = {}) {
  return chromium.launch({ executablePath: chromiumPath, args: flagsOf(options) });
}

/// A browser's context with a profile of its own on the disk, as people have it.
export async function launchProfile(options = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tern-chromium-"));
  // When this program ends: Chromium writes to its profile even after it has closed its last page.
  process.once("exit", () => fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return await chromium.launchPersistentContext(folder, { executablePath: chromiumPath, args: flagsOf(options) });
}

/// A page of the server with the package as globalThis.tern. What it logs goes to stderr when TERN_TEST_LOG is set.
export async function openPage(context, url) {
  const page = await context.newPage();
  if (process.env.TERN_TEST_LOG) page.on("console", (message) => console.error(`[page] ${message.text()}`));
  page.on("pageerror", (error) => console.error(`[page] ${error}`));
  await page.goto(url);
  await page.waitForFunction(() => globalThis.tern !== undefined);
  return page;
}
