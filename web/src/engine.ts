// Engine: tern.wasm with its files, and a GPU when there is one. The module plans and schedules; here its answers
// become values, and what it must not wait for is waited for.
//
//   open(path) -> complete(request, onText), or submit() and pump() for several requests at once
import { GpuHost } from "./gpu_host.js";
import type { Player } from "./player.js";
import { breathe } from "./breathe.js";
import { TernError } from "./errors.js";
import type { TernErrorCode } from "./errors.js";
import { kNoThreads, needsSharedMemory, sharedMemory } from "./threads.js";
import type { Threads } from "./threads.js";
import type { EngineEvent, EngineStats, ModelInfo, ModelOptions, Request } from "./engine_types.js";
import type { FileSystem } from "./wasi.js";
import { Wasi } from "./wasi.js";

export type * from "./engine_types.js";

export type OnEvent = (event: EngineEvent) => void;

export interface Answer {
  text: string;
  tokens: number[];
  events: EngineEvent[]; // those of tokens
  embedding: number[]; // of a request with `embed`
  reason: string;
  promptTokens: number;
  prefillSeconds: number; // submit to first token
  decodeSeconds: number; // first token to last
}

interface Exports {
  memory?: WebAssembly.Memory; // absent where it is imported, shared with threads
  _initialize(): void;
  tern_alloc(bytes: number): number;
  tern_free(pointer: number): void;
  tern_open(text: number, size: number): number;
  tern_load_step(): number;
  tern_submit(text: number, size: number): number;
  tern_cancel(id: number): void;
  tern_pump(): number;
  tern_stats(): number;
  tern_tokenize(text: number, size: number): number;
  tern_detokenize(text: number, size: number): number;
  tern_plan(): number;
}

const kNoTime = { prefillSeconds: 0, decodeSeconds: 0 };

function ignore(): void {
  // nobody listens
}

function take(answer: Answer, event: EngineEvent, times: { first: number; last: number }): void {
  if (event.token !== undefined) {
    times.last = performance.now();
    if (answer.tokens.length === 0) times.first = times.last;
    answer.tokens.push(event.token);
    answer.events.push(event);
  }
  if (event.text !== undefined) answer.text += event.text;
  if (event.embedding !== undefined) answer.embedding = event.embedding;
  if (event.error !== undefined) throw new TernError("internal", event.error);
  if (event.finished !== undefined) answer.reason = event.finished;
}

export class Engine {
  /// How much of the weights is placed, in bytes; called while open() runs.
  onProgress: (done: number, total: number) => void = ignore;
  #exports: Exports;
  #memory: WebAssembly.Memory;
  #files: FileSystem;
  #gpu: GpuHost;

  private constructor(exports: Exports, memory: WebAssembly.Memory, files: FileSystem, gpu: GpuHost) {
    this.#exports = exports;
    this.#memory = memory;
    this.#files = files;
    this.#gpu = gpu;
  }

  /// wasm: one of the modules, compiled or as bytes. log: gets what the module prints (its last words when it ends).
  /// threads: for a module that has them.
  static async create(
    wasm: WebAssembly.Module | Uint8Array<ArrayBuffer>,
    files: FileSystem,
    log: (text: string) => void,
    gpu: GpuHost = new GpuHost(null),
    threads: Threads = kNoThreads,
  ): Promise<Engine> {
    const wasi = new Wasi(files, log);
    const module = wasm instanceof WebAssembly.Module ? wasm : await WebAssembly.compile(wasm);
    let engine: Engine | null = null;
    const progress = (done: number, total: number) => engine?.onProgress(done, total);
    const shared = needsSharedMemory(module) ? sharedMemory() : null;
    const start_thread = (place: number, stackTop: number, tls: number) =>
      threads.start({ module, memory: shared as WebAssembly.Memory, place, stackTop: stackTop >>> 0, tls: tls >>> 0 });
    const instance = await WebAssembly.instantiate(module, {
      wasi_snapshot_preview1: wasi.imports(),
      tern_gpu: gpu.imports(),
      tern_host: { progress, start_thread, cores: () => threads.count },
      ...(shared === null ? {} : { env: { memory: shared } }),
    });
    const exports = instance.exports as unknown as Exports;
    const memory = shared ?? (exports.memory as WebAssembly.Memory);
    wasi.attach(memory);
    gpu.attach(memory);
    exports._initialize();
    engine = new Engine(exports, memory, files, gpu);
    return engine;
  }

  /// The player of the loaded model; null on the CPU.
  get player(): Player | null {
    return this.#gpu.player;
  }

  /// path: a GGUF or a Hugging Face folder in the files that create() got. Throws with a sentence for people.
  /// A GPU compiles its kernels while the weights are uploaded.
  async open(path: string, options: ModelOptions = {}): Promise<ModelInfo> {
    await this.#filling(async () => {
      if (options.device === "gpu") await this.#gpu.request();
      this.#callWith((at, size) => this.#exports.tern_open(at, size), { path, ...options });
    });
    const place = () => Promise.resolve(this.#answer(this.#exports.tern_load_step()) as { model?: ModelInfo });
    for (;;) {
      const { model } = await this.#filling(place);
      if (model !== undefined) return model;
      await breathe();
      await this.player?.written();
    }
  }

  /// Resolves when all kernels are compiled; steps may be submitted before. Throws when one cannot be.
  async ready(): Promise<void> {
    await this.player?.ready();
  }

  submit(request: Request): { id: number; prompt_tokens: number } {
    const answer = this.#callWith((at, size) => this.#exports.tern_submit(at, size), request);
    return answer as { id: number; prompt_tokens: number };
  }

  cancel(id: number): void {
    this.#exports.tern_cancel(id);
  }

  /// Moves all requests on by what can be done without waiting.
  pump(): { idle: boolean; events: EngineEvent[] } {
    return this.#answer(this.#exports.tern_pump()) as { idle: boolean; events: EngineEvent[] };
  }

  /// Resolves when another pump() is worth it; lets the page (or Node) breathe in any case. Fetches what the last one
  /// could not read, when it placed the model on another device. Throws when that cannot be had.
  async settled(): Promise<void> {
    if (!(await this.#files.fill?.())) this.#files.filled?.();
    await this.#gpu.settled();
  }

  /// Runs one request to its end. onEvent gets its events as they come, and those of the device; when `signal` aborts,
  /// the answer ends ("cancelled").
  async complete(request: Request, onEvent: OnEvent = ignore, signal?: AbortSignal): Promise<Answer> {
    const start = performance.now();
    const { id, prompt_tokens } = this.submit(request);
    const nothing = { text: "", tokens: [], events: [], embedding: [], reason: "" };
    const answer: Answer = { ...kNoTime, ...nothing, promptTokens: prompt_tokens };
    const times = { first: 0, last: 0 };
    while (answer.reason === "") {
      for (const event of this.pump().events) {
        if (event.id !== id && event.device === undefined) continue;
        take(answer, event, times);
        onEvent(event);
      }
      if (signal?.aborted) this.cancel(id);
      if (answer.reason === "") await this.settled();
    }
    answer.prefillSeconds = ((times.first || performance.now()) - start) / 1000;
    answer.decodeSeconds = (times.last - times.first) / 1000;
    return answer;
  }

  stats(): EngineStats {
    return this.#answer(this.#exports.tern_stats()) as EngineStats;
  }

  get memoryBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /// Control tokens in `text` are text like any other; no BOS is put in front.
  tokenize(text: string): number[] {
    const call = (at: number, size: number) => this.#exports.tern_tokenize(at, size);
    return (this.#callWith(call, { text }) as { tokens: number[] }).tokens;
  }

  detokenize(tokens: number[]): string {
    const call = (at: number, size: number) => this.#exports.tern_detokenize(at, size);
    return (this.#callWith(call, { tokens }) as { text: string }).text;
  }

  /// A copy of the words of the plan that is being played.
  plan(): Uint32Array {
    const { words, at } = this.#answer(this.#exports.tern_plan()) as { words: number; at: number };
    return new Uint32Array(this.#memory.buffer, at, words).slice();
  }

  /// Tries again when files were not all here.
  async #filling<T>(attempt: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const result = await attempt();
        this.#files.filled?.();
        return result;
      } catch (error) {
        if (!(await this.#files.fill?.())) throw error;
      }
    }
  }

  #callWith(call: (at: number, size: number) => number, value: unknown): unknown {
    const text = new TextEncoder().encode(JSON.stringify(value));
    const at = this.#exports.tern_alloc(text.length);
    if (at === 0) throw new Error(`The module has no memory for ${text.length} bytes.`);
    this.#bytes().set(text, at);
    try {
      return this.#answer(call(at, text.length));
    } finally {
      this.#exports.tern_free(at);
    }
  }

  #answer(at: number): unknown {
    const memory = this.#bytes();
    const value: unknown = JSON.parse(new TextDecoder().decode(memory.slice(at, memory.indexOf(0, at))));
    const { error, code = "internal" } = value as { error?: string; code?: TernErrorCode };
    if (error !== undefined) throw new TernError(code, error);
    return value;
  }

  #bytes(): Uint8Array {
    return new Uint8Array(this.#memory.buffer);
  }
}
