// The four modules in Chromium: each gives the native tokens; which of them runs, on how many threads and why.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { demo, kStrictPolicy, launch, openPage, repository, serve } from "./browser.mjs";

const kIsolated = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
const kPrompts = ["What is 47 + 85?", "What is Tern?"];
const native = process.env.TERN_NATIVE ?? path.join(repository, "build/tern");
let isolated, plain, browser;

before(async () => {
  isolated = await serve({}, { ...kIsolated, "content-security-policy": kStrictPolicy });
  plain = await serve();
  browser = await launch({ gpu: false });
});
after(async () => {
  await browser?.close();
  isolated?.close();
  plain?.close();
});

function nativeTokens(prompt) {
  const args = ["run", demo, "--device", "cpu", "--chat", "-p", prompt, "--greedy", "-n", "48", "--json"];
  return JSON.parse(execFileSync(native, args, { encoding: "utf8" })).tokens;
}

/// Answers of a model that is opened with `options` on a page of `server`, and what it says of itself.
async function answersOn(server, options) {
  const page = await openPage(browser, server.url);
  const result = await page.evaluate(
    async ([opts, prompts]) => {
      const model = await tern.Tern.load("/models/tern-demo-q8_0.gguf", { device: "cpu", store: false, ...opts });
      const answers = [];
      for (const content of prompts) {
        const tokens = [];
        for await (const piece of model.chat([{ role: "user", content }], { temperature: 0, maxTokens: 48 })) {
          tokens.push(...piece.tokens.map((t) => t.token));
        }
        answers.push(tokens);
      }
      const { module } = await model.stats();
      const { device } = model.info;
      await model.unload();
      return { answers, module, device };
    },
    [options, kPrompts],
  );
  await page.close();
  return result;
}

for (const [file, simd, threads] of [
  ["tern.wasm", "wasm128", 1],
  ["tern-relaxed.wasm", "wasm128-relaxed", 1],
  ["tern-threads.wasm", "wasm128", 3], // more than this machine may have cores
  ["tern-relaxed-threads.wasm", "wasm128-relaxed", 2],
]) {
  test(`${file} gives the native program's tokens`, async () => {
    const { answers, module, device } = await answersOn(isolated, { wasm: `/package/dist/${file}`, threads });
    assert.deepEqual(answers, kPrompts.map(nativeTokens));
    assert.equal(module.threads, threads);
    assert.equal(device.name, `cpu ${simd}`);
  });
}

test("the best module is chosen, with a thread per core where the page is cross-origin isolated", async () => {
  const { answers, module, device } = await answersOn(isolated, {});
  assert.deepEqual(answers, kPrompts.map(nativeTokens));
  const page = await openPage(browser, isolated.url);
  const cores = await page.evaluate(() => navigator.hardwareConcurrency);
  await page.close();
  const threads = Math.min(cores, 16);
  assert.equal(module.file, threads > 1 ? "tern-relaxed-threads.wasm" : "tern-relaxed.wasm");
  assert.equal(module.threads, threads);
  assert.ok(device.why.includes(`(${module.why})`), device.why);
});

test("one thread where the page is not cross-origin isolated", async () => {
  const { answers, module, device } = await answersOn(plain, { threads: 2 });
  assert.deepEqual(answers, kPrompts.map(nativeTokens));
  assert.equal(module.file, "tern-relaxed.wasm");
  assert.equal(module.threads, 1);
  assert.match(device.why, /one thread, as the page is not cross-origin isolated/);
});

test("a thread that fails ends the model with an error, instead of being waited for", async () => {
  const server = await serve({}, kIsolated);
  const page = await openPage(browser, server.url);
  const code = await page.evaluate(async () => {
    let made = 0;
    const broken = URL.createObjectURL(new Blob(["onmessage = () => { throw new Error('no') }"]));
    const worker = () =>
      ++made === 1 ? new Worker("/package/dist/src/worker.js", { type: "module" }) : new Worker(broken);
    try {
      const model = await tern.Tern.load("/models/tern-demo-q8_0.gguf", { device: "cpu", threads: 2, worker });
      for (;;) for await (const _ of model.complete([1, 2, 3], { maxTokens: 8 }));
    } catch (error) {
      return error.code;
    }
  });
  assert.equal(code, "worker");
  await page.close();
  server.close();
});
