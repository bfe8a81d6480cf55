// What the tests of the chat page share: the built page behind its own server, a Chromium, what a person does there,
// and the native program to compare with. Screenshots of the states go to $TERN_SHOTS, or to a new temporary folder.
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import * as os from "node:os";
import * as path from "node:path";
import { pageServer } from "../../web/page/serve.mjs";
import { launch, nativeAnswer as greedy, repository } from "./browser.mjs";

const axe = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const shots = process.env.TERN_SHOTS ?? fs.mkdtempSync(path.join(os.tmpdir(), "tern-page-"));

/// The greedy answer of the native program.
export const nativeAnswer = (prompt, tokens) => greedy(prompt, tokens).text;

/// Port 0: any.
export async function servePage(port = 0) {
  const server = pageServer(path.join(repository, "web/page/dist"));
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${server.address().port}/`, port: server.address().port, close };
}

/// A person's browser: options as Playwright's newContext() has them, settings as the page stores them. problems: what
/// the console had to say. requests: the addresses that it and its workers asked for.
export async function openPage(browser, url, { settings, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  return await preparePage(context, url, settings);
}

/// The same in a context that is there.
export async function preparePage(context, url, settings = {}) {
  const stored = JSON.stringify({ temperature: 0, device: "cpu", ...settings });
  await context.addInitScript((text) => {
    try {
      if (localStorage.getItem("tern.settings") === null) localStorage.setItem("tern.settings", text);
    } catch {
      // refused: the page's defaults hold
    }
  }, stored);
  const page = await context.newPage();
  const problems = [];
  const requests = [];
  context.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await page.goto(url);
  return { page, context, problems, requests };
}

export const messageBox = (page) => page.getByRole("textbox", { name: "Message" });
export const answers = (page) => page.locator(".answer:not(.live)");

/// Sends a message and waits for the whole answer, whose text it returns.
export async function ask(page, text) {
  const before = await answers(page).count();
  await messageBox(page).fill(text);
  await messageBox(page).press("Enter");
  await answers(page).nth(before).waitFor({ timeout: 120_000 });
  return await answers(page).nth(before).locator(".markdown").innerText();
}

export async function modelReady(page) {
  await page.locator(".chip").waitFor({ timeout: 60_000 });
}

/// Drops files on the page as a person does. files: {name, bytes: number[]} or {name, url} of the page's server.
export async function dropFiles(page, files) {
  const transfer = await page.evaluateHandle(async (list) => {
    const data = new DataTransfer();
    for (const { name, bytes, url } of list) {
      const content = url === undefined ? new Uint8Array(bytes) : await (await fetch(url)).blob();
      data.items.add(new File([content], name));
    }
    return data;
  }, files);
  for (const type of ["dragover", "drop"]) await page.dispatchEvent("body", type, { dataTransfer: transfer });
}

/// The address of the demo model beside the page.
export const demoUrl = (page) =>
  page.evaluate(() => performance.getEntriesByType("resource").find(({ name }) => name.endsWith(".gguf")).name);

export async function shot(page, name) {
  await page.screenshot({ path: path.join(shots, `${name}.png`), animations: "disabled" });
}

/// axe-core finds nothing serious in what is shown.
export async function accessible(page, what) {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`);
  });
  assert.deepEqual(found, [], what);
}

export { launch };
