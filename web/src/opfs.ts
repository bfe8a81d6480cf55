// The origin-private file system where TypeScript's DOM types end: synchronous handles (in workers only), moving, and
// what its errors mean. https://fs.spec.whatwg.org
import { TernError } from "./errors.js";

export interface SyncHandle {
  read(out: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  getSize(): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

export interface FileHandle extends FileSystemFileHandle {
  createSyncAccessHandle(options?: { mode: "read-only" | "readwrite" }): Promise<SyncHandle>;
  move(name: string): Promise<void>;
}

const kRoot = "tern-models";

/// The folder of all models. Throws "storage" where the browser refuses (private windows of some).
export async function openRoot(): Promise<FileSystemDirectoryHandle> {
  try {
    const root = await navigator.storage.getDirectory();
    return await root.getDirectoryHandle(kRoot, { create: true });
  } catch (error) {
    throw new TernError("storage", "This browser refuses storage to this page (is it a private window?).", {
      cause: error,
    });
  }
}

export async function find<T>(handle: Promise<T>): Promise<T | null> {
  try {
    return await handle;
  } catch (error) {
    if (error instanceof DOMException && (error.name === "NotFoundError" || error.name === "TypeMismatchError")) {
      return null;
    }
    throw error;
  }
}

export async function readJson(folder: FileSystemDirectoryHandle, name: string): Promise<unknown> {
  const handle = await find(folder.getFileHandle(name));
  if (handle === null) return null;
  try {
    return JSON.parse(await (await handle.getFile()).text()) as unknown;
  } catch {
    return null; // it was cut off: as if it had not been written
  }
}

/// Whole or not at all: the browser replaces the file when the stream is closed.
export async function writeJson(folder: FileSystemDirectoryHandle, name: string, value: unknown): Promise<void> {
  const handle = await folder.getFileHandle(name, { create: true });
  const stream = await handle.createWritable();
  await stream.write(JSON.stringify(value));
  await stream.close();
}

export function isQuotaError(error: unknown): boolean {
  return error instanceof DOMException && error.name === "QuotaExceededError";
}

/// navigator.locks, or no exclusion where there is none. `use` gets false when ifAvailable and the lock was not.
export async function withLock<T>(
  name: string,
  options: { mode: "exclusive" | "shared"; ifAvailable?: boolean },
  use: (held: boolean) => Promise<T>,
): Promise<T> {
  const locks = (navigator as { locks?: LockManager }).locks;
  if (locks === undefined) return await use(true);
  return await locks.request(name, options, (lock) => use(lock !== null));
}
