// keep(): a model from the network into the store, once, whichever tab asks. The tab that holds the model's lock
// downloads and tells the others how far it is; when it dies the next one gets the lock and goes on from there.
import type { LoadTimes } from "./api.js";
import { download, kDefaults } from "./download.js";
import { TernError } from "./errors.js";
import type { OnProgress } from "./host.js";
import { probe } from "./http.js";
import type { Remote } from "./http.js";
import { withLock } from "./opfs.js";
import { PartFile } from "./part_file.js";
import { Sha256 } from "./sha256.js";
import { asStorageError, cleanName, lastSegment, lockOf } from "./store.js";
import type { Manifest, Store } from "./store.js";

const fetcher = (url: string, init: RequestInit) => fetch(url, init);

/// All parts of a split GGUF, by the address of any of them; else the address alone.
export function partsOf(url: string): string[] {
  const address = new URL(url);
  const match = /-(\d{5})-of-(\d{5})\.gguf$/.exec(address.pathname);
  const count = Number(match?.[2] ?? 1);
  if (match === null || count < 1 || count > 1000) return [url];
  return Array.from({ length: count }, (_, i) => {
    const part = new URL(url);
    part.pathname = address.pathname.replace(match[0], `-${String(i + 1).padStart(5, "0")}-of-${match[2]}.gguf`);
    return part.href;
  });
}

export function fileNameOf(url: string): string {
  return cleanName(lastSegment(url)) || "model.gguf";
}

/// Returns the model's name once it is whole.
export async function keep(
  store: Store,
  url: string,
  wanted: string | null,
  sha256: string | null,
  times: LoadTimes,
  onProgress: OnProgress,
): Promise<string> {
  const name = await store.nameFor(url, wanted);
  if (isWhole(await store.manifest(name), sha256)) return name;
  const start = performance.now();
  const news = new BroadcastChannel(lockOf(name));
  news.onmessage = (event) => onProgress(event.data as Parameters<OnProgress>[0]); // of the tab that downloads it
  try {
    await withLock(lockOf(name), { mode: "exclusive" }, async () => {
      news.onmessage = null;
      const manifest = await store.manifest(name);
      if (manifest !== null && isWhole(manifest, sha256)) {
        const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
        onProgress({ phase: "download", loaded: bytes, total: bytes }); // the other tab did it
        return;
      }
      const tell: OnProgress = (progress) => {
        onProgress(progress);
        news.postMessage(progress);
      };
      await fill(store, name, url, sha256, times, tell);
    });
  } finally {
    news.close();
  }
  times.download = performance.now() - start - times.read;
  return name;
}

function isWhole(manifest: Manifest | null, sha256: string | null): boolean {
  if (!manifest?.complete) return false;
  if (sha256 === null || manifest.sha256 === sha256) return true;
  if (manifest.sha256 === null) return false; // nobody looked yet
  throw new TernError("checksum", `The stored model has SHA-256 ${manifest.sha256}, wanted is ${sha256}. Delete it.`);
}

async function fill(
  store: Store,
  name: string,
  url: string,
  sha256: string | null,
  times: LoadTimes,
  onProgress: OnProgress,
): Promise<void> {
  const urls = partsOf(url);
  if (sha256 !== null && urls.length > 1) {
    throw new TernError("invalid", `"sha256" is of one file, but the model has ${urls.length}.`);
  }
  const remotes = await Promise.all(urls.map((part) => probe(fetcher, part, null)));
  const total = remotes.reduce((sum, remote) => sum + (remote.bytes ?? 0), 0);
  const manifest: Manifest = {
    url,
    sha256,
    files: remotes.map((remote) => ({ name: fileNameOf(remote.url), bytes: remote.bytes ?? 0 })),
    complete: false,
    added: Date.now(),
  };
  try {
    await store.checkRoom(name, total - (await store.bytesOf(name)));
    const folder = await store.put(name, manifest);
    await fillFolder(folder, manifest, remotes, total, times, onProgress);
    await store.put(name, { ...manifest, complete: true });
  } catch (error) {
    if ((await store.bytesOf(name)) === 0) await store.drop(name); // nothing that a next try could go on from
    throw await asStorageError(error, store, name, total);
  }
}

/// Sets the lengths that a server did not tell.
async function fillFolder(
  folder: FileSystemDirectoryHandle,
  { files, sha256 }: Manifest,
  remotes: Remote[],
  total: number,
  times: LoadTimes,
  onProgress: OnProgress,
): Promise<void> {
  let loaded = 0;
  const onBytes = (n: number) => {
    loaded += n;
    onProgress({ phase: "download", loaded, total });
  };
  for (const [i, remote] of remotes.entries()) {
    const file = files[i] as Manifest["files"][0];
    if (await isThere(folder, file)) onBytes(file.bytes);
    else file.bytes = await fetchFile(folder, file.name, remote, sha256, times, onBytes, onProgress);
  }
}

async function isThere(folder: FileSystemDirectoryHandle, file: { name: string; bytes: number }): Promise<boolean> {
  try {
    return (await (await folder.getFileHandle(file.name)).getFile()).size === file.bytes;
  } catch {
    return false;
  }
}

async function fetchFile(
  folder: FileSystemDirectoryHandle,
  name: string,
  remote: Remote,
  sha256: string | null,
  times: LoadTimes,
  onBytes: (n: number) => void,
  onProgress: OnProgress,
): Promise<number> {
  const part = await PartFile.open(folder, name, remote, kDefaults.chunkBytes);
  try {
    for (const chunk of part.done) {
      onBytes(Math.min(kDefaults.chunkBytes, (remote.bytes ?? 0) - chunk * kDefaults.chunkBytes));
    }
    const bytes = await download(remote, part, { ...kDefaults, fetch: fetcher, signal: null, onBytes });
    if (sha256 !== null) {
      const start = performance.now();
      checkSum(part.pieces(bytes), bytes, sha256, remote.url, onProgress);
      times.read = performance.now() - start;
    }
    await part.commit(bytes);
    return bytes;
  } catch (error) {
    const wrong = error instanceof TernError && (error.code === "checksum" || error.code === "not-a-model");
    if (wrong || part.done.size === 0) await part.discard();
    else part.close();
    throw error;
  }
}

/// Throws "checksum".
export function checkSum(
  pieces: Iterable<Uint8Array>,
  total: number,
  sha256: string,
  what: string,
  onProgress: OnProgress,
): void {
  const sum = new Sha256();
  let loaded = 0;
  for (const piece of pieces) {
    sum.update(piece);
    loaded += piece.length;
    onProgress({ phase: "read", loaded, total });
  }
  const found = sum.digest();
  if (found === sha256) return;
  throw new TernError("checksum", `${what} has SHA-256 ${found}, wanted is ${sha256}. It is another file, or damaged.`);
}
