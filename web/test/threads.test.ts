// The engine on threads of Node: the same bits whatever their number, and no thread that burns a core while it idles.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { Engine } from "../src/engine.js";
import { GpuHost } from "../src/gpu_host.js";
import { findFeatures } from "../src/modules.js";
import { nodeFiles, readModule, repositoryPath, startThread } from "../src/node.js";

const native = process.env["TERN_NATIVE"] ?? repositoryPath("build/tern");
const demo = repositoryPath("models/tern-demo-q8_0.gguf");
const log = (text: string) => process.stderr.write(text);
const messages = [{ role: "user", content: "What is 47 + 85?" }];

async function engineOn(file: string, count: number): Promise<Engine> {
  const threads = { count, start: startThread };
  const engine = await Engine.create(readModule(file), nodeFiles, log, new GpuHost(null), threads);
  await engine.open(demo);
  return engine;
}

/// Every log probability, to the last bit.
async function logprobsOn(file: string, count: number): Promise<unknown[]> {
  const engine = await engineOn(file, count);
  const answer = await engine.complete({ messages, temperature: 0, max_tokens: 24, logprobs: 5 });
  return answer.events.map(({ token, logprob, top }) => ({ token, logprob, top }));
}

test("the native program's tokens, and the same bits on any number of threads and with either SIMD", async () => {
  const args = ["run", demo, "--device", "cpu", "--chat", "-p", "What is 47 + 85?", "--greedy", "-n", "24", "--json"];
  const theirs = JSON.parse(execFileSync(native, args, { encoding: "utf8" })) as { tokens: number[] };
  const alone = await logprobsOn("tern.wasm", 1);
  assert.deepEqual(
    alone.map((event) => (event as { token: number }).token),
    theirs.tokens,
  );
  const others: [string, number][] = [1, 2, 5].map((count) => ["tern-threads.wasm", count]);
  if (findFeatures().relaxedSimd) others.push(["tern-relaxed.wasm", 1], ["tern-relaxed-threads.wasm", 2]);
  for (const [file, count] of others) assert.deepEqual(await logprobsOn(file, count), alone, `${file}, ${count}`);
});

test("a second model takes the threads of the first, and threads that idle sleep", async () => {
  const engine = await engineOn("tern-threads.wasm", 3);
  const first = await engine.complete({ messages, temperature: 0, max_tokens: 24 });
  await engine.open(demo);
  assert.deepEqual((await engine.complete({ messages, temperature: 0, max_tokens: 24 })).tokens, first.tokens);
  const before = process.cpuUsage();
  const wait = 400;
  await new Promise((resolve) => setTimeout(resolve, wait));
  const { user } = process.cpuUsage(before);
  assert.ok(user / 1000 < wait / 2, `${user} us of ${wait} ms`); // a thread that does not sleep takes all of it
});
