// TernClient: a model in a worker as the page sees it. All that happens here is messages; see host.ts for the work.
import type {
  DeviceInfo,
  EmbedOptions,
  FinishReason,
  GenerateOptions,
  LoadOptions,
  Message,
  ModelInfo,
  Piece,
  Profile,
  Source,
  Stats,
  WorkerLoadOptions,
} from "./api.js";
import { Channel } from "./channel.js";
import type { Request } from "./engine_types.js";
import { aborted, TernError } from "./errors.js";
import { OpenAiClient } from "./openai.js";
import type { CallEvent, Delta, EmbedResult, GenerateResult } from "./protocol.js";

/// Ends what Channel talks to.
export interface Connection {
  channel: Channel;
  terminate(): void;
}

const kProfiledTokens = 8;

export abstract class TernClient {
  /// `client.chat.completions.create(...)` as the package "openai" has it.
  readonly openai = new OpenAiClient(this);
  #connection: Connection;
  #info: ModelInfo | null = null;

  protected constructor(connection: Connection) {
    this.#connection = connection;
  }

  get info(): ModelInfo {
    if (this.#info === null) throw new TernError("invalid", "No model is loaded.");
    return this.#info;
  }

  /// The answer to a conversation, piece by piece. Throws TernError.
  async *chat(messages: Message[], options: GenerateOptions = {}): AsyncGenerator<Piece, void, void> {
    yield* this.#generate({ messages }, options);
  }

  /// What follows a text, or ids of tokens (for models without a tokenizer too).
  async *complete(prompt: string | number[], options: GenerateOptions = {}): AsyncGenerator<Piece, void, void> {
    yield* this.#generate(typeof prompt === "string" ? { prompt } : { tokens: [...prompt] }, options);
  }

  /// Ids of a text; control tokens in it are text, and no BOS is put in front.
  async tokenize(text: string): Promise<number[]> {
    return (await this.#call({ op: "tokenize", text })) as number[];
  }

  async detokenize(tokens: number[]): Promise<string> {
    return (await this.#call({ op: "detokenize", tokens: [...tokens] })) as string;
  }

  /// Vectors that say what texts are about. Several go through the model side by side, up to `sequences` (LoadOptions).
  async embed(text: string, options?: EmbedOptions): Promise<Float32Array>;
  async embed(texts: string[], options?: EmbedOptions): Promise<Float32Array[]>;
  async embed(texts: string | string[], options: EmbedOptions = {}): Promise<Float32Array | Float32Array[]> {
    const { vectors } = await this.embedAll(typeof texts === "string" ? [texts] : texts, options);
    return typeof texts === "string" ? (vectors[0] as Float32Array) : vectors;
  }

  /// The same of texts or lists of token ids, with the number of their tokens.
  async embedAll(inputs: (string | number[])[], options: EmbedOptions = {}): Promise<EmbedResult> {
    const { pooling = "mean", normalize = true, signal } = options;
    const { channel } = this.#connection;
    if (signal?.aborted) throw aborted();
    const { id, result } = channel.call({ op: "embed", inputs: [...inputs], pooling, normalize });
    const cancel = () => void channel.call({ op: "cancel", target: id }).result.catch(() => undefined);
    signal?.addEventListener("abort", cancel, { once: true });
    return (await result.finally(() => signal?.removeEventListener("abort", cancel))) as EmbedResult;
  }

  async stats(): Promise<Stats> {
    return (await this.#call({ op: "stats" })) as Stats;
  }

  /// The steps of decoding a token, with their times on the GPU.
  async profile(tokens: number = kProfiledTokens): Promise<Profile> {
    return (await this.#call({ op: "profile", tokens })) as Profile;
  }

  /// Frees everything. Answers under way end with an error; so does every call from now on.
  async unload(): Promise<void> {
    try {
      await this.#call({ op: "close" });
    } catch {
      // It ended already; unloading twice is no mistake.
    }
    this.#connection.channel.fail(new TernError("invalid", "The model was unloaded."));
    this.#connection.terminate();
  }

  /// The engine and the GPU are made ready while the source is waited for.
  protected async load(source: Source | Promise<Source>, options: LoadOptions): Promise<void> {
    const { channel } = this.#connection;
    const { signal, onProgress, onDevice } = options;
    const onAbort = () => this.#end(aborted());
    channel.onDevice = (device: DeviceInfo) => {
      if (this.#info !== null) this.#info = { ...this.#info, device };
      onDevice?.(device);
    };
    try {
      if (signal?.aborted) throw aborted();
      signal?.addEventListener("abort", onAbort, { once: true });
      const onEvent = (event: CallEvent) => {
        if ("progress" in event) onProgress?.(event.progress);
      };
      const plain = workerOptions(options);
      channel.call({ op: "prepare", options: plain }).result.catch(() => undefined); // load says what is wrong
      const call = { op: "load", source: plainSource(await source), options: plain } as const;
      this.#info = (await channel.call(call, onEvent).result) as ModelInfo;
    } catch (error) {
      this.#end(error as TernError);
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #end(error: TernError): void {
    this.#connection.channel.fail(error);
    this.#connection.terminate();
  }

  #call(operation: Parameters<Channel["call"]>[0]): Promise<unknown> {
    return this.#connection.channel.call(operation).result;
  }

  async *#generate(prompt: Request, options: GenerateOptions): AsyncGenerator<Piece, void, void> {
    const { signal } = options;
    const { channel } = this.#connection;
    const queue: Delta[] = [];
    let wake: () => void = () => undefined;
    const { id, result } = channel.call({ op: "generate", request: requestOf(prompt, options) }, (event) => {
      if ("delta" in event) queue.push(event.delta);
      wake();
    });
    let end: GenerateResult | null = null;
    let failure: unknown = null;
    const done = result.then(
      (value) => {
        end = value as GenerateResult;
        wake();
      },
      (error: unknown) => {
        failure = error;
        wake();
      },
    );
    const cancel = () => void channel.call({ op: "cancel", target: id }).result.catch(() => undefined);
    signal?.addEventListener("abort", cancel, { once: true });
    if (signal?.aborted) cancel();
    try {
      for (;;) {
        const next = queue.shift();
        if (next !== undefined) {
          yield next;
          continue;
        }
        if (failure !== null) throw failure as TernError;
        if (end !== null) break;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      yield lastPiece(end);
    } finally {
      signal?.removeEventListener("abort", cancel);
      if (end === null && failure === null) cancel(); // the caller left the loop
      await done;
    }
  }
}

function lastPiece(end: GenerateResult): Piece {
  const { promptTokens, completionTokens, firstToken, decode, total } = end;
  const perSecond = (n: number, ms: number) => (ms > 0 && n > 0 ? (n * 1000) / ms : 0);
  return {
    text: "",
    tokens: [],
    finishReason: end.reason as FinishReason,
    usage: { promptTokens, completionTokens, totalTokens: promptTokens + completionTokens },
    timings: {
      firstToken,
      decode,
      total,
      tokensPerSecond: perSecond(completionTokens - 1, decode),
      promptTokensPerSecond: perSecond(promptTokens, firstToken),
    },
  };
}

function plainSource(source: Source): Source {
  return source instanceof URL ? source.href : source;
}

function workerOptions(options: LoadOptions): WorkerLoadOptions {
  const { context, kv, chunk, sequences } = options;
  const base = globalThis.document?.baseURI ?? globalThis.location?.href ?? null;
  return {
    device: options.device ?? "auto",
    engine: defined({ context, kv, chunk, max_seqs: sequences }),
    sha256: options.sha256?.toLowerCase() ?? null,
    store: options.store ?? true,
    base,
    wasm: options.wasm === undefined ? null : new URL(options.wasm, base ?? undefined).href,
    threads: options.threads ?? null,
  };
}

function requestOf(prompt: Request, o: GenerateOptions): Request {
  return defined({
    ...prompt,
    temperature: o.temperature,
    top_p: o.topP,
    top_k: o.topK,
    min_p: o.minP,
    typical_p: o.typicalP,
    repetition_penalty: o.repetitionPenalty,
    frequency_penalty: o.frequencyPenalty,
    presence_penalty: o.presencePenalty,
    seed: o.seed ?? crypto.getRandomValues(new Uint32Array(1))[0],
    max_tokens: o.maxTokens,
    stop: typeof o.stop === "string" ? [o.stop] : o.stop,
    logit_bias: o.logitBias,
    logprobs: o.logprobs,
    ignore_eos: o.ignoreEos,
  });
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/// Leaves out what is undefined, so that the engine's defaults hold.
function defined<T extends object>(values: T): Partial<Defined<T>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<Defined<T>>;
}
