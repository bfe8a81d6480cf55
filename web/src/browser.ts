// The Environment of a browser's worker: navigator.gpu, tern.wasm beside the package, files, the store and downloads.
//
//   File, Blob                       -> BlobFile                     slices, read when they are wanted
//   name of a stored model           -> StoredFile                   OPFS
//   URL -> keep() -> OPFS            -> StoredFile                   loaded once, then offline
//   URL, nothing may be stored       -> RemoteFile                   ranges, straight to the GPU
//   URL, nor does the server do them -> BlobFile of the whole answer, which browsers keep on disk when it is large
import type { LoadTimes, Source, WorkerLoadOptions } from "./api.js";
import { holdLock } from "./alive.js";
import { BlobFile } from "./blob_file.js";
import { asTernError, TernError } from "./errors.js";
import type { Environment, LoadedModule, OnProgress, OpenSource } from "./host.js";
import { checkBeginning, probe, request } from "./http.js";
import type { Remote } from "./http.js";
import { checkSum, fileNameOf, keep, partsOf } from "./keep.js";
import { modelFolder, pathOf } from "./model_files.js";
import { chooseModule, findFeatures } from "./modules.js";
import { RemoteFile } from "./remote_file.js";
import { Store } from "./store.js";
import { openStored } from "./stored_files.js";
import { needsSharedMemory } from "./threads.js";
import type { File as EngineFile } from "./wasi.js";

const fetcher = (url: string, init: RequestInit) => fetch(url, init);

// Written out, so that bundlers find them.
const kModules: Record<string, URL> = {
  "tern.wasm": new URL("../tern.wasm", import.meta.url),
  "tern-relaxed.wasm": new URL("../tern-relaxed.wasm", import.meta.url),
  "tern-threads.wasm": new URL("../tern-threads.wasm", import.meta.url),
  "tern-relaxed-threads.wasm": new URL("../tern-relaxed-threads.wasm", import.meta.url),
};

async function loadModule(url: string | null, threads: number | null): Promise<LoadedModule> {
  const best = chooseModule(findFeatures(), threads);
  if (url === null) return { module: await compileModule((kModules[best.file] as URL).href), choice: best };
  const module = await compileModule(url);
  const count = needsSharedMemory(module) ? best.threads : 1;
  const why = `the module that was asked for, ${count === 1 ? "one thread" : `${count} threads`}`;
  return { module, choice: { file: url, threads: count, why } };
}

async function compileModule(address: string): Promise<WebAssembly.Module> {
  const response = await fetch(address).catch((error: unknown) => {
    throw new TernError("worker", `The engine cannot be fetched from ${address}.`, { cause: error });
  });
  if (!response.ok) throw new TernError("worker", `The engine's server answers ${response.status} for ${address}.`);
  const typed = response.headers.get("content-type") === "application/wasm";
  return typed ? await WebAssembly.compileStreaming(response) : await WebAssembly.compile(await response.arrayBuffer());
}

function openFiles(files: ReadonlyMap<string, EngineFile>): OpenSource {
  const close = () => {
    for (const file of files.values()) file.close();
  };
  return { files: modelFolder(files), path: pathOf([...files.keys()]), stored: null, close };
}

function* piecesOf(blob: Blob): Generator<Uint8Array, void, void> {
  const file = new BlobFile(blob);
  const buffer = new Uint8Array(4 << 20);
  for (let at = 0; at < blob.size;) {
    const n = file.read(at, buffer);
    at += n;
    yield buffer.subarray(0, n);
  }
}

function openBlobs(
  blobs: { name: string; blob: Blob }[],
  { sha256 }: WorkerLoadOptions,
  times: LoadTimes,
  onProgress: OnProgress,
): OpenSource {
  const first = blobs[0];
  if (first === undefined) throw new TernError("invalid", "There are no files to load.");
  if (sha256 !== null) {
    if (blobs.length > 1) throw new TernError("invalid", '"sha256" is of one file, but the model has several.');
    const start = performance.now();
    checkSum(piecesOf(first.blob), first.blob.size, sha256, first.name, onProgress);
    times.read = performance.now() - start;
  }
  return openFiles(new Map(blobs.map(({ name, blob }) => [name, new BlobFile(blob)])));
}

function openRemotes(remotes: Remote[]): OpenSource {
  const parts = new Map(remotes.map((remote) => [fileNameOf(remote.url), new RemoteFile(remote)]));
  const open = openFiles(parts);
  open.files.fill = async () => {
    const filled = await Promise.all([...parts.values()].map((part) => part.fill()));
    return filled.includes(true);
  };
  open.files.filled = () => {
    for (const part of parts.values()) part.forget();
  };
  return open;
}

/// Nothing is stored.
async function openUrl(
  url: string,
  options: WorkerLoadOptions,
  times: LoadTimes,
  onProgress: OnProgress,
): Promise<OpenSource> {
  const start = performance.now();
  const remotes = await Promise.all(partsOf(url).map((part) => probe(fetcher, part, null)));
  if (options.sha256 === null && remotes.every((remote) => remote.ranges)) {
    times.download = performance.now() - start;
    return openRemotes(remotes);
  }
  const total = remotes.reduce((sum, remote) => sum + (remote.bytes ?? 0), 0);
  const blobs: { name: string; blob: Blob }[] = [];
  for (const remote of remotes) {
    const response = await request(fetcher, remote.url, {});
    const blob = await response.blob().catch((error: unknown) => {
      throw new TernError("incomplete", `The connection to ${remote.url} broke.`, { cause: error });
    });
    checkBeginning(new Uint8Array(await blob.slice(0, 256).arrayBuffer()), remote.url);
    blobs.push({ name: fileNameOf(remote.url), blob });
    onProgress({ phase: "download", loaded: blobs.reduce((sum, b) => sum + b.blob.size, 0), total });
  }
  times.download = performance.now() - start;
  return openBlobs(blobs, options, times, onProgress);
}

/// null: the browser refuses to store anything.
async function openStore(): Promise<Store | null> {
  return await Store.open().catch(() => null);
}

async function openText(
  source: string,
  options: WorkerLoadOptions,
  times: LoadTimes,
  onProgress: OnProgress,
): Promise<OpenSource> {
  const store = options.store === false ? null : await openStore();
  if ((await store?.manifest(source))?.complete && store !== null) return await openStored(store, source);
  let url: string;
  try {
    url = new URL(source, options.base ?? undefined).href;
  } catch (error) {
    throw new TernError("invalid", `"${source}" is neither a stored model nor an address.`, { cause: error });
  }
  if (store === null) return await openUrl(url, options, times, onProgress);
  const wanted = typeof options.store === "string" ? options.store : null;
  const name = await keep(store, url, wanted, options.sha256, times, onProgress);
  return await openStored(store, name);
}

async function open(
  source: Source,
  options: WorkerLoadOptions,
  times: LoadTimes,
  onProgress: OnProgress,
): Promise<OpenSource> {
  try {
    if (source instanceof File) return openBlobs([{ name: source.name, blob: source }], options, times, onProgress);
    if (source instanceof Blob) return openBlobs([{ name: "model.gguf", blob: source }], options, times, onProgress);
    if (Array.isArray(source)) {
      const blobs = source.map((file) => ({ name: file.name, blob: file }));
      return openBlobs(blobs, options, times, onProgress);
    }
    return await openText(String(source), options, times, onProgress);
  } catch (error) {
    throw asTernError(error, "storage");
  }
}

export const browser: Environment = {
  gpu: () => Promise.resolve((navigator as { gpu?: GPU }).gpu ?? null),
  module: loadModule,
  open,
  log: (text) => console.warn(text),
  hold: holdLock,
};
