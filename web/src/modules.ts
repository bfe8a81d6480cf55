// Which of the four modules runs (src/apps/wasm/CMakeLists.txt): an engine refuses a module as a whole for one
// instruction that it does not know, so it is asked with modules of a few bytes what it knows.

import type { EngineModule } from "./api.js";
import { TernError } from "./errors.js";

/// What a JavaScript engine and its page allow.
export interface Features {
  simd: boolean;
  relaxedSimd: boolean;
  threads: boolean; // shared memory and atomic instructions are known
  isolated: boolean; // and allowed: a page's memory is shared only when the page is cross-origin isolated
  cores: number;
}

// A function of no arguments that ends with the instruction in question.
const kSimd = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0]; // () -> v128
const kSplat = (x: number) => [65, x, 253, 15]; // i8x16.splat(x)
const kPlainSimd = [...kSimd, 10, 8, 1, 6, 0, ...kSplat(1), 11];
// i32x4.relaxed_dot_i8x16_i7x16_add_s
const kRelaxedSimd = [...kSimd, 10, 19, 1, 17, 0, ...kSplat(1), ...kSplat(2), ...kSplat(3), 253, 147, 2, 11];
// A shared memory of one page, and i32.atomic.load.
const kMemory = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 4, 1, 3, 1, 1];
const kThreads = [...kMemory, 10, 11, 1, 9, 0, 65, 0, 254, 16, 2, 0, 26, 11];

// More would wait for memory, and of many cores a browser is lent few.
const kMostThreads = 16;

const knows = (bytes: number[]) => WebAssembly.validate(new Uint8Array(bytes));

export function findFeatures(): Features {
  // Node has no such variable, and shares memory as it likes.
  const { crossOriginIsolated = true } = globalThis as { crossOriginIsolated?: boolean };
  return {
    simd: knows(kPlainSimd),
    relaxedSimd: knows(kRelaxedSimd),
    threads: typeof SharedArrayBuffer !== "undefined" && knows(kThreads),
    isolated: crossOriginIsolated,
    cores: (globalThis as { navigator?: Navigator }).navigator?.hardwareConcurrency ?? 1,
  };
}

/// wanted: threads; null: as many as there are cores. Throws when no module runs here.
export function chooseModule(features: Features, wanted: number | null): EngineModule {
  if (!features.simd) throw new TernError("unsupported", "This browser is too old: its WebAssembly has no SIMD.");
  const threads = Math.max(1, Math.min(wanted ?? features.cores, kMostThreads));
  const none = threads === 1 ? "" : whyNoThreads(features);
  const shared = threads > 1 && none === "";
  const file = `tern${features.relaxedSimd ? "-relaxed" : ""}${shared ? "-threads" : ""}.wasm`;
  const name = features.relaxedSimd ? "relaxed SIMD" : "SIMD";
  if (shared) return { file, threads, why: `${name}, ${threads} threads` };
  const alone = wanted === 1 ? "as it was asked for" : "as there is one core";
  return { file, threads: 1, why: `${name}, one thread, ${none || alone}` };
}

function whyNoThreads({ threads, isolated }: Features): string {
  if (!isolated) return "as the page is not cross-origin isolated";
  return threads ? "" : "as this browser has no shared memory";
}
