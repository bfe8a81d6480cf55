// Whole prefills and batches as src/backends/webgpu/fused_prefill.cc lays them out.
import { SG_MAX, SG_MIN, buffer, fill, software, step, time, upload } from './gpu.mjs';
import {
  MODEL,
  PAGE,
  P,
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
import { KINDS, TILES, attention, attentionConsts, gemm, heads, parts, perKv, put, setPrompt, team } from './tiles.mjs';

/// The dispatches of a whole step of t tokens; `batch`: single tokens, whose caches are split, else prompts.
async function wholeStep(kind, model, t, batch) {
  const m = MODEL,
    steps = [],
    kernels = {},
    width = m.heads * m.headDim,
    f = n => buffer(n * 4);
  const { h, q, rope, xn, xa, xg, y, o, ml, logits } = model.room(kind);
  const add = async (name, files, consts, buffers, grid) => {
    const s = await step(files, consts, buffers, grid);
    steps.push(s);
    (kernels[name] ??= []).push(s);
  };
  const product = async (name, w, x) => {
    const tile = TILES[kind](t),
      ks = parts(kind, tile, w.n, w.k, t),
      s = await gemm(kind, tile, ks, w, t, x, y);
    steps.push(s);
    (kernels[name] ??= []).push(s);
    return ks;
  };
  const norm = (ks, tokens = 'tokens_all', form = kind, rows = t) =>
    add(
      'norm',
      ['team_subgroup', ...put(form), tokens, 'post_none', 'parts_summed', 'rows_norm'],
      { ...team, WG: 256, G: m.hidden / 32, KS: ks, TURNS: Math.ceil(m.hidden / 4 / 256), EPS: 1e-5 },
      { 0: tokens === 'tokens_all' ? xn : model.last, 1: h, 2: params, 3: model.gain, 4: y },
      [rows],
    );
  const dot = `dot_${model.head.family}`;
  await add(
    'embed',
    ['team_subgroup', 'q8_block', dot, 'cos_sin', 'embed_q8'],
    {
      ...team,
      WG: 256,
      ...model.head.consts,
      VOCAB: m.vocab,
      ROT: m.headDim,
      FACTOR: { f32: 1 },
      MAGNITUDE: { f32: 1 },
    },
    { 0: model.head.buffer, 1: model.state, 2: params, 3: h, 4: model.gain, 5: model.unused, 6: model.freqs, 7: rope },
    [t],
  );
  let pending = 0;
  for (const l of model.layers) {
    await norm(pending);
    const qkv = await product('qkv', l.qkv, xn),
      halves = kind === 'matrix' && !batch;
    await add(
      'rows_qkv',
      [
        'team_subgroup',
        'bias_none',
        'page_of',
        halves ? 'q_f16' : 'q_f32',
        'plain_heads',
        'cache_put_f16',
        'put_head',
        'rows_qkv',
      ],
      { ...team, WG: 64, ...heads, HEADS: m.heads, FIRST_HEAD: 0, N: qkvRows, KS: qkv, INTERLEAVED: 1 },
      { 0: y, 1: rope, 2: params, 3: q, 4: l.k, 5: l.v },
      [Math.ceil(qkvRows / 256), t],
    );
    if (batch) {
      await add(
        'attention',
        ['team_subgroup', 'splits', 'cache_f16', SG_MIN === SG_MAX ? 'attention_teams' : 'attention_split'],
        {
          ...attentionConsts,
          ...attentionTeams(m.headDim, perKv),
          ...team,
          WG: 256,
          SPLITS,
          LOADS: m.headDim / 32,
          ROUNDS: Math.ceil(perKv / 4),
        },
        { 0: q, 1: l.k, 2: params, 3: l.v, 4: o, 5: ml },
        [m.kvHeads, SPLITS, t],
      );
      await add(
        'combine',
        ['team_subgroup', ...put(kind), 'splits', 'combine', 'rows_attention'],
        { ...team, WG: 64, G: width / 32, HD: m.headDim, HEADS: m.heads, SPLITS, WINDOW: 0 },
        { 0: xa, 1: o, 2: params, 3: ml },
        [Math.ceil(width / 256), t],
      );
    } else {
      const s = await attention(kind, q, l.k, l.v, halves ? xa : o, t);
      steps.push(s);
      (kernels.attention ??= []).push(s);
      if (!halves)
        await add(
          'rows',
          ['team_subgroup', ...put(kind), 'rows_plain'],
          { ...team, WG: 256, G: width / 32, X_STRIDE: width, X_COL0: 0 },
          { 0: xa, 1: o },
          [Math.ceil(width / 1024), t],
        );
    }
    await norm(await product('o', l.o, xa));
    if (kind === 'matrix' && parts(kind, TILES[kind](t), l.gate_up.n, l.gate_up.k, t) === 1) {
      const s = await gemm(kind, TILES[kind](t), 1, l.gate_up, t, xn, xg, { after: ['store_glu', 'act_silu'] });
      steps.push(s);
      (kernels.gate_up ??= []).push(s);
    } else {
      const glu = await product('gate_up', l.gate_up, xn);
      await add(
        'rows_glu',
        ['team_subgroup', ...put(kind), 'act_silu', 'rows_glu'],
        { ...team, WG: 256, G: m.ff / 32, KS: glu },
        { 0: xg, 1: y, 2: params },
        [Math.ceil(m.ff / 1024), t],
      );
    }
    pending = await product('down', l.down, xg);
  }
  const wanted = batch ? t : 1;
  if (batch) {
    await norm(pending, 'tokens_wanted', kind, wanted);
    const tile = TILES[kind](t),
      s = await gemm(kind, tile, 1, model.head, t, model.last, logits, { symbol: 1 });
    steps.push(s);
    kernels.head = [s];
  } else {
    await norm(pending, 'tokens_wanted', 'dot', wanted);
    await add(
      'head',
      [
        'team_subgroup',
        'q8_block',
        dot,
        'x_q8',
        'tokens_rows',
        'epilogue_none',
        'out_plain',
        'one_matrix',
        'gemv_q8',
      ],
      {
        ...team,
        WG: 256,
        OUT: 32,
        ROWS: 32,
        R: 4,
        KS: 1,
        NT: 1,
        ...model.head.consts,
        N: m.vocab,
        OUT_STRIDE: m.vocab,
        OUT_COL0: 0,
      },
      { 0: model.head.buffer, 1: model.last, 2: params, 3: logits },
      [Math.ceil(m.vocab / 32)],
    );
  }
  return { steps, kernels };
}

export async function whole() {
  const m = MODEL,
    family = 'q4',
    layers = [],
    most = software ? 96 : 512,
    width = m.heads * m.headDim,
    f = n => buffer(n * 4);
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
  const shared = {
    h: f(most * m.hidden),
    q: f(most * width),
    rope: f(most * m.headDim),
    xn: f(most * m.hidden),
    xa: f(most * width),
    xg: f(most * m.ff),
    y: f(Math.max(most * 2 * m.ff, 64 * 8 * 2 * m.ff)),
    o: f(64 * m.heads * SPLITS * m.headDim + most * width),
    ml: f(64 * m.heads * SPLITS * 2),
    logits: f(64 * m.vocab),
  };
  const model = {
    layers,
    head: await matrix(family, SHAPES.head, 7),
    gain: upload(new Float32Array(m.hidden).fill(1)),
    state: f(1024),
    unused: buffer(q8Bytes(most, m.hidden)),
    last: f(64 * m.hidden),
    freqs: upload(Float32Array.from({ length: m.headDim / 2 }, (_, i) => 500000 ** ((-2 * i) / m.headDim))),
    room: () => shared,
  };
  for (const kind of KINDS) {
    if (kind === 'matrix' && ![64, 128].includes(m.headDim)) continue;
    for (const prompt of software ? [80] : [512, 2048]) {
      const chunk = Math.min(prompt, most);
      let total = 0,
        split = '';
      const made = await wholeStep(kind, model, chunk, false);
      for (let kv = chunk; kv <= prompt; kv += chunk) {
        setPrompt(chunk, kv);
        total += await time(made.steps, 3);
      }
      for (const [name, list] of Object.entries(made.kernels)) {
        const s = await time(list, 2);
        split += ` ${name} ${(s * 1e3).toFixed(2)}`;
      }
      console.log(
        `prefill ${kind} ${prompt}: ${(total * 1e3).toFixed(1)} ms, ${(prompt / total).toFixed(0)} tok/s; ` +
          `ms of the last ${chunk}:${split}`,
      );
    }
    for (const t of software ? [17] : [16, 32, 64]) {
      setParams(t, 128);
      const made = await wholeStep(kind, model, t, true),
        s = await time(made.steps, 5);
      let split = '';
      for (const [name, list] of Object.entries(made.kernels))
        split += ` ${name} ${((await time(list, 2)) * 1e3).toFixed(2)}`;
      console.log(`batch ${kind} T=${t} KV=128: ${(s * 1e3).toFixed(2)} ms, ${(t / s).toFixed(0)} tok/s; ms:${split}`);
    }
  }
}
