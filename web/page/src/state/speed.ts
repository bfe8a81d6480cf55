// What the speed panel shows: tokens per second, several times a second while an answer is being written, and memory.
import { signal } from "@preact/signals";
import type { Stats } from "@tern/web";
import { device, info, model } from "./model";

export const kIntervalMs = 200;
const kKept = 150; // intervals: 30 seconds of writing
const kWindowMs = 500; // that one value looks back

export const rates = signal<number[]>([]); // tokens per second, oldest first
export const stats = signal<Stats | null>(null);

interface Arrival {
  at: number; // performance.now()
  tokens: number; // that have come so far
}

let arrivals: Arrival[] = [];
let timer = 0;

export function startCounting(): void {
  arrivals = [];
  clearInterval(timer);
  timer = window.setInterval(sample, kIntervalMs);
}

export function count(n: number): void {
  arrivals.push({ at: performance.now(), tokens: (arrivals.at(-1)?.tokens ?? 0) + n });
}

export function stopCounting(): void {
  clearInterval(timer);
  sample();
  void refreshStats();
}

/// The rate between the newest token and the last one that is a window older; so slow models, too, give a line.
function sample(): void {
  const newest = arrivals.at(-1);
  if (newest === undefined) return;
  const older = arrivals.findLastIndex(({ at }) => at <= newest.at - kWindowMs);
  arrivals = arrivals.slice(Math.max(0, older));
  const oldest = arrivals[0] as Arrival;
  if (newest.at - oldest.at < kIntervalMs / 2) return; // too short to tell
  const rate = ((newest.tokens - oldest.tokens) * 1000) / (newest.at - oldest.at);
  rates.value = [...rates.value, rate].slice(-kKept);
}

export async function refreshStats(): Promise<void> {
  try {
    stats.value = (await model.value?.stats()) ?? null;
  } catch {
    stats.value = null; // unloaded meanwhile
  }
}

export interface MemoryPart {
  label: string;
  bytes: number;
  what: string;
}

/// Where the model's memory goes.
export function memoryParts(): MemoryPart[] {
  const facts = info.value;
  if (facts === null) return [];
  const parts = [
    { label: "Weights", bytes: facts.weightsBytes, what: "the model itself" },
    { label: "KV cache", bytes: facts.kvBytes, what: `keys and values of up to ${facts.context} tokens` },
  ];
  const known = facts.weightsBytes + facts.kvBytes;
  const { wasmBytes = 0, gpuBytes = 0 } = stats.value ?? {};
  if (device.value?.kind === "gpu") {
    parts.push({ label: "Work space", bytes: Math.max(0, gpuBytes - known), what: "values of the layers, on the GPU" });
    parts.push({ label: "Engine", bytes: wasmBytes, what: "WebAssembly memory: tokenizer, plan, page tables" });
  } else {
    parts.push({ label: "Engine", bytes: Math.max(0, wasmBytes - known), what: "values of the layers, tokenizer" });
  }
  return parts.filter(({ bytes }) => bytes > 0);
}
