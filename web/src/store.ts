// Store: models kept in the browser's origin-private file system, one folder each.
//
//   tern-models/<name>/model.json    what it is (Manifest), written before its first byte and again when it is whole
//                      <file>        whole files
//                      <file>.part   a download under way, with <file>.log: which of its chunks are there
//
// A lock per model (Web Locks) keeps tabs apart: exclusive to download and to delete, shared while it is in use.
import { TernError } from "./errors.js";
import { find, isQuotaError, openRoot, readJson, withLock, writeJson } from "./opfs.js";

export interface StoredModel {
  name: string;
  bytes: number; // that are here
  totalBytes: number; // 0: not known yet
  complete: boolean; // false: a download that can be resumed by loading the same URL
  url: string | null;
  files: string[];
  added: number; // ms since 1970
}

export interface Manifest {
  url: string | null;
  sha256: string | null;
  files: { name: string; bytes: number }[];
  complete: boolean;
  added: number;
}

const kManifest = "model.json";

export const lockOf = (name: string): string => `tern-model:${name}`;

/// "https://x/a/b-00001-of-00003.gguf?download=true" -> "b.gguf": what its folder is called.
export function nameOf(url: string): string {
  return cleanName(lastSegment(url).replace(/-\d{5}-of-\d{5}(?=\.gguf$)/, "")) || "model";
}

/// What a file system surely takes.
export function cleanName(name: string): string {
  return name
    .replace(/[^\p{L}\p{N}._ -]+/gu, "_")
    .replace(/^\.+/, "")
    .slice(0, 120)
    .trim();
}

/// What stands behind the last slash of an address, decoded where that is possible.
export function lastSegment(url: string): string {
  const last = new URL(url).pathname.split("/").pop() ?? "";
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

function isManifest(value: unknown): value is Manifest {
  const m = value as Partial<Manifest> | null;
  return typeof m === "object" && m !== null && Array.isArray(m.files) && typeof m.complete === "boolean";
}

export class Store {
  #root: FileSystemDirectoryHandle;

  private constructor(root: FileSystemDirectoryHandle) {
    this.#root = root;
  }

  /// Throws "storage" where the browser refuses.
  static async open(): Promise<Store> {
    return new Store(await openRoot());
  }

  async list(): Promise<StoredModel[]> {
    const models: StoredModel[] = [];
    for await (const [name, handle] of entries(this.#root)) {
      if (handle.kind !== "directory") continue;
      const model = await find(describe(name, handle as FileSystemDirectoryHandle)); // null: deleted meanwhile
      if (model !== null) models.push(model);
    }
    return models.sort((a, b) => b.added - a.added);
  }

  /// Bytes that are here of a model, whole or not.
  async bytesOf(name: string): Promise<number> {
    const folder = await this.folder(name);
    return folder === null ? 0 : (await describe(name, folder)).bytes;
  }

  async manifest(name: string): Promise<Manifest | null> {
    const folder = await this.folder(name);
    if (folder === null) return null;
    const manifest = await readJson(folder, kManifest);
    return isManifest(manifest) ? manifest : null;
  }

  /// null when there is none, or `name` cannot be a name.
  async folder(name: string): Promise<FileSystemDirectoryHandle | null> {
    return name === "" || cleanName(name) !== name ? null : await find(this.#root.getDirectoryHandle(name));
  }

  async put(name: string, manifest: Manifest): Promise<FileSystemDirectoryHandle> {
    const folder = await this.#root.getDirectoryHandle(name, { create: true });
    await writeJson(folder, kManifest, manifest);
    return folder;
  }

  /// The name under which `url` is kept, or is to be: another one where a different model has it.
  async nameFor(url: string, wanted: string | null): Promise<string> {
    if (wanted !== null && (cleanName(wanted) !== wanted || wanted === "")) {
      throw new TernError("invalid", `"${wanted}" cannot be the name of a stored model. Use letters, digits and .-_.`);
    }
    const base = wanted ?? nameOf(url);
    for (let i = 1; ; ++i) {
      const name = i === 1 ? base : `${base} (${i})`;
      const manifest = await this.manifest(name);
      if (manifest === null || manifest.url === url) return name;
      if (wanted === null) continue;
      throw new TernError("storage", `There is a stored model "${name}" already, from ${manifest.url ?? "a file"}.`);
    }
  }

  async delete(name: string): Promise<void> {
    if ((await this.folder(name)) === null) throw new TernError("not-found", `There is no stored model "${name}".`);
    await withLock(lockOf(name), { mode: "exclusive", ifAvailable: true }, async (held) => {
      if (!held) throw new TernError("storage", `"${name}" is in use, here or in another tab. Unload it there first.`);
      await this.drop(name);
    });
  }

  /// Also when there is none. Precondition: the caller holds the model's lock.
  async drop(name: string): Promise<void> {
    await find(this.#root.removeEntry(name, { recursive: true }));
  }

  /// The files of a whole model. They read from the disk.
  async files(name: string): Promise<File[]> {
    const [folder, manifest] = [await this.folder(name), await this.manifest(name)];
    if (folder === null || !manifest?.complete) {
      throw new TernError("not-found", `There is no whole stored model "${name}".`);
    }
    return await Promise.all(manifest.files.map(async (f) => await (await folder.getFileHandle(f.name)).getFile()));
  }

  /// Throws "storage" when `bytes` more do not fit, saying what could be deleted.
  async checkRoom(name: string, bytes: number): Promise<void> {
    const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
    if (bytes > quota - usage) throw await this.full(name, bytes, quota - usage);
  }

  /// name: of the model that does not fit. free: null when it is not known (browsers tell estimates that are too high).
  async full(name: string, needed: number, free: number | null): Promise<TernError> {
    const models = (await this.list()).filter((model) => model.name !== name);
    const largest = models.sort((a, b) => b.bytes - a.bytes).slice(0, 3);
    const names = largest.map((model) => `${model.name} (${megabytes(model.bytes)})`).join(", ");
    const what = names === "" ? "Free space on the disk" : `Delete a stored model, such as ${names}`;
    const more = free === null ? "" : megabytes(Math.max(0, free));
    const room = free === null ? "the browser's storage is full" : `this page may store ${more} more`;
    const message = `The model needs ${megabytes(needed)}, and ${room}. ${what}, or load it without storing it.`;
    return new TernError("storage", message);
  }
}

/// A file that the store did not keep as it was written.
export function lost(name: string, kept: number, written: number): TernError {
  const what = `The browser's storage kept ${kept} of the ${written} bytes of ${name}`;
  return new TernError("storage", `${what}. Free space on the disk, or load it without storing it.`);
}

export function megabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(0)} MB`;
}

export async function asStorageError(error: unknown, store: Store, name: string, needed: number): Promise<unknown> {
  return isQuotaError(error) ? await store.full(name, needed, null) : error;
}

async function describe(name: string, folder: FileSystemDirectoryHandle): Promise<StoredModel> {
  const value = await readJson(folder, kManifest);
  const manifest = isManifest(value) ? value : null;
  let bytes = 0;
  for await (const [file, handle] of entries(folder)) {
    if (handle.kind !== "file" || file === kManifest) continue;
    bytes += (await find((handle as FileSystemFileHandle).getFile()))?.size ?? 0; // null: renamed meanwhile
  }
  return {
    name,
    bytes,
    totalBytes: manifest?.files.reduce((sum, file) => sum + file.bytes, 0) ?? 0,
    complete: manifest?.complete ?? false,
    url: manifest?.url ?? null,
    files: manifest?.files.map((file) => file.name) ?? [],
    added: manifest?.added ?? 0,
  };
}

/// Asynchronous iteration of directories is missing in TypeScript's DOM types of ES2022.
function entries(folder: FileSystemDirectoryHandle): AsyncIterable<[string, FileSystemHandle]> {
  return (folder as unknown as { entries(): AsyncIterable<[string, FileSystemHandle]> }).entries();
}
