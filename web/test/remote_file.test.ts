// A file on a server, read synchronously: what is not here is refused, fetched, and read at the next try.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { RemoteFile } from "../src/remote_file.js";

const kMegabyte = 1 << 20;
const file = randomBytes(40 * kMegabyte);
let server: http.Server;
let url = "";
let asked: [begin: number, end: number][] = [];
let refuses = 0; // requests to come

before(async () => {
  server = http.createServer((request, response) => {
    const [begin = 0, end = 0] = (/(\d+)-(\d+)/.exec(request.headers.range ?? "") ?? []).slice(1).map(Number);
    asked.push([begin, end + 1]);
    if (refuses > 0) {
      --refuses;
      return void response.writeHead(404).end();
    }
    const part = file.subarray(begin, end + 1);
    response.writeHead(206, { "content-range": `bytes ${begin}-${end}/${file.length}` }).end(part);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/model.gguf`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

function open(): RemoteFile {
  asked = [];
  return new RemoteFile({ url, bytes: file.length, ranges: true, tag: null });
}

/// As the engine does; how often it had to wait.
async function readAt(remote: RemoteFile, offset: number, n: number): Promise<number> {
  const out = new Uint8Array(n);
  for (let waits = 0; ; ++waits) {
    try {
      assert.equal(remote.read(offset, out), Math.min(n, file.length - offset));
      assert.ok(file.subarray(offset, offset + n).equals(out.subarray(0, file.length - offset)));
      remote.forget();
      return waits;
    } catch (error) {
      if (!(await remote.fill())) throw error;
    }
  }
}

/// Opened: its header has been read.
async function opened(): Promise<RemoteFile> {
  const remote = open();
  assert.equal(await readAt(remote, 0, 24), 1);
  asked = [];
  return remote;
}

test("what was announced is on its way once, in one piece, and is read without another request", async () => {
  const remote = await opened();
  for (let at = 2; at < 14; at += 4) remote.willNeed(at * kMegabyte, 4 * kMegabyte);
  for (let at = 2; at < 14; at += 4) remote.willNeed(at * kMegabyte, 4 * kMegabyte);
  for (let at = 2; at < 14; at += 4) await readAt(remote, at * kMegabyte, 4 * kMegabyte);
  const expected = [2, 6, 10].map((at) => [at * kMegabyte, (at + 4) * kMegabyte]);
  assert.deepEqual(asked.sort(([a], [b]) => a - b), expected);
  assert.equal(await remote.fill(), false);
});

test("no more than 24 MB are here that nobody has read, however much is announced", async () => {
  const remote = await opened();
  for (let at = 0; at < 40; at += 4) remote.willNeed(at * kMegabyte, 4 * kMegabyte);
  await readAt(remote, 20 * kMegabyte, 4 * kMegabyte);
  assert.equal(asked.length, 6);
  remote.willNeed(24 * kMegabyte, 4 * kMegabyte);
  await readAt(remote, 24 * kMegabyte, 4 * kMegabyte);
  assert.equal(asked.length, 7, "what was read makes room");
});

test("small pieces side by side are fetched together", async () => {
  const remote = await opened();
  const waits = [];
  for (let i = 0; i < 8; ++i) waits.push(await readAt(remote, 3 * kMegabyte + i * 4096, 4096));
  assert.deepEqual(waits, [1, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(asked.length, 1);
});

test("what did not come when it was announced is asked for again when it is read; then it fails in words", async () => {
  const remote = await opened();
  refuses = 1;
  remote.willNeed(5 * kMegabyte, kMegabyte);
  assert.equal(await readAt(remote, 5 * kMegabyte, kMegabyte), 1);
  assert.equal(asked.length, 2);
  refuses = 1;
  await assert.rejects(readAt(remote, 9 * kMegabyte, kMegabyte), /no such file \(404/);
});

test("the end of the file", async () => {
  const remote = await opened();
  remote.willNeed(file.length - 100, 100);
  remote.willNeed(file.length, 1);
  await readAt(remote, file.length - 100, 100);
  assert.deepEqual(asked, [[file.length - 100, file.length]]);
  assert.equal(remote.read(file.length, new Uint8Array(1)), 0);
});
