// The kernels of a Llama-3-8B on a GPU, random weights: products by family and number of tokens, generic and int8;
// whole decode steps with real pages, with the split of a step's time over its kernels; then products of many tokens,
// attention over prompts, whole prefills and batches (validate: checked against f64).
//   node bench/gpu/kernels.mjs [products|step|prefill [validate] ...]      ROBUST=1 for robustness as in browsers
import {
  SG_MIN,
  SG_MAX,
  adapter,
  buffer,
  device,
  encode,
  fill,
  label,
  queue,
  read,
  software,
  step,
  time,
  upload,
  warm,
} from './gpu.mjs';
import {
  FAMILIES,
  MODEL,
  P,
  PAGE,
  SHAPES,
  SPLITS,
  attentionTeams,
  cachePages,
  matrix,
  params,
  q8Bytes,
  qkvRows,
  setParams,
} from './model.mjs';
import { prefill } from './prefill.mjs';

const maxThreads = adapter.limits.maxComputeInvocationsPerWorkgroup;
const us = s => `${(s * 1e6).toFixed(1)} us`;

/// As add_gemv of src/backends/webgpu/fast_linear.cc: shape = [results a workgroup, threads, parts of K, rows a team].
function gemv(w, [out, threads, parts, rows], per, nt) {
  return {
    ...P.at,
    SG_MIN,
    SG_MAX,
    WG: Math.min(threads, Math.floor(maxThreads / 32) * 32),
    OUT: out,
    ROWS: out * per,
    R: rows,
    KS: parts,
    NT: nt,
    ...w.consts,
  };
}
/// The shapes of src/backends/webgpu/fused_decode.cc for so many tokens.
const shapes = (qkv, o, gate_up, down) => ({ qkv, o, gate_up, down, head: [32, 256, 1, qkv[3]] });
const ONE = shapes([8, 256, 1, 1], [32, 1024, 1, 1], [32, 512, 1, 1], [32, 1024, 4, 4]),
  FEW = shapes([16, 256, 1, 2], [32, 1024, 2, 2], [32, 512, 1, 2], [32, 1024, 2, 2]),
  EIGHT = shapes([16, 256, 1, 2], [32, 1024, 2, 2], [32, 1024, 1, 2], [32, 1024, 2, 2]),
  SIXTEEN = shapes([32, 512, 1, 2], [32, 512, 1, 2], [32, 1024, 1, 2], [32, 512, 1, 2]);
const shapesFor = tokens => (tokens === 1 ? ONE : tokens <= 4 ? FEW : tokens <= 8 ? EIGHT : SIXTEEN);

/// One product at a time, over more matrices than the cache holds, each waiting for the one before.
async function products() {
  for (const family of Object.keys(FAMILIES))
    for (const [name, shape] of Object.entries(SHAPES)) {
      const one = (shape[0] * shape[1] * FAMILIES[family].bits) / 8,
        copies = software || name === 'head' ? 1 : Math.max(2, Math.ceil(3e8 / one));
      const ws = [],
        line = [];
      for (let i = 0; i < copies; i++) ws.push(await matrix(family, shape, i + 1));
      const x8 = buffer(q8Bytes(64, shape[1])),
        x = buffer(512 * shape[1] * 4),
        y = buffer(512 * shape[0] * 4);
      await fill(x8, 5, 0x3f7f7f7f, 0);
      await fill(x, 6, 0xbfffffff, 0x30000000);
      const report = async (what, t, steps) => {
        const s = (await time(steps, 3)) / copies;
        line.push(
          `${what} T=${t} ${us(s)} ${(ws[0].bytes / s / 1e9).toFixed(0)} GB/s ` +
            `${((2 * t * shape[0] * shape[1]) / s / 1e12).toFixed(2)} TOP/s`,
        );
      };
      for (const t of software ? [1, 4] : [1, 2, 4, 8, 16]) {
        setParams(t, 1);
        const nt = Math.min(t, 8),
          shape8 = shapesFor(t)[name],
          steps = [];
        for (const w of ws) {
          const consts = {
            ...gemv(w, shape8, 1, nt),
            N: shape[0],
            OUT_COL0: 0,
            OUT_STRIDE: shape[0],
          };
          steps.push(
            await step(
              [
                'team_subgroup',
                'q8_block',
                `dot_${family}`,
                'x_q8',
                'tokens_all',
                'epilogue_none',
                'out_plain',
                'one_matrix',
                'gemv_q8',
              ],
              consts,
              { 0: w.buffer, 1: x8, 2: params, 3: y },
              [Math.ceil(shape[0] / shape8[0]), Math.ceil(t / nt)],
            ),
          );
        }
        await report('int8', t, steps);
      }
      for (const t of software ? [1] : [1, 4, 64, 512]) {
        if (name === 'head' && t > 4) continue;
        setParams(Math.min(t, 64), 1);
        queue.writeBuffer(params, 0, new Uint32Array([t]));
        const small = t <= 16,
          steps = [];
        for (const w of ws) {
          const consts = {
            PADDED: shape[1],
            GROUP: 32,
            SCALES: w.consts.SCALES,
            ROW_SCALES: w.consts.ROW_SCALES,
            ROWS_SYMBOL: 0,
            ROWS_MULTIPLE: 1,
            N: shape[0],
            COLS: shape[1],
            ...(small ? { TILE: t === 1 ? 1 : 4 } : {}),
            X_STRIDE: shape[1],
            X_COL0: 0,
            OUT_STRIDE: shape[0],
            OUT_COL0: 0,
          };
          steps.push(
            await step(
              ['bytes', `w_${family}`, 'epilogue_none', small ? 'linear_small' : 'linear_tiled'],
              consts,
              { 0: w.buffer, 1: x, 2: params, 3: y },
              [Math.ceil(shape[0] / (small ? 4 : 64)), Math.ceil(t / (small ? consts.TILE : 64))],
            ),
          );
        }
        await report('generic', t, steps);
      }
      console.log(`${family} ${name}: ${line.join('; ')}`);
      for (const b of [...ws.map(w => w.buffer), x8, x, y]) b.destroy();
    }
}

/// A whole step as src/backends/webgpu/fused_decode.cc lays it out, for up to `most` tokens.
async function decode(family, most, shared) {
  const m = MODEL,
    nt = Math.min(most, 8),
    single = most === 1,
    tune = shapesFor(most),
    { weights, h, x, rope, q, o, ml, xa, gated, logits } = shared;
  const heads = { HD: m.headDim, KV_HEADS: m.kvHeads, PAGE },
    parts = { HD: m.headDim, HEADS: m.heads, SPLITS, WINDOW: 0 };
  const team = { ...P.at, SG_MIN, SG_MAX },
    kernels = {},
    steps = [],
    dot = `dot_${family}`,
    ny = t => Math.ceil(t / nt);
  const add = async (name, files, consts, buffers, grid) => {
    const s = await step(['team_subgroup', ...files], consts, buffers, grid);
    steps.push(s);
    (kernels[name] ??= []).push(s);
  };
  await add(
    'embed',
    ['q8_block', dot, 'cos_sin', 'embed_q8'],
    {
      ...team,
      WG: 256,
      ...weights.head.consts,
      VOCAB: m.vocab,
      ROT: m.headDim,
      FACTOR: { f32: 1 },
      MAGNITUDE: { f32: 1 },
    },
    { 0: weights.head.buffer, 1: shared.state, 2: params, 3: h, 4: weights.gain, 5: x, 6: shared.freqs, 7: rope },
    [most],
  );
  for (const l of weights.layers) {
    await add(
      'qkv',
      [
        'q8_block',
        dot,
        'x_q8_norm',
        'tokens_all',
        'bias_none',
        'page_of',
        'q_f32',
        'cache_put_f16',
        'put_head',
        'out_qkv',
        'one_matrix',
        'gemv_q8',
      ],
      {
        ...gemv(l.qkv, tune.qkv, 1, nt),
        ...heads,
        HEADS: m.heads,
        FIRST_HEAD: 0,
        N: qkvRows,
        EPS: 1e-5,
        INTERLEAVED: 1,
      },
      { 0: l.qkv.buffer, 1: x, 2: params, 3: q, 4: l.k, 5: l.v, 6: rope },
      [Math.ceil(qkvRows / tune.qkv[0]), ny(most)],
    );
    await add(
      'attention',
      ['splits', 'cache_f16', SG_MIN === SG_MAX ? 'attention_teams' : 'attention_split'],
      {
        ...team,
        ...attentionTeams(m.headDim, m.heads / m.kvHeads),
        WG: 256,
        ...heads,
        GQ: m.heads / m.kvHeads,
        SPLITS,
        WINDOW: 0,
        LOADS: m.headDim / 32,
        ROUNDS: Math.ceil(m.heads / m.kvHeads / 4),
        SCALE: { f32: 1 / Math.sqrt(m.headDim) },
        SOFTCAP: { f32: 0 },
      },
      { 0: q, 1: l.k, 2: params, 3: l.v, 4: o, 5: ml },
      [m.kvHeads, SPLITS, most],
    );
    if (!single) {
      await add(
        'combine',
        ['q8_block', 'put_q8', 'splits', 'combine', 'rows_attention'],
        { ...team, WG: 64, G: (m.heads * m.headDim) / 32, ...parts },
        { 0: xa, 1: o, 2: params, 3: ml },
        [Math.ceil((m.heads * m.headDim) / 256), most],
      );
    }
    await add(
      'o',
      [
        'q8_block',
        dot,
        ...(single ? ['splits', 'combine', 'x_attention'] : ['x_q8']),
        'tokens_all',
        'quantise32',
        'out_residual',
        'one_matrix',
        'gemv_q8',
      ],
      { ...gemv(l.o, tune.o, 1, nt), ...(single ? parts : {}), N: m.hidden },
      { 0: l.o.buffer, 1: single ? o : xa, 2: params, 3: h, 4: weights.gain, 5: x, ...(single ? { 6: ml } : {}) },
      [m.hidden / 32, ny(most)],
    );
    await add(
      'gate_up',
      [
        'q8_block',
        dot,
        'x_q8_norm',
        'tokens_all',
        'act_silu',
        'quantise32',
        'out_glu',
        'one_matrix',
        'gemv_q8',
      ],
      { ...gemv(l.gate_up, tune.gate_up, 2, nt), FF: m.ff, EPS: 1e-5 },
      { 0: l.gate_up.buffer, 1: x, 2: params, 3: gated },
      [m.ff / 32, ny(most)],
    );
    await add(
      'down',
      ['q8_block', dot, 'x_q8', 'tokens_all', 'quantise32', 'out_residual', 'one_matrix', 'gemv_q8'],
      { ...gemv(l.down, tune.down, 1, nt), N: m.hidden },
      { 0: l.down.buffer, 1: gated, 2: params, 3: h, 4: weights.gain, 5: x },
      [m.hidden / 32, ny(most)],
    );
  }
  await add(
    'head',
    ['q8_block', dot, 'x_q8_norm', 'tokens_wanted', 'epilogue_none', 'out_plain', 'one_matrix', 'gemv_q8'],
    { ...gemv(weights.head, tune.head, 1, nt), N: m.vocab, OUT_STRIDE: m.vocab, OUT_COL0: 0, EPS: 1e-5 },
    { 0: weights.head.buffer, 1: x, 2: params, 3: logits },
    [Math.ceil(m.vocab / 32), ny(most)],
  );
  const chunks = { VOCAB: m.vocab, CHUNK: 2048, CHUNKS: Math.ceil(m.vocab / 2048), WG: 256, ...P.at };
  const draw = async (name, buffers, grid) => {
    const s = await step(['team_workgroup', 'sample_record', name], chunks, buffers, grid);
    steps.push(s);
    (kernels.sample ??= []).push(s);
  };
  await draw('sample_scan', { 0: params, 1: logits, 2: shared.best }, [chunks.CHUNKS, most]);
  await draw('sample_draw', { 0: params, 1: logits, 2: shared.best, 3: shared.sampled, 4: shared.tokens }, [most]);
  return { steps, kernels };
}

async function steps() {
  for (const family of Object.keys(FAMILIES)) {
    const m = MODEL,
      most = 16,
      layers = [];
    for (let i = 0; i < m.layers; i++) {
      const l = {};
      for (const name of ['qkv', 'o', 'gate_up', 'down'])
        l[name] = await matrix(family, SHAPES[name], 100 * i + name.length);
      for (const c of ['k', 'v']) {
        l[c] = buffer(cachePages * m.kvHeads * PAGE * m.headDim * 2);
        await fill(l[c], i, 0xb3ffb3ff, 0x28002800);
      }
      layers.push(l);
    }
    const weights = {
      layers,
      head: await matrix(family, SHAPES.head, 7),
      gain: upload(new Float32Array(m.hidden).fill(1)),
    };
    const f = n => buffer(n * 4);
    const shared = {
      weights,
      h: f(most * m.hidden),
      x: buffer(q8Bytes(most, m.hidden)),
      rope: f(most * m.headDim),
      q: f(most * m.heads * m.headDim),
      o: f(most * m.heads * SPLITS * m.headDim),
      ml: f(most * m.heads * SPLITS * 2),
      xa: buffer(q8Bytes(most, m.heads * m.headDim)),
      gated: buffer(q8Bytes(most, m.ff)),
      logits: f(most * m.vocab),
      state: f(1024),
      sampled: f(1024),
      tokens: f(64),
      best: f(most * 256),
      freqs: upload(Float32Array.from({ length: m.headDim / 2 }, (_, i) => 500000 ** ((-2 * i) / m.headDim))),
    };
    const bytes =
      weights.head.bytes + layers.reduce((a, l) => a + l.qkv.bytes + l.o.bytes + l.gate_up.bytes + l.down.bytes, 0);
    for (const [t, kv] of software
      ? [
          [1, 100],
          [4, 100],
        ]
      : [
          [1, 128],
          [1, 1024],
          [1, 4096],
          [2, 128],
          [4, 128],
          [8, 128],
          [16, 128],
        ]) {
      setParams(t, kv);
      const made = await decode(family, t, shared),
        s = await time(made.steps),
        split = [];
      for (const [name, list] of Object.entries(made.kernels))
        split.push(`${name} ${us((await time(list, 3)) / list.length)}`);
      const cached = 2 * t * kv * m.layers * m.kvHeads * m.headDim * 2;
      console.log(
        `${family} T=${t} KV=${kv}: ${(s * 1e3).toFixed(3)} ms, ${(t / s).toFixed(0)} tok/s, ` +
          `${((bytes + cached) / s / 1e9).toFixed(0)} GB/s, ` +
          `${made.steps.length} dispatches; ${split.join(', ')}`,
      );
      if (t === 1) await pipelined(made.steps);
    }
    for (const b of [
      weights.head.buffer,
      ...layers.flatMap(l => [l.qkv.buffer, l.o.buffer, l.gate_up.buffer, l.down.buffer, l.k, l.v]),
    ])
      b.destroy();
  }
}

/// Wall-clock steps a second with several in flight, 4 bytes read back for each.
async function pipelined(list) {
  for (const depth of [1, 2, 4]) {
    await warm();
    const rooms = Array.from({ length: depth }, () => device.createBuffer({ size: 16, usage: 9 })),
      flying = [],
      n = software ? 4 : 200;
    const source = buffer(16),
      receive = async () => {
        const f = flying.shift();
        await f.done;
        f.room.unmap();
        rooms.push(f.room);
      };
    const begin = performance.now();
    for (let i = 0; i < n; i++) {
      const encoder = device.createCommandEncoder(),
        pass = encoder.beginComputePass(),
        room = rooms.shift();
      encode(pass, list);
      pass.end();
      encoder.copyBufferToBuffer(source, 0, room, 0, 4);
      queue.submit([encoder.finish()]);
      flying.push({ room, done: room.mapAsync(1) });
      if (flying.length === depth) await receive();
    }
    while (flying.length > 0) await receive();
    console.log(`  ${depth} in flight: ${((n / (performance.now() - begin)) * 1e3).toFixed(0)} steps/s wall`);
  }
}

console.log(`# ${label}`);
const wanted = process.argv.slice(2);
/// What a plain kernel reads, which is the limit that rates are held against.
async function bandwidth() {
  const bytes = software ? 1 << 24 : 1 << 30,
    b = buffer(bytes),
    out = buffer(1 << 20);
  const code = `@group(0) @binding(0) var<storage, read> a: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> o: array<u32>;
@compute @workgroup_size(256) fn main(@builtin(global_invocation_id) g: vec3<u32>,
  @builtin(num_workgroups) n: vec3<u32>) {
  var s = vec4<u32>(); for (var i = g.x; i < ${bytes / 16}u; i += n.x * 256u) { s ^= a[i]; }
  if (s.x + s.y + s.z + s.w == 12345u) { o[0] = 1u; } }`;
  const module = device.createShaderModule({ code }),
    p = device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  const group = device.createBindGroup({
    layout: p.getBindGroupLayout(0),
    entries: [b, out].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const rates = [];
  for (const n of software ? [64] : [2112, 4224, 8448]) rates.push(bytes / (await time([[p, group, [n]]])) / 1e9);
  console.log(`a plain kernel reads ${Math.max(...rates).toFixed(0)} GB/s`);
  b.destroy();
}
await bandwidth();
if (wanted.length === 0 || wanted.includes('products')) await products();
if (wanted.length === 0 || wanted.includes('step')) await steps();
if (wanted.length === 0 || wanted.includes('prefill')) await prefill(wanted.includes('validate') || software);
process.exit();
