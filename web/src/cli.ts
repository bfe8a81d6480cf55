// tern in Node: run and chat as the native program has them, played by WebAssembly on the CPU or by WebGPU.
import * as fs from "node:fs";
import * as path from "node:path";
import * as readline from "node:readline";
import { bench } from "./bench.js";
import { benchOptions, generationOptions, kUsage, modelOptions } from "./cli_options.js";
import { parseCommand, promptOf, threadsOf, UsageError } from "./cli_options.js";
import type { Options } from "./cli_options.js";
import { Engine } from "./engine.js";
import type { Answer, Message, ModelInfo, ModelOptions, Request } from "./engine.js";
import { openDevice } from "./gpu.js";
import { GpuHost } from "./gpu_host.js";
import { bestModule, nodeFiles, nodeGpu } from "./node.js";
import type { Span } from "./profiler.js";

const kFailed = 1;
const kBadInput = 2;

/// Returns the exit code.
export async function main(args: string[]): Promise<number> {
  try {
    const { command, model, options } = parseCommand(args);
    if (options.help || command === "") {
      (options.help ? process.stdout : process.stderr).write(kUsage);
      return options.help ? 0 : kBadInput;
    }
    if (command === "devices") return await devices(options);
    if (model === null) throw new UsageError(`Which model? ${command} takes a file or a folder.`);
    if (command === "bench") return await runBench(model, options);
    if (command !== "run" && command !== "chat") throw new UsageError(`There is no command ${command}.`);
    const opened = await open(model, options);
    const code = await (command === "run" ? run(opened, options) : chat(opened, options));
    opened.trace?.write();
    opened.engine.player?.destroy();
    return code;
  } catch (error) {
    process.stderr.write(`tern: ${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof UsageError ? kBadInput : kFailed;
  }
}

interface Opened {
  engine: Engine;
  info: ModelInfo;
  loadSeconds: number;
  trace: Trace | null;
}

function dawnFlags(options: Options): string[] {
  // Subgroup matrices are experimental in Dawn; shader-f16 on NVIDIA is behind a toggle.
  const enabled = ["allow_unsafe_apis", "vulkan_enable_f16_on_nvidia"];
  if (options["no-robustness"]) enabled.push("disable_robustness");
  const flags = [`enable-dawn-features=${enabled.join()}`];
  if (options.trace) flags.push("disable-dawn-features=timestamp_quantization");
  return flags;
}

/// The GPU that the options ask for; null: the CPU, and why.
async function chooseGpu(options: Options): Promise<[GPU | null, string]> {
  if (options.device === "cpu") return [null, ""];
  if (options.device !== "gpu" && options.device !== "auto") {
    throw new UsageError(`--device is "${options.device}", allowed are auto, gpu and cpu.`);
  }
  try {
    const gpu = await nodeGpu(dawnFlags(options), options.device === "gpu");
    if (options.device === "gpu") return [gpu, ""];
    const [device, facts] = await openDevice(gpu);
    device.destroy();
    if (!facts.software) return [gpu, ""];
    return [null, `${facts.device} is no GPU but a CPU that plays one; --device gpu takes it all the same`];
  } catch (error) {
    if (options.device === "gpu") throw error;
    return [null, (error as Error).message];
  }
}

async function open(model: string, options: Options, more: ModelOptions = {}): Promise<Opened> {
  const start = performance.now();
  const [gpu, why] = await chooseGpu(options);
  if (why !== "" && process.stderr.isTTY) process.stderr.write(`On the CPU: ${why}.\n`);
  const log = (text: string) => process.stderr.write(text);
  const wanted = threadsOf(options);
  const { wasm, threads } = bestModule(gpu === null ? wanted : 1); // Dawn crashes on bytes of shared memory
  const engine = await Engine.create(wasm, nodeFiles, log, new GpuHost(gpu), threads);
  const device = gpu === null ? "cpu" : "gpu";
  const wishes = { ...more, ...modelOptions(options), device } as const;
  const info = await engine.open(path.resolve(model), wishes).catch((error: unknown) => {
    throw new UsageError((error as Error).message);
  });
  await engine.ready();
  const trace = options.trace && engine.player ? new Trace(options.trace) : null;
  if (trace !== null && engine.player !== null) engine.player.onProfile = (spans) => trace.add(spans);
  return { engine, info, loadSeconds: (performance.now() - start) / 1000, trace };
}

/// Ctrl-C ends an answer; what there is of it stays.
async function answer(opened: Opened, request: Request, print: boolean): Promise<Answer> {
  const stop = new AbortController();
  const onInterrupt = () => stop.abort();
  process.once("SIGINT", onInterrupt);
  try {
    return await opened.engine.complete(
      request,
      (event) => {
        if (event.device !== undefined) process.stderr.write(`tern: ${event.device}\n`);
        if (print && event.text !== undefined) process.stdout.write(event.text);
      },
      stop.signal,
    );
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}

const perSecond = (n: number, seconds: number) => (seconds > 0 ? n / seconds : 0);

async function run(opened: Opened, options: Options): Promise<number> {
  const request = { ...generationOptions(options), ...promptOf(options) };
  const a = await answer(opened, request, !options.json);
  if (!options.json) {
    process.stdout.write("\n");
    return a.reason === "cancelled" ? kFailed : 0;
  }
  const logprobs = a.events.map(({ token, logprob = null, top = [] }) => ({ token, logprob, top }));
  const out = {
    text: a.text,
    tokens: a.tokens,
    prompt_tokens: a.promptTokens,
    stop_reason: a.reason,
    prefill_tok_s: perSecond(a.promptTokens, a.prefillSeconds),
    decode_tok_s: perSecond(a.tokens.length - 1, a.decodeSeconds),
    load_s: opened.loadSeconds,
    peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
    device: opened.info.device,
    ...(options.logprobs === undefined ? {} : { logprobs }),
  };
  process.stdout.write(`${JSON.stringify(out)}\n`);
  return a.reason === "cancelled" ? kFailed : 0;
}

const kHelp = `/reset            forget the conversation
/system TEXT      a new conversation with this system message
/stats            what the engine has done
/exit, Ctrl-D     leave
`;

async function chat(opened: Opened, options: Options): Promise<number> {
  const { engine, info, loadSeconds } = opened;
  if (!info.chat) throw new UsageError(`${info.name} has no chat template.`);
  const interactive = process.stdin.isTTY && process.stdout.isTTY;
  if (interactive) process.stdout.write(`${info.arch} on ${info.device}, ready in ${loadSeconds.toFixed(2)} s.\n`);
  const lines = readline.createInterface({ input: process.stdin, terminal: false });
  const fresh = (system = ""): Message[] => (system === "" ? [] : [{ role: "system", content: system }]);
  let messages = fresh(options.system);
  const prompt = () => interactive && process.stdout.write("> ");
  prompt();
  for await (const line of lines) {
    const [command = "", ...rest] = line.split(" ");
    if (command === "/exit") break;
    if (options.echo) process.stdout.write(`> ${line}\n`);
    if (command === "/help") process.stdout.write(kHelp);
    else if (command === "/stats") process.stdout.write(`${JSON.stringify(engine.stats())}\n`);
    else if (command === "/reset") messages = fresh(options.system);
    else if (command === "/system") messages = fresh(rest.join(" "));
    else if (line.trim() !== "") {
      messages.push({ role: "user", content: line });
      const a = await answer(opened, { ...generationOptions(options), messages }, true);
      messages.push({ role: "assistant", content: a.text });
      const rate = perSecond(a.tokens.length - 1, a.decodeSeconds).toFixed(1);
      const note = `[${a.tokens.length} tokens, ${rate} tok/s, first after ${(a.prefillSeconds * 1e3).toFixed(0)} ms]`;
      process.stdout.write("\n");
      (interactive ? process.stdout : process.stderr).write(`${note}\n`);
    }
    prompt();
  }
  lines.close();
  return 0;
}

async function runBench(model: string, options: Options): Promise<number> {
  const wanted = benchOptions(options);
  const { prompt, depth, generate } = wanted;
  const max_seqs = Math.max(...wanted.batches);
  const context = Math.max(prompt + 2, depth + generate + 2, 80);
  const kv_tokens = max_seqs * (context + 64);
  const opened = await open(model, options, { context, max_seqs, kv_tokens });
  const results = await bench(opened.engine, opened.info, wanted);
  const facts = { robustness: !options["no-robustness"], load_s: opened.loadSeconds };
  const rows = results.map((result) => ({ ...result, ...facts }));
  if (options.json) {
    process.stdout.write(`${JSON.stringify(rows)}\n`);
  } else {
    const [first] = rows;
    const { name, device } = opened.info;
    process.stdout.write(`${name} on ${device}, read ${first?.roof_gb_s.toFixed(0)} GB/s in this run\n`);
    process.stdout.write(`prefill of ${prompt}: ${first?.prefill_tok_s.toFixed(1)} tok/s\n`);
    for (const row of rows) {
      process.stdout.write(`decode of ${generate}, batch ${row.batch}: ${row.decode_tok_s.toFixed(1)} tok/s\n`);
    }
  }
  opened.engine.player?.destroy();
  return 0;
}

async function devices(options: Options): Promise<number> {
  const [device, facts] = await openDevice(await nodeGpu(dawnFlags(options)));
  device.destroy();
  process.stdout.write(`${JSON.stringify(facts, null, 2)}\n`);
  return 0;
}

/// Chrome's trace event format, which Perfetto reads: one span per dispatch.
class Trace {
  #file: string;
  #events: object[] = [];

  constructor(file: string) {
    this.#file = file;
  }

  add(spans: Span[]): void {
    for (const { name, startNs, ns } of spans) {
      this.#events.push({ name, ph: "X", ts: startNs / 1000, dur: ns / 1000, pid: 1, tid: 1, cat: "gpu" });
    }
  }

  write(): void {
    fs.writeFileSync(this.#file, JSON.stringify({ traceEvents: this.#events }));
  }
}
