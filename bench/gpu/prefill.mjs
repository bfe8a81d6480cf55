// Products of many tokens by tile and attention over prompts, each checked against f64 where that is asked for; then
// whole steps.
import { adapter, buffer, fill, hasMatrix, queue, read, software, step, submit, time } from './gpu.mjs';
import { FAMILIES, MODEL, PAGE, SHAPES, cachePages, matrix, params, q8Bytes, setParams } from './model.mjs';
import {
  KINDS,
  RIVALS,
  TILES,
  activationBytes,
  attention,
  gemm,
  parts,
  perKv,
  put,
  setPrompt,
  sum,
  team,
} from './tiles.mjs';
import { whole } from './whole.mjs';

function fromHalf(h) {
  const e = (h >> 10) & 31,
    m = h & 1023,
    s = h & 0x8000 ? -1 : 1;
  return s * (e === 0 ? m * 2 ** -24 : (1 + m / 1024) * 2 ** (e - 15));
}
/// One row of weights as numbers.
async function weightRow(w, row) {
  const g = w.k / 32,
    bytes = (w.k * FAMILIES[w.family].bits) / 8,
    codes = await read(w.buffer, Uint8Array, bytes, row * bytes),
    two = w.family === 'q4m',
    n = FAMILIES[w.family].rowScales(g) * (two ? 2 : 1),
    scales = await read(w.buffer, Uint16Array, n, w.consts.SCALES * 16 + row * n * 2);
  return Float64Array.from({ length: w.k }, (_, i) => {
    const j = i >> 5,
      e = i & 31;
    if (w.family === 'q8') return fromHalf(scales[j]) * ((codes[i] << 24) >> 24);
    const q = e < 16 ? codes[j * 16 + e] & 15 : codes[j * 16 + e - 16] >> 4;
    return two ? fromHalf(scales[2 * j]) * q + fromHalf(scales[2 * j + 1]) : fromHalf(scales[j]) * (q - 8);
  });
}
async function activationRow(kind, b, row, k) {
  if (kind === 'matrix') return Float64Array.from(await read(b, Uint16Array, k, row * k * 2), fromHalf);
  const g = k / 32,
    words = q8Bytes(1, k) / 4,
    data = await read(b, Uint32Array, words, row * words * 4),
    q = new Int8Array(data.buffer, data.byteOffset),
    d = new Float32Array(data.buffer, data.byteOffset);
  return Float64Array.from({ length: k }, (_, i) => {
    const j = i >> 5,
      e = i & 31;
    return d[8 * g + 2 * j] * q[(e >> 4) * g * 16 + j * 16 + (e & 15)];
  });
}
/// Relative error of a few tokens x 16 rows against f64.
async function productError(kind, w, x, out, t, ks) {
  let error = 0,
    scale = 0;
  const rows = [...new Set([0, 1, 15, 16, 63, 64, 127, 128, 200, w.n >> 1, w.n - 65, w.n - 2, w.n - 1])].filter(
    r => r >= 0 && r < w.n,
  );
  const ws = [];
  for (const r of rows) ws.push(await weightRow(w, r));
  for (const m of [...new Set([0, 1, 15, 16, 17, 77, t - 33, t - 1])].filter(m => m >= 0 && m < t)) {
    const a = await activationRow(kind, x, m, w.k),
      got = new Float64Array(w.n);
    for (let p = 0; p < ks; p++)
      (await read(out, Float32Array, w.n, (p * t + m) * w.n * 4)).forEach((v, i) => (got[i] += v));
    rows.forEach((r, i) => {
      let want = 0;
      for (let k = 0; k < w.k; k++) want += a[k] * ws[i][k];
      error += (got[r] - want) ** 2;
      scale += want ** 2;
    });
  }
  return Math.sqrt(error / scale);
}

async function products(validate) {
  const counts = software ? [17, 70] : [16, 32, 64, 512, 2048];
  for (const family of Object.keys(FAMILIES))
    for (const [name, shape] of Object.entries(SHAPES)) {
      if (name === 'head' || (family !== 'q4' && name !== 'gate_up')) continue;
      const one = (shape[0] * shape[1] * FAMILIES[family].bits) / 8,
        ws = [];
      for (let i = 0; i < (software ? 1 : Math.ceil(1.2e8 / one)); i++) ws.push(await matrix(family, shape, i + 1));
      for (const t of counts) {
        setParams(1, 1);
        queue.writeBuffer(params, 0, new Uint32Array([t]));
        const line = [],
          floats = buffer(t * shape[1] * 4),
          y = buffer((t <= 128 ? 8 : 2) * t * shape[0] * 4);
        await fill(floats, 6, 0x80ffffff, 0x3f000000);
        for (const kind of KINDS) {
          if (t <= 16 && kind === 'dot') continue;
          const x = buffer(activationBytes(kind, t, shape[1]));
          submit([
            await step(
              ['team_subgroup', ...put(kind), 'rows_plain'],
              { ...team, WG: 256, G: shape[1] / 32, X_STRIDE: shape[1], X_COL0: 0 },
              { 0: x, 1: floats },
              [Math.ceil(shape[1] / 1024), t],
            ),
          ]);
          const tiles = [TILES[kind](t), ...(family === 'q4' ? RIVALS[kind](t) : [])];
          for (const tile of tiles) {
            const bk = kind === 'dot' ? 32 : tile[2],
              best = parts(kind, tile, ...shape, t);
            if (shape[1] % bk !== 0) continue;
            const around = new Set([best, Math.max(1, best / 2), Math.min(t <= 64 ? 8 : 2, best * 2)]);
            for (const ks of family === 'q4' && t < 2048 && tile === tiles[0] ? around : [best]) {
              const list = [];
              for (const w of t <= 64 ? ws : ws.slice(0, 1)) list.push(await gemm(kind, tile, ks, w, t, x, y));
              const s = (await time(list, 3)) / list.length;
              const rate = (2 * t * shape[0] * shape[1]) / s / 1e12;
              let text = `${kind} ${tile}${ks > 1 ? ` / ${ks}` : ''}: ${rate.toFixed(t < 64 ? 1 : 0)}`;
              if (t <= 64) text += ` (${(ws[0].bytes / s / 1e9).toFixed(0)} GB/s)`;
              if (validate && (ks === best || software)) {
                submit(list.slice(0, 1));
                const e = await productError(kind, ws[0], x, y, t, ks);
                text += e < (kind === 'dot' ? 1e-5 : 1e-3) ? ' ok' : ` WRONG: error ${e.toExponential(1)}`;
              }
              line.push(text);
            }
          }
          x.destroy();
        }
        console.log(`${family} ${name} T=${t} TFLOP/s: ${line.join('; ')}`);
        for (const b of [floats, y]) b.destroy();
      }
      for (const w of ws) w.buffer.destroy();
    }
}

async function attentionError(kind, q, k, v, out, t, kv) {
  const { heads: h, kvHeads, headDim: hd } = MODEL,
    n = cachePages * kvHeads * PAGE * hd,
    keys = await read(k, Uint16Array, n),
    values = await read(v, Uint16Array, n);
  let error = 0,
    scale = 0;
  for (const [token, head] of [
    [0, 0],
    [5, 3],
    [15, h - 1],
    [16, 1],
    [t >> 1, 2],
    [t - 17, h - 2],
    [t - 1, h - 1],
  ]) {
    const row = (token * h + head) * hd,
      kvHead = Math.floor(head / perKv),
      s = [];
    const a =
      kind === 'matrix'
        ? Float64Array.from(await read(q, Uint16Array, hd, row * 2), fromHalf)
        : await read(q, Float32Array, hd, row * 4);
    const at = p => ((((Math.floor(p / PAGE) * 37 + 11) % cachePages) * kvHeads + kvHead) * PAGE + (p % PAGE)) * hd;
    for (let p = 0; p <= kv - t + token; p++) {
      let d = 0;
      for (let i = 0; i < hd; i++) d += a[i] * fromHalf(keys[at(p) + i]);
      s.push(d / Math.sqrt(hd));
    }
    const top = Math.max(...s),
      e = s.map(x => Math.exp(x - top)),
      total = sum(e),
      got = await read(out, Float32Array, hd, row * 4);
    for (let i = 0; i < hd; i++) {
      const want = e.reduce((x, w, p) => x + (w / total) * fromHalf(values[at(p) + i]), 0);
      error += (got[i] - want) ** 2;
      scale += want ** 2;
    }
  }
  return Math.sqrt(error / scale);
}
async function attentions(validate) {
  const { heads: h, kvHeads, headDim: hd } = MODEL,
    cache = async seed => {
      const b = buffer(cachePages * kvHeads * PAGE * hd * 2);
      await fill(b, seed, 0xb3ffb3ff, 0x30003000);
      return b;
    };
  const k = await cache(2),
    v = await cache(3);
  for (const t of software ? [80] : [512, 2048])
    for (const kind of KINDS) {
      if (kind === 'matrix' && ![64, 128].includes(hd)) continue;
      const q = buffer(t * h * hd * (kind === 'matrix' ? 2 : 4)),
        out = buffer(t * h * hd * 4);
      await fill(q, 1, ...(kind === 'matrix' ? [0xb3ffb3ff, 0x30003000] : [0x80ffffff, 0x3e000000]));
      setPrompt(t, t);
      const s = await time([await attention(kind, q, k, v, out, t, 'f32')], 5),
        flops = 4 * h * hd * ((t * (t + 1)) / 2);
      let text = `attention ${kind} over a prompt of ${t}: ${(s * 1e3).toFixed(3)} ms a layer, `;
      text += `${(flops / s / 1e12).toFixed(1)} TFLOP/s`;
      if (validate) {
        const e = await attentionError(kind, q, k, v, out, t, t);
        text += e < 2e-3 ? ', ok' : `, WRONG: error ${e.toExponential(1)}`;
      }
      console.log(text);
    }
  for (const b of [k, v]) b.destroy();
}

export async function prefill(validate) {
  console.log(`# workgroup memory ${adapter.limits.maxComputeWorkgroupStorageSize}, matrices ${hasMatrix}`);
  await attentions(validate);
  await products(validate);
  await whole();
}
