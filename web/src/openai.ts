// The shape of OpenAI's chat completions and embeddings over a TernClient, for programs written against the package
// "openai". https://platform.openai.com/docs/api-reference/chat and .../embeddings
import type { EmbedOptions, FinishReason, GenerateOptions, Message, Piece, Usage } from "./api.js";
import { TernError } from "./errors.js";
import type { TernClient } from "./tern.js";

export interface ChatCompletionParams {
  messages: Message[];
  model?: string; // any: there is one
  stream?: boolean;
  stream_options?: { include_usage?: boolean };
  temperature?: number;
  top_p?: number;
  max_tokens?: number;
  max_completion_tokens?: number;
  frequency_penalty?: number;
  presence_penalty?: number;
  seed?: number;
  stop?: string | string[];
  n?: number; // 1
}

export interface OpenAiUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

type OpenAiReason = "stop" | "length";

export interface ChatCompletion {
  id: string;
  object: "chat.completion";
  created: number; // seconds since 1970
  model: string;
  choices: { index: 0; message: { role: "assistant"; content: string }; finish_reason: OpenAiReason }[];
  usage: OpenAiUsage;
}

export interface ChatCompletionChunk {
  id: string;
  object: "chat.completion.chunk";
  created: number;
  model: string;
  choices: {
    index: 0;
    delta: { role?: "assistant"; content?: string };
    finish_reason: OpenAiReason | null;
  }[];
  usage?: OpenAiUsage;
}

export interface EmbeddingParams {
  input: string | string[] | number[] | number[][]; // texts or tokens
  model?: string; // any: there is one
  encoding_format?: "float" | "base64"; // base64: of float32, little end first. Default: float
  dimensions?: number; // those that the model has
}

export interface Embedding {
  object: "embedding";
  index: number;
  embedding: number[] | string; // of length 1; a text when base64 was asked for
}

export interface CreateEmbeddingResponse {
  object: "list";
  data: Embedding[];
  model: string;
  usage: { prompt_tokens: number; total_tokens: number };
}

type Streaming = ChatCompletionParams & { stream: true };
type Whole = ChatCompletionParams & { stream?: false };
interface RequestOptions {
  signal?: AbortSignal;
}

export class OpenAiClient {
  readonly chat: { completions: Completions };
  readonly embeddings: Embeddings;

  constructor(tern: TernClient) {
    this.chat = { completions: new Completions(tern) };
    this.embeddings = new Embeddings(tern);
  }
}

export class Embeddings {
  #tern: TernClient;

  constructor(tern: TernClient) {
    this.#tern = tern;
  }

  async create(params: EmbeddingParams, { signal }: RequestOptions = {}): Promise<CreateEmbeddingResponse> {
    const options: EmbedOptions = signal === undefined ? {} : { signal };
    const { vectors, promptTokens } = await this.#tern.embedAll(inputsOf(params.input), options);
    const size = vectors[0]?.length ?? 0;
    if (params.dimensions !== undefined && params.dimensions !== size) {
      throw new TernError("unsupported", `"dimensions" is ${params.dimensions}, but the model's vectors have ${size}.`);
    }
    const encode = (vector: Float32Array) => (params.encoding_format === "base64" ? base64(vector) : [...vector]);
    return {
      object: "list",
      data: vectors.map((vector, index) => ({ object: "embedding", index, embedding: encode(vector) })),
      model: params.model ?? this.#tern.info.name,
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
    };
  }
}

function inputsOf(input: EmbeddingParams["input"]): (string | number[])[] {
  if (typeof input === "string") return [input];
  return typeof input[0] === "number" ? [input as number[]] : (input as string[] | number[][]);
}

function base64(vector: Float32Array): string {
  const bytes = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

export class Completions {
  #tern: TernClient;

  constructor(tern: TernClient) {
    this.#tern = tern;
  }

  create(params: Streaming, options?: RequestOptions): Promise<AsyncIterable<ChatCompletionChunk>>;
  create(params: Whole, options?: RequestOptions): Promise<ChatCompletion>;
  async create(
    params: ChatCompletionParams,
    options: RequestOptions = {},
  ): Promise<AsyncIterable<ChatCompletionChunk> | ChatCompletion> {
    if ((params.n ?? 1) !== 1) throw new TernError("unsupported", `"n" is ${params.n}, only 1 is supported.`);
    const pieces = this.#tern.chat(params.messages, generateOptions(params, options));
    const head = {
      id: `chatcmpl-${crypto.randomUUID()}`,
      created: Math.floor(Date.now() / 1000),
      model: params.model ?? this.#tern.info.name,
    };
    if (params.stream) return chunks(pieces, head, params.stream_options?.include_usage === true);
    let content = "";
    let last: Piece | undefined;
    for await (const piece of pieces) {
      content += piece.text;
      last = piece;
    }
    const message = { role: "assistant" as const, content };
    const choice = { index: 0 as const, message, finish_reason: reasonOf(last?.finishReason) };
    return { ...head, object: "chat.completion", choices: [choice], usage: usageOf(last?.usage) };
  }
}

type Head = Pick<ChatCompletionChunk, "id" | "created" | "model">;

async function* chunks(
  pieces: AsyncIterable<Piece>,
  head: Head,
  includeUsage: boolean,
): AsyncGenerator<ChatCompletionChunk, void, void> {
  const chunk = (delta: ChatCompletionChunk["choices"][0]["delta"], reason: OpenAiReason | null = null) => ({
    ...head,
    object: "chat.completion.chunk" as const,
    choices: [{ index: 0 as const, delta, finish_reason: reason }],
  });
  yield chunk({ role: "assistant", content: "" });
  for await (const piece of pieces) {
    if (piece.text !== "") yield chunk({ content: piece.text });
    if (piece.finishReason === undefined) continue;
    yield chunk({}, reasonOf(piece.finishReason));
    if (includeUsage) yield { ...chunk({}), choices: [], usage: usageOf(piece.usage) };
  }
}

function generateOptions(params: ChatCompletionParams, { signal }: RequestOptions): GenerateOptions {
  const options: GenerateOptions = {};
  const maxTokens = params.max_completion_tokens ?? params.max_tokens;
  if (maxTokens !== undefined) options.maxTokens = maxTokens;
  if (params.temperature !== undefined) options.temperature = params.temperature;
  if (params.top_p !== undefined) options.topP = params.top_p;
  if (params.frequency_penalty !== undefined) options.frequencyPenalty = params.frequency_penalty;
  if (params.presence_penalty !== undefined) options.presencePenalty = params.presence_penalty;
  if (params.seed !== undefined) options.seed = params.seed;
  if (params.stop !== undefined) options.stop = params.stop;
  if (signal !== undefined) options.signal = signal;
  return options;
}

function reasonOf(reason: FinishReason | undefined): OpenAiReason {
  return reason === "length" || reason === "context" ? "length" : "stop";
}

function usageOf(usage: Usage | undefined): OpenAiUsage {
  return {
    prompt_tokens: usage?.promptTokens ?? 0,
    completion_tokens: usage?.completionTokens ?? 0,
    total_tokens: usage?.totalTokens ?? 0,
  };
}
