// What happens to a tab in its life: the worker ends, nobody looks, memory is short.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, kStrictPolicy, launch, launchProfile, nativeAnswer, openPage, serve } from "./browser.mjs";

const kModel = "/models/tern-demo-q8_0.gguf";
const kCount = "Count from 1 to 50.";
const kTokens = 24;
const kCrashTokens = 32;

const reports = [];
const kRoutes = {
  "/report": (request, response) => {
    let body = "";
    request.on("data", (data) => (body += data));
    request.on("end", () => {
      reports.push(JSON.parse(body));
      response.writeHead(204).end();
    });
  },
  "/hidden": (_, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<!doctype html><title>hidden</title><script type=module src=/hidden.js></script>");
  },
  "/hidden.js": (_, response) => {
    response.writeHead(200, { "content-type": "text/javascript" }).end(`
      import { Tern } from "/package/dist/src/index.js";
      const report = (value) => fetch("/report", { method: "POST", body: JSON.stringify(value) });
      try {
        const change = () => new Promise((done) => addEventListener("visibilitychange", done, { once: true }));
        while (!document.hidden) await change();
        const model = await Tern.load("${kModel}", { device: "cpu", store: false });
        let text = "";
        let last;
        const prompt = [{ role: "user", content: "${kCount}" }];
        for await (const piece of model.chat(prompt, { temperature: 0, maxTokens: ${kTokens} })) {
          text += piece.text;
          last = piece;
        }
        await report({ hidden: document.hidden, text, ms: last.timings.total });
      } catch (error) {
        await report({ error: error.message });
      }`);
  },
};

let server;
let expected;
before(async () => {
  expected = nativeAnswer(kCount, kTokens);
  server = await serve(kRoutes, { "content-security-policy": kStrictPolicy });
});
after(() => server?.close());

test("a worker that ends says so to every call, and another one can be started", async () => {
  const context = await launchProfile({ gpu: false });
  const page = await openPage(context, server.url);
  const answer = page.evaluate(async (source) => {
    globalThis.model = await tern.Tern.load(source, { device: "cpu" });
    const prompt = [{ role: "user", content: "Tell me a long story." }];
    try {
      for await (const piece of model.chat(prompt)) globalThis.begun ||= piece.tokens.length > 0;
    } catch ({ code, message }) {
      return { code, message };
    }
  }, kModel);
  await page.waitForFunction(() => globalThis.begun);
  await page.workers()[0].evaluate(() => close());
  assert.deepEqual(await answer, {
    code: "worker",
    message: "The worker that ran the model has ended: by a script, or for want of memory.",
  });
  assert.equal(await page.evaluate(() => model.tokenize("x").catch(({ code }) => code)), "worker");
  await page.evaluate(() => model.unload());
  assert.equal((await ask(page, kModel)).text, "47 + 85 = 132");
  await context.close();
});

test("an answer under memory pressure", async () => {
  const context = await launchProfile({ gpu: false });
  const page = await openPage(context, server.url);
  const session = await context.newCDPSession(page);
  const answer = ask(page, kModel, {}, kCount, kTokens);
  for (let i = 0; i < 3; ++i) await session.send("Memory.simulatePressureNotification", { level: "critical" });
  assert.equal((await answer).text, expected.text);
  await context.close();
});

test("a tab that nobody sees answers as well", async () => {
  const browser = await launch({ gpu: false });
  const session = await browser.newBrowserCDPSession(); // tabs that Playwright does not hold visible
  await session.send("Target.createTarget", { url: `${server.url}/hidden` });
  await session.send("Target.createTarget", { url: "about:blank" });
  for (let i = 0; i < 600 && reports.length === 0; ++i) await new Promise((resolve) => setTimeout(resolve, 100));
  const [{ hidden, text, error }] = reports;
  assert.equal(error, undefined);
  assert.equal(hidden, true);
  assert.equal(text, expected.text);
  await browser.close();
});

/// Greedy, on the GPU. onTokens is called here with the number of tokens after each piece.
async function askOnGpu(page, onTokens) {
  await page.exposeFunction("onTokens", onTokens);
  return await page.evaluate(
    async ([source, content, maxTokens]) => {
      const out = { text: "", tokens: [], devices: [] };
      const onDevice = ({ kind, why }) => out.devices.push({ kind, why });
      const model = await tern.Tern.load(source, { device: "gpu", store: false, onDevice });
      out.first = model.info.device.kind;
      const prompt = [{ role: "user", content }];
      try {
        for await (const piece of model.chat(prompt, { temperature: 0, maxTokens })) {
          out.text += piece.text;
          out.tokens.push(...piece.tokens.map(({ token }) => token));
          await globalThis.onTokens(out.tokens.length);
        }
      } catch (error) {
        out.error = error.message;
      }
      out.losses = (await model.stats()).deviceLosses;
      await model.unload();
      return out;
    },
    [kModel, kCount, kCrashTokens],
  );
}

// Nothing is stored, so the weights come from the server again, in ranges.
test("the GPU's process crashes twice in an answer: the same tokens come, from a GPU, then from the CPU", async () => {
  const short = nativeAnswer(kCount, kCrashTokens);
  const browser = await launch();
  const page = await openPage(browser, server.url);
  const session = await browser.newBrowserCDPSession();
  const crashAt = [3, 6];
  const onTokens = async (n) => {
    if (n < crashAt[0]) return;
    crashAt.shift();
    await session.send("Browser.crashGpuProcess").catch(() => undefined); // it ends before it can answer
  };
  const out = await askOnGpu(page, onTokens);
  assert.equal(out.error, undefined);
  assert.equal(out.first, "gpu");
  assert.equal(out.losses, 2, JSON.stringify(out.devices));
  assert.equal(crashAt.length, 0);
  assert.deepEqual(out.tokens, short.tokens);
  assert.equal(out.text, short.text);
  const kinds = out.devices.filter(({ why }) => /loaded again/.test(why)).map(({ kind }) => kind);
  assert.deepEqual(kinds, ["gpu", "cpu"], "Chromium gives no adapter after the second crash");
  await browser.close();
});
