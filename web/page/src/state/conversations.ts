// The list of conversations and the one that is shown. A new one is kept from its first message on. Other tabs of the
// page are told of changes and read them from the storage.
import { computed, signal } from "@preact/signals";
import * as storage from "./storage";
import type { ChatMessage, Conversation } from "./types";

const kTitleLength = 60;

export const conversations = signal<Conversation[]>([]);
export const currentId = signal<string | null>(null); // null: a new one, empty yet
export const current = computed(() => conversations.value.find(({ id }) => id === currentId.value) ?? null);

const tabs = new BroadcastChannel("tern.conversations");
tabs.onmessage = () => void refresh();

/// The shown one stays, whatever other tabs did with it.
async function refresh(): Promise<void> {
  const stored = await storage.readAll();
  const shown = current.value;
  const others = stored.filter(({ id }) => id !== shown?.id);
  conversations.value = shown === null ? others : [shown, ...others].sort((a, b) => b.updated - a.updated);
}

export async function restore(): Promise<void> {
  const stored = await storage.readAll();
  const ids = new Set(conversations.value.map(({ id }) => id));
  conversations.value = [...conversations.value, ...stored.filter(({ id }) => !ids.has(id))];
}

export function newId(): string {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function titleOf(text: string): string {
  const line = text.trim().replace(/\s+/g, " ");
  return line.length <= kTitleLength ? line : `${line.slice(0, kTitleLength - 1)}…`;
}

/// The shown conversation; a new one, named after its first message, when there is none.
export function ensureCurrent(firstText: string): Conversation {
  if (current.value !== null) return current.value;
  const conversation = { id: newId(), title: titleOf(firstText), updated: Date.now(), messages: [] };
  conversations.value = [conversation, ...conversations.value];
  currentId.value = conversation.id;
  return conversation;
}

/// Puts `messages` in place of those of a conversation, which moves to the top of the list.
export function setMessages(id: string, messages: ChatMessage[]): void {
  const old = conversations.value.find((c) => c.id === id);
  if (old === undefined) return; // deleted meanwhile
  put({ ...old, messages, updated: Date.now() });
}

export function rename(id: string, title: string): void {
  const old = conversations.value.find((c) => c.id === id);
  if (old !== undefined && title.trim() !== "") put({ ...old, title: titleOf(title) });
}

/// Also brings one back that was removed.
export function put(conversation: Conversation): void {
  const others = conversations.value.filter(({ id }) => id !== conversation.id);
  conversations.value = [conversation, ...others].sort((a, b) => b.updated - a.updated);
  void storage.write(conversation).then(() => tabs.postMessage("changed"));
}

export function remove(id: string): Conversation | null {
  const gone = conversations.value.find((c) => c.id === id) ?? null;
  conversations.value = conversations.value.filter((c) => c.id !== id);
  if (currentId.value === id) currentId.value = null;
  void storage.remove(id).then(() => tabs.postMessage("changed"));
  return gone;
}
