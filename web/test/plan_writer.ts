// Writes plan words for tests, from the format's description in src/graph/plan_file.cc.
import { kMagic, kVersion } from "../src/plan.js";

export interface TestPlan {
  key: number[]; // max_tokens, max_rows, max_seqs, kv_format, page_tokens, max_pages
  layers: number[]; // n_layers, n_kv_heads, head_dim
  backend: string;
  arena: number[];
  weights: { name: string }[];
  slots: { kind: number; index: number; offset: number; bytes: number }[];
  pipelines: { name: string; source: string; access: number[] }[];
  bindings: { slot: number; symbol: number; multiple: number; cols: number; col0?: number; stride?: number }[];
  // grid: per axis t, r, s, kv, p, constant, divisor; an axis that is missing is 1
  steps: { pipeline: number; first: number; inputs: number; outputs: number; grid: number[][]; name: number }[];
  programs: number[][]; // max_tokens, first_step, n_steps
  outputs: { name: string; binding: TestPlan["bindings"][number] }[];
  strings: string[];
}

export function writePlan(plan: TestPlan): Uint32Array {
  const words: number[] = [kMagic, kVersion, ...plan.key, ...plan.layers];
  const u64 = (value: number) => words.push(value % 2 ** 32, Math.floor(value / 2 ** 32));
  const text = (value: string) => {
    const bytes = new TextEncoder().encode(value);
    const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
    padded.set(bytes);
    words.push(bytes.length, ...new Uint32Array(padded.buffer));
  };
  const list = <T>(items: T[], write: (item: T) => void) => {
    words.push(items.length);
    items.forEach(write);
  };
  const binding = (b: TestPlan["bindings"][number]) =>
    words.push(b.slot, 0, b.symbol, b.multiple, b.cols, b.col0 ?? 0, b.stride ?? b.cols);
  text(plan.backend);
  list(plan.arena, u64);
  list(plan.weights, ({ name }) => {
    text(name);
    words.push(0, 1, 1, 0, 1, 0x3f800000); // f32 [1, 1], no slices, the constant 1.0
  });
  list(plan.slots, (s) => {
    words.push(s.kind, s.index);
    u64(s.offset);
    u64(s.bytes);
  });
  list(plan.pipelines, (p) => {
    text(p.name);
    text(p.source);
    words.push(0, 0, p.access.length, ...p.access);
  });
  list(plan.bindings, binding);
  list(plan.steps, (s) => {
    words.push(s.pipeline, s.first, s.inputs, s.outputs);
    for (let axis = 0; axis < 3; ++axis) words.push(...(s.grid[axis] ?? [0, 0, 0, 0, 0, 1, 1]));
    words.push(s.name);
  });
  list(plan.programs, (p) => words.push(...p));
  list(plan.outputs, (o) => {
    text(o.name);
    binding(o.binding);
  });
  list(plan.strings, text);
  return new Uint32Array(words);
}

const kSum = `
@group(0) @binding(0) var<storage, read> params: array<u32>;
@group(0) @binding(1) var<storage, read> weight: array<u32>;
@group(0) @binding(2) var<storage, read_write> state: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1) fn main(@builtin(workgroup_id) id: vec3<u32>) {
  state[id.x] += params[id.x] * weight[0];
  out[id.x] = state[id.x];
}`;
const kNegate = `
@group(0) @binding(0) var<storage, read> x: array<i32>;
@group(0) @binding(1) var<storage, read_write> y: array<i32>;
@compute @workgroup_size(1) fn main(@builtin(workgroup_id) id: vec3<u32>) { y[id.x] = -x[id.x]; }`;

/// One token a row of one column. A step adds the step's words, times the weight, to the state and gives out the sums
/// ("sums" [T, 1]); up to 2 tokens their negatives as well ("negatives" [T, 1]).
export function sumPlan(): TestPlan {
  return {
    key: [4, 4, 2, 0, 32, 8],
    layers: [0, 1, 32],
    backend: "webgpu",
    arena: [512, 256],
    weights: [{ name: "scale" }],
    slots: [
      { kind: 4, index: 0, offset: 0, bytes: 16 }, // params
      { kind: 1, index: 0, offset: 0, bytes: 4 }, // weight
      { kind: 5, index: 0, offset: 0, bytes: 16 }, // state
      { kind: 0, index: 0, offset: 256, bytes: 16 }, // sums
      { kind: 0, index: 1, offset: 0, bytes: 16 }, // negatives
    ],
    pipelines: [
      { name: "sum", source: kSum, access: [0, 0, 1, 1] },
      { name: "negate", source: kNegate, access: [0, 1] },
    ],
    bindings: [
      { slot: 0, symbol: 0, multiple: 1, cols: 4 },
      { slot: 1, symbol: 0, multiple: 1, cols: 1 },
      { slot: 2, symbol: 0, multiple: 1, cols: 4 },
      { slot: 3, symbol: 1, multiple: 1, cols: 1 },
      { slot: 4, symbol: 1, multiple: 1, cols: 1 },
    ],
    steps: [
      { pipeline: 0, first: 0, inputs: 2, outputs: 2, grid: [[1, 0, 0, 0, 0, 0, 1]], name: 0 },
      { pipeline: 1, first: 3, inputs: 1, outputs: 1, grid: [[1, 0, 0, 0, 0, 0, 1]], name: 1 },
      { pipeline: 0, first: 0, inputs: 2, outputs: 2, grid: [[1, 0, 0, 0, 0, 0, 1]], name: 0 },
    ],
    programs: [
      [2, 0, 2],
      [4, 2, 1],
    ],
    outputs: [
      { name: "sums", binding: { slot: 3, symbol: 1, multiple: 1, cols: 1 } },
      { name: "negatives", binding: { slot: 4, symbol: 1, multiple: 1, cols: 1 } },
    ],
    strings: ["sum of the step", "its negative"],
  };
}
