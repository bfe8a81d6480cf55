// Tern and wllama (llama.cpp in WebAssembly) in a tab of Chromium on the CPU: prefill and decode of the same model, the
// programs taking turns, each in a fresh browser. Wall time as the page sees it: a prompt to its first token; n tokens
// less the first. Prints medians.
//   npm install --prefix bench/web
//   node bench/web/peers.mjs MODEL.gguf [-w WORDS] [-n TOKENS] [-t THREADS] [-r ROUNDS]
import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { launch, repository, sendFile, serve } from '../../tests/web/browser.mjs';

const { values, positionals } = parseArgs({
  options: {
    words: { type: 'string', short: 'w', default: '300' }, // of the prompt
    generate: { type: 'string', short: 'n', default: '64' },
    threads: { type: 'string', short: 't', default: '1,2' },
    rounds: { type: 'string', short: 'r', default: '3' },
  },
  allowPositionals: true,
});
const [model] = positionals;
if (model === undefined) throw new Error('Which model? node bench/web/peers.mjs MODEL.gguf');
const work = { words: Number(values.words), generate: Number(values.generate) };

const isolated = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
const wllama = path.join(repository, 'bench/web/node_modules/@wllama/wllama');
const file = (name) => (request, response) => sendFile(request, response, path.join(wllama, name));
const routes = {
  '/model.gguf': (request, response) => sendFile(request, response, model),
  '/wllama.js': file('esm/index.js'),
  '/wllama.wasm': file('esm/wasm/wllama.wasm'),
};
const server = await serve(routes, isolated);

/// In a page: {complete(prompt, tokens) -> {promptTokens, tokens}} of a loaded model.
const kEngines = {
  tern: async (threads) => {
    const options = { device: 'cpu', store: false, context: 2048, chunk: 512, threads };
    const model = await tern.Tern.load('/model.gguf', options);
    return async (prompt, maxTokens) => {
      for await (const piece of model.complete(prompt, { maxTokens, temperature: 0, ignoreEos: true })) {
        if (piece.usage) return { promptTokens: piece.usage.promptTokens, tokens: piece.usage.completionTokens };
      }
    };
  },
  wllama: async (threads) => {
    const { Wllama, LoggerWithoutDebug } = await import('/wllama.js');
    const engine = new Wllama({ default: '/wllama.wasm' }, { logger: LoggerWithoutDebug, suppressNativeLog: true });
    const blob = await (await fetch('/model.gguf')).blob();
    await engine.loadModel([blob], { n_ctx: 2048, n_batch: 512, n_threads: threads, n_gpu_layers: 0, n_parallel: 1 });
    if (engine.getNumThreads() !== threads) throw new Error(`wllama has ${engine.getNumThreads()} threads.`);
    return async (prompt, max_tokens) => {
      const { usage } = await engine.createCompletion({ prompt, max_tokens, temperature: 0, ignore_eos: true });
      return { promptTokens: usage.prompt_tokens, tokens: usage.completion_tokens };
    };
  },
};

async function run(name, threads) {
  const browser = await launch({ gpu: false });
  const page = await browser.newPage();
  await page.goto(server.url);
  await page.waitForFunction(() => globalThis.tern !== undefined);
  const rates = await page.evaluate(
    async ([source, threads, { words, generate }]) => {
      const complete = await eval(`(${source})`)(threads);
      const timed = async (prompt, n) => {
        const start = performance.now();
        const { promptTokens, tokens } = await complete(prompt, n);
        if (tokens !== n) throw new Error(`${tokens} tokens came, ${n} were wanted.`);
        return { promptTokens, seconds: (performance.now() - start) / 1000 };
      };
      const list = ['north', 'river', 'seven', 'stone', 'paper', 'green', 'house', 'light', 'water', 'story'];
      // No two begin alike: both engines keep what they have computed of a prompt.
      const text = (n) => Array.from({ length: n }, () => list[Math.floor(Math.random() * list.length)]).join(' ');
      await timed(text(8), 16); // the compiler has seen what it will run
      await timed(text(words), 1);
      const prompt = await timed(text(words), 1);
      const first = await timed(text(4), 1);
      const all = await timed(text(4), 1 + generate);
      const decode = generate / (all.seconds - first.seconds);
      return { promptTokens: prompt.promptTokens, prefill: prompt.promptTokens / prompt.seconds, decode };
    },
    [kEngines[name].toString(), threads, work],
  );
  await browser.close();
  return rates;
}

const samples = new Map();
for (let round = 0; round < Number(values.rounds); ++round) {
  for (const threads of values.threads.split(',').map(Number)) {
    for (const name of Object.keys(kEngines)) {
      const key = `${threads} ${name}`;
      samples.set(key, [...(samples.get(key) ?? []), await run(name, threads)]);
    }
  }
}
server.close();

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
const of = (key, what) => median(samples.get(key).map((sample) => sample[what]));
const { version } = JSON.parse(fs.readFileSync(path.join(wllama, 'package.json'), 'utf8'));
console.log(`| ${path.basename(model)} | threads | tern | wllama ${version} | tern / wllama |`);
console.log('|---|---:|---:|---:|---:|');
for (const threads of values.threads.split(',')) {
  for (const what of ['prefill', 'decode']) {
    const [own, other] = ['tern', 'wllama'].map((name) => of(`${threads} ${name}`, what));
    const n = what === 'prefill' ? of(`${threads} tern`, 'promptTokens') : work.generate;
    const rates = `${own.toFixed(1)} | ${other.toFixed(1)} | ${(own / other).toFixed(2)}`;
    console.log(`| ${what} ${n} | ${threads} | ${rates} |`);
  }
}
