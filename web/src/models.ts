// Models: the store as pages manage it.
import { asTernError, TernError } from "./errors.js";
import { asStorageError, cleanName, lockOf, lost, Store } from "./store.js";
import type { StoredModel } from "./store.js";
import { withLock } from "./opfs.js";

export interface StorageEstimate {
  usage: number; // bytes that this page's origin uses
  quota: number; // bytes that it may use
  persisted: boolean; // false: the browser may clear it when the disk is full
}

export interface AddOptions {
  name?: string; // default: that of the (first) file
  signal?: AbortSignal;
  onProgress?: (progress: { loaded: number; total: number }) => void;
}

export const Models = {
  /// Also downloads that are not finished. Newest first.
  async list(): Promise<StoredModel[]> {
    return await (await Store.open()).list();
  },

  /// Bytes of one model, 0 when there is none.
  async size(name: string): Promise<number> {
    return (await Models.list()).find((model) => model.name === name)?.bytes ?? 0;
  },

  /// Throws "storage" while it is in use, in any tab.
  async delete(name: string): Promise<void> {
    await (await Store.open()).delete(name);
  },

  /// The files of a stored model, to be saved elsewhere: nothing is copied until they are read.
  async export(name: string): Promise<File[]> {
    return await (await Store.open()).files(name);
  },

  /// Copies files into the store; returns the model's name there.
  async add(files: File | File[], options: AddOptions = {}): Promise<string> {
    const list = Array.isArray(files) ? files : [files];
    const first = list[0];
    if (first === undefined) throw new TernError("invalid", "There are no files to add.");
    const store = await Store.open();
    const name = cleanName(options.name ?? first.name) || "model";
    if ((await store.manifest(name)) !== null) throw new TernError("storage", `There is a model "${name}" already.`);
    const total = list.reduce((sum, file) => sum + file.size, 0);
    await store.checkRoom(name, total);
    await withLock(lockOf(name), { mode: "exclusive" }, () => copyIn(store, name, list, total, options));
    return name;
  },

  async estimate(): Promise<StorageEstimate> {
    const { usage = 0, quota = 0 } = await navigator.storage.estimate();
    return { usage, quota, persisted: await navigator.storage.persisted() };
  },

  /// Asks the browser not to clear the store when the disk is full; it may ask the person.
  async persist(): Promise<boolean> {
    return await navigator.storage.persist();
  },
};

async function copyIn(store: Store, name: string, files: File[], total: number, options: AddOptions): Promise<void> {
  const manifest = {
    url: null,
    sha256: null,
    files: files.map((file) => ({ name: cleanName(file.name) || "model", bytes: file.size })),
    complete: false,
    added: Date.now(),
  };
  let loaded = 0;
  const counter = () =>
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (bytes, controller) => {
        loaded += bytes.length;
        options.onProgress?.({ loaded, total });
        controller.enqueue(bytes);
      },
    });
  try {
    const folder = await store.put(name, manifest);
    for (const [i, file] of files.entries()) {
      const handle = await folder.getFileHandle(manifest.files[i]?.name ?? "model", { create: true });
      const to = await handle.createWritable();
      await file
        .stream()
        .pipeThrough(counter())
        .pipeTo(to, options.signal ? { signal: options.signal } : {});
      const { size } = await handle.getFile();
      if (size !== file.size) throw lost(file.name, size, file.size);
    }
    await store.put(name, { ...manifest, complete: true });
  } catch (error) {
    await store.drop(name);
    throw asTernError(await asStorageError(error, store, name, total), "storage");
  }
}
