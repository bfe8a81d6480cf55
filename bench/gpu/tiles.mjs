// What the measurements of steps of many tokens share with src/backends/webgpu/gemm.cc: tiles, and how kernels are put
// together.
import { SG_MIN, SG_MAX, hasMatrix, queue, step } from './gpu.mjs';
import { MODEL, P, PAGE, cachePages, params, q8Bytes } from './model.mjs';

export const team = { ...P.at, SG_MIN, SG_MAX };
export const KINDS = hasMatrix ? ['matrix', 'dot'] : ['dot'];
export const sum = list => list.reduce((a, v) => a + v, 0);

/// Constants of gemm_matrix.wgsl for a tile of bm x bn x bk by wm x wn subgroups.
export function matrixTile([bm, bn, bk, wm, wn]) {
  const threads = wm * wn * 32,
    f = bn / wn + 4;
  return {
    BM: bm,
    BN: bn,
    BK: bk,
    WM: wm,
    WN: wn,
    TM: bm / wm / 16,
    TN: bn / wn / 16,
    KK: bk / 16,
    P: bk + 8,
    F: f,
    LA: (bm * bk) / 8 / threads,
    LB: (bn * bk) / 32 / threads,
    TILE_BYTES: Math.max((bm + bn) * (bk + 8) * 2, wm * wn * 16 * f * 4),
  };
}
/// As gemm.cc chooses.
export const TILES = {
  matrix: t =>
    t <= 16 ? [16, 64, 64, 1, 4] : t <= 32 ? [32, 128, 64, 1, 4] : t <= 64 ? [64, 64, 64, 2, 2] : [128, 128, 32, 2, 2],
  dot: t => (t <= 16 ? 1 : t <= 32 ? 2 : 4),
};
/// Other tiles that are measured, by the number of tokens.
const MATRIX_RIVALS = [
  [16, [16, 256, 64, 1, 4], [16, 128, 32, 1, 2], [16, 128, 128, 1, 8]],
  [32, [32, 256, 64, 1, 4], [32, 128, 64, 1, 2], [32, 128, 32, 1, 4], [32, 128, 64, 1, 8]],
  [64, [64, 128, 32, 2, 2], [64, 64, 64, 1, 4], [64, 128, 64, 1, 4]],
  [Infinity, [128, 128, 64, 2, 2], [128, 64, 64, 2, 2], [64, 128, 32, 1, 4]],
];
export const RIVALS = {
  matrix: t => MATRIX_RIVALS.find(([most]) => t <= most).slice(1),
  dot: t => (t <= 32 ? [] : t <= 64 ? [2] : [8]),
};
export function gemm(kind, tile, ks, w, t, x, out, { symbol = 0, after = ['store_rows', 'epilogue_none'] } = {}) {
  const common = { KS: ks, ...w.consts, N: w.n, ROWS_SYMBOL: symbol, ROWS_MULTIPLE: 1, OUT_STRIDE: w.n, OUT_COL0: 0 },
    dot = ['q8_block', `dot_${w.family}`],
    buffers = { 0: w.buffer, 1: x, 2: params, 3: out };
  if (kind === 'dot')
    return step([...dot, 'epilogue_none', 'tile_rows', 'gemm_dot'], { MA: tile, ...common }, buffers, [
      Math.ceil(t / (16 * tile)),
      Math.ceil(w.n / 128),
      ks,
    ]);
  return step(
    [...dot, 'matrices', 'half', ...after, 'tile_rows', 'gemm_matrix'],
    { ...matrixTile(tile), ...common },
    buffers,
    [Math.ceil(t / tile[0]), Math.ceil(w.n / tile[1]), ks],
  );
}
/// Parts of K, as gemm.cc.
export function parts(kind, tile, n, k, t) {
  const [bm, bn, bk] = kind === 'dot' ? [16 * tile, 128, 32] : tile;
  const most = kind === 'dot' ? (t <= 64 ? 900 : 400) : bm <= 16 ? 512 : 320;
  const groups = Math.ceil(t / bm) * Math.ceil(n / bn);
  let ks = 1;
  while (ks < 8 && groups * ks * 2 <= most && k / bk / (ks * 2) >= 8) ks *= 2;
  return ks;
}
export const put = kind => (kind === 'dot' ? ['q8_block', 'put_q8'] : ['put_f16']);
export const activationBytes = (kind, t, k) => (kind === 'dot' ? q8Bytes(t, k) : 2 * t * k);

export const heads = { HD: MODEL.headDim, KV_HEADS: MODEL.kvHeads, PAGE };
export const perKv = MODEL.heads / MODEL.kvHeads;
export const attentionConsts = {
  ...P.at,
  ...heads,
  GQ: perKv,
  WINDOW: 0,
  SCALE: { f32: 1 / Math.sqrt(MODEL.headDim) },
  SOFTCAP: { f32: 0 },
  RUNS: Math.min(8, Math.floor(64 / perKv)),
};
export function attention(kind, q, k, v, out, t, as = kind === 'matrix' ? 'f16' : 'f32') {
  const grid = [MODEL.kvHeads, Math.ceil(t / Math.floor(64 / perKv)), attentionConsts.RUNS],
    stride = MODEL.heads * MODEL.headDim;
  const buffers = { 0: q, 1: k, 2: params, 3: v, 4: out },
    view = as === 'f32' ? { OUT_STRIDE: stride, OUT_COL0: 0 } : {};
  if (kind === 'matrix') {
    const p = MODEL.headDim + 8;
    const tile = { P: p, F: 68, DS: MODEL.headDim / 16, TILE_BYTES: 64 * p * 2 + 64 * 68 * 4 };
    return step(
      ['matrices', `attended_${as}`, 'cache_f16', 'flash_matrix'],
      { ...attentionConsts, ...view, ...tile },
      buffers,
      grid,
    );
  }
  const consts = { ...attentionConsts, ...view, QUADS: Math.max(1, MODEL.headDim / 64), Q_STRIDE: stride, Q_COL0: 0 };
  return step([`attended_${as}`, 'cache_f16', 'flash'], consts, buffers, grid);
}
/// One sequence of `kv` positions, the last t of which are the step; pages in no order.
export function setPrompt(t, kv) {
  const words = new Uint32Array(P.words),
    pages = Math.ceil(kv / PAGE);
  words.set([t, 1, 1, kv]);
  for (let i = 0; i < t; i++) {
    words[P.at.P_TOKENS + i] = i + 1;
    words[P.at.P_POSITIONS + i] = kv - t + i;
  }
  words.set([kv, 0], P.at.P_SEQS);
  words[P.at.P_ROWS] = t - 1;
  for (let p = 0; p < pages; p++) words[P.at.P_PAGES + p] = (p * 37 + 11) % cachePages;
  queue.writeBuffer(params, 0, words);
}
