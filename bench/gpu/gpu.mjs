// A WebGPU device (npm `webgpu`: Dawn for Node), the shaders of src/backends/webgpu/kernels composed as the backend
// does it, and timing; for tests of single kernels and for measurements without an engine. ROBUST=1 keeps robustness
// on, as browsers do. TERN_NODE_MODULES: where npm's `webgpu` is, when not in web/node_modules.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const modules = process.env.TERN_NODE_MODULES ?? new URL('../../web/node_modules', import.meta.url).pathname;
const { create, globals } = await import(createRequire(modules + '/').resolve('webgpu'));
Object.assign(globalThis, globals);

export const robust = process.env.ROBUST === '1';
const toggles = ['allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia', ...(robust ? [] : ['disable_robustness'])];
export const gpu = create([
  'backend=vulkan',
  `enable-dawn-features=${toggles.join(',')}`,
  'disable-dawn-features=timestamp_quantization',
]);
export const adapter = await gpu.requestAdapter();
const features = ['shader-f16', 'subgroups', 'timestamp-query', 'chromium-experimental-subgroup-matrix'];
const limits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxStorageBuffersPerShaderStage',
];
export const device = await adapter.requestDevice({
  requiredFeatures: features.filter(f => adapter.features.has(f)),
  requiredLimits: Object.fromEntries(limits.map(k => [k, adapter.limits[k]])),
});
export const queue = device.queue;
export const hasMatrix = adapter.features.has('chromium-experimental-subgroup-matrix');
export const SG_MIN = adapter.info.subgroupMinSize,
  SG_MAX = adapter.info.subgroupMaxSize;
export const software = /llvmpipe|swiftshader/i.test(adapter.info.description + adapter.info.device);
export const label = `${adapter.info.description || adapter.info.device}, subgroups ${SG_MIN}..${SG_MAX}, robustness ${
  robust ? 'on' : 'off'
}`;
device.addEventListener?.('uncapturederror', event => {
  console.error(event.error.message.slice(0, 2000));
  process.exitCode = 1;
});

let nowhere;
/// A device that computes nothing but compiles what is experimental.
export async function nullDevice() {
  nowhere ??= create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
  const nobody = await nowhere.requestAdapter();
  return nobody.requestDevice({ requiredFeatures: features.filter(f => nobody.features.has(f)) });
}

const kernels = new URL('../../src/backends/webgpu/kernels/', import.meta.url),
  texts = {};
// A name with a slash is a file of the caller's, relative to this folder.
const file = name =>
  (texts[name] ??= readFileSync(new URL(`${name}.wgsl`, name.includes('/') ? import.meta.url : kernels), 'utf8'));

function unroll(lines, consts) {
  const out = [];
  for (let i = 0; i < lines.length; i++) {
    const loop = lines[i].match(/^\s*\$for (\w+) (\w+)$/);
    if (!loop) {
      out.push(lines[i]);
      continue;
    }
    let depth = 1,
      end = i + 1;
    for (; depth > 0; end++) depth += /^\s*\$for /.test(lines[end]) ? 1 : /^\s*\$end/.test(lines[end]) ? -1 : 0;
    const body = lines.slice(i + 1, end - 1),
      count = consts[loop[2]] ?? Number(loop[2]);
    for (let n = 0; n < count; n++)
      out.push(
        ...unroll(
          body.map(l => l.replaceAll(`$${loop[1]}$`, n)),
          consts,
        ),
      );
    i = end - 1;
  }
  return out;
}

/// Prelude of constants (u32; numbers with a fraction or given as {f32} are floats) plus the files.
export function compose(files, consts) {
  const text = unroll(files.map(file).join('\n').split('\n'), consts).join('\n');
  const float = v => (/[.e]/.test(String(v)) ? String(v) : `${v}.0`);
  const prelude = Object.entries(consts).map(([k, v]) =>
    typeof v === 'string'
      ? `alias ${k} = ${v};`
      : `const ${k} = ${typeof v === 'object' ? float(v.f32) : Number.isInteger(v) ? `${v}u` : float(v)};`,
  );
  const enables = [];
  if (/\bf16\b/.test(text.replace(/\/\/.*/g, ''))) enables.push('enable f16;');
  if (/subgroup(Add|Max|Shuffle|_size)/.test(text))
    enables.push('enable subgroups;', 'diagnostic(off, subgroup_uniformity);');
  if (/subgroup_matrix/.test(text)) {
    enables.push(
      'enable chromium_experimental_subgroup_matrix;',
      'diagnostic(off, chromium.subgroup_matrix_uniformity);',
    );
  }
  if (/bufferView/.test(text)) enables.push('requires buffer_view;');
  enables.sort((a, b) => a.startsWith('diag') - b.startsWith('diag'));
  return `${enables.join(' ')}\n${prelude.join(' ')}\n${text}`;
}

const pipelines = new Map();
export async function pipeline(files, consts) {
  const code = compose(files, consts);
  if (pipelines.has(code)) return pipelines.get(code);
  if (process.env.DUMP_WGSL) {
    const { mkdirSync, writeFileSync } = await import('node:fs');
    mkdirSync(process.env.DUMP_WGSL, { recursive: true });
    writeFileSync(`${process.env.DUMP_WGSL}/${files.at(-1)}-${pipelines.size}.wgsl`, code);
  }
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code });
  let made, error;
  try {
    made = await device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  } catch (e) {
    error = e;
  }
  const invalid = await device.popErrorScope();
  if (invalid || !made) throw new Error(`${files.join(' + ')}: ${(invalid ?? error).message.slice(0, 1500)}`);
  pipelines.set(code, made);
  return made;
}

const usage = 0x8c; // STORAGE | COPY_SRC | COPY_DST
export const buffer = bytes => device.createBuffer({ size: Math.max(16, Math.ceil(bytes / 16) * 16), usage });
export function upload(data) {
  const b = buffer(data.byteLength);
  queue.writeBuffer(b, 0, data.buffer, data.byteOffset, data.byteLength);
  return b;
}
export async function read(b, Type, count, offset = 0) {
  const bytes = Math.ceil((count * Type.BYTES_PER_ELEMENT) / 4) * 4,
    back = device.createBuffer({ size: bytes, usage: 9 });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(b, offset, back, 0, bytes);
  queue.submit([encoder.finish()]);
  await back.mapAsync(1);
  const out = new Type(back.getMappedRange().slice(0)).subarray(0, count);
  back.destroy();
  return out;
}

/// A step: [pipeline, bind group, grid]. buffers: by binding; undefined is skipped.
export async function step(files, consts, buffers, grid) {
  const p = await pipeline(files, consts);
  const entries = Object.entries(buffers)
    .filter(([, b]) => b)
    .map(([k, b]) => ({ binding: Number(k), resource: { buffer: b } }));
  return [p, device.createBindGroup({ layout: p.getBindGroupLayout(0), entries }), grid];
}
export function encode(pass, steps) {
  for (const [p, group, [x, y = 1, z = 1]] of steps) {
    pass.setPipeline(p);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(x, y, z);
  }
}
export function submit(steps) {
  const encoder = device.createCommandEncoder(),
    pass = encoder.beginComputePass();
  encode(pass, steps);
  pass.end();
  queue.submit([encoder.finish()]);
}

const stamps = adapter.features.has('timestamp-query');
const querySet = stamps && device.createQuerySet({ type: 'timestamp', count: 2 });
const resolved = device.createBuffer({ size: 16, usage: 0x204 }),
  mapped = device.createBuffer({ size: 16, usage: 9 });
async function once(steps) {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass({
    timestampWrites: { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
  });
  encode(pass, steps);
  pass.end();
  encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, mapped, 0, 16);
  queue.submit([encoder.finish()]);
  await mapped.mapAsync(1);
  const v = new BigUint64Array(mapped.getMappedRange().slice(0));
  mapped.unmap();
  return Number(v[1] - v[0]) * 1e-9;
}
// An idle GPU clocks down and needs a good part of a second to come back: every measurement starts with a fixed piece
// of arithmetic, repeated until it runs as fast as it ever did.
const spin = `@group(0) @binding(0) var<storage, read_write> o: array<f32>;
@compute @workgroup_size(256) fn main(@builtin(global_invocation_id) g: vec3<u32>) {
  var a = f32(g.x); var b = a + 1.0;
  for (var i = 0u; i < 40000u; i++) { a = fma(a, 0.999, 0.1); b = fma(b, 0.999, 0.1); }
  if (a + b == 12345.0) { o[0] = a; }
}`;
let spinning,
  fastest = Infinity;
export async function warm() {
  if (software) return;
  spinning ??= await (async () => {
    const module = device.createShaderModule({ code: spin });
    const p = await device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } });
    const entries = [{ binding: 0, resource: { buffer: buffer(16) } }];
    return [p, device.createBindGroup({ layout: p.getBindGroupLayout(0), entries }), [528]];
  })();
  const first = fastest === Infinity,
    limit = performance.now() + (first ? 1500 : 800);
  do {
    const t = await once([spinning]);
    fastest = Math.min(fastest, t);
    if (!first && t < 1.03 * fastest) return;
  } while (performance.now() < limit);
}
/// Median GPU seconds of one pass that runs all steps in order.
export async function time(steps, reps = software ? 1 : 7) {
  const times = [];
  await warm();
  for (let i = 0; i <= reps; i++) {
    const t = await once(steps);
    if (i > 0) times.push(t);
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
}
/// a[i] = hash(i + seed) & and | or, on the device.
export async function fill(b, seed, and = 0xffffffff, or = 0) {
  const code = `@group(0) @binding(0) var<storage, read_write> a: array<u32>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) g: vec3<u32>, @builtin(num_workgroups) n: vec3<u32>) {
  for (var i = g.x; i < arrayLength(&a); i += n.x * 256u) {
    var x = (i + ${seed >>> 0}u) * 747796405u + 2891336453u; x = ((x >> ((x >> 28u) + 4u)) ^ x) * 277803737u;
    a[i] = (((x >> 22u) ^ x) & ${and >>> 0}u) | ${or >>> 0}u;
  }
}`;
  const module = device.createShaderModule({ code });
  const p = device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  const entries = [{ binding: 0, resource: { buffer: b } }];
  submit([[p, device.createBindGroup({ layout: p.getBindGroupLayout(0), entries }), [software ? 64 : 4224]]]);
}
