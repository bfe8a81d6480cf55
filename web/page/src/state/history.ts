// What of a conversation the model gets to see: the system prompt, and as many of the last messages as its context
// holds beside room for an answer.
import type { Message, Tern } from "@tern/web";
import { splitThoughts } from "../thoughts";
import { settings } from "./settings";
import type { ChatMessage } from "./types";

const kTemplateTokens = 8; // around each message, at most, in the templates of the supported families
const kRoomShare = 1 / 4; // of the context, for the answer
const kBytesPerToken = 1; // at least: no tokenizer makes more tokens than bytes

export interface Fitted {
  prompt: Message[];
  dropped: number; // messages from the beginning that are left out
}

const lengths = new WeakMap<Tern, Map<string, number>>(); // tokens by text

async function tokensOf(tern: Tern, text: string): Promise<number> {
  const known = lengths.get(tern) ?? new Map<string, number>();
  lengths.set(tern, known);
  const length = known.get(text) ?? (await tern.tokenize(text)).length;
  known.set(text, length);
  return length + kTemplateTokens;
}

export async function fitted(tern: Tern, messages: ChatMessage[]): Promise<Fitted> {
  const { system } = settings.value;
  const head: Message[] = system.trim() === "" ? [] : [{ role: "system", content: system }];
  const said = messages
    .filter(({ text }) => text !== "")
    .filter(({ role }, i, all) => all[i + 1]?.role !== role) // templates want turns: questions without answer go
    .map(({ role, text }) => ({ role, content: role === "assistant" ? splitThoughts(text).answer : text }));
  const room = tern.info.context * (1 - kRoomShare);
  const all = [...head, ...said];
  const bytes = all.reduce((sum, { content }) => sum + 3 * content.length * kBytesPerToken + kTemplateTokens, 0);
  if (bytes <= room) return { prompt: all, dropped: 0 }; // without counting
  let used = 0;
  for (const { content } of head) used += await tokensOf(tern, content);
  let first = said.length;
  while (first > 0) {
    used += await tokensOf(tern, said[first - 1]?.content ?? "");
    if (used > room && first < said.length) break; // the last one goes in any case; the engine says if it is too long
    first -= 1;
  }
  while (first > 0 && said[first]?.role === "assistant") first += 1; // templates want a question first
  return { prompt: [...head, ...said.slice(first)], dropped: first };
}
