// The chat page where something fails under it: the worker, the storage. A person sees what happened and goes on.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { demo, kNoStorage, launchProfile, sendFile, serve } from "./browser.mjs";
import {
  accessible,
  answers,
  ask,
  demoUrl,
  launch,
  messageBox,
  modelReady,
  openPage,
  preparePage,
  servePage,
  shot,
} from "./page_helpers.mjs";

let site;
before(async () => {
  site = await servePage();
});
after(() => site?.close());

test("the worker has ended: the page says so, opens the model again, and goes on", async () => {
  const browser = await launch({ gpu: false });
  const { page } = await openPage(browser, site.url);
  await modelReady(page);
  await page.workers()[0].evaluate(() => close());
  await messageBox(page).fill("Tell me a long story.");
  await messageBox(page).press("Enter");
  await answers(page).locator(".error").waitFor();
  assert.match(await answers(page).locator(".error").innerText(), /The worker that ran the model has ended/);
  await shot(page, "worker-ended");
  await modelReady(page);
  assert.equal(await ask(page, "What is 47 + 85?"), "47 + 85 = 132");
  await browser.close();
});

test("storage is refused: the demo answers, a model streams to the device, the page tells", async () => {
  const headers = { "access-control-allow-origin": "*", "access-control-allow-headers": "range" };
  const open = { ...headers, "access-control-expose-headers": "*", "cross-origin-resource-policy": "cross-origin" };
  const models = await serve({ "/far.gguf": (request, response) => sendFile(request, response, demo) }, open);
  const context = await launchProfile({ gpu: false, preferences: kNoStorage });
  const { page, problems } = await preparePage(context, site.url);
  await modelReady(page);
  await ask(page, "What is 1 + 1?");
  await page.getByText("conversations end with the page").waitFor();
  await page.locator(".model-button").click();
  await page.getByText("This browser refuses storage to this page").waitFor();
  await shot(page, "storage-refused");
  await accessible(page, "storage refused");
  await page.getByRole("textbox", { name: "Address of a GGUF file" }).fill(`${models.url}/far.gguf`);
  await page.getByRole("button", { name: "Download" }).click();
  await page.locator(".model-name", { hasText: "far" }).waitFor();
  assert.equal(await ask(page, "What is 47 + 85?"), "47 + 85 = 132");
  assert.deepEqual(problems, []);
  await context.close();
  models.close();
});

async function steadyUsage(page) {
  const read = () => page.evaluate(async () => (await navigator.storage.estimate()).usage);
  for (let last = -1, usage = await read(); ; last = usage, usage = await read()) {
    if (usage === last) return usage;
    await page.waitForTimeout(1000);
  }
}

test("storage is full: the page says what to delete, and opens the model without storing it", async () => {
  const context = await launchProfile({ gpu: false });
  const { page } = await preparePage(context, site.url);
  await modelReady(page);
  const session = await context.newCDPSession(page);
  const usage = await steadyUsage(page); // the page keeps the first model, which takes twice its room for a moment
  await session.send("Storage.overrideQuotaForOrigin", { origin: new URL(site.url).origin, quotaSize: usage + 1e6 });
  await page.locator(".model-button").click();
  const url = await demoUrl(page);
  await page.getByRole("textbox", { name: "Address of a GGUF file" }).fill(url);
  await page.getByRole("button", { name: "Download" }).click();
  await page.locator(".failure p").first().waitFor();
  const said = await page.locator(".failure p").first().innerText();
  assert.match(said, /The model needs 15 MB, and the browser's storage is full/);
  assert.doesNotMatch(said, /store:/, "what programs would write is no help here");
  await shot(page, "storage-full");
  await accessible(page, "storage full");
  await page.getByRole("button", { name: "Delete models" }).click();
  await page.locator("dialog[open]").waitFor();
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Open it without storing it" }).click();
  await page.locator(".failure").waitFor({ state: "detached" });
  await modelReady(page);
  assert.equal(await ask(page, "What is 47 + 85?"), "47 + 85 = 132");
  await context.close();
});

test("a store that holds more than it may, and not the engine: the page opens all the same", async () => {
  const context = await launchProfile({ gpu: false });
  const { page } = await preparePage(context, site.url);
  await modelReady(page);
  const session = await context.newCDPSession(page);
  const usage = await steadyUsage(page);
  const dropped = await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    let n = 0;
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const { url } of await cache.keys()) if (url.endsWith(".wasm")) n += await cache.delete(url);
    }
    return n;
  });
  assert.equal(dropped, 1);
  const quotaSize = Math.floor(usage / 2);
  await session.send("Storage.overrideQuotaForOrigin", { origin: new URL(site.url).origin, quotaSize });
  await page.reload();
  await modelReady(page);
  assert.equal(await ask(page, "What is 47 + 85?"), "47 + 85 = 132");
  await context.close();
});
