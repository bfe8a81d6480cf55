// Host: the worker's side. It owns the one Engine, answers calls (protocol.ts), and pumps while there is something to
// do. Where files, the module and the GPU come from is the Environment's affair: a browser's worker or Node.
import type {
  DeviceInfo,
  EngineModule,
  LoadTimes,
  ModelInfo,
  Profile,
  Progress,
  Source,
  Stats,
  TokenInfo,
  WorkerLoadOptions,
} from "./api.js";
import { Engine } from "./engine.js";
import type { EngineEvent, ModelInfo as EngineInfo, Request } from "./engine.js";
import { aborted, asTernError, TernError } from "./errors.js";
import { GpuHost } from "./gpu_host.js";
import { collectProfile } from "./profile.js";
import type { Call, CallEvent, Delta, EmbedResult, GenerateResult, Port, Reply } from "./protocol.js";
import type { ThreadStart } from "./threads.js";
import type { FileSystem } from "./wasi.js";

export type OnProgress = (progress: Progress) => void;

/// A model's files, open to be read.
export interface OpenSource {
  files: FileSystem;
  path: string; // of the model in them
  stored: string | null; // its name in the store
  close(): void;
}

export interface LoadedModule {
  module: WebAssembly.Module;
  choice: EngineModule;
}

export interface Environment {
  gpu(): Promise<GPU | null>;
  /// url: null for the best of the modules that came with the package. threads: null for as many as there are cores.
  module(url: string | null, threads: number | null): Promise<LoadedModule>;
  open(source: Source, options: WorkerLoadOptions, times: LoadTimes, onProgress: OnProgress): Promise<OpenSource>;
  log(text: string): void;
  /// The GPU cannot take bytes of shared memory (Dawn for Node crashes on them), so its module has one thread.
  gpuWantsOneThread?: boolean;
  /// Where there are locks: see alive.ts.
  hold?(lock: string): Promise<void>;
}

/// What does not depend on the model.
interface Ready {
  module: Promise<LoadedModule>;
  gpu: Promise<[GpuHost, whyCpu: string]>;
}

/// A request under way.
interface Live {
  post: (event: CallEvent) => void;
  delta: Delta;
  posted: number; // when a delta was, last
  promptTokens: number;
  completionTokens: number;
  start: number;
  first: number;
  last: number;
  embedding: number[];
  resolve: (result: Ended) => void;
  reject: (error: TernError) => void;
}

/// How a request ended; `embedding` is empty unless that was asked for.
interface Ended {
  result: GenerateResult;
  embedding: number[];
}

const kPostMs = 16; // between two messages of an answer: a page shows no more
const kCpuChunk = 64; // tokens: on the CPU a step blocks the worker, and cancelling has to wait for its end

export class Host {
  #environment: Environment;
  #port: Port;
  #engine: Engine | null = null;
  #ready: Ready | null = null;
  #gpu = new GpuHost(null);
  #source: OpenSource | null = null;
  #choice: EngineModule = { file: "", threads: 1, why: "" };
  #device: DeviceInfo = { kind: "cpu", name: "", why: "" };
  #live = new Map<number, Live>(); // by the engine's id
  #ids = new Map<number, number[]>(); // call -> the engine's ids
  #pumping = false;

  constructor(environment: Environment, port: Port) {
    this.#environment = environment;
    this.#port = port;
    port.onmessage = (event) => void this.#answer(event.data as Call);
  }

  async #answer(call: Call): Promise<void> {
    try {
      this.#post({ call: call.call, result: await this.#perform(call) });
    } catch (error) {
      const { code, message } = asTernError(error, "internal");
      this.#post({ call: call.call, error: { code, message } });
    }
  }

  #perform(call: Call): unknown {
    const post = (event: CallEvent) => this.#post({ call: call.call, event });
    switch (call.op) {
      case "hold":
        return this.#hold(call.lock);
      case "prepare":
        this.#ready = this.#prepare(call.options);
        return Promise.all([this.#ready.module, this.#ready.gpu]).then(() => null);
      case "load":
        return this.#load(call.source, call.options, (progress) => post({ progress }));
      case "generate":
        return this.#generate(call.call, call.request, post);
      case "cancel":
        return this.#cancel(call.target);
      case "tokenize":
        return this.#model().tokenize(call.text);
      case "detokenize":
        return this.#model().detokenize(call.tokens);
      case "embed":
        return this.#embed(call);
      case "stats":
        return this.#stats();
      case "profile":
        return this.#profile(call.tokens);
      case "close":
        return this.#close();
    }
  }

  #hold(lock: string): Promise<void> {
    if (this.#environment.hold === undefined) throw new TernError("unsupported", "There are no locks here.");
    return this.#environment.hold(lock);
  }

  #post(reply: Reply): void {
    this.#port.postMessage(reply);
  }

  #model(): Engine {
    if (this.#engine === null) throw new TernError("invalid", "No model is loaded.");
    return this.#engine;
  }

  #prepare({ wasm, device, threads }: WorkerLoadOptions): Ready {
    const gpu = this.#chooseGpu(device);
    const { gpuWantsOneThread = false } = this.#environment;
    const module = gpuWantsOneThread
      ? gpu.then(([, whyCpu]) => this.#environment.module(wasm, whyCpu === "" ? 1 : threads))
      : this.#environment.module(wasm, threads);
    const ready = { module, gpu };
    for (const promise of [ready.module, ready.gpu]) promise.catch(() => undefined); // waited for by load
    return ready;
  }

  async #load(source: Source, options: WorkerLoadOptions, onProgress: OnProgress): Promise<ModelInfo> {
    const times: LoadTimes = { download: 0, read: 0, open: 0, compile: 0 };
    const ready = this.#ready ?? this.#prepare(options);
    this.#ready = null;
    this.#source = await this.#environment.open(source, options, times, onProgress);
    const [gpu, whyCpu] = await ready.gpu;
    this.#gpu = gpu;
    let info: EngineInfo;
    try {
      info = await this.#open(await ready.module, options, times, whyCpu === "" ? "gpu" : "cpu", onProgress);
      this.#device = this.#deviceOf(info, whyCpu);
    } catch (error) {
      if (whyCpu !== "" || options.device === "gpu") throw error;
      this.#gpu.player?.destroy();
      info = await this.#open(await ready.module, options, times, "cpu", onProgress);
      const why = `the GPU could not take it: ${asTernError(error, "gpu").message}`;
      this.#device = this.#deviceOf(info, why);
    }
    const { arch, name, vocab, context, chat, weights_bytes: weightsBytes, kv_bytes: kvBytes } = info;
    const { stored } = this.#source;
    return { arch, name, vocab, context, chat, device: this.#device, weightsBytes, kvBytes, stored, loadTimes: times };
  }

  async #open(
    { module, choice }: LoadedModule,
    options: WorkerLoadOptions,
    times: LoadTimes,
    device: "gpu" | "cpu",
    onProgress: OnProgress,
  ): Promise<EngineInfo> {
    const { files, path } = this.#source as OpenSource;
    const log = (text: string) => this.#environment.log(text);
    const threads = { count: choice.threads, start: (thread: ThreadStart) => this.#post({ thread }) };
    const engine = await Engine.create(module, files, log, this.#gpu, threads);
    this.#choice = choice;
    engine.onProgress = (loaded, total) => onProgress({ phase: "upload", loaded, total });
    this.#gpu.onCompile = (loaded, total) => onProgress({ phase: "compile", loaded, total });
    const start = performance.now();
    const chunk = device === "cpu" ? { chunk: kCpuChunk } : {};
    const info = await engine.open(path, { ...chunk, ...options.engine, device });
    const opened = performance.now();
    times.open = opened - start;
    await engine.ready();
    times.compile = performance.now() - opened;
    this.#engine = engine;
    return info;
  }

  /// The GPU, and why it is not to be used; "": it is.
  async #chooseGpu(wanted: WorkerLoadOptions["device"]): Promise<[GpuHost, string]> {
    if (wanted === "cpu") return [new GpuHost(null), "it was asked for"];
    const gpu = await this.#environment.gpu();
    const host = new GpuHost(gpu);
    if (gpu === null) {
      if (wanted === "gpu") throw new TernError("gpu", "There is no WebGPU here. Use another browser, or the CPU.");
      return [host, "there is no WebGPU here"];
    }
    try {
      const facts = await host.request();
      if (!facts.software || wanted === "gpu") return [host, ""];
      host.release();
      return [host, `${facts.device} is no GPU but a CPU that plays one`];
    } catch (error) {
      const { message } = asTernError(error, "gpu");
      if (wanted === "gpu") throw new TernError("gpu", message, { cause: error });
      return [host, message.replace(/\.$/, "").replace(/^There/, "there")];
    }
  }

  async #generate(call: number, request: Request, post: (event: CallEvent) => void): Promise<GenerateResult> {
    return (await this.#submit(call, request, post)).result;
  }

  #submit(call: number, request: Request, post: (event: CallEvent) => void): Promise<Ended> {
    const start = performance.now();
    const { id, prompt_tokens: promptTokens } = this.#model().submit(request);
    this.#ids.set(call, [...(this.#ids.get(call) ?? []), id]);
    return new Promise<Ended>((resolve, reject) => {
      const nothing = { delta: { text: "", tokens: [] }, completionTokens: 0, embedding: [] };
      this.#live.set(id, { post, posted: 0, promptTokens, ...nothing, start, first: 0, last: 0, resolve, reject });
      void this.#pump();
    }).finally(() => {
      this.#live.delete(id);
      const others = (this.#ids.get(call) ?? []).filter((other) => other !== id);
      if (others.length > 0) this.#ids.set(call, others);
      else this.#ids.delete(call);
    });
  }

  /// All inputs at once: the engine puts as many side by side as it was opened for.
  async #embed({ call, inputs, pooling, normalize }: Call & { op: "embed" }): Promise<EmbedResult> {
    const embed = { pooling, normalize };
    const requests = inputs.map((input): Request => ({
      ...(typeof input === "string" ? { prompt: input } : { tokens: input }),
      embed,
    }));
    try {
      const ended = await Promise.all(
        requests.map(async (request) => await this.#submit(call, request, () => undefined)),
      );
      if (ended.some(({ result }) => result.reason === "cancelled")) throw aborted();
      if (ended.some(({ result }) => result.reason !== "end")) {
        throw new TernError("invalid", "A text does not fit the KV cache. Load the model with a larger context.");
      }
      const promptTokens = ended.reduce((sum, { result }) => sum + result.promptTokens, 0);
      return { vectors: ended.map(({ embedding }) => Float32Array.from(embedding)), promptTokens };
    } catch (error) {
      this.#cancel(call); // those of the others that are still under way
      throw error;
    }
  }

  #cancel(call: number): void {
    for (const id of this.#ids.get(call) ?? []) this.#model().cancel(id);
  }

  /// One at a time; ends when no request is left.
  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#live.size > 0 && this.#engine !== null) {
        for (const event of this.#engine.pump().events) this.#take(event);
        const now = performance.now();
        for (const live of this.#live.values()) if (now - live.posted >= kPostMs) flush(live);
        await this.#engine.settled();
      }
    } catch (error) {
      for (const [id, live] of this.#live) {
        live.reject(asTernError(error, "internal"));
        this.#engine?.cancel(id);
      }
    } finally {
      this.#pumping = false;
    }
  }

  #take(event: EngineEvent): void {
    if (event.device !== undefined) this.#changeDevice(event.device);
    const live = this.#live.get(event.id);
    if (live === undefined) return;
    if (event.token !== undefined) {
      live.last = performance.now();
      if (live.completionTokens++ === 0) live.first = live.last;
      live.delta.tokens.push(tokenInfo(event));
    }
    if (event.text !== undefined) live.delta.text += event.text;
    if (event.embedding !== undefined) live.embedding = event.embedding;
    if (event.finished === undefined) return;
    flush(live);
    if (event.error !== undefined) live.reject(new TernError("internal", event.error));
    else live.resolve(resultOf(live, event.finished));
    this.#live.delete(event.id);
  }

  #changeDevice(sentence: string): void {
    const kind = this.#model().player === null ? "cpu" : "gpu";
    this.#device = { kind, name: this.#model().stats().device, why: sentence };
    this.#post({ device: this.#device });
  }

  /// whyCpu: "" for the GPU.
  #deviceOf({ device: name }: EngineInfo, whyCpu: string): DeviceInfo {
    if (whyCpu === "") return { kind: "gpu", name, why: `It runs on ${name}, by WebGPU.` };
    const reason = whyCpu.replace(/\.$/, "");
    return { kind: "cpu", name, why: `It runs on the CPU (${this.#choice.why}): ${reason}.` };
  }

  #stats(): Stats {
    const engine = this.#model();
    const s = engine.stats();
    return {
      steps: s.steps,
      promptTokens: s.prompt_tokens,
      sharedTokens: s.shared_tokens,
      generatedTokens: s.generated_tokens,
      deviceLosses: s.device_losses,
      pagesTotal: s.pages_total,
      pagesFree: s.pages_free,
      running: s.running,
      waiting: s.waiting,
      module: this.#choice,
      wasmBytes: engine.memoryBytes,
      gpuBytes: engine.player?.bufferBytes ?? 0,
    };
  }

  async #profile(tokens: number): Promise<Profile> {
    const generate = (request: Request, onToken: () => void) =>
      this.#generate(-1, request, (event) => {
        if ("delta" in event && event.delta.tokens.length > 0) onToken();
      });
    return await collectProfile(this.#model(), this.#device, tokens, generate);
  }

  #close(): void {
    for (const live of this.#live.values()) live.reject(new TernError("aborted", "The model was unloaded."));
    this.#live.clear();
    this.#engine?.player?.destroy();
    this.#engine = null;
    this.#source?.close();
    this.#source = null;
  }
}

function tokenInfo(event: EngineEvent): TokenInfo {
  const info: TokenInfo = { token: event.token as number };
  if (event.logprob !== undefined) info.logprob = event.logprob;
  if (event.top !== undefined) info.top = event.top;
  return info;
}

function flush(live: Live): void {
  if (live.delta.tokens.length === 0 && live.delta.text === "") return;
  live.post({ delta: live.delta });
  live.posted = performance.now();
  live.delta = { text: "", tokens: [] };
}

function resultOf(live: Live, reason: string): Ended {
  const now = performance.now();
  const { promptTokens, completionTokens, embedding, start, first, last } = live;
  const times = { firstToken: (first || now) - start, decode: last - first, total: now - start };
  return { result: { reason, promptTokens, completionTokens, ...times }, embedding };
}
