// Single kernels against references in f64, on the adapter that Dawn for Node finds (here: lavapipe, by
// VK_DRIVER_FILES).
//   node tests/webgpu/kernels.mjs [name ...]
import { SG_MIN, SG_MAX, label, step, submit, upload, buffer, read } from '../../bench/gpu/gpu.mjs';
import { attention } from './attention.mjs';
import {
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
  check,
  tally,
} from './data.mjs';
import { onMatrices } from './matrices.mjs';
import { prefill } from './prefill.mjs';
import { sampling } from './sampling.mjs';

const TEAMS = [
  ['team_subgroup', { SG_MIN, SG_MAX }],
  ['team_workgroup', {}],
];
const rowsOf = (out, rows, r, ks, wg) => ({ OUT: out, ROWS: rows, R: r, KS: ks, WG: wg });

const PRODUCTS = {
  q4team_subgroup: [
    [1, 1, 1, 1],
    [1, 1, 2, 2],
    [4, 3, 1, 2],
  ],
  q6team_subgroup: [[1, 1, 2, 1]],
  q4mteam_workgroup: [[1, 1, 1, 2]],
  q4team_workgroup: [[2, 3, 2, 1]],
};
/// Every family, token count, team; rows that do not divide; groups that do not divide by the lanes.
async function products() {
  const n = 70,
    k = 224;
  for (const family of ['q4', 'q4z', 'q4m', 'q4m16', 'q8', 'q6', 'q8m', 'q8f']) {
    const w = weights(family, n, k);
    for (const [team, sizes] of TEAMS)
      for (const [nt, t, r, ks] of PRODUCTS[family + team] ?? (team === 'team_subgroup' ? [[2, 3, 2, 1]] : [])) {
        const x = blocks(floats(t * k), t, k),
          out = buffer(t * n * 4),
          rows = Array.from({ length: t }, (_, i) => t - 1 - i);
        const block = params({ tokens: new Array(t).fill(0), rows });
        const consts = {
          ...P,
          ...sizes,
          ...rowsOf(16, 16, r, ks, 128),
          NT: nt,
          G: k / 32,
          N: n,
          OUT_COL0: 0,
          OUT_STRIDE: n,
          SCALES: w.SCALES,
          ROW_SCALES: w.ROW_SCALES,
        };
        submit([
          await step(
            [
              team,
              'q8_block',
              `dot_${family}`,
              'x_q8',
              'tokens_wanted',
              'epilogue_none',
              'out_plain',
              'one_matrix',
              'gemv_q8',
            ],
            consts,
            { 0: w.buffer, 1: x.buffer, 2: block, 3: out },
            [Math.ceil(n / 16), Math.ceil(t / nt)],
          ),
        ]);
        const y = matvec(w, x.value, t),
          want = rows.flatMap(i => [...y.subarray(i * n, i * n + n)]);
        check(`product ${family} ${team} NT ${nt} R ${r} KS ${ks}`, await read(out, Float32Array, t * n), want, 1e-5);
      }
  }
}

async function epilogues() {
  const k = 128,
    t = 3;
  for (const [team, sizes] of TEAMS)
    for (const nt of team === 'team_subgroup' ? [1, 4] : [2]) {
      const w = weights('q4', 96, k),
        raw = floats(t * k),
        gained = blocks(raw, t, k, raw),
        block = params({ tokens: [0, 0, 0] });
      const factor = i => 1 / Math.sqrt(raw.subarray(i * k, i * k + k).reduce((a, v) => a + v * v, 0) / k + 1e-5);
      const common = { ...P, ...sizes, NT: nt, G: k / 32, SCALES: w.SCALES, ROW_SCALES: w.ROW_SCALES, EPS: 1e-5 };
      const y = matvec(w, gained.value, t),
        h = floats(t * 96),
        gain = floats(96),
        out = buffer(t * q8Stride(3) * 16);
      const hBuffer = upload(h),
        grid = [3, Math.ceil(t / nt)];
      submit([
        await step(
          [
            team,
            'q8_block',
            'dot_q4',
            'x_q8',
            'tokens_all',
            'quantise32',
            'out_residual',
            'one_matrix',
            'gemv_q8',
          ],
          { ...common, ...rowsOf(32, 32, 1, 1, 64), N: 96 },
          { 0: w.buffer, 1: gained.buffer, 2: block, 3: hBuffer, 4: upload(gain), 5: out },
          grid,
        ),
      ]);
      const sum = h.map((v, i) => v + y[i]),
        after = await unblock(out, t, 96);
      check(`residual ${team} NT ${nt}`, await read(hBuffer, Float32Array, t * 96), sum, 1e-5);
      check(
        `residual int8 ${team} NT ${nt}`,
        after.value,
        sum.map((v, i) => v * gain[i % 96]),
        1e-2,
      );
      check(
        `residual squares ${team} NT ${nt}`,
        [0, 1, 2].map(i => after.squares(i, 1)),
        [0, 1, 2].map(i => sum.subarray(i * 96 + 32, i * 96 + 64).reduce((a, v) => a + v * v, 0)),
        1e-5,
      );

      const gu = weights('q4', 128, k),
        product = matvec(gu, gained.value, t),
        glu = buffer(t * q8Stride(2) * 16);
      submit([
        await step(
          [
            team,
            'q8_block',
            'dot_q4',
            'x_q8_norm',
            'tokens_all',
            'act_silu',
            'quantise32',
            'out_glu',
            'one_matrix',
            'gemv_q8',
          ],
          { ...common, ...rowsOf(32, 64, 2, 1, 64), FF: 64, SCALES: gu.SCALES, ROW_SCALES: gu.ROW_SCALES },
          { 0: gu.buffer, 1: gained.buffer, 2: block, 3: glu },
          [2, Math.ceil(t / nt)],
        ),
      ]);
      const want = new Float64Array(t * 64).map((_, i) => {
        const at = Math.floor(i / 64),
          g = product[at * 128 + (i % 64)] * factor(at),
          u = product[at * 128 + 64 + (i % 64)] * factor(at);
        return (g / (1 + Math.exp(-g))) * u;
      });
      check(`glu ${team} NT ${nt}`, (await unblock(glu, t, 64)).value, want, 2e-2);
    }
}

const half = v => fromHalf(toHalf(v));

async function qkv() {
  const k = 64;
  for (const [team, sizes] of TEAMS)
    for (const interleaved of [0, 1])
      for (const biased of [false, true]) {
        const hd = 32,
          heads = 4,
          kvHeads = 2,
          n = (heads + 2 * kvHeads) * hd,
          t = 2,
          page = 32;
        const w = weights('q8', n, k),
          raw = floats(t * k),
          x = blocks(raw, t, k, raw),
          bias = floats(n),
          positions = [33, 70];
        const block = params({
          tokens: [0, 0],
          positions,
          sequences: [0, 1],
          seqs: [
            [34, 0],
            [71, 2],
          ],
          tail: [3, 5, 7, 1, 4],
        });
        const rope = floats(t * hd),
          q = buffer(t * heads * hd * 4),
          kc = buffer(8 * kvHeads * page * hd * 2),
          vc = buffer(8 * kvHeads * page * hd * 2);
        submit([
          await step(
            [
              team,
              'q8_block',
              'dot_q8',
              'x_q8_norm',
              'tokens_all',
              biased ? 'bias' : 'bias_none',
              'page_of',
              'q_f32', 'cache_put_f16', 'put_head',
              'out_qkv',
              'one_matrix',
              'gemv_q8',
            ],
            {
              ...P,
              ...sizes,
              ...rowsOf(8, 8, 2, 1, 64),
              NT: 2,
              N: n,
              G: 2,
              SCALES: w.SCALES,
              ROW_SCALES: w.ROW_SCALES,
              EPS: 1e-6,
              HEADS: heads,
              FIRST_HEAD: 0,
              KV_HEADS: kvHeads,
              HD: hd,
              PAGE: page,
              INTERLEAVED: interleaved,
            },
            {
              0: w.buffer,
              1: x.buffer,
              2: block,
              3: q,
              4: kc,
              5: vc,
              6: upload(rope),
              7: biased ? upload(bias) : undefined,
            },
            [n / 8],
          ),
        ]);
        const y = matvec(w, x.value, t),
          got = await read(q, Float32Array, t * heads * hd);
        const keys = await read(kc, Uint16Array, 8 * kvHeads * page * hd),
          values = await read(vc, Uint16Array, 8 * kvHeads * page * hd);
        const wantQ = [],
          wantK = [],
          wantV = [],
          gotK = [],
          gotV = [];
        for (let i = 0; i < t; i++) {
          const f = 1 / Math.sqrt(raw.subarray(i * k, i * k + k).reduce((a, v) => a + v * v, 0) / k + 1e-6);
          const v = y.subarray(i * n, i * n + n).map((a, r) => a * f + (biased ? bias[r] : 0));
          for (let head = 0; head < heads + kvHeads; head++)
            for (let j = 0; j < hd / 2; j++) {
              const a = head * hd + (interleaved ? 2 * j : j),
                b = a + (interleaved ? 1 : hd / 2);
              const [c, s] = rope.subarray(i * hd + 2 * j, i * hd + 2 * j + 2),
                p = v[a],
                r = v[b];
              v[a] = p * c - r * s;
              v[b] = p * s + r * c;
            }
          wantQ.push(...v.subarray(0, heads * hd));
          const where = [
            [5, 1],
            [4, 6],
          ][i]; // page and place of positions 33 and 70
          for (let kv = 0; kv < kvHeads; kv++)
            for (let d = 0; d < hd; d++) {
              const at = ((where[0] * kvHeads + kv) * page + where[1]) * hd + d;
              wantK.push(v[(heads + kv) * hd + d]);
              wantV.push(v[(heads + kvHeads + kv) * hd + d]);
              gotK.push(fromHalf(keys[at]));
              gotV.push(fromHalf(values[at]));
            }
        }
        const name = `${team} ${interleaved ? 'neighbours' : 'halves'} ${biased ? 'bias' : ''}`;
        check(`q ${name}`, got, wantQ, 1e-5);
        check(`k ${name}`, gotK, wantK, 1e-3);
        check(`v ${name}`, gotV, wantV, 1e-3);
      }
}

async function embed() {
  for (const [team, sizes] of TEAMS)
    for (const family of ['q4', 'q8']) {
      const k = 96,
        vocab = 50,
        w = weights(family, vocab, k),
        gain = floats(k),
        t = 3,
        positions = [7, 100000, 131071],
        rot = 16;
      const freqs = Float32Array.from({ length: rot / 2 }, (_, i) => 10000 ** ((-2 * i) / rot)),
        state = new Uint32Array(32);
      state[9] = 31;
      const block = params({ tokens: [17, -10, 49], positions, sequences: [0, 0, 0] }),
        h = buffer(t * k * 4);
      const out = buffer(t * q8Stride(3) * 16),
        rope = buffer(t * rot * 4);
      submit([
        await step(
          [team, 'q8_block', `dot_${family}`, 'cos_sin', 'embed_q8'],
          {
            ...P,
            ...sizes,
            WG: 64,
            G: k / 32,
            SCALES: w.SCALES,
            ROW_SCALES: w.ROW_SCALES,
            VOCAB: vocab,
            ROT: rot,
            FACTOR: { f32: 2 },
            MAGNITUDE: { f32: 1.5 },
          },
          { 0: w.buffer, 1: upload(state), 2: block, 3: h, 4: upload(gain), 5: out, 6: upload(freqs), 7: rope },
          [t],
        ),
      ]);
      const want = [17, 31, 49].flatMap(id => [...w.value.subarray(id * k, id * k + k)].map(v => 2 * v)),
        after = await unblock(out, t, k);
      check(`embed ${team} ${family}`, await read(h, Float32Array, t * k), want, 1e-6);
      check(
        `embed int8 ${team} ${family}`,
        after.value,
        want.map((v, i) => v * gain[i % k]),
        1e-2,
      );
      check(
        `embed squares ${team}`,
        [after.squares(2, 2)],
        [want.slice(2 * k + 64).reduce((a, v) => a + v * v, 0)],
        1e-5,
      );
      const turns = positions.flatMap(p => [...freqs].flatMap(f => [1.5 * Math.cos(p * f), 1.5 * Math.sin(p * f)]));
      check(`rotation ${team}`, await read(rope, Float32Array, t * rot), turns, 2e-5);
    }
}

const suites = { products, epilogues, qkv, attention, embed, ...prefill, ...onMatrices, sampling };
const wanted = process.argv.slice(2);
console.log(`# ${label}`);
for (const [name, run] of Object.entries(suites)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const before = performance.now();
  await run();
  console.log(`${name}: ${((performance.now() - before) / 1e3).toFixed(1)} s`);
}
console.log(`${tally.checks - tally.failures} of ${tally.checks} checks of single kernels passed`);
process.exit(tally.failures > 0 || process.exitCode ? 1 : 0);
