// What goes into the module and comes out of it as JSON (src/apps/wasm/). Apart from engine.ts, so that the types of
// the package need none of WebGPU.

export interface ModelOptions {
  device?: "cpu" | "gpu";
  context?: number;
  chunk?: number;
  max_seqs?: number;
  kv_tokens?: number; // of all sequences together; else one sequence of `context`
  kv?: "f32" | "f16" | "q8_0";
}

export interface ModelInfo {
  arch: string;
  name: string;
  vocab: number;
  context: number;
  device: string;
  chat: boolean;
  weights_bytes: number;
  kv_bytes: number;
}

export interface Message {
  role: string;
  content: string;
}

/// The fields of src/apps/wasm/request_json.h; one of tokens, prompt and messages.
export interface Request {
  tokens?: number[];
  prompt?: string;
  messages?: Message[];
  max_tokens?: number;
  stop?: string[];
  stop_tokens?: number[];
  ignore_eos?: boolean;
  seed?: number;
  temperature?: number;
  top_k?: number;
  top_p?: number;
  min_p?: number;
  typical_p?: number;
  repetition_penalty?: number;
  frequency_penalty?: number;
  presence_penalty?: number;
  penalty_last_n?: number;
  logit_bias?: [number, number][];
  logprobs?: number;
  embed?: { pooling?: "mean" | "last"; normalize?: boolean }; // embedded, not continued
}

export interface TokenLogprob {
  token: number;
  logprob: number;
}

export interface EngineEvent {
  id: number;
  token?: number;
  logprob?: number;
  top?: TokenLogprob[];
  text?: string;
  embedding?: number[];
  finished?: string; // "end", "length", "stop", "context", "cancelled", "error"
  error?: string;
  device?: string; // a sentence for people: a device was lost, or another one found; of no request
}

export interface EngineStats {
  device: string;
  steps: number;
  prompt_tokens: number;
  shared_tokens: number;
  generated_tokens: number;
  device_losses: number;
  pages_total: number;
  pages_free: number;
  running: number;
  waiting: number;
}
