// The kernels of steps of many tokens, one by one: tiles of packed products, what stands between the products, and
// attention over prompts.
import { SG_MIN, SG_MAX, step, submit, upload, buffer, read } from '../../bench/gpu/gpu.mjs';
import {
  normal,
  floats,
  toHalf,
  fromHalf,
  weights,
  q8Stride,
  blocks,
  unblock,
  matvec,
  P,
  params,
  cache,
  check,
} from './data.mjs';

const TEAMS = [
  ['team_subgroup', { SG_MIN, SG_MAX }],
  ['team_workgroup', {}],
];
export const zeros = n => new Array(n).fill(0);
const half = v => fromHalf(toHalf(v));
const rms = (x, eps) => Math.sqrt(x.reduce((a, v) => a + v * v, 0) / x.length + eps);

/// Every family and tile; rows that fill no tile, an output that is part of a wider matrix, parts of K.
async function tiles() {
  const n = 150,
    k = 160;
  for (const [family, ma, t, ks] of [
    ['q4', 4, 150, 1],
    ['q4m', 2, 40, 3],
    ['q8', 1, 5, 2],
    ['q8m', 1, 3, 1],
    ['q8f', 1, 16, 7],
    ['q6', 1, 4, 1],
    ['q4m16', 2, 20, 1],
    ['q4z', 1, 9, 2],
  ]) {
    const w = weights(family, n, k),
      x = blocks(floats(t * k), t, k),
      residual = floats(t * n),
      stride = n + 7,
      out = buffer(ks * t * stride * 4);
    submit([
      await step(
        ['q8_block', `dot_${family}`, ks === 1 ? 'epilogue_add' : 'epilogue_none', 'tile_rows', 'gemm_dot'],
        {
          ...P,
          MA: ma,
          KS: ks,
          G: k / 32,
          N: n,
          SCALES: w.SCALES,
          ROW_SCALES: w.ROW_SCALES,
          ROWS_SYMBOL: 0,
          ROWS_MULTIPLE: 1,
          OUT_STRIDE: stride,
          OUT_COL0: 3,
          R_STRIDE: n,
          R_COL0: 0,
        },
        {
          0: w.buffer,
          1: x.buffer,
          2: params({ tokens: zeros(t) }),
          3: out,
          4: ks === 1 ? upload(residual) : undefined,
        },
        [Math.ceil(t / (16 * ma)), Math.ceil(n / 128), ks],
      ),
    ]);
    const got = await read(out, Float32Array, ks * t * stride),
      want = matvec(w, x.value, t).map((v, i) => v + (ks === 1 ? residual[i] : 0));
    const sum = Float64Array.from(want, (_, i) => {
      let s = 0;
      for (let p = 0; p < ks; p++) s += got[(p * t + Math.floor(i / n)) * stride + 3 + (i % n)];
      return s;
    });
    check(`tile ${family} MA ${ma} T ${t} KS ${ks}`, sum, want, 1e-5);
  }
}

/// What stands between products, in both forms that the next product reads.
async function rows() {
  const k = 352,
    t = 5,
    ks = 3,
    g = k / 32;
  for (const [team, sizes] of TEAMS)
    for (const put of ['put_q8', 'put_f16']) {
      const name = `${put} ${team}`,
        consts = { ...P, ...sizes, WG: 64, G: g },
        block = params({ tokens: zeros(t), rows: [1, 4] });
      const room = rows => buffer(rows * (put === 'put_q8' ? q8Stride(g) * 16 : 2 * k));
      const values = async (b, rows) =>
        put === 'put_q8'
          ? (await unblock(b, rows, k)).value
          : Float64Array.from(await read(b, Uint16Array, rows * k), fromHalf);
      const files = put === 'put_q8' ? ['q8_block', put] : [put],
        bound = put === 'put_q8' ? 1e-2 : 1e-3;

      const wide = floats(t * (k + 32)),
        plain = room(t);
      submit([
        await step(
          [team, ...files, 'rows_plain'],
          { ...consts, X_STRIDE: k + 32, X_COL0: 16 },
          { 0: plain, 1: upload(wide) },
          [Math.ceil(k / 256), t],
        ),
      ]);
      const cut = Float64Array.from({ length: t * k }, (_, i) => wide[Math.floor(i / k) * (k + 32) + 16 + (i % k)]);
      check(`rows ${name}`, await values(plain, t), cut, bound);

      const y = floats(ks * t * 2 * k),
        glu = room(t);
      submit([
        await step(
          [team, ...files, 'act_silu', 'rows_glu'],
          { ...consts, KS: ks },
          { 0: glu, 1: upload(y), 2: block },
          [Math.ceil(k / 256), t],
        ),
      ]);
      const part = (i, c) => [0, 1, 2].reduce((a, p) => a + y[(p * t + i) * 2 * k + c], 0);
      const gated = Float64Array.from({ length: t * k }, (_, i) => {
        const a = part(Math.floor(i / k), i % k);
        return (a / (1 + Math.exp(-a))) * part(Math.floor(i / k), k + (i % k));
      });
      check(`glu ${name}`, await values(glu, t), gated, bound);

      const h = floats(t * k),
        gain = floats(k),
        add = floats(ks * t * k);
      const after = h.map((v, i) => v + add[i] + add[t * k + i] + add[2 * t * k + i]);
      for (const [tokens, which, parts] of [
        ['tokens_all', [0, 1, 2, 3, 4], ks],
        ['tokens_all', [0, 1, 2, 3, 4], 0],
        ['tokens_wanted', [1, 4], ks],
      ]) {
        const hBuffer = upload(h),
          out = room(which.length),
          full = parts ? after : h;
        submit([
          await step(
            [team, ...files, tokens, 'post_none', 'parts_summed', 'rows_norm'],
            { ...consts, KS: parts, TURNS: Math.ceil((8 * g) / 64), EPS: 1e-5 },
            { 0: out, 1: hBuffer, 2: block, 3: upload(gain), 4: upload(add) },
            [which.length],
          ),
        ]);
        const want = which.flatMap(i => {
          const x = full.subarray(i * k, i * k + k),
            f = rms(x, 1e-5);
          return [...x].map((v, c) => (v / f) * gain[c]);
        });
        check(`norm ${name} ${tokens} ${parts}`, await values(out, which.length), want, bound);
        const now = await read(hBuffer, Float32Array, t * k);
        for (const i of which)
          check(`residual ${name}`, now.subarray(i * k, i * k + k), full.subarray(i * k, i * k + k), 1e-6);
      }
    }
}

/// q, k and v of a prompt of one sequence and a token of another: biases or norms, every cache, q in f32 or f16.
const HEADS = [
  ['bias_none', 'plain_heads', 'f16', 'q_f32', 32],
  ['bias_of_rows', 'plain_heads', 'f16', 'q_f16', 32],
  ['bias_of_rows', 'plain_heads', 'q8_0', 'q_f32', 64],
  ['bias_none', 'normed_heads', 'f32', 'q_f32', 32],
  ['bias_none', 'normed_heads', 'q8_0', 'q_f16', 128],
];
async function heads() {
  for (const [team, sizes] of TEAMS)
    for (const interleaved of [0, 1]) for (const kind of HEADS) await oneHeads(team, sizes, interleaved, kind);
}
async function oneHeads(team, sizes, interleaved, [bias_, norm_, format, file, hd]) {
  const headCount = 4,
    kvHeads = 2,
    n = (headCount + 2 * kvHeads) * hd,
    page = 32,
    positions = [30, 31, 32, 70],
    t = positions.length,
    ks = 2,
    pageValues = kvHeads * page * hd,
    biased = bias_ === 'bias_of_rows',
    normed = norm_ === 'normed_heads';
  const y = floats(ks * t * n),
    bias = floats(n),
    gains = [floats(hd), floats(hd)],
    rope = floats(t * hd),
    keys = cache(format, 8, pageValues, false),
    values = cache(format, 8, pageValues, false);
  const q = buffer(t * headCount * hd * 4);
  const block = params({
    tokens: zeros(t),
    positions,
    sequences: [0, 0, 0, 1],
    seqs: [
      [33, 0],
      [71, 2],
    ],
    tail: [3, 5, 7, 1, 4],
  });
  const consts = {
    ...P,
    ...sizes,
    WG: 64,
    HEADS: headCount,
    FIRST_HEAD: 0,
    N: n,
    KV_HEADS: kvHeads,
    HD: hd,
    PAGE: page,
    KS: ks,
    INTERLEAVED: interleaved,
    HEAD_EPS: { f32: 1e-5 },
  };
  const buffers = { 0: upload(y), 1: upload(rope), 2: block, 3: q, 4: keys.buffer, 5: values.buffer };
  if (biased) buffers[6] = upload(bias);
  if (normed) [buffers[6], buffers[7]] = gains.map(g => upload(g));
  submit([
    await step(
      [team, bias_, norm_, 'page_of', file, `cache_put_${format}`, 'put_head', 'rows_qkv'],
      consts,
      buffers,
      [Math.ceil(n / 256), t],
    ),
  ]);
  const wantQ = [],
    want = [],
    got = [],
    [key, value] = [await keys.get(), await values.get()];
  for (let i = 0; i < t; i++) {
    const v = Float64Array.from({ length: n }, (_, r) => y[i * n + r] + y[(t + i) * n + r] + (biased ? bias[r] : 0));
    for (let head = 0; head < headCount + kvHeads; head++) {
      const own = v.subarray(head * hd, head * hd + hd);
      if (normed) {
        const f = rms(own, 1e-5);
        own.forEach((x, d) => (own[d] = (x / f) * gains[head < headCount ? 0 : 1][d]));
      }
      for (let j = 0; j < hd / 2; j++) {
        const a = interleaved ? 2 * j : j,
          b = a + (interleaved ? 1 : hd / 2),
          [c, s] = rope.subarray(i * hd + 2 * j, i * hd + 2 * j + 2);
        [own[a], own[b]] = [own[a] * c - own[b] * s, own[a] * s + own[b] * c];
      }
    }
    wantQ.push(...v.subarray(0, headCount * hd));
    const [at, place] = [
      [3, 30],
      [3, 31],
      [5, 0],
      [4, 6],
    ][i];
    for (let kv = 0; kv < kvHeads; kv++)
      for (let d = 0; d < hd; d++) {
        want.push(v[(headCount + kv) * hd + d], v[(headCount + kvHeads + kv) * hd + d]);
        const where = (kv * page + place) * hd + d;
        got.push(key(at, where), value(at, where));
      }
  }
  const gotQ =
    file === 'q_f32'
      ? await read(q, Float32Array, wantQ.length)
      : Float64Array.from(await read(q, Uint16Array, wantQ.length), fromHalf);
  const name = `${team} ${file} ${format} HD ${hd} ${interleaved ? 'neighbours' : 'halves'} ${bias_} ${norm_}`;
  check(`q ${name}`, gotQ, wantQ, 1e-3);
  check(`k, v ${name}`, got, want, format === 'q8_0' ? 2e-2 : format === 'f32' ? 1e-5 : 1e-3);
}

/// Attention by definition of query rows [t * heads * hd] over a paged cache().
export function attended(q, keys, values, { hd, gq, kvHeads, page, window, softcap, scale }, tokens) {
  const heads = kvHeads * gq,
    want = new Float64Array(tokens.length * heads * hd);
  tokens.forEach(({ position, pages }, i) => {
    for (let h = 0; h < heads; h++) {
      const kv = Math.floor(h / gq),
        begin = window ? Math.max(0, position + 1 - window) : 0,
        s = [];
      const of = (cache, p, d) => cache.value(pages[Math.floor(p / page)], (kv * page + (p % page)) * hd + d);
      for (let p = begin; p <= position; p++) {
        let dot = 0;
        for (let d = 0; d < hd; d++) dot += q[(i * heads + h) * hd + d] * of(keys, p, d);
        s.push(softcap ? softcap * Math.tanh((dot * scale) / softcap) : dot * scale);
      }
      const top = Math.max(...s),
        e = s.map(v => Math.exp(v - top)),
        sum = e.reduce((a, v) => a + v);
      e.forEach((v, j) => {
        for (let d = 0; d < hd; d++) want[(i * heads + h) * hd + d] += (v / sum) * of(values, begin + j, d);
      });
    }
  });
  return want;
}

/// Two prompts and single tokens of other sequences in one step, pages in no order.
export const RUNS = [
  { first: 37, count: 45 },
  { first: 0, count: 23 },
  { first: 100, count: 1 },
  { first: 63, count: 1 },
  { first: 0, count: 7 },
];
export function mixedStep(page) {
  const tail = [],
    tokens = [],
    seqs = [];
  RUNS.forEach(({ first, count }, s) => {
    const pages = Array.from({ length: Math.ceil((first + count) / page) }, (_, i) => (i * 3 + s * 5) % 31);
    seqs.push([first + count, tail.length]);
    tail.push(...pages);
    for (let i = 0; i < count; i++) tokens.push({ position: first + i, sequence: s, pages });
  });
  const block = params({
    tokens: zeros(tokens.length),
    positions: tokens.map(t => t.position),
    sequences: tokens.map(t => t.sequence),
    seqs,
    tail,
  });
  return { tokens, block };
}

// Head size, queries a kv head, page, window, softcap, what it leaves, the cache.
const ATTENTIONS = [
  [64, 4, 32, 0, 0, 'f32', 'q8_0'],
  [128, 3, 64, 40, 0, 'f16', 'f16'],
  [256, 1, 128, 0, 2, 'f32', 'f16'],
  [32, 8, 32, 0, 0, 'f32', 'f32'],
  [64, 7, 32, 33, 0, 'f16', 'f16'],
];
async function flash() {
  for (const [hd, gq, page, window, softcap, kind, format] of ATTENTIONS)
    await oneFlash([`attended_${kind}`, 'flash'], { hd, gq, page, window, softcap, kind, format });
}
export async function oneFlash(files, { hd, gq, page, window, softcap, kind, format = 'f16' }, extra = {}) {
  const kvHeads = 2,
    heads = kvHeads * gq,
    scale = 1 / Math.sqrt(hd),
    { tokens, block } = mixedStep(page),
    t = tokens.length,
    isMatrix = files.at(-1) === 'flash_matrix';
  const keys = cache(format, 31, kvHeads * page * hd, true),
    values = cache(format, 31, kvHeads * page * hd, true),
    q = floats(t * heads * hd).map(half),
    out = buffer(t * heads * hd * 4);
  const consts = {
    ...P,
    HD: hd,
    GQ: gq,
    KV_HEADS: kvHeads,
    PAGE: page,
    WINDOW: window,
    SCALE: { f32: scale },
    SOFTCAP: { f32: softcap },
    RUNS: 3,
    OUT_STRIDE: heads * hd,
    OUT_COL0: 0,
    ...(isMatrix ? extra : { QUADS: Math.max(1, hd / 64), Q_STRIDE: heads * hd, Q_COL0: 0 }),
  };
  submit([
    await step(
      [`cache_${format}`, ...files],
      consts,
      {
        0: upload(isMatrix ? Uint16Array.from(q, toHalf) : q),
        1: keys.buffer,
        2: block,
        3: values.buffer,
        4: out,
      },
      [kvHeads, Math.ceil(t / Math.floor(64 / gq)), 3],
    ),
  ]);
  const got =
    kind === 'f32'
      ? await read(out, Float32Array, t * heads * hd)
      : Float64Array.from(await read(out, Uint16Array, t * heads * hd), fromHalf);
  const want = attended(q, keys, values, { hd, gq, kvHeads, page, window, softcap, scale }, tokens);
  const name = `${files.at(-1)} ${format} HD ${hd} GQ ${gq} PAGE ${page} window ${window} softcap ${softcap}`;
  check(name, got, want, kind === 'f32' && !isMatrix ? 1e-5 : 1e-3);
}

export const prefill = { tiles, rows, heads, flash };
