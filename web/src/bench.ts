// tern bench in JavaScript: prefill and decode rates through the engine as an application has them, and beside them the
// bandwidth that a plain kernel reads with on the same device in the same run.
import type { Engine, ModelInfo } from "./engine.js";

export interface BenchOptions {
  prompt: number; // tokens
  generate: number; // tokens of each sequence, the first of which belongs to its prompt
  batches: number[];
  depth: number; // tokens before decoding begins
  repeats: number;
}

export interface BenchResult {
  model: string;
  device: string;
  batch: number;
  prompt: number;
  generate: number;
  depth: number;
  prefill_tok_s: number;
  decode_tok_s: number; // of all sequences together
  roof_gb_s: number; // 0 on the CPU
  weights_bytes: number;
}

// An idle GPU runs at a fraction of its clock and needs some tens of milliseconds of work to wake.
const kWarmTokens = 64;

function randomTokens(n: number, vocab: number): number[] {
  return Array.from({ length: n }, () => Math.floor(Math.random() * vocab));
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] as number;

/// Seconds until `batch` prompts of `prompt` tokens have their first tokens, and from then to their last.
async function play(engine: Engine, vocab: number, batch: number, prompt: number, n: number) {
  const start = performance.now();
  const left = new Set<number>();
  for (let i = 0; i < batch; ++i) {
    const tokens = randomTokens(prompt, vocab);
    left.add(engine.submit({ tokens, max_tokens: n, temperature: 0, ignore_eos: true }).id);
  }
  const begun = new Set<number>();
  let first = 0;
  let early = 0; // tokens of sequences that began before the last of them did
  while (left.size > 0) {
    for (const event of engine.pump().events) {
      if (event.error !== undefined) throw new Error(event.error);
      if (event.token !== undefined && begun.size < batch) {
        begun.add(event.id);
        early++;
        first = performance.now();
      }
      if (event.finished !== undefined) left.delete(event.id);
    }
    if (left.size > 0) await engine.settled();
  }
  const seconds = (performance.now() - first) / 1000;
  return { prefill: (first - start) / 1000, rate: (batch * n - early) / seconds };
}

export async function bench(engine: Engine, info: ModelInfo, options: BenchOptions): Promise<BenchResult[]> {
  const { prompt, generate, batches, depth, repeats } = options;
  await play(engine, info.vocab, 1, 1, kWarmTokens);
  const prefills: number[] = [];
  for (let run = 0; run < repeats; ++run) prefills.push((await play(engine, info.vocab, 1, prompt, 1)).prefill);
  const roof = engine.player === null ? 0 : await readBandwidth(engine.player.device);
  const results: BenchResult[] = [];
  for (const batch of batches) {
    const rates: number[] = [];
    for (let run = 0; run < repeats; ++run) {
      rates.push((await play(engine, info.vocab, batch, Math.max(1, depth), generate)).rate);
    }
    results.push({
      model: info.name,
      device: info.device,
      batch,
      prompt,
      generate,
      depth,
      prefill_tok_s: prompt / median(prefills),
      decode_tok_s: median(rates),
      roof_gb_s: roof,
      weights_bytes: info.weights_bytes,
    });
  }
  return results;
}

const kReadKernel = `
@group(0) @binding(0) var<storage, read> data: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) n: vec3<u32>) {
  var sum = vec4<u32>();
  for (var i = id.x; i < arrayLength(&data); i += n.x * 256) { sum += data[i]; }
  if (sum.x + sum.y + sum.z + sum.w == 1) { sums[id.x] = 1; }
}`;

/// GB/s of a kernel that only reads.
async function readBandwidth(device: GPUDevice): Promise<number> {
  const { maxStorageBufferBindingSize, maxBufferSize } = device.limits;
  const size = Math.min(2 ** 30, maxStorageBufferBindingSize, maxBufferSize) & ~255;
  const groups = 4096;
  const data = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE });
  const sums = device.createBuffer({ size: groups * 256 * 4, usage: GPUBufferUsage.STORAGE });
  const module = device.createShaderModule({ code: kReadKernel });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
  const entries = [data, sums].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const seconds = async (passes: number) => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < passes; ++i) pass.dispatchWorkgroups(groups);
    pass.end();
    const start = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return (performance.now() - start) / 1000;
  };
  // The difference of a long and a short run has no way there and back in it.
  const one = await seconds(2);
  const passes = Math.max(2, Math.min(100, Math.floor(0.1 / one)));
  const rates: number[] = [];
  for (let i = 0; i < 3; ++i) {
    const short = await seconds(passes);
    rates.push((2 * passes * size) / ((await seconds(3 * passes)) - short) / 1e9);
  }
  data.destroy();
  sums.destroy();
  return median(rates);
}
