// The options of the command line, named as those of the native program (src/apps/cli).
import * as fs from "node:fs";
import { parseArgs } from "node:util";
import type { BenchOptions } from "./bench.js";
import type { Message, ModelOptions, Request } from "./engine.js";

export const kUsage = `Usage: node web/bin/tern.mjs COMMAND MODEL [OPTIONS]
  chat MODEL                       talk to a model (/help lists the commands there)
  run MODEL -p 'Once upon'         continue a text
  bench MODEL -p 512 -n 64 -b 1,8  tokens per second (-p: tokens of the prompt; --depth N, -r N repeats)
  devices                          the GPU that --device gpu takes

MODEL: a .gguf file, or a Hugging Face folder (config.json, *.safetensors)
  --device auto|gpu|cpu            auto: a real GPU if there is one    -c, --context N   --kv f32|f16|q8_0   --chunk N
  -t, --threads N                  of the CPU; else one per core
  --no-robustness                  without the bounds checks that browsers always have
  --trace FILE                     GPU times of every kernel, for ui.perfetto.dev

  -p, --prompt TEXT   --chat   --system TEXT   --tokens 1,2,3|@file   --messages JSON|@file   --json   --logprobs N
  -n, --max-tokens N  --greedy   --temperature X   --top-k N   --top-p X   --min-p X   --typical X   --seed N
  --repeat-penalty X  --frequency-penalty X   --presence-penalty X   --penalty-last N   --logit-bias ID:BIAS
  --stop TEXT  --stop-token ID  --ignore-eos

Exit codes: 0 success, 1 the work failed or was stopped, 2 bad input or usage.
`;

/// What the user did wrong: exit code 2.
export class UsageError extends Error {}

const kText = { type: "string" } as const;
const kFlag = { type: "boolean" } as const;
const kTexts = { type: "string", multiple: true } as const;

const kOptions = {
  device: { ...kText, default: "auto" },
  context: { ...kText, short: "c" },
  threads: { ...kText, short: "t" },
  kv: kText,
  chunk: kText,
  "no-robustness": kFlag,
  trace: kText,
  prompt: { ...kText, short: "p" },
  chat: kFlag,
  system: kText,
  tokens: kText,
  messages: kText,
  json: kFlag,
  logprobs: kText,
  "max-tokens": { ...kText, short: "n" },
  greedy: kFlag,
  temperature: kText,
  "top-k": kText,
  "top-p": kText,
  "min-p": kText,
  typical: kText,
  seed: kText,
  "repeat-penalty": kText,
  "frequency-penalty": kText,
  "presence-penalty": kText,
  "penalty-last": kText,
  "logit-bias": kTexts,
  stop: kTexts,
  "stop-token": kTexts,
  "ignore-eos": kFlag,
  echo: kFlag,
  batch: { ...kText, short: "b" },
  depth: kText,
  repeats: { ...kText, short: "r" },
  help: { ...kFlag, short: "h" },
} as const;

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: kOptions, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
export type Options = ReturnType<typeof parse>["values"];

export function parseCommand(args: string[]): { command: string; model: string | null; options: Options } {
  const { values, positionals } = parse(args);
  const [command = "", model = null, ...rest] = positionals;
  if (rest.length > 0) throw new UsageError(`"${rest[0]}" is one argument too many.`);
  return { command, model, options: values };
}

function number(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new UsageError(`--${name} is "${text}", not a number.`);
  return value;
}

function tokenIds(text: string): number[] {
  const list = text.startsWith("@") ? readText(text.slice(1)) : text;
  const ids = list.split(/[\s,[\]]+/).filter((piece) => piece !== "");
  if (ids.length === 0 || !ids.every((id) => /^\d+$/.test(id))) {
    throw new UsageError(`"${text.slice(0, 40)}" is not a list of token ids such as 1,2,3 or @file.`);
  }
  return ids.map(Number);
}

function readText(path: string): string {
  try {
    return fs.readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`The file ${path} cannot be read: ${(error as Error).message}.`);
  }
}

function parseMessages(text: string): Message[] {
  try {
    return JSON.parse(text.startsWith("@") ? readText(text.slice(1)) : text) as Message[];
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--messages is no JSON: ${(error as Error).message}`);
  }
}

function logitBias(entry: string): [number, number] {
  const match = /^(\d+):(-?[\d.]+)$/.exec(entry);
  if (match === null) throw new UsageError(`--logit-bias is "${entry}", expected ID:BIAS such as 13:-100.`);
  return [Number(match[1]), Number(match[2])];
}

/// Leaves out what is undefined, so that the engine's defaults hold.
function defined<T extends object>(values: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}

export function modelOptions(options: Options): ModelOptions {
  const { kv } = options;
  if (kv !== undefined && kv !== "f32" && kv !== "f16" && kv !== "q8_0") {
    throw new UsageError(`--kv is "${kv}", allowed are f32, f16 and q8_0.`);
  }
  return defined<ModelOptions>({
    kv,
    context: number("context", options.context),
    chunk: number("chunk", options.chunk),
  } as ModelOptions);
}

/// null: one per core.
export function threadsOf(options: Options): number | null {
  const threads = number("threads", options.threads) ?? null;
  if (threads === null || (Number.isInteger(threads) && threads >= 1)) return threads;
  throw new UsageError(`--threads is ${threads}, expected a whole number from 1 on.`);
}

/// How tokens are drawn and when an answer ends; the prompt is added by whoever has it.
export function generationOptions(options: Options): Request {
  return defined<Request>({
    max_tokens: number("max-tokens", options["max-tokens"]) || undefined,
    temperature: options.greedy ? 0 : number("temperature", options.temperature),
    top_k: number("top-k", options["top-k"]),
    top_p: number("top-p", options["top-p"]),
    min_p: number("min-p", options["min-p"]),
    typical_p: number("typical", options.typical),
    seed: number("seed", options.seed) ?? crypto.getRandomValues(new Uint32Array(1))[0],
    repetition_penalty: number("repeat-penalty", options["repeat-penalty"]),
    frequency_penalty: number("frequency-penalty", options["frequency-penalty"]),
    presence_penalty: number("presence-penalty", options["presence-penalty"]),
    penalty_last_n: number("penalty-last", options["penalty-last"]),
    logit_bias: options["logit-bias"]?.map(logitBias),
    logprobs: number("logprobs", options.logprobs),
    stop: options.stop,
    stop_tokens: options["stop-token"]?.flatMap(tokenIds),
    ignore_eos: options["ignore-eos"],
  } as Request);
}

export function benchOptions(options: Options): BenchOptions {
  const count = (name: string, text: string | undefined, otherwise: number, least = 1) => {
    const value = number(name, text) ?? otherwise;
    if (Number.isInteger(value) && value >= least) return value;
    throw new UsageError(`--${name} is ${value}, expected a whole number from ${least} on.`);
  };
  return {
    prompt: count("prompt", options.prompt, 512),
    generate: count("max-tokens", options["max-tokens"], 64, 2),
    batches: (options.batch ?? "1").split(",").map((batch) => count("batch", batch, 1)),
    depth: count("depth", options.depth, 0, 0),
    repeats: count("repeats", options.repeats, 3),
  };
}

/// The prompt of `run`: --tokens as given, --messages or --chat through the template, else raw text.
export function promptOf(options: Options): Request {
  if (options.tokens !== undefined) return { tokens: tokenIds(options.tokens) };
  if (options.messages !== undefined) return { messages: parseMessages(options.messages) };
  const prompt = options.prompt ?? fs.readFileSync(0, "utf8");
  if (!options.chat) return { prompt };
  const system = options.system ? [{ role: "system", content: options.system }] : [];
  return { messages: [...system, { role: "user", content: prompt }] };
}
