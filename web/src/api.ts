// The types of the public API. Sizes are bytes, times milliseconds.
import type { Message, ModelOptions } from "./engine_types.js";

export type { Message };

/// A URL (absolute, or relative to the page), a file, the name of a stored model, or all parts of a split one.
export type Source = string | URL | Blob | File[];

export interface Progress {
  /// download: bytes from the network. read: bytes checked or copied on this machine. upload: weights placed on the
  /// device. compile: kernels of the GPU.
  phase: "download" | "read" | "upload" | "compile";
  loaded: number;
  total: number; // 0: not known
}

export interface DeviceInfo {
  kind: "gpu" | "cpu";
  name: string;
  why: string; // a sentence: which runs, and why
}

export interface LoadOptions {
  /// auto: the GPU, if there is a real one that the model fits on. Default: auto.
  device?: "auto" | "gpu" | "cpu";
  context?: number; // positions; default: the model's own, at most 4096
  kv?: "f32" | "f16" | "q8_0"; // how keys and values are kept; default: f16
  chunk?: number; // tokens of a prompt in one step; default: 512 on a GPU, 64 on the CPU
  sequences?: number; // answers at once; further ones wait. Default: 1
  threads?: number; // of the CPU; more than one needs a page that is cross-origin isolated. Default: one per core
  sha256?: string; // of the file, in hexadecimal; checked before it is used
  /// Downloads are kept in the browser's storage under the file's own name; a text: under this name; false: not at all,
  /// which is also what helps when the store is full (error "storage").
  store?: boolean | string;
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  onDevice?: (device: DeviceInfo) => void; // the device was lost and another one took over
  wasm?: string | URL; // the module, where not the best one that lies beside the package shall run
  worker?: () => Worker; // makes a worker, the engine's or a thread's, where the package comes from another origin
}

export interface ModelInfo {
  arch: string;
  name: string;
  vocab: number;
  context: number;
  chat: boolean; // there is a chat template
  device: DeviceInfo;
  weightsBytes: number;
  kvBytes: number;
  stored: string | null; // the name in the store
  loadTimes: LoadTimes;
}

export interface LoadTimes {
  download: number;
  read: number;
  open: number; // parsing, planning and uploading
  compile: number; // what was waited for after that
}

export interface GenerateOptions {
  temperature?: number; // 0: always the likeliest token. Default: 0.8
  topP?: number;
  topK?: number;
  minP?: number;
  typicalP?: number;
  repetitionPenalty?: number;
  frequencyPenalty?: number;
  presencePenalty?: number;
  seed?: number; // default: a random one
  maxTokens?: number;
  stop?: string | string[];
  logitBias?: [token: number, bias: number][];
  logprobs?: number; // alternatives per token; pieces then carry them
  ignoreEos?: boolean;
  signal?: AbortSignal; // ends the answer with finishReason "cancelled"
}

/// mean: of the hidden states of all tokens; last: the last token's, the only one to have seen the whole text. A hidden
/// state is what the model's head reads: the last layer's output after the final norm.
export type Pooling = "mean" | "last";

export interface EmbedOptions {
  pooling?: Pooling; // default: mean
  normalize?: boolean; // to a Euclidean length of 1, so that the product of two vectors is their cosine. Default: true
  signal?: AbortSignal; // then embed throws "aborted"
}

export interface TokenInfo {
  token: number;
  logprob?: number;
  top?: { token: number; logprob: number }[];
}

export type FinishReason = "end" | "stop" | "length" | "context" | "cancelled";

export interface Usage {
  promptTokens: number;
  completionTokens: number;
  totalTokens: number;
}

export interface Timings {
  firstToken: number; // from the call to the first token
  decode: number; // from the first token to the last
  total: number;
  tokensPerSecond: number; // of decoding; 0 for fewer than two tokens
  promptTokensPerSecond: number;
}

/// Texts come one after the other; the last piece has an empty text, the reason and the sums.
export interface Piece {
  text: string;
  tokens: TokenInfo[]; // that came since the last piece
  finishReason?: FinishReason;
  usage?: Usage;
  timings?: Timings;
}

/// The module of WebAssembly that runs.
export interface EngineModule {
  file: string; // "tern-relaxed-threads.wasm"
  threads: number; // that compute where the CPU does
  why: string; // "relaxed SIMD, 4 threads"; for one thread also the reason
}

export interface Stats {
  steps: number;
  promptTokens: number;
  sharedTokens: number; // of prompts, not computed again
  generatedTokens: number;
  deviceLosses: number;
  pagesTotal: number;
  pagesFree: number;
  running: number;
  waiting: number;
  module: EngineModule;
  wasmBytes: number; // memory of the WebAssembly module
  gpuBytes: number; // buffers of the player
}

export interface ProfileStep {
  name: string; // the value that is computed, "blk.3.ffn_up"
  kernel: string;
  layer: number | null;
  ms: number; // on the GPU, mean over the profiled tokens
}

export interface Profile {
  device: DeviceInfo;
  steps: ProfileStep[]; // of one decoding step, in order; each ran in a pass of its own, which is slower
  totalMs: number;
  tokens: number; // profiled
  note: string; // what the times mean, or why there are none
}

/// What the worker needs of LoadOptions.
export interface WorkerLoadOptions {
  device: "auto" | "gpu" | "cpu";
  engine: ModelOptions;
  sha256: string | null;
  store: boolean | string;
  base: string | null; // of relative addresses
  wasm: string | null;
  threads: number | null;
}
