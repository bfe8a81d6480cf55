// What the browser tests share: a server of the package and of models, with the faults of real servers on request, and
// Debian's Chromium with or without a (software) GPU.
import { execFileSync } from "node:child_process";
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

/// "Block all cookies", as private windows of other browsers have it: no OPFS, IndexedDB, localStorage, Web Locks.
export const kNoStorage = { profile: { default_content_setting_values: { cookies: 2 } } };

/// A browser whose contexts keep nothing, and storage in memory: above a gigabyte it loses writes without a word.
export function launch(options = {}) {
  return chromium.launch({ executablePath: chromiumPath, args: flagsOf(options) });
}

/// A browser's context with a profile of its own on the disk, as people have it. preferences: of the profile, such as
/// kNoStorage.
export async function launchProfile({ preferences, ...options } = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tern-chromium-"));
  if (preferences !== undefined) {
    fs.mkdirSync(path.join(folder, "Default"));
    fs.writeFileSync(path.join(folder, "Default/Preferences"), JSON.stringify(preferences));
  }
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

/// Until an asynchronous condition holds in the page (waitForFunction takes the promise itself for true).
export async function until(page, condition, arg) {
  const deadline = Date.now() + 60_000;
  while (!(await page.evaluate(condition, arg))) {
    if (Date.now() > deadline) throw new Error(`Waited a minute in vain for ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/// Loads a model in the page, asks it, and says what happened. prompt: of the chat, with greedy sampling.
export function ask(page, source, options = {}, prompt = "What is 47 + 85?", maxTokens = 24) {
  return page.evaluate(
    async ([from, opts, content, most]) => {
      const out = { text: "", tokens: [], devices: [], progress: [] };
      const onDevice = (device) => out.devices.push(device);
      const onProgress = (progress) => out.progress.push(progress);
      try {
        const model = await tern.Tern.load(from, { device: "cpu", onDevice, onProgress, ...opts });
        for await (const piece of model.chat([{ role: "user", content }], { temperature: 0, maxTokens: most })) {
          out.text += piece.text;
          out.tokens.push(...piece.tokens.map((t) => t.token));
          out.last = piece;
        }
        out.info = model.info;
        await model.unload();
      } catch (error) {
        out.code = error.code;
        out.message = error.message;
      }
      return out;
    },
    [source, options, prompt, maxTokens],
  );
}

export const native = process.env.TERN_NATIVE ?? path.join(repository, "build/tern");

/// {text, tokens} of the native program's greedy answer on the CPU.
export function nativeAnswer(prompt, tokens) {
  const args = ["run", demo, "--device", "cpu", "--chat", "-p", prompt, "--greedy", "-n", String(tokens), "--json"];
  return JSON.parse(execFileSync(native, args, { encoding: "utf8" }));
}
