// Conversations in IndexedDB, one record each. Where the browser refuses it (private windows), they live as long as the
// page, and `kept` says so.
import { signal } from "@preact/signals";
import type { Conversation } from "./types";

const kStore = "conversations";

export const kept = signal(true);

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB failed."));
  });
}

let database: Promise<IDBDatabase> | null = null;

function open(): Promise<IDBDatabase> {
  database ??= (async () => {
    const request = indexedDB.open("tern-page", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(kStore, { keyPath: "id" });
    return done(request);
  })();
  return database;
}

async function use<T>(mode: IDBTransactionMode, call: (store: IDBObjectStore) => IDBRequest<T>): Promise<T | null> {
  try {
    const db = await open();
    return await done(call(db.transaction(kStore, mode).objectStore(kStore)));
  } catch {
    kept.value = false;
    return null;
  }
}

function isConversation(value: unknown): value is Conversation {
  const c = value as Partial<Conversation> | null;
  return typeof c?.id === "string" && typeof c.title === "string" && Array.isArray(c.messages);
}

/// Newest first.
export async function readAll(): Promise<Conversation[]> {
  const all = (await use("readonly", (store) => store.getAll() as IDBRequest<unknown[]>)) ?? [];
  return all.filter(isConversation).sort((a, b) => b.updated - a.updated);
}

export async function write(conversation: Conversation): Promise<void> {
  await use("readwrite", (store) => store.put(conversation));
}

export async function remove(id: string): Promise<void> {
  await use("readwrite", (store) => store.delete(id));
}
