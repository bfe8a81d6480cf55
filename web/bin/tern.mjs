#!/usr/bin/env node
// The command line in Node: the WebAssembly engine plans, JavaScript plays. src/cli.ts is the program.
import { existsSync } from "node:fs";

const program = new URL("../dist/src/cli.js", import.meta.url);
if (existsSync(program)) {
  const { main } = await import(program);
  process.exitCode = await main(process.argv.slice(2));
} else {
  console.error("tern: web/dist is missing; `make web` builds it.");
  process.exitCode = 2;
}
