// Runs the demo model under Node from the WebAssembly module and demands the native program's tokens:
//   node tests/wasm/run.mjs build-wasm/tern.wasm [build/tern] [models/tern-demo-q8_0.gguf]
// A token may differ only if nothing does: both sides compute the same sums in the order their instruction set fixes,
// so greedy answers agree wherever the two best logits are not within rounding of each other; the prompts here are not.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { Tern } from "./module.mjs";

const [wasm = "build-wasm/tern.wasm", native = "build/tern", file = "models/tern-demo-q8_0.gguf"] =
  process.argv.slice(2);
const prompts = ["Hello!", "What is Tern?", "What is 47 + 85?", "Sort these words: pear, apple, fig."];

const tern = await Tern.instantiate(readFileSync(wasm));
const wrongFile = new Uint8Array([1, 2, 3, 4]);
assert.throws(() => tern.load(wrongFile), /magic|GGUF|short|bytes/, "a wrong file is an error, not a trap");
const info = tern.load(readFileSync(file));
console.log(`loaded ${file} on ${info.device}`);

let passed = 0;
for (const prompt of prompts) {
  const messages = [{ role: "user", content: prompt }];
  const start = performance.now();
  const ours = tern.complete({ messages, temperature: 0, max_tokens: 64 });
  const seconds = (performance.now() - start) / 1000;
  const args = ["run", file, "--chat", "-p", prompt, "--greedy", "-n", "64", "--json"];
  const theirs = JSON.parse(execFileSync(native, args));
  assert.deepEqual(ours.tokens, theirs.tokens, `tokens of "${prompt}"`);
  assert.equal(ours.text, theirs.text);
  console.log(`  ${prompt} -> ${ours.text.trim()} (${(ours.tokens.length / seconds).toFixed(0)} tok/s)`);
  passed += 1;
}
console.log(`wasm: ${passed} passed, 0 failed`);
