// Attention of single tokens, split over the cache, and the products that read its parts.
import { SG_MIN, SG_MAX, buffer, read, software, step, submit, upload } from '../../bench/gpu/gpu.mjs';
import { attentionTeams } from '../../bench/gpu/model.mjs';
import { P, blocks, cache, check, floats, matvec, params, q8Stride, unblock, weights } from './data.mjs';

const TEAMS = [
  ['team_subgroup', { SG_MIN, SG_MAX }],
  ['team_workgroup', {}],
];
// Head size, queries a kv head, page, positions, window, softcap, cache.
const ATTENTIONS = {
  team_subgroup: [
    [64, 4, 32, 300, 0, 0, 'q8_0'],
    [64, 2, 32, 70, 70, 2, 'f32'],
  ],
  team_workgroup: [[32, 3, 64, 131, 0, 2, 'f16']],
};
// The same by attention_teams.wgsl; where no CPU has to compile them (half a minute each), in more sizes.
const BY_TEAMS = [
  [32, 6, 32, 200, 70, 0, 'f16'],
  [128, 1, 128, 300, 0, 2, 'f16'],
];
if (!software)
  BY_TEAMS.push(
    [64, 8, 32, 5000, 0, 0, 'f16'],
    [128, 4, 32, 1000, 0, 0, 'f16'],
    [128, 8, 64, 700, 100, 2, 'q8_0'],
    [256, 4, 32, 450, 0, 0, 'f32'],
  );
if (SG_MIN === SG_MAX) ATTENTIONS.team_subgroup.push(...BY_TEAMS.map(a => [...a, true]));
export async function attention() {
  for (const [team, sizes] of TEAMS)
    for (const [hd, gq, page, n, window, softcap, format, byTeams] of ATTENTIONS[team]) {
      const kvHeads = 2,
        heads = kvHeads * gq,
        splits = 3,
        nPages = Math.ceil(n / page),
        scale = 1 / Math.sqrt(hd);
      const order = Array.from({ length: nPages }, (_, i) => (i * 3 + 1) % (nPages + 3)).map((v, i, a) =>
        a.indexOf(v) === i ? v : nPages + 3 + i,
      );
      const keys = cache(format, 2 * nPages + 4, kvHeads * page * hd, true),
        values = cache(format, 2 * nPages + 4, kvHeads * page * hd, true),
        q = floats(2 * heads * hd),
        counts = [n, Math.max(1, n - 40)];
      const block = params({
        tokens: [0, 0],
        positions: counts.map(c => c - 1),
        sequences: [1, 1],
        seqs: [
          [1, 0],
          [n, 2],
        ],
        tail: [0, 0, ...order],
      });
      const o = buffer(2 * heads * splits * hd * 4),
        ml = buffer(2 * heads * splits * 8),
        out = buffer(2 * q8Stride((heads * hd) / 32) * 16);
      const consts = {
        ...P,
        ...sizes,
        WG: 256,
        HD: hd,
        GQ: gq,
        KV_HEADS: kvHeads,
        PAGE: page,
        SPLITS: splits,
        WINDOW: window,
        LOADS: hd / 32,
        ROUNDS: Math.ceil(gq / 4),
        ...(byTeams ? attentionTeams(hd, gq) : {}),
        SCALE: { f32: scale },
        SOFTCAP: { f32: softcap },
      };
      const combineConsts = { ...P, ...sizes, WG: 64, HD: hd, HEADS: heads, SPLITS: splits, WINDOW: window };
      submit([
        await step(
          [team, 'splits', `cache_${format}`, byTeams ? 'attention_teams' : 'attention_split'],
          consts,
          { 0: upload(q), 1: keys.buffer, 2: block, 3: values.buffer, 4: o, 5: ml },
          [kvHeads, splits, 2],
        ),
        await step(
          [team, 'q8_block', 'put_q8', 'splits', 'combine', 'rows_attention'],
          { ...combineConsts, G: (heads * hd) / 32 },
          { 0: out, 1: o, 2: block, 3: ml },
          [Math.ceil((heads * hd) / 256), 2],
        ),
      ]);
      const want = new Float64Array(2 * heads * hd);
      for (let i = 0; i < 2; i++)
        for (let h = 0; h < heads; h++) {
          const kv = Math.floor(h / gq),
            begin = window ? Math.max(0, counts[i] - window) : 0,
            s = [];
          const of = (cache, pos, d) => cache.value(order[Math.floor(pos / page)], (kv * page + (pos % page)) * hd + d);
          for (let pos = begin; pos < counts[i]; pos++) {
            let dot = 0;
            for (let d = 0; d < hd; d++) dot += q[(i * heads + h) * hd + d] * of(keys, pos, d);
            s.push(softcap ? softcap * Math.tanh((dot * scale) / softcap) : dot * scale);
          }
          const top = Math.max(...s),
            e = s.map(v => Math.exp(v - top)),
            sum = e.reduce((a, v) => a + v);
          for (let d = 0; d < hd; d++)
            want[(i * heads + h) * hd + d] = e.reduce(
              (a, v, p) => a + (v / sum) * of(values, begin + p, d),
              0,
            );
        }
      check(
        `attention${byTeams ? ' by teams' : ''} ${team} ${format} HD ${hd} GQ ${gq} PAGE ${page} KV ${n} window ` +
          `${window} softcap ${softcap}`,
        (await unblock(out, 2, heads * hd)).value,
        want,
        1e-2,
      );

      if (byTeams) continue; // what reads the parts is the same

      const w = weights('q4', 64, heads * hd),
        h = floats(64),
        hBuffer = upload(h),
        first = want.subarray(0, heads * hd);
      submit([
        await step(
          [
            team,
            'q8_block',
            'dot_q4',
            'splits',
            'combine',
            'x_attention',
            'tokens_all',
            'quantise32',
            'out_residual',
            'one_matrix',
            'gemv_q8',
          ],
          {
            ...combineConsts,
            OUT: 32,
            ROWS: 32,
            R: 2,
            KS: 2,
            WG: 128,
            NT: 1,
            N: 64,
            G: (heads * hd) / 32,
            SCALES: w.SCALES,
            ROW_SCALES: w.ROW_SCALES,
          },
          { 0: w.buffer, 1: o, 2: block, 3: hBuffer, 4: upload(floats(64)), 5: buffer(q8Stride(2) * 16), 6: ml },
          [2],
        ),
      ]);
      const y = matvec(w, blocks(Float32Array.from(first), 1, heads * hd).value, 1);
      check(
        `attention into output ${team} HD ${hd} GQ ${gq}`,
        await read(hBuffer, Float32Array, 64),
        h.map((v, i) => v + y[i]),
        1e-2,
      );
    }
}
