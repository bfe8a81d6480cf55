// Decoding and prefill of a model in a tab of Chromium on a real GPU, through the package as a page has it; prints a
// JSON list like `tern bench`. Needs tests/web's playwright-core and Chromium (TERN_CHROMIUM: where).
//   node bench/gpu/chromium.mjs MODEL.gguf [-p TOKENS] [-n TOKENS]      PLAIN=1: no experimental features
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { launchProfile, openPage, sendFile, serve } from '../../tests/web/browser.mjs';

const { values, positionals } = parseArgs({
  options: {
    prompt: { type: 'string', short: 'p', default: '512' },
    generate: { type: 'string', short: 'n', default: '128' },
  },
  allowPositionals: true,
});
const [model] = positionals;
if (model === undefined) throw new Error('Which model? node bench/gpu/chromium.mjs MODEL.gguf');

// Without a display; shader-f16 on NVIDIA and subgroup matrices are behind flags of Dawn.
const features = process.env.PLAIN === '1' ? [] : ['vulkan_enable_f16_on_nvidia', 'allow_unsafe_apis'];
const args = [
  '--headless=new',
  '--enable-unsafe-webgpu',
  '--ignore-gpu-blocklist',
  '--disable-gpu-sandbox',
  '--use-gl=angle',
  '--use-angle=gl-egl',
  '--enable-features=Vulkan',
  '--disable-vulkan-surface',
  ...(features.length > 0 ? [`--enable-dawn-features=${features.join()}`] : []),
];
const isolated = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
const server = await serve({ '/model.gguf': (request, response) => sendFile(request, response, model) }, isolated);
const context = await launchProfile({ gpu: false, args });
const page = await openPage(context, server.url);
const work = { prompt: Number(values.prompt), generate: Number(values.generate) };

const result = await page.evaluate(async ({ prompt, generate }) => {
  const model = await tern.Tern.load('/model.gguf', {
    device: 'gpu',
    store: false,
    context: Math.max(1024, prompt + generate + 2),
  });
  const ids = (n) => Array.from({ length: n }, () => Math.floor(Math.random() * model.info.vocab));
  const run = async (tokens, maxTokens) => {
    const begin = performance.now();
    for await (const piece of model.complete(tokens, { maxTokens, temperature: 0, ignoreEos: true })) {
      if (piece.timings) return { ...piece.timings, wall: performance.now() - begin };
    }
  };
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  await run(ids(1), 64); // wakes the card
  const prefills = [], decodes = [];
  for (let i = 0; i < 3; ++i) prefills.push((await run(ids(prompt), 1)).firstToken);
  for (let i = 0; i < 3; ++i) decodes.push((await run(ids(1), generate)).tokensPerSecond);
  return { info: model.info, prefill: median(prefills), decode: median(decodes), stats: await model.stats() };
}, work);
await context.close();
server.close();

const { info, stats } = result;
const row = {
  model: path.basename(model),
  device: info.device.name,
  batch: 1,
  ...work,
  depth: 0,
  prefill_tok_s: (1000 * work.prompt) / result.prefill,
  decode_tok_s: result.decode,
  roof_gb_s: 0,
  load_s: Object.values(info.loadTimes).reduce((a, b) => a + b) / 1000,
  load_ms: info.loadTimes,
  wasm_bytes: stats.wasmBytes,
};
console.log(JSON.stringify([row]));
