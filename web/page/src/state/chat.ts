// Sending, stopping, trying again and editing. One answer is written at a time; its text grows in `live`, which alone
// changes with every token, and joins its conversation at the end.
import { computed, signal } from "@preact/signals";
import { TernError } from "@tern/web";
import type { FinishReason, GenerateOptions, Piece, Tern } from "@tern/web";
import { conversations, current, ensureCurrent, newId, setMessages } from "./conversations";
import { fitted } from "./history";
import { failure, info, reopen, whenReady } from "./model";
import { settings } from "./settings";
import { count, startCounting, stopCounting } from "./speed";
import type { ChatMessage } from "./types";

export interface Live {
  conversation: string;
  text: string;
  phase: "loading" | "reading" | "writing";
}

const kShowMs = 50; // between two states of a growing answer
const kHiddenMs = 250; // the same in a tab that nobody sees
const kSaveMs = 2000; // a closed tab loses at most this much of an answer

export const live = signal<Live | null>(null);
// What most of the page needs to know of it, which does not change with every token.
export const isAnswering = computed(() => live.value !== null);
export const livePhase = computed(() => live.value?.phase ?? null);
export const liveConversation = computed(() => live.value?.conversation ?? null);
export const announcement = signal(""); // for screen readers

let abort: AbortController | null = null;

/// false when it has to wait for the answer that is being written.
export function send(text: string): boolean {
  if (text.trim() === "" || live.value !== null) return false;
  const { id, messages } = ensureCurrent(text);
  void answer(id, [...messages, { id: newId(), role: "user", text: text.trim() }]);
  return true;
}

export function stop(): void {
  abort?.abort();
}

/// Another answer in place of `messageId` and all after it.
export function regenerate(messageId: string): void {
  const before = until(messageId);
  if (before !== null && live.value === null) void answer(before.id, before.messages);
}

/// Another text of one's own; what came after it is gone.
export function edit(messageId: string, text: string): void {
  const before = until(messageId);
  if (before === null || live.value !== null || text.trim() === "") return;
  void answer(before.id, [...before.messages, { id: newId(), role: "user", text: text.trim() }]);
}

function until(messageId: string): { id: string; messages: ChatMessage[] } | null {
  const conversation = current.value;
  const at = conversation?.messages.findIndex(({ id }) => id === messageId) ?? -1;
  return conversation === null || at < 0 ? null : { id: conversation.id, messages: conversation.messages.slice(0, at) };
}

async function answer(conversation: string, messages: ChatMessage[]): Promise<void> {
  setMessages(conversation, messages);
  abort = new AbortController();
  live.value = { conversation, text: "", phase: "loading" };
  announcement.value = "The model is answering.";
  const reply: ChatMessage = { id: newId(), role: "assistant", text: "" };
  try {
    const tern = await Promise.race([whenReady(), aborted(abort.signal)]);
    if (tern === null) throw new Error(noModel());
    await write(tern, conversation, messages, reply, abort.signal);
  } catch (error) {
    reply.text = live.value?.text ?? "";
    if (abort.signal.aborted) reply.note = "Stopped.";
    else reply.error = error instanceof Error ? error.message : String(error);
    if (error instanceof TernError && error.code === "worker") void reopen();
  }
  live.value = null;
  abort = null;
  announcement.value = reply.error ?? reply.text;
  if (conversations.value.some(({ id }) => id === conversation)) setMessages(conversation, [...messages, reply]);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("Stopped."))));
}

function noModel(): string {
  return failure.value === null ? "No model is open." : `No model is open. ${failure.value.message}`;
}

async function write(
  tern: Tern,
  conversation: string,
  messages: ChatMessage[],
  reply: ChatMessage,
  signal: AbortSignal,
): Promise<void> {
  reply.model = info.value?.name ?? "";
  live.value = { conversation, text: "", phase: "reading" };
  const { prompt, dropped } = await fitted(tern, messages);
  const options: GenerateOptions = { ...sampling(), signal };
  const shown = new ShownText((text) => {
    live.value = { conversation, text, phase: "writing" };
  });
  let saved = performance.now();
  startCounting();
  try {
    for await (const piece of tern.chat(prompt, options)) {
      if (piece.tokens.length > 0) count(piece.tokens.length);
      shown.add(piece.text);
      if (piece.finishReason !== undefined) finish(reply, piece, dropped);
      else if (performance.now() - saved > kSaveMs) {
        saved = performance.now();
        setMessages(conversation, [...messages, { ...reply, text: shown.text, note: "The page was closed here." }]);
      }
    }
  } finally {
    stopCounting();
    shown.flush();
    reply.text = shown.text;
  }
}

/// Text that is shown at most 20 times a second, however fast it comes: a frame costs the main thread 1.5 to 2 ms, most
/// of it painting, so showing it in every frame takes three times as much per token and reads no better.
class ShownText {
  text = "";
  #show: (text: string) => void;
  #pending = false;
  #shown = 0; // when it was, last

  constructor(show: (text: string) => void) {
    this.#show = show;
  }

  add(piece: string): void {
    this.text += piece;
    if (this.#pending || piece === "") return;
    this.#pending = true;
    const flush = () => this.flush();
    if (document.hidden) setTimeout(flush, kHiddenMs); // there are no frames
    else setTimeout(() => requestAnimationFrame(flush), Math.max(0, kShowMs - (performance.now() - this.#shown)));
  }

  flush(): void {
    if (!this.#pending) return;
    this.#pending = false;
    this.#shown = performance.now();
    this.#show(this.text);
  }
}

const kNotes: Partial<Record<FinishReason, string>> = {
  length: "It ended at the limit of tokens in the settings.",
  context: "The model's context is full.",
  cancelled: "Stopped.",
};

function finish(reply: ChatMessage, { finishReason, usage, timings }: Piece, dropped: number): void {
  const note = finishReason === undefined ? undefined : kNotes[finishReason];
  const earlier = dropped > 0 ? `The first ${dropped} messages no longer fit; the model did not see them.` : "";
  const text = [note, earlier].filter(Boolean).join(" ");
  if (text !== "") reply.note = text;
  if (usage === undefined || timings === undefined) return;
  reply.stats = {
    promptTokens: usage.promptTokens,
    tokens: usage.completionTokens,
    tokensPerSecond: timings.tokensPerSecond,
    firstTokenMs: timings.firstToken,
  };
}

function sampling(): GenerateOptions {
  const { temperature, topP, topK, minP, repetitionPenalty, maxTokens, seed } = settings.value;
  const options: GenerateOptions = { temperature, topP, topK, minP, repetitionPenalty };
  if (maxTokens > 0) options.maxTokens = maxTokens;
  if (seed > 0) options.seed = seed;
  return options;
}
