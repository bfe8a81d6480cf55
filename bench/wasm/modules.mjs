// Prefill and decode of a model on the CPU: the native program with AVX2 forced, and each module of WebAssembly in a
// tab of Chromium and in Node. Rounds take turns; a table of medians and their share of native on as many threads.
//   node bench/wasm/modules.mjs MODEL.gguf [-p TOKENS] [-n TOKENS] [-t THREADS] [-r ROUNDS] [--only chromium,relaxed]
// NODE_BENCH: another Node, where this one has no relaxed SIMD (20 has none).
import { execFileSync } from 'node:child_process';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { launchProfile, openPage, repository, sendFile, serve } from '../../tests/web/browser.mjs';

const { values, positionals } = parseArgs({
  options: {
    prompt: { type: 'string', short: 'p', default: '512' },
    generate: { type: 'string', short: 'n', default: '64' },
    threads: { type: 'string', short: 't', default: '2' },
    rounds: { type: 'string', short: 'r', default: '3' },
    only: { type: 'string', default: '' },
  },
  allowPositionals: true,
});
const [model] = positionals;
if (model === undefined) throw new Error('Which model? node bench/wasm/modules.mjs MODEL.gguf');
const many = Number(values.threads);
const sizes = { prompt: Number(values.prompt), generate: Number(values.generate) };
const native = process.env.TERN_NATIVE ?? path.join(repository, 'build/tern');
const node = process.env.NODE_BENCH ?? process.execPath;
const sizeArgs = ['-p', String(sizes.prompt), '-n', String(sizes.generate), '-r', '1', '--json'];

/// {prefill, decode} in tokens per second, of the first row that a `bench` prints.
function ratesOf(program, args, env = {}) {
  const out = execFileSync(program, args, { encoding: 'utf8', env: { ...process.env, ...env }, maxBuffer: 1 << 26 });
  const parsed = JSON.parse(out);
  const row = Array.isArray(parsed) ? parsed[0] : parsed;
  return { prefill: row.prefill_tok_s, decode: row.decode_tok_s };
}

const runNative = (threads) => ratesOf(native, ['bench', model, '--isa', 'avx2', '-t', String(threads), ...sizeArgs]);

function runNode(file, threads) {
  const args = [path.join(repository, 'web/bin/tern.mjs'), 'bench', model, '--device', 'cpu', '-t', String(threads)];
  return ratesOf(node, [...args, ...sizeArgs], { TERN_WASM: path.join(repository, 'build-wasm', file) });
}

const isolated = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
const server = await serve({ '/model.gguf': (request, response) => sendFile(request, response, model) }, isolated);

async function runChromium(file, threads) {
  const context = await launchProfile({ gpu: false });
  const page = await openPage(context, server.url);
  const rates = await page.evaluate(
    async ([{ prompt, generate }, wasm, threads]) => {
      const context = Math.max(1024, prompt + generate + 2);
      const options = { device: 'cpu', store: false, context, chunk: 512, wasm, threads };
      const model = await tern.Tern.load('/model.gguf', options);
      const ids = (n) => Array.from({ length: n }, () => Math.floor(Math.random() * model.info.vocab));
      const run = async (tokens, maxTokens) => {
        for await (const piece of model.complete(tokens, { maxTokens, temperature: 0, ignoreEos: true })) {
          if (piece.timings) return piece.timings;
        }
      };
      await run(ids(8), 16); // the compiler has seen what it will run
      const { firstToken } = await run(ids(prompt), 1);
      return { prefill: (1000 * prompt) / firstToken, decode: (await run(ids(1), generate)).tokensPerSecond };
    },
    [sizes, `/package/dist/${file}`, threads],
  );
  await context.close();
  return rates;
}

const modules = [
  ['tern.wasm', 1],
  ['tern-relaxed.wasm', 1],
  ['tern-threads.wasm', many],
  ['tern-relaxed-threads.wasm', many],
];
const runs = [
  ['native avx2', 1, () => runNative(1)],
  ['native avx2', many, () => runNative(many)],
  ...modules.map(([file, threads]) => [`chromium ${file}`, threads, () => runChromium(file, threads)]),
  ...modules.map(([file, threads]) => [`node ${file}`, threads, () => runNode(file, threads)]),
].filter(([name]) => name.startsWith('native') || values.only.split(',').every((word) => name.includes(word)));

const samples = new Map();
for (let round = 0; round < Number(values.rounds); ++round) {
  for (const [name, threads, run] of runs) {
    const key = `${name}, ${threads}`;
    try {
      samples.set(key, [...(samples.get(key) ?? []), await run()]);
    } catch (error) {
      if (round === 0) console.error(`${key}: ${String(error.message).split('\n')[0]}`);
    }
  }
}
server.close();

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
const rates = (key, what) => median(samples.get(key).map((sample) => sample[what]));
console.log(`| ${path.basename(model)} | threads | prefill ${sizes.prompt} | of native | decode | of native |`);
console.log('|---|---|---|---|---|---|');
for (const [name, threads] of runs) {
  const key = `${name}, ${threads}`;
  if (!samples.has(key)) continue;
  const cells = ['prefill', 'decode'].flatMap((what) => {
    const rate = rates(key, what);
    return [rate.toFixed(1), `${((100 * rate) / rates(`native avx2, ${threads}`, what)).toFixed(0)}%`];
  });
  console.log(`| ${name} | ${threads} | ${cells.join(' | ')} |`);
}
