// Downloads against a server that misbehaves as real ones do.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { download } from "../src/download.js";
import { TernError } from "../src/errors.js";
import { probe } from "../src/http.js";
import { Sha256 } from "../src/sha256.js";

const file = randomBytes(100_000);
const kOptions = { signal: null, chunkBytes: 16_384, parallel: 3, retries: 2, retryMs: 1 };
const fetcher = (url: string, init: RequestInit) => fetch(url, init);
let server: http.Server;
let base = "";
let asked: string[] = [];
let breaks = 0; // answers to cut off

function answer(request: http.IncomingMessage, response: http.ServerResponse): void {
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  asked.push(request.headers.range ?? "all");
  const [begin, end] = range ? [Number(range[1]), Math.min(Number(range[2]) + 1, file.length)] : [0, file.length];
  const part = file.subarray(begin, end);
  const headers = { "content-range": `bytes ${begin}-${end - 1}/${file.length}`, "content-length": part.length };
  switch (request.url) {
    case "/good":
      if (part.length > 1 && breaks > 0) {
        --breaks;
        response.writeHead(206, headers).write(part.subarray(0, part.length >> 1));
        setTimeout(() => response.destroy(), 20);
        return;
      }
      response.writeHead(206, headers).end(part);
      return;
    case "/no-ranges":
      response.writeHead(200, { "content-length": file.length }).end(file);
      return;
    case "/lies": // about where the bytes are from
      response.writeHead(206, { ...headers, "content-range": `bytes 0-${part.length - 1}/${file.length}` }).end(part);
      return;
    case "/page":
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<!doctype html><p>Log in!");
      return;
    case "/private":
      response.writeHead(403).end();
      return;
    case "/busy":
      response.writeHead(503).end();
      return;
    default:
      response.writeHead(404).end("<html>no</html>");
  }
}

before(async () => {
  server = http.createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

async function fetchAll(path: string, done = new Set<number>()): Promise<{ bytes: Uint8Array; counted: number }> {
  asked = [];
  const bytes = new Uint8Array(file.length);
  let counted = 0;
  const target = {
    done,
    write: (at: number, piece: Uint8Array) => bytes.set(piece, at),
    finish: (chunk: number) => done.add(chunk),
  };
  const onBytes = (n: number) => (counted += n);
  const remote = await probe(fetcher, base + path, null);
  await download(remote, target, { ...kOptions, fetch: fetcher, onBytes });
  return { bytes, counted };
}

function fails(path: string, code: string, message: RegExp): Promise<void> {
  return assert.rejects(fetchAll(path), (error: unknown) => {
    assert.ok(error instanceof TernError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

test("ranges are fetched in parallel, whole", async () => {
  const { bytes, counted } = await fetchAll("/good");
  assert.ok(file.equals(bytes));
  assert.equal(counted, file.length);
  assert.equal(asked.length, 1 + Math.ceil(file.length / kOptions.chunkBytes));
});

test("chunks that are there are not asked for again", async () => {
  const { bytes } = await fetchAll("/good", new Set([0, 1, 2, 4, 5, 6]));
  assert.ok(file.subarray(3 * 16_384, 4 * 16_384).equals(bytes.subarray(3 * 16_384, 4 * 16_384)));
  assert.deepEqual(asked, ["bytes=0-0", `bytes=${3 * 16_384}-${4 * 16_384 - 1}`]);
});

test("a broken connection is taken up where it ended", async () => {
  breaks = 2;
  const { bytes, counted } = await fetchAll("/good");
  assert.ok(file.equals(bytes));
  assert.equal(counted, file.length, "no byte twice");
});

test("a server without ranges gives all in one go", async () => {
  const { bytes } = await fetchAll("/no-ranges");
  assert.ok(file.equals(bytes));
  assert.deepEqual(asked, ["bytes=0-0", "all"]);
});

test("what is wrong with a server is told apart", async () => {
  await fails("/missing", "not-found", /404/);
  await fails("/private", "forbidden", /login/);
  await fails("/page", "not-a-model", /web page/);
  await fails("/busy", "http", /503/);
  await fails("/lies", "incomplete", /other bytes/);
  await assert.rejects(probe(fetcher, "http://127.0.0.1:1/", null), /cannot be (fetched|reached)/);
});

test("SHA-256 in pieces is Node's", () => {
  for (const n of [0, 1, 55, 56, 63, 64, 65, 119, 1000]) {
    const sum = new Sha256();
    sum.update(file.subarray(0, n >> 1));
    sum.update(file.subarray(n >> 1, n));
    assert.equal(sum.digest(), createHash("sha256").update(file.subarray(0, n)).digest("hex"));
  }
});
