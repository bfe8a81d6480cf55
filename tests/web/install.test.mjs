// The package as others get it: packed, installed from the tarball, typed, bundled by Vite, from plain HTML, and from
// another origin. Nothing is fetched: the tarball has no dependencies, Vite and TypeScript are the page's.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { kStrictPolicy, launchProfile, repository, sendFile, serve } from "./browser.mjs";

const kMain = `
import { Models, Tern, TernError } from "@tern/web";
import type { Message, Piece } from "@tern/web";

const log: string[] = [];
const prompt: Message[] = [{ role: "user", content: "What is 47 + 85?" }];
try {
  const tern: Tern = await Tern.load("/models/tern-demo-q8_0.gguf", {
    device: "cpu",
    onProgress: ({ phase, loaded, total }) => log.push(\`\${phase} \${loaded} \${total}\`),
  });
  let last: Piece | undefined;
  let text = "";
  for await (const piece of tern.chat(prompt, { temperature: 0, maxTokens: 24 })) {
    text += piece.text;
    last = piece;
  }
  const whole = await tern.openai.chat.completions.create({ messages: prompt, temperature: 0 });
  const stored: string[] = (await Models.list()).map((model) => model.name);
  const ids: number[] = await tern.tokenize("pear");
  const back: string = await tern.detokenize(ids);
  await tern.unload();
  const outcome = { text, reason: last?.finishReason, content: whole.choices[0]?.message.content, stored, back };
  document.body.textContent = JSON.stringify(outcome);
} catch (error) {
  document.body.textContent = error instanceof TernError ? \`\${error.code}: \${error.message}\` : String(error);
}
`;

const kExpected = {
  text: "47 + 85 = 132",
  reason: "end",
  content: "47 + 85 = 132",
  stored: ["tern-demo-q8_0.gguf"],
  back: "pear",
};

const kTypes = {
  include: ["main.ts"],
  compilerOptions: {
    target: "ES2022",
    module: "ESNext",
    moduleResolution: "Bundler",
    lib: ["ES2022", "DOM"],
    types: [],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
  },
};

const web = path.join(repository, "web");
let project, context;

before(async () => {
  project = fs.mkdtempSync(path.join(os.tmpdir(), "tern-install-"));
  const npm = (...args) => execFileSync("npm", args, { cwd: project, encoding: "utf8" });
  const [packed] = JSON.parse(npm("pack", web, "--json", "--ignore-scripts"));
  const fresh = { name: "fresh", private: true, type: "module" };
  fs.writeFileSync(path.join(project, "package.json"), JSON.stringify(fresh));
  npm("install", "--offline", "--no-audit", "--no-fund", path.join(project, packed.filename));
  fs.writeFileSync(path.join(project, "main.ts"), kMain);
  fs.writeFileSync(path.join(project, "tsconfig.json"), JSON.stringify(kTypes));
  fs.writeFileSync(path.join(project, "index.html"), "<!doctype html><body><script type=module src=/main.ts></script>");
  context = await launchProfile({ gpu: false });
});
after(async () => {
  await context?.close();
  if (project !== undefined) fs.rmSync(project, { recursive: true, force: true });
});

/// What the page at `url` comes to say.
async function outcomeOf(url) {
  const page = await context.newPage();
  const problems = [];
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(url);
  await page.waitForFunction(() => document.body.textContent.trim() !== "", null, { timeout: 60_000 });
  const text = await page.evaluate(() => document.body.textContent);
  await page.close();
  assert.match(text, /^\{/, problems.join("; "));
  return JSON.parse(text);
}

/// Serves files of `folder`, "/" as `html` or its index.html.
function serveFolder(folder, html, headers) {
  const routes = {};
  const add = (name) => (routes[`/${name}`] = (q, r) => sendFile(q, r, path.join(folder, name)));
  for (const name of fs.readdirSync(folder, { recursive: true })) if (!name.includes("node_modules/.bin")) add(name);
  const index = () => html ?? fs.readFileSync(path.join(folder, "index.html"));
  routes["/"] = (_, r) => r.writeHead(200, { "content-type": "text/html" }).end(index());
  return serve(routes, headers);
}

test("the tarball holds what is needed, and no more", () => {
  const installed = path.join(project, "node_modules/@tern/web");
  const isFile = (name) => fs.statSync(path.join(installed, name)).isFile();
  const files = fs.readdirSync(installed, { recursive: true }).filter(isFile);
  for (const name of ["dist/src/index.js", "dist/src/index.d.ts", "dist/src/worker.js", "dist/tern.wasm"]) {
    assert.ok(files.includes(name), name);
  }
  assert.deepEqual(files.filter((name) => /test|\.ts$/.test(name) && !name.endsWith(".d.ts")), []);
  const { dependencies } = JSON.parse(fs.readFileSync(path.join(installed, "package.json"), "utf8"));
  assert.equal(dependencies, undefined);
});

test("its types are sound for a strict program without other types", () => {
  execFileSync(path.join(web, "node_modules/.bin/tsc"), { cwd: project, encoding: "utf8", stdio: "pipe" });
});

test("a fresh Vite project builds without configuration, and chats under a strict policy", async (t) => {
  const vite = path.join(web, "page/node_modules/vite/bin/vite.js");
  const args = [vite, "build", "--logLevel", "warn", "--target", "es2022"];
  execFileSync(process.execPath, args, { cwd: project, stdio: "pipe" });
  const server = await serveFolder(path.join(project, "dist"), undefined, { "content-security-policy": kStrictPolicy });
  t.after(server.close);
  assert.deepEqual(await outcomeOf(server.url), kExpected);
});

const kPlain = (from) => kMain
  .replaceAll(/^import type .*$/gm, "")
  .replaceAll(/: (string|number)\[\]|: Message\[\]|: Tern\b|: Piece \| undefined|: string\b/g, "")
  .replace('"@tern/web"', JSON.stringify(from));

test("plain HTML with one script", async (t) => {
  const installed = path.join(project, "node_modules/@tern/web");
  const html = `<!doctype html><script type=module>${kPlain("/dist/src/index.js")}</script><body>`;
  const server = await serveFolder(installed, html);
  t.after(server.close);
  assert.deepEqual(await outcomeOf(server.url), kExpected);
});

test("from another origin, with a worker that begins as a Blob of the page", async (t) => {
  const installed = path.join(project, "node_modules/@tern/web");
  const cdn = await serveFolder(installed, "", { "access-control-allow-origin": "*" });
  t.after(cdn.close);
  const start = `const start = new Blob([\`import "${cdn.url}/dist/src/worker.js";\`], { type: "text/javascript" });`;
  const worker = 'worker: () => new Worker(URL.createObjectURL(start), { type: "module" }),';
  const script = kPlain(`${cdn.url}/dist/src/index.js`).replace('device: "cpu",', `device: "cpu", ${worker}`);
  const server = await serve({
    "/": (_, response) => {
      response.writeHead(200, { "content-type": "text/html" });
      response.end(`<!doctype html><script type=module>${start}${script}</script><body>`);
    },
  });
  t.after(server.close);
  assert.deepEqual(await outcomeOf(server.url), kExpected);
});
