// Models through the whole of the web package: WebAssembly plans, the TypeScript player plays on Dawn. Stated against
// PyTorch's logits in float64 and its greedy tokens (tests/data/golden), and against the CPU.
// TERN_TEST_ALL=1: every position of every model, and devices without f16, without subgroups, with default limits.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import { after, before, test } from "node:test";
import { Engine } from "../src/engine.js";
import type { ModelOptions } from "../src/engine.js";
import { openDevice } from "../src/gpu.js";
import type { DeviceLimits } from "../src/gpu.js";
import { GpuHost } from "../src/gpu_host.js";
import { nodeFiles, nodeGpu, readModule, repositoryPath } from "../src/node.js";
import { readPlan } from "../src/plan.js";

const demo = repositoryPath("models/tern-demo-q8_0.gguf");
const goldenFolder = repositoryPath("tests/data/golden");
const all = process.env["TERN_TEST_ALL"] !== undefined;
const kTop = 20; // logprobs that a request may ask for
// Logits within 2e-4 of the golden ones; a log probability differs by that, and by as much in its normaliser.
const kBound = 4e-4;

let gpu: GPU;
const engines: Engine[] = [];

before(async () => {
  gpu = await nodeGpu();
});
after(() => {
  for (const engine of engines) engine.player?.destroy();
});

async function open(path: string, options: ModelOptions = {}, limits: DeviceLimits = {}): Promise<Engine> {
  const log = (text: string) => process.stderr.write(text);
  const engine = await Engine.create(readModule(), nodeFiles, log, new GpuHost(gpu, limits));
  engines.push(engine);
  const info = await engine.open(path, { device: "gpu", ...options });
  assert.ok(!info.device.startsWith("cpu"), info.device);
  return engine;
}

interface Golden {
  ids: number[];
  greedy: number[];
  logits: Float32Array; // [ids, vocab]
  vocab: number;
}

/// NumPy's format, version 1.0: magic, version, length of the header, header, values.
function readGolden(model: string): Golden {
  const folder = `${goldenFolder}/${model}`;
  // PyTorch computed gemma2's without the cap on attention scores; tests/models/gemma2_reference.py did with it.
  const name = model === "gemma2" ? "softcap" : "golden";
  const json = JSON.parse(fs.readFileSync(`${folder}/${name}.json`, "utf8")) as Record<string, unknown>;
  const npy = fs.readFileSync(`${folder}/${name}_logits.npy`);
  const header = npy.readUInt16LE(8);
  const logits = new Float32Array(npy.buffer.slice(npy.byteOffset + 10 + header, npy.byteOffset + npy.length));
  const ids = json["ids"] as number[];
  return { ids, greedy: json["greedy"] as number[], logits, vocab: logits.length / ids.length };
}

function logprobsOf(logits: Float32Array): Float64Array {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return Float64Array.from(logits, (logit) => logit - largest - Math.log(sum));
}

async function compareLogits(engine: Engine, golden: Golden, position: number): Promise<void> {
  const { ids, logits, vocab } = golden;
  const tokens = ids.slice(0, position + 1);
  const request = { tokens, max_tokens: 1, temperature: 0, logprobs: kTop, ignore_eos: true };
  const answer = await engine.complete(request);
  const expected = logprobsOf(logits.subarray(position * vocab, (position + 1) * vocab));
  const top = answer.events[0]?.top ?? [];
  assert.equal(top.length, kTop);
  for (const { token, logprob } of top) {
    const want = expected[token] ?? NaN;
    assert.ok(Math.abs(logprob - want) <= kBound, `position ${position}, token ${token}: ${logprob}, not ${want}`);
  }
}

async function compareModel(model: string, limits: DeviceLimits = {}): Promise<void> {
  const golden = readGolden(model);
  const engine = await open(`${goldenFolder}/${model}`, { kv: "f32" }, limits);
  const last = golden.ids.length - 1;
  const positions = all ? golden.ids.keys() : [0, Math.floor(last / 2), last];
  for (const position of positions) await compareLogits(engine, golden, position);
  const request = { tokens: golden.ids, max_tokens: 32, temperature: 0, ignore_eos: true };
  assert.deepEqual((await engine.complete(request)).tokens, golden.greedy);
}

for (const model of fs.readdirSync(goldenFolder)) {
  // Weights in 4 bits have activations in 8: other logits than PyTorch's, by design.
  if (model.includes("awq")) continue;
  test(`${model}: PyTorch's logits and greedy tokens`, () => compareModel(model));
}

const poorer: [string, DeviceLimits][] = [
  ["without shader-f16", { f16: false }],
  ["without subgroups", { subgroups: false }],
  ["without packed dot products", { packed_dot: false }],
  ["with WebGPU's default limits", { default_limits: true }],
  ["with nothing", { f16: false, subgroups: false, packed_dot: false, default_limits: true }],
];
for (const [name, limits] of poorer) {
  test(`a device ${name} gives the same`, { skip: !all && limits.subgroups === undefined }, async () => {
    await compareModel("llama31-gqa-ropescale", limits);
  });
}

// The golden models' shapes are too odd for fused kernels; these have random weights in q8_0. Generic kernels, which
// the golden models hold to PyTorch, say what is right. int8 activations with a scale per 32 lose about 0.5% of a
// product; nine of them one after the other 1.5% of the logits, which spread over 1: three times that is allowed.
const kInt8Bound = 0.05;
// A router that hesitates weighs experts otherwise, or takes others, for such a difference: on the CPU int8 activations
// move a log probability of 74 tokens of these models by 0.2 to 0.4 at four of them, and by 0.94 at one.
const kExpertsBound = 0.2;
const fused: [string, ModelOptions, DeviceLimits][] = [
  ["llama", { kv: "q8_0" }, {}],
  ["qwen3", {}, {}],
  ["gemma2", { kv: "f32" }, { f16: false }],
  ["gemma3", {}, {}],
  ["mixtral", {}, {}],
  ["qwen3moe", { kv: "q8_0" }, {}],
];
if (all) fused.push(["gemma3", { kv: "q8_0" }, { subgroups: false }]); // software is slow at this
for (const [architecture, options, limits] of fused) {
  test(`${architecture}: fused kernels give what generic ones give`, async () => {
    const folder = fs.mkdtempSync(`${os.tmpdir()}/tern-`);
    try {
      const file = `${folder}/model.gguf`;
      execFileSync(repositoryPath("build/tests/random_model"), [architecture, "q8_0", file]);
      const exact = await open(file, { kv: "f32" }, { packed_dot: false });
      const engine = await open(file, options, limits);
      const names = readPlan(engine.plan()).pipelines.map((p) => p.name);
      assert.ok(names.includes("attention_split"), "the model is not fused");
      const bound = /moe|mixtral/.test(architecture) ? kExpertsBound : kInt8Bound;
      for (const length of [1, 12, 70]) await compareDistributions(exact, engine, length, bound);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });
}

/// After a prompt of so many tokens, and after each of the tokens that follow it, as far as both go the same way.
async function compareDistributions(exact: Engine, engine: Engine, length: number, bound: number): Promise<void> {
  const tokens = Array.from({ length }, (_, i) => ((i * 37) % 200) + 3);
  const request = { tokens, max_tokens: 4, temperature: 0, logprobs: kTop, ignore_eos: true };
  const want = (await exact.complete(request)).events.filter((e) => e.top !== undefined);
  const got = (await engine.complete(request)).events.filter((e) => e.top !== undefined);
  assert.ok(want.length === 4 && got.length === 4);
  for (const [i, event] of want.entries()) {
    const found = new Map((got[i]?.top ?? []).map(({ token, logprob }) => [token, logprob]));
    const shared = (event.top ?? []).filter(({ token }) => found.has(token));
    assert.ok(shared.length > kTop / 2, `${length} + ${i} tokens: other tokens are likely`);
    for (const { token, logprob } of shared) {
      const difference = Math.abs((found.get(token) ?? NaN) - logprob);
      assert.ok(difference <= 2 * bound, `${length} + ${i} tokens, token ${token}: off by ${difference}`);
    }
    if (got[i]?.token !== event.token) return;
  }
}

test("WebAssembly and the native program make the same plan for the same device", async () => {
  const [device, facts] = await openDevice(gpu);
  device.destroy();
  for (const path of [demo, `${goldenFolder}/mixtral`]) {
    const engine = await open(path, { chunk: 64, context: 256 });
    const words = execFileSync(repositoryPath("build/tests/plan_words"), [path, JSON.stringify(facts), "64", "256"]);
    assert.ok(words.equals(new Uint8Array(engine.plan().buffer)), path);
  }
});

test("a device with subgroup matrices gets kernels that compile", async () => {
  // No device that computes has both: Dawn's null backend compiles and takes what is experimental.
  const nowhere = await nodeGpu(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
  const [device, poor] = await openDevice(nowhere);
  const wide = { subgroup_min: 32, subgroup_max: 32, max_workgroup_bytes: 49152, max_invocations: 1024 };
  const facts = { ...poor, software: false, packed_dot: true, subgroup_matrix: true, ...wide };
  const words = execFileSync(repositoryPath("build/tests/plan_words"), [demo, JSON.stringify(facts), "512", "1024"]);
  const plan = readPlan(new Uint32Array(words.buffer.slice(words.byteOffset, words.byteOffset + words.length)));
  const names = new Set(plan.pipelines.map((p) => p.name));
  assert.ok(names.has("gemm_matrix") && names.has("flash_matrix"), [...names].join(" "));
  for (const { name, source } of plan.pipelines) {
    const { messages } = await device.createShaderModule({ code: source }).getCompilationInfo();
    assert.equal(messages.map((m) => m.message).join("; "), "", name);
  }
});

/// The native program's vector; raw, so that its length is compared as well.
function nativeVector(path: string, tokens: number[], pooling: string, ...options: string[]): number[] {
  const args = ["embed", path, "--tokens", tokens.join(), "--pooling", pooling, "--no-normalize", "--json", ...options];
  const out = execFileSync(repositoryPath("build/tern"), args, { encoding: "utf8" });
  return (JSON.parse(out) as { embeddings: [number[]] }).embeddings[0];
}

function distance(a: number[], b: number[]): number {
  assert.equal(a.length, b.length);
  return Math.hypot(...a.map((x, i) => x - (b[i] ?? NaN)));
}

test("hidden states are those of the reference, in chunks of every size", async () => {
  const { ids } = readGolden("llama31-gqa-ropescale");
  const path = `${goldenFolder}/llama31-gqa-ropescale`;
  for (const chunk of [7, 64]) {
    const engine = await open(path, { kv: "f32", chunk });
    for (const pooling of ["mean", "last"] as const) {
      const { embedding } = await engine.complete({ tokens: ids, embed: { pooling, normalize: false } });
      const expected = nativeVector(path, ids, pooling, "--device", "ref", "--kv", "f32");
      assert.ok(distance(embedding, expected) < kBound * Math.hypot(...expected), `${pooling}, chunks of ${chunk}`);
    }
  }
});

test("with int8 activations they are as near to f32's as on the CPU, or half as near again", async () => {
  const tokens = Array.from({ length: 90 }, (_, i) => ((i * 37) % 200) + 3);
  for (const chunk of [1, 16, 64]) {
    const engine = await open(demo, { chunk, context: 128 });
    for (const pooling of ["mean", "last"] as const) {
      const exact = nativeVector(demo, tokens, pooling, "--device", "cpu", "--activations", "f32");
      const allowed = 1.5 * distance(nativeVector(demo, tokens, pooling, "--device", "cpu"), exact);
      const { embedding } = await engine.complete({ tokens, embed: { pooling, normalize: false } });
      assert.ok(distance(embedding, exact) < allowed, `${pooling}, chunks of ${chunk}`);
    }
  }
});

test("a text is embedded beside an answer, which stays the same", async () => {
  const engine = await open(demo, { max_seqs: 2, context: 256, chunk: 64 });
  const request = { messages: [{ role: "user", content: "What is Tern?" }], temperature: 0, max_tokens: 12 };
  const text = { prompt: "Tern runs language models. ".repeat(8), embed: {} };
  const alone = [await engine.complete(request), await engine.complete(text)] as const;
  const answer = engine.submit(request).id;
  const embedded = engine.submit(text).id;
  const tokens: number[] = [];
  let embedding: number[] = [];
  for (let idle = false; !idle; await engine.settled()) {
    const pumped = engine.pump();
    idle = pumped.idle;
    for (const event of pumped.events) {
      if (event.id === answer && event.token !== undefined) tokens.push(event.token);
      if (event.id === embedded && event.embedding !== undefined) embedding = event.embedding;
    }
  }
  assert.deepEqual(tokens, alone[0].tokens);
  assert.ok(distance(embedding, alone[1].embedding) < 0.01, "of length 1; int8 activations in chunks of other sizes");
});

test("the demo model answers", async () => {
  const engine = await open(demo);
  const messages = [{ role: "user", content: "What is 2+2?" }];
  const answer = await engine.complete({ messages, temperature: 0, max_tokens: 32 });
  assert.equal(answer.text.trim(), "2 + 2 = 4");
});

test("a lost device is replaced in mid-answer, and the answer goes on as if nothing had been", async () => {
  const messages = [{ role: "user", content: "What is Tern?" }];
  const request = { messages, temperature: 0, max_tokens: 6 };
  const engine = await open(demo);
  const expected = await engine.complete(request);
  const told: string[] = [];
  let tokens = 0;
  const answer = await engine.complete(request, (event) => {
    if (event.device !== undefined) told.push(event.device);
    if (event.token !== undefined && ++tokens === 3) engine.player?.lose();
  });
  assert.equal(answer.text, expected.text);
  assert.ok(told.length > 0, "the loss is reported");
  assert.equal(engine.stats()["device_losses"], 1);
  assert.notEqual(engine.player, null, "it goes on on a GPU");
});
