// The engine in WebAssembly, on its CPU backend: the native program's tokens, and errors that are sentences.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { before, test } from "node:test";
import { Engine } from "../src/engine.js";
import { nodeFiles, readModule, repositoryPath } from "../src/node.js";
import { memoryFiles } from "../src/wasi.js";

const native = process.env["TERN_NATIVE"] ?? repositoryPath("build/tern");
const demo = repositoryPath("models/tern-demo-q8_0.gguf");
const log = (text: string) => process.stderr.write(text);
let engine: Engine;

before(async () => {
  engine = await Engine.create(readModule(), nodeFiles, log);
});

// Both sides compute the same sums in the order their instruction set fixes, so greedy answers agree wherever the two
// best logits are not within rounding of each other; for these prompts they are not.
for (const prompt of ["Hello!", "What is Tern?", "What is 47 + 85?", "Sort these words: pear, apple, fig."]) {
  test(`the native program's tokens: ${prompt}`, async () => {
    await engine.open(demo);
    const messages = [{ role: "user", content: prompt }];
    const ours = await engine.complete({ messages, temperature: 0, max_tokens: 64 });
    const args = ["run", demo, "--device", "cpu", "--chat", "-p", prompt, "--greedy", "-n", "64", "--json"];
    const theirs = JSON.parse(execFileSync(native, args, { encoding: "utf8" })) as { tokens: number[]; text: string };
    assert.deepEqual(ours.tokens, theirs.tokens);
    assert.equal(ours.text, theirs.text);
  });
}

test("a model may lie in memory, and a Hugging Face folder is opened as natively", async () => {
  const memory = memoryFiles({ "/m/demo.gguf": new Uint8Array(fs.readFileSync(demo)) });
  const other = await Engine.create(readModule(), memory, log);
  assert.equal((await other.open("/m/demo.gguf")).vocab, 4096);
  assert.equal((await other.open("/m")).name, "demo.gguf", "the one GGUF of a folder");
  assert.equal((await engine.open(repositoryPath("tests/data/golden/llama2-mha"))).arch, "llama");
});

// Activations are rounded to int8, and what differs in its last bits may be rounded the other way: two instruction sets
// are nearly as far from each other as from f32 (on x86-64 AVX2 is 0.007 from scalar code, and both 0.016 from f32).
test("vectors of a text lose what int8 activations lose natively, or half as much again", async () => {
  await engine.open(demo, { chunk: 16 });
  const prompt = "Tern runs language models in a browser tab, and a text becomes a vector there.";
  for (const pooling of ["mean", "last"] as const) {
    const args = ["embed", demo, "--device", "cpu", "-p", prompt, "--pooling", pooling, "--json"];
    const vector = (...options: string[]) => {
      const out = execFileSync(native, [...args, ...options], { encoding: "utf8" });
      return (JSON.parse(out) as { embeddings: [number[]] }).embeddings[0];
    };
    const exact = vector("--activations", "f32");
    const off = (other: number[]) => Math.hypot(...exact.map((x, i) => x - (other[i] ?? NaN)));
    const ours = await engine.complete({ prompt, embed: { pooling } });
    assert.equal(ours.embedding.length, exact.length);
    assert.ok(off(ours.embedding) < 1.5 * off(vector()), pooling);
    assert.deepEqual([ours.tokens, ours.text, ours.reason], [[], "", "end"]);
  }
});

test("several requests at once, one of them cancelled", async () => {
  await engine.open(demo, { max_seqs: 2 });
  const ask = (content: string) => engine.submit({ messages: [{ role: "user", content }], temperature: 0 });
  const [kept, dropped] = [ask("What is Tern?"), ask("Tell me a long story.")];
  const ends = new Map<number, string>();
  engine.pump();
  engine.cancel(dropped.id);
  while (ends.size < 2) {
    for (const event of engine.pump().events) if (event.finished) ends.set(event.id, event.finished);
    await engine.settled();
  }
  assert.deepEqual([ends.get(kept.id), ends.get(dropped.id)], ["end", "cancelled"]);
});

test("what is wrong is said in a sentence", async () => {
  const files = memoryFiles({ "/wrong.gguf": new Uint8Array([1, 2, 3, 4]), "/empty.gguf": new Uint8Array() });
  const other = await Engine.create(readModule(), files, log);
  assert.throws(() => other.submit({ prompt: "x" }), /No model is loaded/);
  await assert.rejects(other.open("/wrong.gguf"), /wrong\.gguf/);
  await assert.rejects(other.open("/empty.gguf"), /empty/);
  await assert.rejects(other.open("/missing.gguf"), /no file or folder/);
  await assert.rejects(engine.open(demo, { context: 0.5 }), /context/);
  await assert.rejects(engine.open(demo, { kv: "q4" as "f16" }), /allowed are f32, f16 and q8_0/);
  await engine.open(demo);
  assert.throws(() => engine.submit({ tokens: [] }), /token/);
  assert.throws(() => engine.submit({ tokens: [4096] }), /4096/);
  assert.throws(() => engine.submit({ tokens: [-1] }), /token ids/);
  assert.throws(() => engine.submit({ prompt: "x", stop: [1 as unknown as string] }), /no text/);
  assert.throws(() => engine.submit({ prompt: "x", logit_bias: [[1] as unknown as [number, number]] }), /pair/);
  const pooling = "max" as unknown as "mean";
  assert.throws(() => engine.submit({ prompt: "x", embed: { pooling } }), /allowed are mean and last/);
  assert.throws(() => engine.submit({ prompt: "x", embed: "mean" as unknown as object }), /expected an object/);
  assert.throws(() => engine.submit({ prompt: "x", temperature: "hot" as unknown as number }), /temperature/);
});
