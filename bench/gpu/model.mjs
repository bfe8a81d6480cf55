// The Llama-3-8B of the benchmarks: its shapes, random weights in planes, the params block.
import { SG_MIN, buffer, fill, queue, software } from './gpu.mjs';

export const MODEL = software
  ? { hidden: 256, heads: 8, kvHeads: 2, headDim: 32, ff: 512, vocab: 1024, layers: 2 }
  : { hidden: 4096, heads: 32, kvHeads: 8, headDim: 128, ff: 14336, vocab: 128256, layers: 32 };
export const PAGE = 32,
  SPLITS = Number(process.env.SPLITS ?? 16),
  MAX_TOKENS = 2048,
  MAX_PAGES = 4096;
export const qkvRows = (MODEL.heads + 2 * MODEL.kvHeads) * MODEL.headDim;
export const SHAPES = {
  qkv: [qkvRows, MODEL.hidden],
  o: [MODEL.hidden, MODEL.heads * MODEL.headDim],
  gate_up: [2 * MODEL.ff, MODEL.hidden],
  down: [MODEL.hidden, MODEL.ff],
  head: [MODEL.vocab, MODEL.hidden],
};
// As src/backends/webgpu/planes.h: bits of codes, words of scales.
export const FAMILIES = {
  q4: { bits: 4, scales: g => (g + (g % 2)) / 2, rowScales: g => g + (g % 2), mask: [0x03ff03ff, 0x18001800] },
  q4m: { bits: 4, scales: g => g, rowScales: g => g, mask: [0x03ff03ff, 0x18001800] },
  q8: { bits: 8, scales: g => (g + (g % 2)) / 2, rowScales: g => g + (g % 2), mask: [0x03ff03ff, 0x10001000] },
};

export async function matrix(family, [n, k], seed) {
  const f = FAMILIES[family],
    codes = (n * k * f.bits) / 8,
    scalesAt = Math.ceil(codes / 256) * 256;
  const bytes = scalesAt + n * f.scales(k / 32) * 4,
    b = buffer(bytes);
  await fill(b, seed, ...f.mask); // codes out of the scales' pattern: as random as a product needs
  return {
    buffer: b,
    bytes,
    n,
    k,
    family,
    consts: { SCALES: scalesAt / 16, ROW_SCALES: f.rowScales(k / 32), G: k / 32 },
  };
}

export const P = (() => {
  // graph/params.h
  const at = {};
  let word = 16;
  const part = (name, words) => {
    at[name] = word;
    word += words;
  };
  part('P_TOKENS', MAX_TOKENS);
  part('P_POSITIONS', MAX_TOKENS);
  part('P_SEQUENCES', MAX_TOKENS);
  part('P_SEQS', 4 * 64);
  part('P_ROWS', 64);
  part('P_SAMPLES', 16 * 64);
  part('P_PAGES', MAX_PAGES);
  return { at, words: word };
})();
export const params = buffer(P.words * 4);
/// T tokens, each of its own sequence whose cache ends with it at `kv` positions; pages in no order.
export function setParams(t, kv) {
  const words = new Uint32Array(P.words),
    pages = Math.ceil(kv / PAGE);
  words.set([t, t, t, kv]);
  for (let i = 0; i < t; i++) {
    words[P.at.P_TOKENS + i] = i + 1;
    words[P.at.P_POSITIONS + i] = kv - 1;
    words[P.at.P_SEQUENCES + i] = i;
    words.set([kv, i * pages], P.at.P_SEQS + 4 * i);
    words[P.at.P_ROWS + i] = i;
    for (let p = 0; p < pages; p++) words[P.at.P_PAGES + i * pages + p] = (i * pages + ((p * 37) % pages)) % cachePages;
  }
  queue.writeBuffer(params, 0, words);
}
export const cachePages = software ? 64 : 512; // of a layer

/// What attention_teams.wgsl is told more than attention_split.wgsl, as src/backends/webgpu/fused_model.cc does.
export function attentionTeams(hd, gq) {
  const pieces = hd / 8,
    abreast = Math.max(1, SG_MIN / pieces),
    sets = Math.max(1, pieces / SG_MIN),
    ofHead = (256 / SG_MIN) * hd * 4;
  return {
    SETS: sets,
    PLACES: hd / 32 / sets,
    SHARES: Math.log2(SG_MIN / 4),
    FOLDS: Math.log2(abreast),
    PASS: Math.min(gq, Math.max(1, Math.floor(8192 / ofHead))),
  };
}

export const q8Bytes = (t, k) => t * 16 * (2 * (k / 32) + Math.ceil(k / 64) + Math.ceil(k / 128));
