// Downloads in Chromium, where real ones go wrong: a page that is closed, tabs that want the same, a store that is full
// or refused, servers that do not keep their word.
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { after, before, test } from "node:test";
import { ask, demo, kNoStorage, kStrictPolicy, launchProfile, openPage, sendFile, serve, until } from "./browser.mjs";
import { splitGguf } from "./gguf_parts.mjs";

const kAnswer = "47 + 85 = 132";
const kChunk = 8 << 20; // of a download; the demo model has two
const kBytes = fs.statSync(demo).size;

/// Answers that wait: the second chunk of /held-*.gguf, until let go.
const held = [];
let holding = true;
function hold(request, response) {
  const send = () => sendFile(request, response, demo);
  if (!holding || !request.headers.range?.startsWith(`bytes=${kChunk}-`)) return send();
  return void held.push(send);
}
function letGo() {
  holding = false;
  for (const send of held.splice(0)) send();
}
function holdAgain() {
  holding = true;
  held.length = 0;
}

const whole = () => fs.readFileSync(demo);
const part = (i) => (request, response) => {
  response.writeHead(200, { "content-length": parts[i].length }).end(request.method === "HEAD" ? undefined : parts[i]);
};
const parts = splitGguf(whole());

/// What a range request asks for; the file's first byte is asked for to see what the server can do.
const isProbe = (request) => request.headers.range === "bytes=0-0";
const partial = (response, begin, bytes, total) =>
  response.writeHead(206, {
    "content-range": `bytes ${begin}-${begin + bytes.length - 1}/${total}`,
    "content-length": bytes.length,
  });

const kRoutes = {
  "/closed.gguf": hold,
  "/shared.gguf": hold,
  "/crashed.gguf": hold,
  "/room.gguf": hold,
  "/over.gguf": (request, response) => sendFile(request, response, demo),
  "/parts-00001-of-00002.gguf": part(0),
  "/parts-00002-of-00002.gguf": part(1),
  "/gap-00001-of-00002.gguf": part(0), // the second part is missing
  "/no-ranges.gguf": (_, response) => response.writeHead(200, { "content-length": kBytes }).end(whole()),
  "/no-length.gguf": (_, response) => response.writeHead(200).end(whole()),
  "/ends-early.gguf": (_, response) => {
    response.writeHead(200, { "content-length": kBytes }).write(whole().subarray(0, 1 << 20));
    setTimeout(() => response.destroy(), 20);
  },
  "/too-long.gguf": (request, response) => {
    if (isProbe(request)) return partial(response, 0, whole().subarray(0, 1), kBytes).end(whole().subarray(0, 1));
    const [begin, end] = /(\d+)-(\d+)/.exec(request.headers.range).slice(1).map(Number);
    const bytes = whole().subarray(begin, end + 1);
    return partial(response, begin, bytes, kBytes + 5).end(bytes);
  },
  "/forgets-ranges.gguf": (request, response) => {
    if (isProbe(request)) return partial(response, 0, whole().subarray(0, 1), kBytes).end(whole().subarray(0, 1));
    return response.writeHead(200, { "content-length": kBytes }).end(whole());
  },
  "/login.gguf": (_, response) => response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html>Log in"),
  "/sneaky.gguf": (_, response) => {
    const type = { "content-type": "application/octet-stream" };
    response.writeHead(200, type).end("<!DOCTYPE html><p>Sign in to download.");
  },
  "/lfs.gguf": (_, response) => response.writeHead(200).end("version https://git-lfs.github.com/spec/v1\noid sha256:0"),
  "/private.gguf": (_, response) => response.writeHead(403).end(),
  "/busy.gguf": (_, response) => response.writeHead(503).end(),
};

let server, context;
before(async () => {
  server = await serve(kRoutes, { "content-security-policy": kStrictPolicy });
  context = await launchProfile({ gpu: false });
});
after(async () => {
  await context?.close();
  server?.close();
});

/// Starts to load; `page.loading` is its end, and globalThis.loaded the bytes so far.
async function startLoading(path) {
  const page = await openPage(context, server.url);
  const end = page.evaluate(async (source) => {
    const onProgress = ({ phase, loaded }) => {
      if (phase === "download") globalThis.loaded = loaded;
    };
    const model = await tern.Tern.load(source, { device: "cpu", onProgress });
    return model.info.stored;
  }, path);
  end.catch(() => undefined); // some are ended by the test
  return { page, end };
}

/// Until the page knows that the first chunk is here, and its log says so, too.
async function firstChunkIsHere(page, file) {
  await page.waitForFunction((bytes) => globalThis.loaded >= bytes, kChunk);
  await until(page, async (name) => {
    const root = await navigator.storage.getDirectory();
    const folder = await (await root.getDirectoryHandle("tern-models")).getDirectoryHandle(name);
    const log = await (await folder.getFileHandle(`${name}.log`)).getFile();
    const bytes = new DataView(await log.arrayBuffer());
    return log.size === 4 + bytes.getUint32(0, true) + 4; // one chunk behind the header
  }, file);
}

/// In a page: a tab waits for the one that downloads.
const isWaiting = async () => {
  const { pending } = await navigator.locks.query();
  return pending.some(({ name }) => name.startsWith("tern-model:"));
};

const rangesOf = (path) =>
  server.requests.filter((r) => r.path === path && r.range !== "bytes=0-0").map((r) => r.range);
const kFirst = `bytes=0-${kChunk - 1}`;
const kSecond = `bytes=${kChunk}-${kBytes - 1}`;

test("a page closed in mid-download: the next one goes on, and asks only for what is missing", async () => {
  holdAgain();
  const first = await startLoading("/closed.gguf");
  await firstChunkIsHere(first.page, "closed.gguf");
  const listed = await first.page.evaluate(() => tern.Models.list());
  assert.deepEqual(
    listed.map(({ name, complete, totalBytes }) => ({ name, complete, totalBytes })),
    [{ name: "closed.gguf", complete: false, totalBytes: kBytes }],
  );
  await first.page.close();
  letGo();
  const page = await openPage(context, server.url);
  const { text, info, progress } = await ask(page, "/closed.gguf");
  assert.equal(text, kAnswer);
  assert.equal(info.stored, "closed.gguf");
  assert.deepEqual(rangesOf("/closed.gguf"), [kFirst, kSecond, kSecond]);
  assert.equal(progress.find(({ phase }) => phase === "download").loaded, kChunk, "what is here counts at once");
  await page.close();
});

test("two tabs that want the same download it once", async () => {
  holdAgain();
  const one = await startLoading("/shared.gguf");
  await firstChunkIsHere(one.page, "shared.gguf");
  const two = await startLoading("/shared.gguf");
  await until(two.page, isWaiting);
  letGo();
  assert.deepEqual([await one.end, await two.end], ["shared.gguf", "shared.gguf"]);
  assert.equal(await two.page.evaluate(() => globalThis.loaded), kBytes);
  assert.deepEqual(rangesOf("/shared.gguf"), [kFirst, kSecond]);
  const refused = await one.page.evaluate(() => tern.Models.delete("shared.gguf").catch((error) => error.message));
  assert.match(refused, /in use, here or in another tab/);
  await Promise.all([one.page.close(), two.page.close()]);
});

test("a tab that waits takes over when the one that downloads dies", async () => {
  holdAgain();
  const owner = await startLoading("/crashed.gguf");
  await firstChunkIsHere(owner.page, "crashed.gguf");
  const heir = await startLoading("/crashed.gguf");
  await until(heir.page, isWaiting);
  const session = await context.newCDPSession(owner.page);
  session.send("Page.crash").catch(() => undefined); // it dies before it can answer
  await owner.page.waitForEvent("crash");
  letGo();
  assert.equal(await heir.end, "crashed.gguf");
  assert.deepEqual(rangesOf("/crashed.gguf"), [kFirst, kSecond, kSecond]);
  await Promise.all([owner.page.close(), heir.page.close()]);
});

test("a store that gets full says what is needed and what to delete; with room the download goes on", async () => {
  holdAgain();
  const page = await openPage(context, server.url);
  await page.evaluate(() => tern.Models.add(new File([new Uint8Array(30e6)], "old.bin")));
  const session = await context.newCDPSession(page);
  const { usage } = await page.evaluate(() => navigator.storage.estimate());
  await session.send("Storage.overrideQuotaForOrigin", { origin: server.url, quotaSize: usage + 1.2 * kChunk });
  const loading = await startLoading("/room.gguf");
  await firstChunkIsHere(loading.page, "room.gguf");
  letGo();
  const { message } = await loading.end.catch((error) => error);
  await loading.page.close();
  assert.match(message, /The model needs 15 MB, and the browser's storage is full\. .*old\.bin \(30 MB\)/);
  assert.doesNotMatch(message, /room\.gguf/, "deleting what is being downloaded is no help");
  await page.evaluate(() => tern.Models.delete("old.bin"));
  await session.send("Storage.overrideQuotaForOrigin", { origin: server.url });
  assert.equal((await ask(page, "/room.gguf")).text, kAnswer);
  assert.deepEqual(rangesOf("/room.gguf").slice(2), [kSecond], "the first chunk was kept");
  await page.close();
});

test("a store that holds more than it may says so at once, and leaves nothing behind", async () => {
  const page = await openPage(context, server.url);
  await page.evaluate(() => tern.Models.add(new File([new Uint8Array(30e6)], "old.bin")));
  const session = await context.newCDPSession(page);
  const { usage } = await page.evaluate(() => navigator.storage.estimate());
  const add = () => page.evaluate(() => tern.Models.add(new File(["x"], "new.bin")).catch(({ message }) => message));
  // The browser refuses a folder, or the note of what is in it.
  for (const room of [-10e6, 200]) {
    await session.send("Storage.overrideQuotaForOrigin", { origin: server.url, quotaSize: usage + room });
    for (const path of ["/over.gguf", "/no-ranges.gguf?over"]) {
      const { code, message } = await ask(page, path);
      assert.equal(code, "storage");
      assert.match(message, /The model needs 15 MB, and the browser's storage is full\. .*old\.bin \(30 MB\)/);
    }
    assert.match(await add(), /the browser's storage is full/);
    const listed = await page.evaluate(() => tern.Models.list());
    assert.deepEqual(listed.filter(({ name }) => /over|no-ranges|new/.test(name)), []);
  }
  await session.send("Storage.overrideQuotaForOrigin", { origin: server.url });
  await page.evaluate(() => tern.Models.delete("old.bin"));
  await page.close();
});

test("all parts of a split GGUF are found by the address of any of them", async () => {
  const page = await openPage(context, server.url);
  const { text, info } = await ask(page, "/parts-00002-of-00002.gguf");
  assert.equal(text, kAnswer);
  assert.equal(info.stored, "parts.gguf");
  const listed = await page.evaluate(() => tern.Models.list());
  const { files } = listed.find(({ name }) => name === "parts.gguf");
  assert.deepEqual(files, ["parts-00001-of-00002.gguf", "parts-00002-of-00002.gguf"]);
  assert.equal((await ask(page, "/parts-00001-of-00002.gguf", { store: false })).text, kAnswer);
  const gap = await ask(page, "/gap-00001-of-00002.gguf");
  assert.equal(gap.code, "not-found");
  assert.match(gap.message, /gap-00002-of-00002/);
  await page.close();
});

test("servers without ranges, or that do not say how long a file is, serve as well", async () => {
  const page = await openPage(context, server.url);
  for (const store of [true, false]) {
    for (const path of ["/no-ranges.gguf", "/no-length.gguf"]) {
      const { text, message } = await ask(page, path, { store });
      assert.equal(text, kAnswer, message);
    }
  }
  await page.close();
});

test("servers that do not keep their word are told apart, and leave nothing", async () => {
  const page = await openPage(context, server.url);
  const before = await page.evaluate(() => tern.Models.list());
  const cases = {
    "/nothing.gguf": ["not-found", /no such file \(404/],
    "/private.gguf": ["forbidden", /login/],
    "/busy.gguf": ["http", /busy or broken \(503/],
    "/login.gguf": ["not-a-model", /web page/],
    "/sneaky.gguf": ["not-a-model", /web page/],
    "/lfs.gguf": ["not-a-model", /Git LFS/],
    "/too-long.gguf": ["incomplete", /other bytes .* than it is asked for/],
    "/forgets-ranges.gguf": ["incomplete", /other bytes .* than it is asked for/],
    "/ends-early.gguf": ["incomplete", /broke/],
  };
  const outcomes = await Promise.all(
    Object.keys(cases).flatMap((path) => [ask(page, path), ask(page, path, { store: false })]),
  );
  Object.entries(cases).forEach(([path, [code, message]], i) => {
    for (const outcome of outcomes.slice(2 * i, 2 * i + 2)) {
      assert.equal(outcome.code, code, `${path}: ${JSON.stringify(outcome)}`);
      assert.match(outcome.message, message);
    }
  });
  assert.deepEqual(await page.evaluate(() => tern.Models.list()), before);
  await page.close();
});

test("where storage is refused the model streams to the device, and the store says why it is empty", async () => {
  const refusing = await launchProfile({ gpu: false, preferences: kNoStorage });
  const page = await openPage(refusing, server.url);
  server.requests.length = 0;
  const { text, info, message } = await ask(page, "/models/tern-demo-q8_0.gguf");
  assert.equal(text, kAnswer, message);
  assert.equal(info.stored, null);
  assert.ok(rangesOf("/models/tern-demo-q8_0.gguf").every((range) => range !== null), "in ranges");
  const listed = await page.evaluate(() => tern.Models.list().catch(({ code, message }) => ({ code, message })));
  assert.equal(listed.code, "storage");
  assert.match(listed.message, /refuses storage/);
  await refusing.close();
});
