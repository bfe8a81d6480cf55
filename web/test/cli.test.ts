// The command line in Node: the native program's options and answers.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { repositoryPath } from "../src/node.js";

const demo = repositoryPath("models/tern-demo-q8_0.gguf");

function tern(args: string[], input = ""): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [repositoryPath("web/bin/tern.mjs"), ...args], { input, encoding: "utf8" });
}

test("run --json prints one object with the native program's fields", () => {
  const { stdout, status } = tern(["run", demo, "--device", "cpu", "--tokens", "1,2,3", "-n", "4", "--json"]);
  assert.equal(status, 0);
  const out = JSON.parse(stdout) as Record<string, unknown>;
  const fields = ["text", "tokens", "prompt_tokens", "stop_reason", "prefill_tok_s", "decode_tok_s", "load_s"];
  for (const field of [...fields, "peak_rss_bytes", "device"]) assert.ok(field in out, field);
  assert.equal(out["prompt_tokens"], 3);
});

test("the same seed gives the same text", () => {
  const args = ["run", demo, "--device", "cpu", "-p", "Tern", "-n", "12", "--seed", "7", "--temperature", "1.5"];
  const first = tern(args);
  assert.equal(first.status, 0, first.stderr);
  assert.equal(tern(args).stdout, first.stdout);
});

test("chat answers line by line and has commands", () => {
  const input = "What is 2+2?\n/stats\n/reset\nHello!\n/exit\nnot read\n";
  const { stdout, status } = tern(["chat", demo, "--device", "cpu", "--greedy"], input);
  assert.equal(status, 0);
  assert.match(stdout, /^2 \+ 2 = 4\n\{.*"steps":\d+.*\}\nHello!/);
});

test("bad input and usage end with 2 and a sentence", () => {
  const cases: [string[], RegExp][] = [
    [[], /Usage/],
    [["dance", demo], /no command dance/],
    [["run"], /Which model/],
    [["run", demo, demo], /one argument too many/],
    [["run", demo, "--gredy"], /--gredy/],
    [["run", demo, "--kv", "q4", "-p", "x", "--device", "cpu"], /allowed are f32, f16 and q8_0/],
    [["run", demo, "--device", "tpu", "-p", "x"], /allowed are auto, gpu and cpu/],
    [["run", demo, "--device", "cpu", "--tokens", "1,x"], /not a list of token ids/],
    [["run", demo, "--device", "cpu", "-p", "x", "--top-k", "many"], /not a number/],
    [["run", "missing.gguf", "--device", "cpu", "-p", "x"], /no file or folder/],
  ];
  for (const [args, message] of cases) {
    const { status, stderr } = tern(args);
    assert.equal(status, 2, args.join(" "));
    assert.match(stderr, message);
  }
});
