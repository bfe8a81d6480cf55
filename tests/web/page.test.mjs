// The chat page as people use it, in Chromium: the native program's answers on both devices, models of every origin and
// what is wrong with some, conversations, offline, small screens, accessibility.
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as http from "node:http";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { demo, sendFile } from "./browser.mjs";
import {
  accessible,
  answers,
  ask,
  demoUrl,
  dropFiles,
  launch,
  messageBox,
  modelReady,
  nativeAnswer,
  openPage,
  servePage,
  shot,
  shots,
} from "./page_helpers.mjs";

let site;
let browser;
let models; // another server, with good and bad addresses

before(async () => {
  site = await servePage();
  browser = await launch({ gpu: true });
  models = http.createServer((request, response) => {
    const open = { "access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin" };
    const headers = { ...open, "access-control-expose-headers": "*" };
    if (request.method === "OPTIONS") {
      return response.writeHead(204, { ...open, "access-control-allow-headers": "range" }).end();
    }
    if (request.url === "/small.gguf") return sendFile(request, response, demo, headers);
    if (request.url === "/page.gguf") {
      return response.writeHead(200, { ...headers, "content-type": "text/html" }).end("<!doctype html><p>Sign in");
    }
    if (request.url === "/closed.gguf") return response.writeHead(200).end("no CORS here");
    return response.writeHead(404, headers).end("Not found");
  });
  await new Promise((resolve) => models.listen(0, "127.0.0.1", resolve));
  console.log(`screenshots: ${shots}`);
});

after(async () => {
  await browser.close();
  await site.close();
  models.closeAllConnections();
  models.close();
});

test("the page's server gives its own files and nothing else", async () => {
  const { port } = new URL(site.url);
  const get = (path, method = "GET") =>
    new Promise((resolve, reject) => {
      const request = http.request({ port, path, method }, (response) => {
        response.resume();
        resolve(response);
      });
      request.on("error", reject).end();
    });
  const bad = ["/../package.json", "/%2e%2e/package.json", "/..%2fpackage.json", "/%00", "/%", "//x:y", "/assets"];
  for (const path of bad) assert.equal((await get(path)).statusCode, 404, path);
  assert.equal((await get("/", "POST")).statusCode, 405);
  const { statusCode, headers } = await get("/");
  assert.equal(statusCode, 200);
  assert.match(headers["content-security-policy"], /default-src 'none'; script-src 'self' 'wasm-unsafe-eval';/);
  assert.equal(headers["cross-origin-opener-policy"], "same-origin");
});

test("on the CPU: the native program's answers, with their speed; nothing is wrong on the console", async () => {
  const { page, context, problems, requests } = await openPage(browser, site.url);
  await shot(page, "loading");
  await modelReady(page);
  await shot(page, "welcome");
  for (const prompt of ["What is 47 + 85?", "Sort these words: pear, apple, fig."]) {
    await page.getByRole("button", { name: "New chat" }).click();
    assert.equal(await ask(page, prompt), nativeAnswer(prompt, 200));
  }
  assert.match(await page.locator(".took").innerText(), /^\d+ tokens · [\d.]+ tokens\/s · first after [\d.]+ m?s$/);
  assert.equal(await page.locator(".chip").innerText(), "CPU");
  await page.getByRole("button", { name: "Speed and memory" }).click();
  await ask(page, "Tell me a long story.");
  await shot(page, "speed");
  for (const word of ["Weights", "KV cache", "It runs on the CPU (relaxed SIMD, "]) {
    await page.locator(".panel").getByText(word).first().waitFor();
  }
  assert.deepEqual(problems, []);
  assert.ok(requests.length > 5);
  assert.deepEqual(requests.filter((url) => !url.startsWith(site.url)), [], "nothing is asked of anybody else");
  await context.close();
});

test("all that a first visit loads but the model is at most a megabyte, compressed", async () => {
  const { page, context, requests } = await openPage(browser, site.url);
  await modelReady(page);
  await page.evaluate(() => navigator.serviceWorker.ready);
  const names = new Set(requests.map((url) => new URL(url).pathname).filter((name) => !name.endsWith(".gguf")));
  const sizes = new Map();
  for (const name of names) {
    const file = new URL(`../../web/page/dist${name === "/" ? "/index.html" : name}`, import.meta.url);
    sizes.set(name, gzipSync(fs.readFileSync(file)).length);
  }
  const total = [...sizes.values()].reduce((a, b) => a + b, 0);
  assert.equal([...names].filter((name) => name.endsWith(".wasm")).length, 1, "one of the engine's modules");
  assert.ok(total <= 1e6, JSON.stringify([...sizes]));
  await context.close();
});

test("on a GPU: the native program's first tokens, and the plan's steps with their times", async () => {
  const { page, context } = await openPage(browser, site.url, { settings: { device: "gpu", maxTokens: 5 } });
  await modelReady(page);
  assert.equal(await page.locator(".chip").innerText(), "GPU");
  assert.equal(await ask(page, "What is 47 + 85?"), nativeAnswer("What is 47 + 85?", 5));
  await page.getByText("It ended at the limit of tokens in the settings.").waitFor();
  await page.getByRole("button", { name: "What happens on the GPU" }).click();
  await page.getByRole("button", { name: "Measure a token" }).click();
  await page.locator(".bars").first().waitFor({ timeout: 90_000 });
  assert.equal(await page.locator("summary", { hasText: /^[+–]?\s*Layer \d/ }).count(), 6, "the demo model's layers");
  await page.locator("summary", { hasText: "Layer 5" }).click();
  await shot(page, "gpu");
  await accessible(page, "the plan's steps");
  await context.close();
});

test("stop, another answer, edit; conversations outlive a reload, and deleting one can be undone", async () => {
  const { page, context } = await openPage(browser, site.url);
  await modelReady(page);
  const first = await ask(page, "What is Tern?");
  await answers(page).getByRole("button", { name: "Another answer" }).click();
  await page.waitForFunction(() => document.querySelector(".live") === null && document.querySelector(".answer"));
  assert.equal(await answers(page).locator(".markdown").innerText(), first, "greedy: the same again");

  await page.locator(".question").hover();
  await page.getByRole("button", { name: "Edit" }).click();
  const editor = page.getByRole("textbox", { name: "Edit your message" });
  await editor.fill("What is 2 + 2?");
  await shot(page, "edit");
  await editor.press("Enter");
  await answers(page).getByText("2 + 2 = 4").waitFor();
  assert.deepEqual([await page.locator(".question").count(), await answers(page).count()], [1, 1]);

  await page.evaluate(() => {
    // Escape as soon as the answer begins.
    new MutationObserver((_, observer) => {
      if (document.querySelector(".live .markdown") === null) return;
      observer.disconnect();
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    }).observe(document.body, { childList: true, subtree: true });
  });
  await messageBox(page).fill("Count from 1 to 50.");
  await messageBox(page).press("Enter");
  await page.getByText("Stopped.").waitFor();

  await page.reload();
  await page.getByRole("button", { name: "What is Tern?", exact: true }).first().click();
  assert.equal(await page.locator(".question").count(), 2);
  await page.getByRole("button", { name: "Delete What is Tern?" }).click();
  await page.getByText("Your conversations will be listed here.").waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await page.locator(".entry").waitFor();
  await context.close();
});

test("longer than the context: a conversation goes on without its beginning, a message is refused", async () => {
  const { page, context } = await openPage(browser, site.url, { settings: { context: 128 } });
  await modelReady(page);
  for (const prompt of ["Tell me a short story.", "What is Tern?", "What is 12 + 30?"]) await ask(page, prompt);
  assert.equal(await answers(page).last().locator(".markdown").innerText(), "12 + 30 = 42");
  await answers(page).last().getByText(/The first \d messages no longer fit/).waitFor();
  await messageBox(page).fill("Sort these words: ".concat("pear, apple, fig, ".repeat(40)));
  await messageBox(page).press("Enter");
  await page.locator(".answer .error").waitFor();
  await shot(page, "too-long");
  assert.match(await page.locator(".answer .error").innerText(), /context/);
  await context.close();
});

test("a dropped GGUF answers and can be kept; a bad one is told of, and the old model stays", async () => {
  const { page, context } = await openPage(browser, site.url);
  await modelReady(page);
  await dropFiles(page, [{ name: "mine.gguf", url: await demoUrl(page) }]);
  await page.locator(".model-name", { hasText: "mine" }).waitFor();
  assert.equal(await ask(page, "What is 47 + 85?"), nativeAnswer("What is 47 + 85?", 200));

  await dropFiles(page, [{ name: "broken.gguf", bytes: [71, 71, 85, 70, 3, 0, 0, 0, 255] }]);
  await page.getByText("broken.gguf could not be opened.").waitFor();
  await shot(page, "error");
  await accessible(page, "an error");
  assert.equal(await ask(page, "What is 1 + 1?"), "1 + 1 = 2");

  await page.locator(".model-button").click();
  await page.getByRole("button", { name: "Keep it in this browser" }).click();
  await page.getByText("mine.gguf is kept in this browser now.").waitFor();
  await page.reload();
  await page.locator(".model-name", { hasText: "mine" }).waitFor();
  await context.close();
});

test("addresses: a model is downloaded, kept, opened again and deleted; bad ones are told apart", async () => {
  const { page, context } = await openPage(browser, site.url);
  await modelReady(page);
  const base = `http://127.0.0.1:${models.address().port}`;
  const download = async (name) => {
    await page.locator(".model-button").click();
    await page.getByRole("textbox", { name: "Address of a GGUF file" }).fill(`${base}/${name}`);
    await page.getByRole("button", { name: "Download" }).click();
  };
  const said = {};
  for (const name of ["missing.gguf", "page.gguf", "closed.gguf"]) {
    await download(name);
    await page.getByText(`${name} could not be opened.`).waitFor();
    said[name] = await page.locator(".failure p").innerText();
    await page.getByRole("button", { name: "Dismiss" }).click();
  }
  assert.match(said["missing.gguf"], /404|no file|nothing/i);
  assert.match(said["page.gguf"], /page|HTML/i);
  assert.match(said["closed.gguf"], /CORS|allow/i);

  await download("small.gguf");
  await page.locator(".model-name", { hasText: "small" }).waitFor({ timeout: 60_000 });
  await page.reload();
  await page.locator(".model-name", { hasText: "small" }).waitFor();
  await modelReady(page);
  await page.locator(".model-button").click();
  await page.locator(".model", { hasText: "small" }).getByText("kept in this browser").waitFor();
  await shot(page, "models");
  await accessible(page, "the dialog of models");
  await page.getByRole("button", { name: /Tern demo/ }).click();
  await page.locator(".model-name", { hasText: "Tern demo" }).waitFor();
  await page.locator(".model-button").click();
  await page.getByRole("button", { name: "Delete small.gguf" }).click();
  await page.getByText("small.gguf was deleted").waitFor();
  await context.close();
});

test("a reload works without the server", async () => {
  const own = await servePage();
  const { page, context } = await openPage(browser, own.url);
  await modelReady(page);
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    while (navigator.serviceWorker.controller === null) await new Promise((resolve) => setTimeout(resolve, 50));
  });
  await own.close();
  await page.reload();
  assert.equal(await ask(page, "What is 47 + 85?"), nativeAnswer("What is 47 + 85?", 200));
  await context.close();
});

test("an answer's Markdown is shown, and nothing in it becomes HTML", async () => {
  const { page, context, problems } = await openPage(browser, site.url);
  const text = fs.readFileSync(new URL("data/answer.md", import.meta.url), "utf8");
  await page.evaluate(async (answer) => {
    const request = indexedDB.open("tern-page", 1);
    const db = await new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
    const messages = [
      { id: "1", role: "user", text: "Show me <b>everything</b>." },
      { id: "2", role: "assistant", text: `<think>\nFirst, **this**.\n</think>\n\n${answer}`, model: "a model" },
    ];
    const store = db.transaction("conversations", "readwrite").objectStore("conversations");
    const put = store.put({ id: "x", title: "Everything", updated: 1, messages });
    await new Promise((resolve) => (put.onsuccess = resolve));
  }, text);
  await page.reload();
  await page.getByRole("button", { name: "Everything", exact: true }).click();
  const answer = page.locator(".answer");
  await answer.waitFor();
  assert.equal(await answer.getByText("First, this.").isVisible(), false, "thoughts are folded away");
  await answer.getByText("Thoughts").click();
  assert.equal(await answer.getByText("First, this.").isVisible(), true);
  const count = (selector) => answer.locator(selector).count();
  const found = {};
  const tags = ["h3", "strong", "em", "del", "ol", "table", "blockquote", "pre", "hr"];
  for (const tag of tags) found[tag] = await count(tag);
  assert.deepEqual(found, { h3: 1, strong: 2, em: 1, del: 1, ol: 1, table: 1, blockquote: 1, pre: 1, hr: 1 });
  assert.equal(await count("img, script, iframe, svg:not(.icon), b, u"), 0);
  const links = await answer.locator("a").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
  assert.deepEqual(links, ["https://example.org/", "https://example.org/picture.png"]);
  await answer.getByText('<img src="x" onerror="alert(1)">').waitFor();
  assert.match(await answer.innerText(), /a < b & c/);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await answer.getByRole("button", { name: "Copy code" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'if (a < b) {\n  say("<i>");\n}');
  await shot(page, "markdown");
  await accessible(page, "an answer");
  const refused = await page.evaluate(() => {
    try {
      document.body.innerHTML = "<p>";
      return false;
    } catch {
      return true;
    }
  });
  assert.ok(refused, "the policy forbids turning text into HTML");
  assert.equal(problems.filter((problem) => !problem.includes("TrustedHTML")).join(), "");
  await context.close();
});

for (const colorScheme of ["light", "dark"]) {
  test(`accessible and legible: ${colorScheme}`, async () => {
    const { page, context } = await openPage(browser, site.url, { colorScheme });
    await modelReady(page);
    await accessible(page, "welcome");
    await ask(page, "Tell me a short story.");
    await accessible(page, "chat");
    await shot(page, `chat-${colorScheme}`);
    for (const panel of ["Settings", "Speed and memory", "What happens on the GPU"]) {
      await page.getByRole("button", { name: panel }).click();
      await page.locator(".panel h2", { hasText: panel }).waitFor();
      await accessible(page, panel);
      await shot(page, `${panel.split(" ")[0].toLowerCase()}-${colorScheme}`);
    }
    await context.close();
  });
}

test("360 pixels wide: nothing is cut off, conversations and settings lie over the chat", async () => {
  const phone = { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true };
  const { page, context } = await openPage(browser, site.url, phone);
  await modelReady(page);
  await shot(page, "phone-welcome");
  await page.getByRole("button", { name: "What is Tern?" }).tap();
  await answers(page).first().waitFor();
  await shot(page, "phone-chat");
  const wide = () => page.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(await wide(), 360);
  await page.getByRole("button", { name: "Conversations" }).tap();
  await page.getByRole("button", { name: "New chat" }).waitFor();
  await page.waitForTimeout(300); // the drawer's way in
  await shot(page, "phone-list");
  await accessible(page, "phone, list");
  await page.getByRole("button", { name: "New chat" }).tap();
  await page.getByRole("button", { name: "Settings" }).tap();
  await shot(page, "phone-settings");
  await accessible(page, "phone, settings");
  assert.equal(await wide(), 360);
  await page.getByRole("button", { name: "Close the panel" }).tap();
  await page.locator(".model-button").tap();
  await page.getByRole("heading", { name: "Models" }).waitFor();
  await shot(page, "phone-models");
  assert.equal(await wide(), 360);
  await context.close();
});
