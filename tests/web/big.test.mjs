// A model larger than a tab may hold streams to the GPU: from a server's ranges, from a file, and once more from the
// server when the GPU was lost. All the while the anonymous memory of the renderer's process - what its heaps,
// WebAssembly's and JavaScript's, with their buffers and Chromium's own have in memory - stays below 400 MB; 600 for a
// file, see below.
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { writeBigModel } from "./big_model.mjs";
import { launch, openPage, sendFile, serve } from "./browser.mjs";

const kMostBytes = 400e6;
const kMostOfFile = 600e6; // synchronous reads leave garbage, which a busy machine collects late (457 MB for 3.1 GB)
// 3.1 GB with TERN_TEST_ALL; else 0.65 GB, which is a fifth of the time and would not fit either.
const kLayers = process.env.TERN_TEST_ALL ? 64 : 13;
const kShape = { layers: kLayers, width: 2048, kvWidth: 512, heads: 16, ffn: 5632, vocab: 4096 };
const kSampleMs = 5;

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tern-big-"));
const file = path.join(folder, "big.gguf");
let bytes = 0;
let server, browser;
before(async () => {
  bytes = writeBigModel(file, kShape);
  assert.ok(bytes > 1.5 * kMostBytes);
  server = await serve({ "/big.gguf": (request, response) => sendFile(request, response, file) });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  server?.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

/// The most anonymous memory that a renderer has until stop() is called.
async function watchMemory(session) {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const renderers = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
  let most = 0;
  const sample = () => {
    for (const pid of renderers) {
      const status = fs.existsSync(`/proc/${pid}/status`) ? fs.readFileSync(`/proc/${pid}/status`, "utf8") : "";
      most = Math.max(most, 1024 * Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1] ?? 0));
    }
  };
  const timer = setInterval(sample, kSampleMs);
  return () => {
    clearInterval(timer);
    return most;
  };
}

const kOptions = { device: "gpu", store: false, context: 256 };
/// Of a model without a tokenizer: one step through all layers.
const kStep = async () => (await globalThis.model.embedAll([[1, 2]])).vectors.length;

function checkMemory(what, most, allowed = kMostBytes) {
  const [had, has] = [most, bytes].map((n) => (n / 1e6).toFixed(0));
  console.log(`${what}: ${had} MB of anonymous memory at most, the file has ${has} MB`);
  assert.ok(most > 30e6, "the renderer was looked at");
  assert.ok(most < allowed, `${what}: ${most} bytes`);
}

test("from a server's ranges, and again after the GPU's process has crashed", async () => {
  const page = await openPage(browser, server.url);
  const session = await browser.newBrowserCDPSession();
  let stop = await watchMemory(session);
  const { weightsBytes } = await page.evaluate(async (options) => {
    globalThis.devices = [];
    const onDevice = ({ kind, why }) => devices.push(`${kind}: ${why}`);
    globalThis.model = await tern.Tern.load("/big.gguf", { ...options, onDevice });
    return model.info;
  }, kOptions);
  assert.ok(weightsBytes > 0.95 * bytes);
  assert.equal(await page.evaluate(kStep), 1);
  checkMemory("from ranges", stop());

  stop = await watchMemory(session);
  await session.send("Browser.crashGpuProcess").catch(() => undefined);
  assert.equal(await page.evaluate(kStep), 1);
  const devices = await page.evaluate(() => globalThis.devices);
  assert.match(devices.at(-1), /^gpu: The model was loaded again/);
  checkMemory("from ranges, again", stop());
  await page.evaluate(() => model.unload());
  await page.close();
});

test("from a file", async () => {
  const page = await openPage(browser, server.url);
  const session = await browser.newBrowserCDPSession();
  await page.evaluate(() => {
    const input = document.createElement("input");
    input.type = "file";
    document.body.append(input);
  });
  await page.locator("input").setInputFiles(file);
  const stop = await watchMemory(session);
  await page.evaluate(async (options) => {
    const [chosen] = document.querySelector("input").files;
    globalThis.model = await tern.Tern.load(chosen, options);
  }, kOptions);
  assert.equal(await page.evaluate(kStep), 1);
  checkMemory("from a file", stop(), kMostOfFile);
  await page.close();
});
