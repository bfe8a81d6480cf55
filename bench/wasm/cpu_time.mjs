// Tokens per second of CPU time on one thread: the native program with AVX2 forced, and modules of WebAssembly in a tab
// of Chromium, where all of the renderer process counts, the page's own thread too. For machines that are never quiet,
// on which the wall time of modules.mjs says little. Prints medians.
//   node bench/wasm/cpu_time.mjs MODEL.gguf [-p TOKENS] [-n TOKENS] [-r ROUNDS]
import { execFileSync } from 'node:child_process';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { launch, openPage, repository, sendFile, serve } from '../../tests/web/browser.mjs';

const { values, positionals } = parseArgs({
  options: {
    prompt: { type: 'string', short: 'p', default: '512' },
    generate: { type: 'string', short: 'n', default: '512' },
    rounds: { type: 'string', short: 'r', default: '3' },
  },
  allowPositionals: true,
});
const [model] = positionals;
if (model === undefined) throw new Error('Which model? node bench/wasm/cpu_time.mjs MODEL.gguf');
const [prompt, generate, rounds] = [values.prompt, values.generate, values.rounds].map(Number);
const native = process.env.TERN_NATIVE ?? path.join(repository, 'build/tern');
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];

/// CPU seconds of a native run: it is a child of a program that has no other.
function nativeSeconds(tokens, n) {
  const program =
    'import resource,subprocess,sys; subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,check=True);' +
    'print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime)';
  const ids = Array.from({ length: tokens }, (_, i) => 3 + ((i * 37) % 1000)).join();
  const args = ['--isa', 'avx2', '-t', '1', '--device', 'cpu', '--greedy', '--ignore-eos', '-n', String(n)];
  return Number(execFileSync('python3', ['-c', program, native, 'run', model, '--tokens', ids, ...args]));
}

function runNative() {
  const start = nativeSeconds(1, 1);
  const prefill = prompt / (nativeSeconds(prompt + 1, 1) - start);
  return { prefill, decode: generate / (nativeSeconds(1, generate + 1) - start) };
}

const isolated = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
const server = await serve({ '/model.gguf': (request, response) => sendFile(request, response, model) }, isolated);

async function runChromium(file) {
  const browser = await launch({ gpu: false });
  const session = await browser.newBrowserCDPSession();
  const page = await openPage(browser, server.url);
  await page.evaluate(async (wasm) => {
    const options = { device: 'cpu', store: false, context: 1024, chunk: 512, wasm, threads: 1 };
    const model = await tern.Tern.load('/model.gguf', options);
    globalThis.answer = async (n, maxTokens) => {
      const ids = Array.from({ length: n }, (_, i) => 3 + ((i * 37 + Math.floor(Math.random() * 999)) % 1000));
      for await (const _ of model.complete(ids, { maxTokens, temperature: 0, ignoreEos: true }));
    };
    for (let i = 0; i < 2; ++i) await globalThis.answer(33, 9); // the optimising compiler sees what will run
  }, `/package/dist/${file}`);
  await page.waitForTimeout(3000);
  const seconds = async () => {
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    return processInfo.filter(({ type }) => type === 'renderer').reduce((sum, { cpuTime }) => sum + cpuTime, 0);
  };
  const rate = async (count, n, maxTokens) => {
    const before = await seconds();
    await page.evaluate(([tokens, most]) => globalThis.answer(tokens, most), [n, maxTokens]);
    return count / ((await seconds()) - before);
  };
  const samples = [];
  for (let i = 0; i < rounds; ++i) {
    samples.push({ prefill: await rate(prompt, prompt, 1), decode: await rate(generate, 2, generate + 1) });
  }
  await browser.close();
  return samples;
}

const rows = [['native avx2', Array.from({ length: rounds }, runNative)]];
for (const file of ['tern-relaxed-threads.wasm', 'tern-threads.wasm']) rows.push([file, await runChromium(file)]);
server.close();
console.log(`| ${path.basename(model)} | prefill ${prompt} | decode |\n|---|---|---|`);
const of = (samples, what) => median(samples.map((sample) => sample[what]));
for (const [name, samples] of rows) {
  const cells = ['prefill', 'decode'].map((what) => {
    const share = of(samples, what) / of(rows[0][1], what);
    return `${of(samples, what).toFixed(1)} (${(100 * share).toFixed(0)}%)`;
  });
  console.log(`| ${name} | ${cells.join(' | ')} |`);
}
