// The Environment of a browser's worker: navigator.gpu, tern.wasm beside the package, files and downloads.
import type { LoadTimes, Source, WorkerLoadOptions } from "./api.js";
import { BlobFile } from "./blob_file.js";
import { TernError } from "./errors.js";
import type { Environment, OnProgress, OpenSource } from "./host.js";
import { modelFolder, pathOf } from "./model_files.js";

async function compileModule(url: string | null): Promise<WebAssembly.Module> {
  const address = url ?? new URL("../tern.wasm", import.meta.url).href;
  const response = await fetch(address).catch((error: unknown) => {
    throw new TernError("worker", `The engine cannot be fetched from ${address}.`, { cause: error });
  });
  if (!response.ok) throw new TernError("worker", `The engine's server answers ${response.status} for ${address}.`);
  const typed = response.headers.get("content-type") === "application/wasm";
  return typed ? await WebAssembly.compileStreaming(response) : await WebAssembly.compile(await response.arrayBuffer());
}

function openBlobs(blobs: { name: string; blob: Blob }[]): OpenSource {
  const files = new Map(blobs.map(({ name, blob }) => [name, new BlobFile(blob)]));
  return { files: modelFolder(files), path: pathOf([...files.keys()]), stored: null, close: () => undefined };
}

async function open(
  source: Source,
  _options: WorkerLoadOptions,
  times: LoadTimes,
  onProgress: OnProgress,
): Promise<OpenSource> {
  if (source instanceof File) return openBlobs([{ name: source.name, blob: source }]);
  if (source instanceof Blob) return openBlobs([{ name: "model.gguf", blob: source }]);
  if (Array.isArray(source)) return openBlobs(source.map((file) => ({ name: file.name, blob: file })));
  const start = performance.now();
  const response = await fetch(source);
  if (!response.ok) throw new TernError("http", `The server answers ${response.status} for ${String(source)}.`);
  const blob = await response.blob();
  onProgress({ phase: "download", loaded: blob.size, total: blob.size });
  times.download = performance.now() - start;
  return openBlobs([{ name: new URL(source).pathname.split("/").pop() || "model.gguf", blob }]);
}

export const browser: Environment = {
  gpu: () => Promise.resolve((navigator as { gpu?: GPU }).gpu ?? null),
  module: compileModule,
  open,
  log: (text) => console.warn(text),
};
