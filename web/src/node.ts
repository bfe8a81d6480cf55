// What Node gives the engine: files through node:fs, the module beside the repository's build, Dawn as npm "webgpu".
import * as fs from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { EngineModule } from "./api.js";
import { chooseModule, findFeatures } from "./modules.js";
import type { Threads, ThreadStart } from "./threads.js";
import type { File, FileSystem } from "./wasi.js";

class NodeFile implements File {
  readonly size: number;
  #descriptor: number;

  constructor(path: string) {
    this.#descriptor = fs.openSync(path, "r");
    this.size = fs.fstatSync(this.#descriptor).size;
  }

  read(offset: number, out: Uint8Array): number {
    let done = 0;
    while (done < out.length) {
      const n = fs.readSync(this.#descriptor, out, done, out.length - done, offset + done);
      if (n === 0) break;
      done += n;
    }
    return done;
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }
}

/// The machine's own files, by absolute path.
export const nodeFiles: FileSystem = {
  stat: (path) => {
    const stat = fs.statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? null : { directory: stat.isDirectory(), size: stat.size };
  },
  list: (path) => fs.readdirSync(path).sort(),
  open: (path) => new NodeFile(path),
};

/// A path inside the repository that this package is part of.
export function repositoryPath(name: string): string {
  return fileURLToPath(new URL(`../../../${name}`, import.meta.url));
}

/// One of the modules that scripts/build_wasm leaves, else that of the package, or what TERN_WASM names.
export function readModule(file = "tern.wasm"): Uint8Array<ArrayBuffer> {
  const built = repositoryPath(`build-wasm/${file}`);
  const packed = fileURLToPath(new URL(`../${file}`, import.meta.url));
  const path = process.env["TERN_WASM"] ?? (fs.existsSync(built) ? built : packed);
  if (!fs.existsSync(path)) throw new Error(`There is no ${built}: scripts/build_wasm makes it.`);
  return new Uint8Array(fs.readFileSync(path));
}

/// The module that suits this Node. wanted: threads; null for as many as there are cores.
export function nodeModule(wanted: number | null): EngineModule {
  return chooseModule({ ...findFeatures(), cores: availableParallelism() }, wanted);
}

/// The best module that this Node takes, with its threads. wanted: as above.
export function bestModule(wanted: number | null): { wasm: Uint8Array<ArrayBuffer>; threads: Threads } {
  const { file, threads: count } = nodeModule(wanted);
  return { wasm: readModule(file), threads: { count, start: startThread } };
}

/// It ends with the process. When it fails the engine would wait for it for ever: the process ends, as natively.
export function startThread(start: ThreadStart): Worker {
  const worker = new Worker(new URL("./node_thread.js", import.meta.url), { workerData: start, execArgv: [] });
  worker.unref();
  return worker;
}

/// Dawn. flags: its own, such as "enable-dawn-features=allow_unsafe_apis". It takes the Vulkan driver that the loader
/// finds (VK_DRIVER_FILES). software: when there is none, take the lavapipe of scripts/setup_lavapipe.
export async function nodeGpu(flags: string[] = [], software = true): Promise<GPU> {
  const lavapipe = repositoryPath(".deps/lavapipe/lvp_icd.json");
  const named = process.env["VK_DRIVER_FILES"] !== undefined;
  if (software && !named && !hasVulkanDriver() && fs.existsSync(lavapipe)) process.env["VK_DRIVER_FILES"] = lavapipe;
  const dawn = await import("webgpu");
  Object.assign(globalThis, dawn.globals);
  return dawn.create(flags);
}

function hasVulkanDriver(): boolean {
  const folders = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
  return folders.some((folder) => fs.existsSync(folder) && fs.readdirSync(folder).length > 0);
}
