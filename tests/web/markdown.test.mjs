// The blocks of a text that grows letter by letter are those of the whole text at every letter.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import * as path from "node:path";
import { test } from "node:test";
import { repository } from "./browser.mjs";

const page = path.join(repository, "web/page/");
const { buildSync } = createRequire(createRequire(`${page}package.json`).resolve("vite"))("esbuild");

async function loadBlocks() {
  const entryPoints = [path.join(page, "src/markdown_blocks.ts")];
  const { outputFiles } = buildSync({ entryPoints, bundle: true, format: "esm", write: false });
  return await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}

const kTexts = {
  "a bit of everything":
    "# Title\n\nA paragraph with **bold**, `code` and [a link](https://example.org),\non two lines.\n\n" +
    "- one\n- two\n  - nested\n\n- three after a gap\n\n1. first\n2. second\n\n   with a paragraph\n" +
    '```js\nconst x = "# no title";\n\n- no list\n```\n\n> quoted\nlazily\n>\n> - in it\n\n' +
    "| a | b |\n|---|:-:|\n| 1 | 2 |\n\nSetext\n======\n\nAnother\n---\n\n***\n\n" +
    "<details>\n<summary>html</summary>\n\ntext\n</details>\n\n    indented\n\nThe end.",
  "a definition that comes late":
    "See [this] and [that][x].\n\nMore.\n\n- a\n\n[this]: https://example.org\n[x]: /y 'z'\n\nEnd [this].",
  "line breaks of other systems": "one\r\ntwo\r\n\r\n- a\r\n- b\r\n\r\nthree\rfour\n",
  "what interrupts what":
    "text\n- a\ntext\n1. b\n2) c\n* d\n+ e\n# h\ntext\n```\ncode\n~~~\n```\n> q\n***\n\ttab\n\n\n\nlast\n\n",
  "never closed": "```python\nfor i in range(3):\n\n    print(i)\n\n# still code\n\n| a |\n|---|\n",
  "task lists": "- [ ] open\n- [x] done\n\n  still done\n\n\n- [ ] far\n\nend",
};

test("a text that grows", async () => {
  const { lex, lexGrown } = await loadBlocks();
  const plain = (blocks) => JSON.parse(JSON.stringify(blocks));
  for (const [name, text] of Object.entries(kTexts)) {
    for (const step of [1, 7]) {
      let blocks = lex("");
      for (let end = step; end < text.length + step; end += step) {
        const shown = text.slice(0, end);
        blocks = lexGrown(blocks, shown);
        assert.deepEqual(plain(blocks), plain(lex(shown)), `${name}, after ${JSON.stringify(shown.slice(-40))}`);
      }
    }
  }
});
