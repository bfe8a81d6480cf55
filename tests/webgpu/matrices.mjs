// The kernels on subgroup matrices: products and attention, played with emulated matrices where a device has none, and
// compiled with real ones.
import { compose, hasMatrix, nullDevice, step, submit, upload, buffer, read } from '../../bench/gpu/gpu.mjs';
import { normal, floats, toHalf, fromHalf, weights, matvec, P, params, check, same } from './data.mjs';
import { oneFlash, zeros } from './prefill.mjs';

/// Constants of gemm_matrix.wgsl, as src/backends/webgpu/gemm.cc derives them.
function matrixTile([bm, bn, bk, wm, wn]) {
  const threads = wm * wn * 32,
    tn = bn / wn / 16,
    f = tn * 16 + 4;
  return {
    BM: bm,
    BN: bn,
    BK: bk,
    WM: wm,
    WN: wn,
    TM: bm / wm / 16,
    TN: tn,
    KK: bk / 16,
    P: bk + 8,
    F: f,
    LA: (bm * bk) / 8 / threads,
    LB: (bn * bk) / 32 / threads,
    TILE_BYTES: Math.max((bm + bn) * (bk + 8) * 2, wm * wn * 16 * f * 4),
  };
}
const FLASH_MATRIX = hd => ({ P: hd + 8, F: 68, DS: hd / 16, TILE_BYTES: 64 * (hd + 8) * 2 + 64 * 68 * 4 });
const MATRICES = hasMatrix ? 'matrices' : '../../tests/webgpu/matrices_emulated';
/// Weights of every family times f16 activations on subgroup matrices.
async function matrices() {
  for (const [family, [bm, bn, bk, wm, wn], n, k, t, ks] of [
    ['q4', [32, 64, 64, 2, 2], 60, 192, 40, 1],
    ['q8', [16, 64, 64, 1, 4], 70, 192, 5, 3],
    ...['q4m', 'q4m16', 'q6', 'q8m', 'q8f'].map(f => [f, [16, 32, 32, 1, 1], 30, 64, 16, 1]),
  ]) {
    const w = weights(family, n, k),
      x = Uint16Array.from({ length: t * k }, () => toHalf(normal())),
      residual = floats(t * n),
      out = buffer(ks * t * n * 4);
    submit([
      await step(
        [
          'q8_block',
          `dot_${family}`,
          MATRICES,
          'half',
          'store_rows',
          ks === 1 ? 'epilogue_add' : 'epilogue_none',
          'tile_rows',
          'gemm_matrix',
        ],
        {
          ...P,
          ...matrixTile([bm, bn, bk, wm, wn]),
          KS: ks,
          G: k / 32,
          N: n,
          SCALES: w.SCALES,
          ROW_SCALES: w.ROW_SCALES,
          ROWS_SYMBOL: 0,
          ROWS_MULTIPLE: 1,
          OUT_STRIDE: n,
          OUT_COL0: 0,
          R_STRIDE: n,
          R_COL0: 0,
        },
        {
          0: w.buffer,
          1: upload(x),
          2: params({ tokens: zeros(t) }),
          3: out,
          4: ks === 1 ? upload(residual) : undefined,
        },
        [Math.ceil(t / bm), Math.ceil(n / bn), ks],
      ),
    ]);
    const got = await read(out, Float32Array, ks * t * n),
      want = matvec(w, Float64Array.from(x, fromHalf), t).map((v, i) => v + (ks === 1 ? residual[i] : 0));
    const sum = Float64Array.from(want, (_, i) =>
      Array.from({ length: ks }, (_, p) => got[p * t * n + i]).reduce((a, v) => a + v),
    );
    check(`matrix tile ${family} T ${t} KS ${ks}`, sum, want, 1e-3);
  }
}

/// The product that stores act(gate) * up.
async function matrixGlu() {
  const n = 72,
    k = 64,
    t = 5,
    w = weights('q8', n, k),
    x = Uint16Array.from({ length: t * k }, () => toHalf(normal())),
    out = buffer(t * n);
  submit([
    await step(
      ['q8_block', 'dot_q8', MATRICES, 'half', 'store_glu', 'act_silu', 'tile_rows', 'gemm_matrix'],
      {
        ...P,
        ...matrixTile([16, 64, 64, 1, 4]),
        KS: 1,
        G: k / 32,
        N: n,
        SCALES: w.SCALES,
        ROW_SCALES: w.ROW_SCALES,
        ROWS_SYMBOL: 0,
        ROWS_MULTIPLE: 1,
      },
      { 0: w.buffer, 1: upload(x), 2: params({ tokens: zeros(t) }), 3: out },
      [1, 2],
    ),
  ]);
  const y = matvec(w, Float64Array.from(x, fromHalf), t);
  const want = Float64Array.from({ length: (t * n) / 2 }, (_, i) => {
    const row = Math.floor(i / (n / 2)) * n + (i % (n / 2));
    return (y[row] / (1 + Math.exp(-y[row]))) * y[row + n / 2];
  });
  check('matrix tile GLU', Float64Array.from(await read(out, Uint16Array, (t * n) / 2), fromHalf), want, 2e-3);
}

/// (Emulated matrices take minutes to compile: only where there are real ones.)
async function flashMatrix() {
  if (!hasMatrix) return;
  for (const [hd, gq, page, window, softcap, kind] of [
    [64, 4, 32, 0, 0, 'f16'],
    [128, 3, 64, 40, 2, 'f32'],
  ])
    await oneFlash(
      [MATRICES, `attended_${kind}`, 'flash_matrix'],
      { hd, gq, page, window, softcap, kind },
      FLASH_MATRIX(hd),
    );
}

/// Whether Tint takes the shaders with matrices, as gemm.cc and flash.cc compose them: on a device that computes
/// nothing.
async function compiled() {
  const device = await nullDevice(),
    gemm = { ...P, KS: 2, G: 128, N: 4096, SCALES: 9, ROW_SCALES: 128, ROWS_SYMBOL: 0, ROWS_MULTIPLE: 1 },
    out = { OUT_STRIDE: 4096, OUT_COL0: 0 };
  const compile = async (files, consts) => {
    const module = device.createShaderModule({ code: compose(files, consts) }),
      { messages } = await module.getCompilationInfo();
    same(`${files.join(' + ')}`, messages.map(m => m.message).join('; '), '');
  };
  for (const family of ['q4', 'q4m', 'q4m16', 'q8', 'q6', 'q8m', 'q8f'])
    for (const tile of family === 'q4' ? [4, 3, 2, 1, 0] : [4]) {
      const sizes = [
        [16, 64, 64, 1, 4],
        [32, 128, 64, 1, 4],
        [32, 128, 32, 1, 4],
        [64, 64, 64, 2, 2],
        [128, 128, 32, 2, 2],
      ][tile];
      const files = [
        'q8_block',
        `dot_${family}`,
        'matrices',
        'half',
        'store_rows',
        'epilogue_none',
        'tile_rows',
        'gemm_matrix',
      ];
      await compile(files, { ...gemm, ...out, ...matrixTile(sizes) });
    }
  const glu = ['q8_block', 'dot_q4', 'matrices', 'half', 'store_glu', 'act_gelu', 'tile_rows', 'gemm_matrix'];
  await compile(glu, { ...gemm, ...matrixTile([128, 128, 32, 2, 2]) });
  for (const hd of [64, 128]) {
    const consts = { ...P, HD: hd, GQ: 4, KV_HEADS: 8, PAGE: 32, WINDOW: 9, RUNS: 8, ...FLASH_MATRIX(hd) };
    const scores = { SCALE: { f32: 1 }, SOFTCAP: { f32: 0 } };
    for (const cache of ['cache_f16', 'cache_f32', 'cache_q8_0'])
      await compile(['matrices', 'attended_f16', cache, 'flash_matrix'], { ...consts, ...scores });
  }
}

export const onMatrices = { compiled, matrices, matrixGlu, flashMatrix };
