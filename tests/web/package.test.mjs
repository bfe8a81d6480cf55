// The package in Chromium: the native program's answers, from every kind of source, and errors that say what to do.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import {
  ask as askIn,
  demo,
  kStrictPolicy,
  launchProfile,
  native,
  nativeAnswer,
  openPage,
  serve,
} from "./browser.mjs";

let server, context, page;

before(async () => {
  server = await serve({}, { "content-security-policy": kStrictPolicy });
  context = await launchProfile();
  page = await openPage(context, server.url);
});
after(async () => {
  await context?.close();
  server?.close();
});

const ask = (source, options) => askIn(page, source, options);

test("the native program's tokens, under a strict policy; stored, and then without the network", async () => {
  const expected = nativeAnswer("What is 47 + 85?", 24);
  const url = "/models/tern-demo-q8_0.gguf";
  const first = await ask(url);
  assert.deepEqual(first.tokens, expected.tokens);
  assert.equal(first.text, expected.text);
  assert.equal(first.last.finishReason, "end");
  assert.equal(first.info.stored, "tern-demo-q8_0.gguf");
  const before = server.requests.filter((request) => request.path === url).length;
  assert.equal((await ask(url)).text, expected.text);
  assert.equal((await ask("tern-demo-q8_0.gguf")).text, expected.text);
  assert.equal(server.requests.filter((request) => request.path === url).length, before);
});

test("nothing is stored when that is not wanted", async () => {
  const { text, info } = await ask("/models/tern-demo-q8_0.gguf", { store: false });
  assert.equal(text, "47 + 85 = 132");
  assert.equal(info.stored, null);
});

test("auto says which device runs, and why", async () => {
  const { info } = await ask("/models/tern-demo-q8_0.gguf", { device: "auto" });
  assert.equal(info.device.kind, "cpu");
  assert.match(info.device.why, /is no GPU but a CPU/);
});

test("vectors of texts lose what int8 activations lose natively, or half as much again", async () => {
  const texts = ["A cat sat on the mat.", "What is 2 + 3?"];
  const args = ["embed", demo, "--device", "cpu", "-p", texts[0], "-p", texts[1], "--json"];
  const embedded = (...options) =>
    JSON.parse(execFileSync(native, [...args, ...options], { encoding: "utf8" })).embeddings;
  const exact = embedded("--activations", "f32");
  const theirs = embedded();
  const distance = (a, b) => Math.hypot(...a.map((x, i) => x - b[i]));
  for (const device of ["cpu", "gpu"]) {
    const vectors = await page.evaluate(
      async ([inputs, kind]) => {
        const options = { device: kind, sequences: 2, context: 256, chunk: 64 };
        const model = await tern.Tern.load("/models/tern-demo-q8_0.gguf", options);
        const found = await model.embed(inputs);
        await model.unload();
        return found.map((vector) => [...vector]);
      },
      [texts, device],
    );
    for (const i of [0, 1]) assert.ok(distance(vectors[i], exact[i]) < 1.5 * distance(theirs[i], exact[i]), device);
  }
});

test("errors have a code and say what to do", async () => {
  const cases = [
    ["/models/nothing.gguf", {}, "not-found", /404/],
    ["/", {}, "not-a-model", /web page/],
    ["/models/tern-demo-q8_0.gguf", { store: "x.gguf", sha256: "0".repeat(64) }, "checksum", /another file/],
    ["/package/package.json", {}, "invalid", /package.json/],
  ];
  for (const [source, options, code, message] of cases) {
    const result = await ask(source, options);
    assert.equal(result.code, code, JSON.stringify(result));
    assert.match(result.message, message);
  }
});

test("the store lists, exports, copies and deletes; what is in use stays", async () => {
  const result = await page.evaluate(async () => {
    const { Models, Tern } = tern;
    const out = {};
    const [file] = await Models.export("tern-demo-q8_0.gguf");
    out.copy = await Models.add(file, { name: "copy.gguf" });
    const model = await Tern.load("copy.gguf", { device: "cpu" });
    out.refused = await Models.delete("copy.gguf").catch((error) => error.code);
    await model.unload();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await Models.delete("copy.gguf");
    out.names = (await Models.list()).filter((m) => m.complete).map((m) => m.name);
    return out;
  });
  assert.equal(result.copy, "copy.gguf");
  assert.equal(result.refused, "storage");
  assert.ok(!result.names.includes("copy.gguf"));
});
