// CPU time of a page's main thread per token of a long answer by the demo model on the wasm CPU path: a page with the
// bare package, that puts the text into one element as it comes; the chat page; and the chat page with its speed panel
// open. CPU time, not wall time: it hardly depends on what else the machine does. Prints medians.
//   scripts/build_wasm && scripts/build_web && scripts/build_page && node bench/web/main_thread.mjs [-r ROUNDS]
import * as fs from 'node:fs';
import { parseArgs } from 'node:util';
import { demo, launch, openPage, serve } from '../../tests/web/browser.mjs';
import { answers, messageBox, modelReady, openPage as openChat, servePage } from '../../tests/web/page_helpers.mjs';

const { values } = parseArgs({
  options: {
    tokens: { type: 'string', short: 'n', default: '1200' },
    rounds: { type: 'string', short: 'r', default: '3' },
    earlier: { type: 'string', short: 'e', default: '0' }, // answers of that length before, in the same conversation
    profile: { type: 'string' }, // writes the CPU profile of the chat page's last round here
  },
});
const [nTokens, rounds, earlier] = [values.tokens, values.rounds, values.earlier].map(Number);

/// The demo model under other names for what ends a text, so that its answers go on to the limit.
function endless() {
  let text = fs.readFileSync(demo).toString('latin1');
  text = text.replaceAll('<|eot_id|>', '<|eot_xx|>').replaceAll('<|end_of_text|>', '<|end_of_xxxx|>');
  const bytes = Buffer.from(text, 'latin1');
  for (const key of ['tokenizer.ggml.eos_token_id', 'tokenizer.ggml.eot_token_id']) {
    const at = bytes.indexOf(key);
    if (at >= 0) bytes.writeUInt32LE(0, at + key.length + 4); // behind the type
  }
  return bytes;
}
const model = endless();

/// Seconds of CPU so far of the page's main thread, and what it did in them.
async function watch(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  return async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    const of = (name) => metrics.find((metric) => metric.name === name)?.value ?? NaN;
    return {
      all: of('ThreadTime'),
      script: of('ScriptDuration'),
      layout: of('LayoutDuration') + of('RecalcStyleDuration'),
    };
  };
}

function perToken(before, after, tokens, seconds) {
  const ms = (name) => ((after[name] - before[name]) * 1000) / tokens;
  return { all: ms('all'), script: ms('script'), layout: ms('layout'), rate: tokens / seconds };
}

async function bare() {
  const server = await serve({ '/model.gguf': (_, response) => response.writeHead(200).end(model) });
  const browser = await launch({ gpu: false });
  const page = await openPage(browser, server.url);
  await page.evaluate(async () => {
    globalThis.model = await tern.Tern.load('/model.gguf', { device: 'cpu', store: false });
    globalThis.answer = async (maxTokens) => {
      const out = document.body.appendChild(document.createElement('p'));
      let tokens = 0;
      const start = performance.now();
      const prompt = [{ role: 'user', content: 'Tell me a long story.' }];
      for await (const piece of model.chat(prompt, { temperature: 0.7, seed: 1, ignoreEos: true, maxTokens })) {
        out.append(piece.text);
        tokens += piece.tokens.length;
      }
      return { tokens, seconds: (performance.now() - start) / 1000 };
    };
    await globalThis.answer(64);
  });
  const read = await watch(page);
  const before = await read();
  const { tokens, seconds } = await page.evaluate((n) => globalThis.answer(n), nTokens);
  const result = perToken(before, await read(), tokens, seconds);
  await browser.close();
  server.close();
  return result;
}

async function chat({ panel }) {
  const site = await servePage();
  const browser = await launch({ gpu: false });
  const settings = { temperature: 0.7, seed: 1, maxTokens: nTokens, context: 4096 };
  const context = await browser.newContext({ serviceWorkers: 'block', viewport: { width: 1280, height: 800 } });
  await context.route('**/*.gguf', (route) => route.fulfill({ body: model, contentType: 'application/octet-stream' }));
  const { page } = await openChat({ newContext: () => context }, site.url, { settings });
  await modelReady(page);
  const askOnce = async (n) => {
    await messageBox(page).fill('Tell me a long story.');
    await messageBox(page).press('Enter');
    await answers(page).nth(n).waitFor({ timeout: 300_000 });
  };
  for (let i = 0; i < earlier; ++i) await askOnce(i);
  if (panel) await page.getByRole('button', { name: 'Speed' }).first().click();
  await page.waitForTimeout(1000);
  const session = await context.newCDPSession(page);
  const read = await watch(page);
  if (values.profile) await session.send('Profiler.enable').then(() => session.send('Profiler.start'));
  const before = await read();
  const start = performance.now();
  await askOnce(earlier);
  const seconds = (performance.now() - start) / 1000;
  const after = await read();
  if (values.profile) {
    const { profile } = await session.send('Profiler.stop');
    fs.writeFileSync(values.profile, JSON.stringify(profile));
  }
  const took = await answers(page).last().locator('.took').innerText();
  const tokens = Number(/([\d.,]+) tokens/.exec(took)[1].replace(/[.,]/g, ''));
  if (tokens < nTokens) throw new Error(`The answer ended after ${took}.`);
  await browser.close();
  await site.close();
  return perToken(before, after, tokens, seconds);
}

const kCases = {
  'bare package': bare,
  'chat page': () => chat({ panel: false }),
  'with the speed panel': () => chat({ panel: true }),
};
const results = Object.fromEntries(Object.keys(kCases).map((name) => [name, []]));
for (let round = 0; round < rounds; ++round) {
  for (const [name, run] of Object.entries(kCases)) results[name].push(await run());
}
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
const what = `${nTokens} tokens after ${earlier} answers, median of ${rounds}`;
console.log(`ms of CPU per token on the main thread, ${what}: all (script, style and layout), tokens/s`);
for (const [name, list] of Object.entries(results)) {
  const of = (key) => median(list.map((result) => result[key]));
  const [all, script, layout] = ['all', 'script', 'layout'].map((key) => of(key).toFixed(3));
  console.log(`${name}: ${all} (${script}, ${layout}), ${of('rate').toFixed(0)}`);
}
process.exit(0);
