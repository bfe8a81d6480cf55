#!/usr/bin/env node
// Serves the built page on this machine: node serve.mjs [--port 8080] [--folder dist]. No dependency.
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const kTypes = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};

// What the page may do. Models come from any server that the user names; scripts, styles and pictures only from here.
// Trusted Types leave no way to turn text into HTML, and the one policy lets workers start from this origin alone.
const kPolicy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "manifest-src 'self'",
  "connect-src 'self' https: http://127.0.0.1:* http://localhost:*",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types default",
].join("; ");

export const kHeaders = {
  "Content-Security-Policy": kPolicy,
  "Cross-Origin-Opener-Policy": "same-origin", // these two: SharedArrayBuffer, for threads
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
};

/// The file of `folder` that a request's address names; null for none, and for what lies outside.
function fileOf(folder, url) {
  try {
    const path = normalize(decodeURIComponent(new URL(url, "http://localhost").pathname));
    const file = join(folder, path.endsWith(sep) ? `${path}index.html` : path);
    const stat = statSync(file, { throwIfNoEntry: false });
    return file.startsWith(folder + sep) && stat?.isFile() ? { path, file, size: stat.size } : null;
  } catch {
    return null; // no address, or no name of a file
  }
}

/// A server of `folder`, not listening yet.
export function pageServer(folder) {
  return createServer((request, response) => {
    const end = (status, text = "") => response.writeHead(status, kHeaders).end(text);
    if (request.method !== "GET" && request.method !== "HEAD") return end(405);
    const found = fileOf(folder, request.url);
    if (found === null) return end(404, "There is no such file.\n");
    const { path, file, size } = found;
    // Files under assets/ carry a hash of themselves in their names.
    const cache = path.startsWith(`${sep}assets${sep}`) ? "public, max-age=31536000, immutable" : "no-cache";
    const type = kTypes[extname(file)] ?? "application/octet-stream";
    response.writeHead(200, { ...kHeaders, "Content-Type": type, "Content-Length": size, "Cache-Control": cache });
    if (request.method === "HEAD") return response.end();
    return createReadStream(file, { highWaterMark: 1 << 20 }).pipe(response);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { port: { type: "string" }, folder: { type: "string", default: "dist" } } });
  const folder = fileURLToPath(new URL(values.folder, import.meta.url));
  const server = pageServer(folder);
  let port = Number(values.port ?? 8080);
  server.on("error", (error) => {
    // Without a wish, the next free port will do.
    const other = error.code === "EADDRINUSE" && values.port === undefined && port < 8100;
    if (other) return server.listen(++port, "127.0.0.1");
    process.stderr.write(`The page cannot be served: ${error.message}\n`);
    process.exit(1);
  });
  server.on("listening", () => process.stdout.write(`Tern is at http://127.0.0.1:${port}/ (Ctrl-C ends it)\n`));
  server.listen(port, "127.0.0.1");
}
