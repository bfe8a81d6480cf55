// Builds the page into dist/: all from one origin, nothing inline, so that the strictest policy holds (serve.mjs).
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig, transformWithEsbuild } from "vite";
import type { Plugin } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/// sw.js from src/offline.ts, with the names of all other files; its own bytes change when any of theirs do, which is
/// what makes a browser fetch the new page.
function serviceWorker(): Plugin {
  return {
    name: "service-worker",
    enforce: "post",
    async generateBundle(_, bundle) {
      const hash = createHash("sha256");
      const files = Object.values(bundle)
        .filter(({ fileName }) => !fileName.endsWith(".map"))
        .sort((a, b) => a.fileName.localeCompare(b.fileName));
      const others = readdirSync(here("public")).sort(); // copied as they are
      for (const file of files) hash.update(file.type === "chunk" ? file.code : file.source);
      for (const name of others) hash.update(readFileSync(here(`public/${name}`)));
      const list = JSON.stringify([...files.map(({ fileName }) => fileName), ...others]);
      const source = readFileSync(here("src/offline.ts"), "utf8");
      const { code } = await transformWithEsbuild(source, "offline.ts", {
        define: { __FILES__: list, __VERSION__: JSON.stringify(hash.digest("hex").slice(0, 16)) },
        format: "iife",
        minify: true,
      });
      this.emitFile({ type: "asset", fileName: "sw.js", source: code });
    },
  };
}

/// The script that must run before the first paint: as it is, not part of the bundle.
function themeScript(): Plugin {
  const tag = { tag: "script", attrs: { src: "./theme.js" }, injectTo: "head" } as const;
  return { name: "theme-script", transformIndexHtml: { order: "post", handler: () => [tag] } };
}

export default defineConfig({
  base: "./",
  plugins: [themeScript(), serviceWorker()],
  resolve: { alias: { "@tern/web": here("../dist/src/index.js") } },
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  worker: { format: "es" },
  build: {
    target: "es2022",
    outDir: "dist",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
