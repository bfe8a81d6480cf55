// The messages between a page and the worker: a call with a number, then any events of it, then its result or error.
import type { DeviceInfo, Pooling, Progress, Source, TokenInfo, WorkerLoadOptions } from "./api.js";
import type { Request } from "./engine_types.js";
import type { TernErrorCode } from "./errors.js";
import type { ThreadStart } from "./threads.js";

export type Operation =
  | { op: "hold"; lock: string } // as long as the worker lives (alive.ts)
  | { op: "prepare"; options: WorkerLoadOptions } // what a load with these options will need
  | { op: "load"; source: Source; options: WorkerLoadOptions }
  | { op: "generate"; request: Request }
  | { op: "cancel"; target: number }
  | { op: "tokenize"; text: string }
  | { op: "detokenize"; tokens: number[] }
  | { op: "embed"; inputs: (string | number[])[]; pooling: Pooling; normalize: boolean }
  | { op: "stats" }
  | { op: "profile"; tokens: number }
  | { op: "close" };

export type Call = Operation & { call: number };

/// What generate sends between call and result.
export interface Delta {
  text: string;
  tokens: TokenInfo[];
}

export interface GenerateResult {
  reason: string;
  promptTokens: number;
  completionTokens: number;
  firstToken: number; // ms
  decode: number;
  total: number;
}

export interface EmbedResult {
  vectors: Float32Array[];
  promptTokens: number; // of all inputs
}

export type CallEvent = { progress: Progress } | { delta: Delta };

export type Reply =
  | { call: number; event: CallEvent }
  | { call: number; result: unknown }
  | { call: number; error: { code: TernErrorCode; message: string } }
  | { device: DeviceInfo }
  | { thread: ThreadStart }; // the page shall start a worker and post it this

/// One side of the channel. A Worker and a worker's own global scope are such, and so is a MessagePort.
export interface Port {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => void) | null;
}
