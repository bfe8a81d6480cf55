// The shape of OpenAI's chat completions over a TernClient, for programs written against the package "openai".
// https://platform.openai.com/docs/api-reference/chat
import type { FinishReason, GenerateOptions, Message, Piece, Usage } from "./api.js";
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

type Streaming = ChatCompletionParams & { stream: true };
type Whole = ChatCompletionParams & { stream?: false };
interface RequestOptions {
  signal?: AbortSignal;
}

export class OpenAiClient {
  readonly chat: { completions: Completions };

  constructor(tern: TernClient) {
    this.chat = { completions: new Completions(tern) };
  }
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
