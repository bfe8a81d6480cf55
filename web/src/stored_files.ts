// The files of a stored model, open to be read synchronously. Other tabs may read them at the same time.
import type { OpenSource } from "./host.js";
import { BlobFile } from "./blob_file.js";
import { modelFolder, pathOf } from "./model_files.js";
import { withLock } from "./opfs.js";
import type { FileHandle, SyncHandle } from "./opfs.js";
import { TernError } from "./errors.js";
import { lockOf } from "./store.js";
import type { Store } from "./store.js";
import type { File } from "./wasi.js";

class StoredFile implements File {
  readonly size: number;
  #handle: SyncHandle;

  constructor(handle: SyncHandle) {
    this.#handle = handle;
    this.size = handle.getSize();
  }

  read(offset: number, out: Uint8Array): number {
    return this.#handle.read(out, { at: offset });
  }

  close(): void {
    this.#handle.close();
  }
}

/// A handle that is shared, where the browser has such ones; else through a File, which copies once more.
async function openFile(handle: FileHandle): Promise<File> {
  try {
    return new StoredFile(await handle.createSyncAccessHandle({ mode: "read-only" }));
  } catch {
    return new BlobFile(await handle.getFile());
  }
}

/// Keeps the model's lock until it is closed, so that nobody deletes it.
export async function openStored(store: Store, name: string): Promise<OpenSource> {
  const release = await holdLock(lockOf(name));
  const files = new Map<string, File>();
  const close = () => {
    for (const file of files.values()) file.close();
    release();
  };
  try {
    const [folder, manifest] = [await store.folder(name), await store.manifest(name)];
    if (folder === null || !manifest?.complete) throw new TernError("not-found", `"${name}" was just deleted.`);
    for (const file of manifest.files) {
      files.set(file.name, await openFile((await folder.getFileHandle(file.name)) as FileHandle));
    }
  } catch (error) {
    close();
    throw error;
  }
  return { files: modelFolder(files), path: pathOf([...files.keys()]), stored: name, close };
}

async function holdLock(name: string): Promise<() => void> {
  return await new Promise((resolve, reject) => {
    withLock(name, { mode: "shared" }, () => new Promise<void>((release) => resolve(() => release()))).catch(reject);
  });
}
