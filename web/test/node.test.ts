// The package as Node has it, by its own name and in its worker: the native program's tokens, on the CPU and on WebGPU.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { before, test } from "node:test";
import type { LoadOptions } from "../src/api.js";
import type { TernError } from "../src/errors.js";
import { repositoryPath } from "../src/node.js";
import type { Tern as NodeTern } from "../src/node_index.js";

const native = process.env["TERN_NATIVE"] ?? repositoryPath("build/tern");
const demo = repositoryPath("models/tern-demo-q8_0.gguf");
const kPrompt = "What is 47 + 85?";
const kPackage = "@tern/web"; // its own name: by the condition "node" of its exports
let Tern: typeof NodeTern;

before(async () => {
  const lavapipe = repositoryPath(".deps/lavapipe/lvp_icd.json");
  if (fs.existsSync(lavapipe)) process.env["VK_DRIVER_FILES"] ??= lavapipe;
  ({ Tern } = (await import(kPackage)) as { Tern: typeof NodeTern });
});

function nativeJson(...args: string[]): unknown {
  return JSON.parse(execFileSync(native, [...args, "--device", "cpu", "--json"], { encoding: "utf8" }));
}

const expected = () => nativeJson("run", demo, "--chat", "-p", kPrompt, "--greedy") as { tokens: number[] };

async function ask(source: string | URL | Blob, options: LoadOptions): Promise<{ tokens: number[]; why: string }> {
  const tern = await Tern.load(source, options);
  try {
    const tokens: number[] = [];
    for await (const piece of tern.chat([{ role: "user", content: kPrompt }], { temperature: 0 })) {
      tokens.push(...piece.tokens.map(({ token }) => token));
    }
    return { tokens, why: tern.info.device.why };
  } finally {
    await tern.unload();
  }
}

test("on the CPU the native program's tokens, from a path, a file: address and a Blob", async () => {
  const { tokens } = expected();
  const sources = [demo, new URL(`file://${demo}`), new Blob([fs.readFileSync(demo)])];
  for (const source of sources) assert.deepEqual((await ask(source, { device: "cpu" })).tokens, tokens);
});

test("on WebGPU by the npm package webgpu", async () => {
  const { tokens, why } = await ask(demo, { device: "gpu", chunk: 64, context: 256 });
  assert.deepEqual(tokens, expected().tokens);
  assert.match(why, /by WebGPU/);
});

test("from a server that gives parts of files", async (t) => {
  const bytes = fs.readFileSync(demo);
  const server = http.createServer((request, response) => {
    const [begin = 0, end = bytes.length - 1] = (/bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "") ?? [])
      .slice(1)
      .map(Number);
    if (request.url !== "/demo.gguf") return void response.writeHead(404).end();
    response.writeHead(206, { "content-range": `bytes ${begin}-${end}/${bytes.length}` });
    response.end(bytes.subarray(begin, end + 1));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  assert.deepEqual((await ask(`${base}/demo.gguf`, { device: "cpu" })).tokens, expected().tokens);
  await assert.rejects(Tern.load(`${base}/other.gguf`), { code: "not-found" });
});

test("vectors of texts lose what int8 activations lose natively, or half as much again", async () => {
  const texts = ["A cat sat on the mat.", "What is 2 + 3?"];
  const args = ["embed", demo, ...texts.flatMap((text) => ["-p", text])];
  const tern = await Tern.load(demo, { device: "cpu", sequences: 2 });
  for (const pooling of ["mean", "last"] as const) {
    const embedded = (...options: string[]) =>
      nativeJson(...args, "--pooling", pooling, ...options) as { embeddings: number[][]; prompt_tokens: number[] };
    const { embeddings: exact, prompt_tokens: counts } = embedded("--activations", "f32");
    const theirs = embedded().embeddings;
    const vectors = await tern.embed(texts, { pooling });
    assert.equal(vectors.length, texts.length);
    vectors.forEach((vector, i) => {
      const allowed = 1.5 * distance(theirs[i] ?? [], exact[i] ?? []);
      assert.ok(distance(vector, exact[i] ?? []) < allowed, `${pooling} of text ${i}`);
    });
    assert.deepEqual(await tern.embed(texts[1] as string, { pooling }), vectors[1]);
    const raw = await tern.embed(texts[0] as string, { pooling, normalize: false });
    assert.ok(distance(raw.map((x) => x / Math.hypot(...raw)), vectors[0] as Float32Array) < 1e-6);
    if (pooling === "last") continue;
    const answer = await tern.openai.embeddings.create({ input: texts, encoding_format: "base64" });
    const decoded = answer.data.map(({ embedding }) => new Float32Array(decode(embedding as string)));
    assert.deepEqual(decoded, vectors);
    assert.equal(answer.usage.prompt_tokens, counts[0] as number + (counts[1] as number));
    const [one] = (await tern.openai.embeddings.create({ input: texts[0] as string })).data;
    assert.deepEqual(one?.embedding, [...(vectors[0] as Float32Array)]);
  }
  const long = "word ".repeat(5000);
  await assert.rejects(tern.embed(["short", long]), { code: "invalid" });
  const stop = AbortSignal.abort();
  await assert.rejects(tern.embed(texts, { signal: stop }), { code: "aborted" });
  await tern.unload();
});

const decode = (text: string): ArrayBuffer => Uint8Array.from(Buffer.from(text, "base64")).buffer;

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length);
  return Math.hypot(...Array.from(a, (x, i) => x - (b[i] ?? NaN)));
}

test("errors have a code and a sentence", async () => {
  const cases: [string, LoadOptions, string, RegExp][] = [
    ["/nowhere.gguf", {}, "not-found", /nowhere/],
    [repositoryPath("README.md"), {}, "invalid", /README/],
    [demo, { sha256: "0".repeat(64) }, "checksum", /another file/],
  ];
  for (const [source, options, code, message] of cases) {
    await assert.rejects(Tern.load(source, { device: "cpu", ...options }), (error: TernError) => {
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    });
  }
});

test("a program that forgets to unload ends all the same, and one that waits is waited for", () => {
  const program = `
    import { Tern } from "@tern/web";
    const tern = await Tern.load(${JSON.stringify(demo)}, { device: "cpu" });
    console.log((await tern.tokenize("Hello")).length > 0);`;
  const cwd = repositoryPath("web");
  const { stdout, status } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    cwd,
    encoding: "utf8",
    timeout: 60_000,
  });
  assert.equal(stdout, "true\n");
  assert.equal(status, 0);
});

