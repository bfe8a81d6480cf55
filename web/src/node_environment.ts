// The Environment of Node, Deno and Bun: files by path, addresses by ranges, tern.wasm beside the package, and WebGPU
// from the runtime (Deno) or the npm package "webgpu" (Dawn), where that is installed.
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import type { LoadTimes, Source, WorkerLoadOptions } from "./api.js";
import { asTernError, TernError } from "./errors.js";
import type { Environment, LoadedModule, OnProgress, OpenSource } from "./host.js";
import { probe } from "./http.js";
import { checkSum, fileNameOf, partsOf } from "./keep.js";
import { kModelFolder, modelFolder, pathOf } from "./model_files.js";
import { nodeFiles, nodeModule, readModule } from "./node.js";
import { RemoteFile } from "./remote_file.js";
import { needsSharedMemory } from "./threads.js";
import { memoryFiles } from "./wasi.js";

const kPiece = 4 << 20;

function* piecesOf(file: string): Generator<Uint8Array, void, void> {
  const opened = nodeFiles.open(file);
  const buffer = new Uint8Array(kPiece);
  try {
    for (let at = 0; at < opened.size;) {
      const n = opened.read(at, buffer);
      at += n;
      yield buffer.subarray(0, n);
    }
  } finally {
    opened.close();
  }
}

function openPath(file: string, sha256: string | null, times: LoadTimes, onProgress: OnProgress): OpenSource {
  const stat = nodeFiles.stat(file);
  if (stat === null) throw new TernError("not-found", `There is no file or folder ${file}.`);
  if (sha256 !== null) {
    if (stat.directory) throw new TernError("invalid", `"sha256" is of one file, but ${file} is a folder.`);
    const start = performance.now();
    checkSum(piecesOf(file), stat.size, sha256, file, onProgress);
    times.read = performance.now() - start;
  }
  return { files: nodeFiles, path: file, stored: null, close: () => undefined };
}

async function openBlobs(blobs: Blob[], sha256: string | null): Promise<OpenSource> {
  if (blobs.length === 0) throw new TernError("invalid", "There are no files to load.");
  if (sha256 !== null) throw new TernError("unsupported", 'A Blob is not checked against "sha256" here; a file is.');
  const files: Record<string, Uint8Array> = {};
  for (const blob of blobs) {
    const name = (blob as Partial<File>).name ?? "model.gguf";
    files[`${kModelFolder}/${name}`] = new Uint8Array(await blob.arrayBuffer());
  }
  const names = Object.keys(files).map((name) => name.slice(kModelFolder.length + 1));
  return { files: memoryFiles(files), path: pathOf(names), stored: null, close: () => undefined };
}

async function openUrl(url: string, sha256: string | null, times: LoadTimes): Promise<OpenSource> {
  const start = performance.now();
  const remotes = await Promise.all(partsOf(url).map((part) => probe((to, init) => fetch(to, init), part, null)));
  if (sha256 !== null || !remotes.every((remote) => remote.ranges)) {
    const why = sha256 === null ? "its server does not give parts of files" : '"sha256" is of a whole file';
    throw new TernError("unsupported", `${url} cannot be read piece by piece: ${why}. Download it and load the file.`);
  }
  times.download = performance.now() - start;
  const parts = new Map(remotes.map((remote) => [fileNameOf(remote.url), new RemoteFile(remote)]));
  const files = modelFolder(parts);
  files.fill = async () => (await Promise.all([...parts.values()].map((part) => part.fill()))).includes(true);
  files.filled = () => {
    for (const part of parts.values()) part.forget();
  };
  const close = () => {
    for (const part of parts.values()) part.close();
  };
  return { files, path: pathOf([...parts.keys()]), stored: null, close };
}

async function open(
  source: Source,
  { sha256 }: WorkerLoadOptions,
  times: LoadTimes,
  onProgress: OnProgress,
): Promise<OpenSource> {
  try {
    if (Array.isArray(source)) return await openBlobs(source, sha256);
    if (source instanceof Blob) return await openBlobs([source], sha256);
    const text = String(source);
    if (/^https?:/.test(text)) return await openUrl(text, sha256, times);
    const file = text.startsWith("file:") ? fileURLToPath(text) : path.resolve(text);
    return openPath(file, sha256, times, onProgress);
  } catch (error) {
    throw asTernError(error, "storage");
  }
}

/// Half floats on NVIDIA are behind a toggle of Dawn.
const kDawnFlags = ["enable-dawn-features=vulkan_enable_f16_on_nvidia"];

async function gpu(): Promise<GPU | null> {
  const own = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (own !== undefined) return own;
  const dawn = await import("webgpu").catch(() => null);
  if (dawn === null) return null;
  Object.assign(globalThis, dawn.globals);
  return dawn.create(kDawnFlags);
}

async function loadModule(url: string | null, threads: number | null): Promise<LoadedModule> {
  const best = nodeModule(threads);
  if (url === null) return { module: await WebAssembly.compile(readModule(best.file)), choice: best };
  const module = await WebAssembly.compile(new Uint8Array(fs.readFileSync(fileURLToPath(url))));
  const count = needsSharedMemory(module) ? best.threads : 1;
  return { module, choice: { file: url, threads: count, why: `the module that was asked for, ${count} at work` } };
}

export const nodeEnvironment: Environment = {
  gpu,
  gpuWantsOneThread: true,
  module: loadModule,
  open,
  log: (text) => console.warn(text),
};
