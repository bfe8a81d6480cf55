// What tests of kernels are made of: random weights in planes, int8 blocks, the params block, and comparisons.
import { upload, read } from '../../bench/gpu/gpu.mjs';

let seed = 1;
export const random = () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};
export const normal = () => Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random());
export const floats = (n, f = normal) => Float32Array.from({ length: n }, f);

export function toHalf(v) {
  // round to nearest, normal range and zero
  const bits = new Uint32Array(new Float32Array([v]).buffer)[0],
    sign = (bits >>> 16) & 0x8000;
  const e = ((bits >>> 23) & 255) - 112;
  if (e <= 0) return sign | Math.round(Math.abs(v) * 2 ** 24);
  return sign | (((e << 10) | ((bits >>> 13) & 1023)) + ((bits >>> 12) & 1));
}
export function fromHalf(h) {
  const e = (h >> 10) & 31,
    m = h & 1023,
    s = h & 0x8000 ? -1 : 1;
  return s * (e === 0 ? m * 2 ** -24 : (1 + m / 1024) * 2 ** (e - 15));
}

/// Random weights of a family: the planes as src/backends/webgpu/planes.h lays them out, and the values [n * k].
export function weights(family, n, k) {
  const groups = k / 32,
    rowWords = { 4: 4 * groups, 6: 4 * (groups + Math.ceil(groups / 2)), 8: 8 * groups }[family[1]];
  const rowScales =
    { q4: groups + (groups % 2), q8: groups + (groups % 2), q6: 2 * groups, q4m16: 2 * groups }[family] ?? groups;
  const scaleBytes = ['q4', 'q8', 'q6'].includes(family) ? 2 : 4;
  const scalesAt = Math.ceil((n * rowWords) / 64) * 64,
    plane = new Uint32Array(scalesAt + Math.ceil((n * rowScales * scaleBytes) / 16) * 4);
  const halves = new Uint16Array(plane.buffer, 4 * scalesAt),
    singles = new Float32Array(plane.buffer, 4 * scalesAt),
    value = new Float64Array(n * k);
  for (let i = 0; i < n * rowWords; i++) plane[i] = Math.floor(random() * 2 ** 32);
  const half = (at, v) => {
    halves[at] = toHalf(v);
    return fromHalf(halves[at]);
  };
  const scale = () => 0.01 + random() / 50,
    minimum = () => (random() - 0.7) / 20;
  for (let r = 0; r < n; r++)
    for (let j = 0; j < groups; j++) {
      const g = r * groups + j,
        s = r * rowScales + j,
        s2 = r * rowScales + 2 * j;
      const dm = {
        // scale and minimum of the first and the last 16 weights
        q4: () => [half(s, scale()), 0],
        q8: () => [half(s, scale()), 0],
        q8f: () => [(singles[s] = Math.fround(scale())), 0],
        q4m: () => [half(2 * s, scale()), half(2 * s + 1, minimum())],
        q4z: () => {
          const d = half(2 * s, scale());
          return [d, -d * half(2 * s + 1, Math.floor(random() * 16))];
        },
        q8m: () => [half(2 * s, scale()), half(2 * s + 1, minimum())],
        q6: () => [half(s2, scale()), 0, half(s2 + 1, scale()), 0],
        q4m16: () => [
          half(2 * s2, scale()),
          half(2 * s2 + 1, minimum()),
          half(2 * s2 + 2, scale()),
          half(2 * s2 + 3, minimum()),
        ],
      }[family]();
      if (dm.length === 2) dm.push(...dm);
      const bytes = new Uint8Array(plane.buffer);
      for (let e = 0; e < 32; e++) {
        const row = r * rowWords * 4,
          pair = bytes[row + j * 16 + (e & 15)],
          nibble = e < 16 ? pair & 15 : pair >> 4,
          above = bytes[row + groups * 16 + j * 8 + (e >> 4) * 4 + (e & 3)] >> (2 * ((e & 15) >> 2));
        const code = {
          4: () => nibble - (family === 'q4' ? 8 : 0),
          6: () => (nibble | ((above & 3) << 4)) - 32,
          8: () => (bytes[row + j * 32 + e] << 24) >> 24,
        }[family[1]]();
        value[g * 32 + e] = dm[e < 16 ? 0 : 2] * code + dm[e < 16 ? 1 : 3];
      }
    }
  return { n, k, value, buffer: upload(plane), SCALES: scalesAt / 4, ROW_SCALES: rowScales };
}

/// A KV cache: a buffer of `pages` pages of n values in a format, and the values that it stands for. filled: with
/// random ones, else zeros; get() reads it back.
export const CACHES = {
  f16: { bytes: n => 2 * n, get: (data, page, n, i) => fromHalf(data.getUint16((page * n + i) * 2, true)) },
  f32: { bytes: n => 4 * n, get: (data, page, n, i) => data.getFloat32((page * n + i) * 4, true) },
  q8_0: {
    bytes: n => n + n / 16,
    get: (data, page, n, i) => {
      const at = page * (n + n / 16);
      return data.getInt8(at + i) * fromHalf(data.getUint16(at + n + 2 * Math.floor(i / 32), true));
    },
  },
};
export function cache(format, pages, n, filled) {
  const { bytes, get } = CACHES[format],
    data = new DataView(new ArrayBuffer(pages * bytes(n)));
  for (let page = 0; filled && page < pages; page++)
    for (let i = 0; i < n; i++) {
      if (format === 'f16') data.setUint16((page * n + i) * 2, toHalf(normal()), true);
      if (format === 'f32') data.setFloat32((page * n + i) * 4, normal(), true);
      if (format === 'q8_0') data.setInt8(page * bytes(n) + i, Math.floor(random() * 255) - 127);
      if (format === 'q8_0' && i % 32 === 0)
        data.setUint16(page * bytes(n) + n + i / 16, toHalf(0.01 + random() / 50), true);
    }
  const gpu = upload(new Uint32Array(data.buffer));
  return {
    buffer: gpu,
    value: (page, i) => get(data, page, n, i),
    async get() {
      const now = new DataView((await read(gpu, Uint32Array, data.byteLength / 4)).buffer);
      return (page, i) => get(now, page, n, i);
    },
  };
}

export const q8Stride = g => 2 * g + Math.ceil(g / 2) + Math.ceil(g / 4); // vec4<u32>
/// int8 blocks of x [t * k]; squares: of what the sums of squares are. Also the values the blocks stand for.
export function blocks(x, t, k, squares = x) {
  const g = k / 32,
    words = q8Stride(g) * 4,
    data = new Uint32Array(t * words),
    value = new Float64Array(t * k);
  const bytes = new Int8Array(data.buffer),
    f = new Float32Array(data.buffer);
  for (let i = 0; i < t; i++) {
    for (let j = 0; j < g; j++) {
      const at = i * k + 32 * j,
        part = x.subarray(at, at + 32),
        m = part.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
      let sum = 0;
      part.forEach((v, e) => {
        const q = m ? Math.round((v * 127) / m) : 0;
        bytes[i * words * 4 + (e >> 4) * g * 16 + j * 16 + (e & 15)] = q;
        value[at + e] = (q * m) / 127;
        sum += q;
      });
      const s = i * words + 8 * g + 2 * j;
      f[s] = m / 127;
      f[s + 1] = (m / 127) * sum;
      f[i * words + 8 * g + 4 * Math.ceil(g / 2) + j] = squares.subarray(at, at + 32).reduce((a, v) => a + v * v, 0);
    }
  }
  return { buffer: upload(data), value };
}
/// The values that int8 blocks read back stand for.
export async function unblock(b, t, k) {
  const g = k / 32,
    words = q8Stride(g) * 4,
    data = await read(b, Uint32Array, t * words);
  const bytes = new Int8Array(data.buffer),
    f = new Float32Array(data.buffer),
    value = new Float64Array(t * k);
  for (let i = 0; i < t; i++)
    for (let e = 0; e < k; e++) {
      const j = e >> 5,
        l = e & 31;
      value[i * k + e] = f[i * words + 8 * g + 2 * j] * bytes[i * words * 4 + (l >> 4) * g * 16 + j * 16 + (l & 15)];
    }
  return { value, f, words, squares: (i, j) => f[i * words + 8 * g + 4 * Math.ceil(g / 2) + j] };
}
export function matvec(w, x, t) {
  const y = new Float64Array(t * w.n);
  for (let i = 0; i < t; i++)
    for (let r = 0; r < w.n; r++) {
      let s = 0;
      for (let k = 0; k < w.k; k++) s += w.value[r * w.k + k] * x[i * w.k + k];
      y[i * w.n + r] = s;
    }
  return y;
}

// Parts of the params block, as graph/params.h lays them out, for up to 160 tokens of 16 sequences.
export const P = {
  P_TOKENS: 16,
  P_POSITIONS: 176,
  P_SEQUENCES: 336,
  P_SEQS: 496,
  P_ROWS: 560,
  P_SAMPLES: 720,
  P_PAGES: 976,
};
export function params({ tokens = [], positions = [], sequences = [], seqs = [], rows = [], samples = [], tail = [] }) {
  const words = new Uint32Array(P.P_PAGES + Math.max(tail.length, 16));
  const put = (at, list) => words.set(Uint32Array.from(list), at);
  put(0, [tokens.length, rows.length, seqs.length, Math.max(0, ...seqs.map(s => s[0]))]);
  put(P.P_TOKENS, tokens);
  put(P.P_POSITIONS, positions);
  put(P.P_SEQUENCES, sequences);
  put(P.P_ROWS, rows);
  seqs.forEach((s, i) => put(P.P_SEQS + 4 * i, s));
  put(P.P_PAGES, tail);
  samples.forEach((s, i) => words.set(s, P.P_SAMPLES + 16 * i));
  return upload(words);
}

export const tally = { checks: 0, failures: 0 };
export function check(name, got, want, bound) {
  let error = 0,
    scale = 0;
  for (let i = 0; i < want.length; i++) {
    error += (got[i] - want[i]) ** 2;
    scale += want[i] ** 2;
  }
  const relative = Math.sqrt(error / (scale || 1));
  tally.checks++;
  if (!(relative <= bound)) {
    tally.failures++;
    console.log(`${name}: error ${relative.toExponential(1)}, allowed ${bound}`);
  }
}
export function same(name, got, want) {
  tally.checks++;
  if (String(got) !== String(want)) {
    tally.failures++;
    console.log(`${name}: ${got}, expected ${want}`);
  }
}
