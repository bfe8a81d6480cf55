// Draws on the device against draws as graph/step.h defines them.
import { step, submit, upload, buffer, read } from '../../bench/gpu/gpu.mjs';
import { random, normal, floats, P, params, same } from './data.mjs';

// Philox4x32-10 as published, for the reference of the draws.
function philox(position, low, high) {
  let c = [position, 0, 0, 0].map(BigInt),
    k = [low, high].map(BigInt);
  for (let i = 0; i < 10; i++) {
    const a = 0xd2511f53n * c[0],
      b = 0xcd9e8d57n * c[2],
      mask = 0xffffffffn;
    c = [(b >> 32n) ^ c[1] ^ k[0], b & mask, (a >> 32n) ^ c[3] ^ k[1], a & mask];
    k = [(k[0] + 0x9e3779b9n) & mask, (k[1] + 0xbb67ae85n) & mask];
  }
  return Number(((c[1] << 32n) | c[0]) >> 11n) * 2 ** -53;
}
/// As graph/step.h defines a draw.
function draw(logits, s, recent, mask) {
  const l = Float64Array.from(logits),
    counts = new Map();
  for (const id of recent) counts.set(id, (counts.get(id) ?? 0) + 1);
  for (const [id, n] of counts) {
    l[id] = l[id] > 0 ? l[id] / s.repetition : l[id] * s.repetition;
    l[id] -= n * s.frequency + s.presence;
  }
  let left = [...l.keys()].filter(i => !mask || (mask[i >> 5] >>> (i & 31)) & 1);
  left.sort((a, b) => l[b] - l[a] || a - b);
  if (s.temperature === 0) return left[0];
  if (s.topK) left = left.slice(0, s.topK);
  const top = l[left[0]],
    mass = left.reduce((a, i) => a + Math.exp(l[i] - top), 0);
  if (s.topP < 1) {
    let sum = 0,
      n = 0;
    while (n < left.length && sum < s.topP * mass) sum += Math.exp(l[left[n++]] - top);
    left = left.slice(0, n);
  }
  if (s.minP > 0) left = left.filter(i => l[i] >= top + Math.log(s.minP));
  left.sort((a, b) => a - b);
  const p = left.map(i => Math.exp((l[i] - top) / s.temperature)),
    aim = philox(s.position, s.low, s.high) * p.reduce((a, v) => a + v);
  let sum = 0;
  for (let i = 0; i < left.length; i++) {
    sum += p[i];
    if (aim < sum) return left[i];
  }
  return left.at(-1);
}
export async function sampling() {
  const vocab = 1003,
    rows = 4,
    chunk = 256,
    bits = v => new Uint32Array(new Float32Array([v]).buffer)[0];
  const base = { temperature: 0.8, topK: 0, topP: 1, minP: 0, repetition: 1, frequency: 0, presence: 0 };
  const cases = [
    { temperature: 0 },
    { temperature: 0, repetition: 3, presence: 2 },
    {},
    { topK: 5 },
    { topK: 1 },
    { topP: 0.6 },
    { minP: 0.2 },
    { topK: 40, topP: 0.9, minP: 0.05, repetition: 1.2, frequency: 0.3, presence: 0.1 },
    { masked: true, topP: 0.7 },
    { masked: true, temperature: 0 },
    { topK: 20, ties: true },
    { topP: 0.5, ties: true },
    { temperature: 0, ties: true },
  ];
  for (const settings of cases) {
    const s = { ...base, ...settings },
      tail = [],
      samples = [],
      wants = [],
      recent = [],
      masks = [];
    const logits = floats(rows * vocab, () => (s.ties ? Math.round(normal() * 2) : normal() * 3));
    for (let r = 0; r < rows; r++)
      recent.push(Array.from({ length: 20 }, () => Math.floor(random() * (r ? vocab : 10))));
    const maskWords = Math.ceil(vocab / 32),
      at = P.P_PAGES + 20 * rows;
    for (let r = 0; r < rows; r++)
      masks.push(Uint32Array.from({ length: maskWords }, () => Math.floor(random() * 2 ** 32)));
    tail.push(...recent.flat(), ...masks.flatMap(m => [...m]));
    for (let r = 0; r < rows; r++) {
      const own = { ...s, position: 100 * r + 3, low: 12345 + r, high: 77 };
      samples.push([
        bits(s.temperature),
        s.topK,
        bits(s.topP),
        bits(s.minP),
        bits(s.repetition),
        bits(s.frequency),
        bits(s.presence),
        own.low,
        own.high,
        own.position,
        8 * r + 1,
        r === 2 ? 0 : 1 | (s.masked ? 2 : 0),
        P.P_PAGES + 20 * r,
        20,
        at + maskWords * r,
        0,
      ]);
      wants.push(
        r === 2
          ? 0
          : draw(logits.subarray(r * vocab, (r + 1) * vocab), own, recent[r], s.masked ? masks[r] : undefined),
      );
    }
    const block = params({ rows: [0, 1, 2, 3], samples, tail }),
      l = upload(logits),
      best = buffer(rows * 4 * 8),
      state = buffer(128),
      out = buffer(16);
    const consts = { ...P, VOCAB: vocab, CHUNK: chunk, CHUNKS: Math.ceil(vocab / chunk), WG: 128 };
    submit([
      await step(['team_workgroup', 'sample_record', 'sample_scan'], consts, { 0: block, 1: l, 2: best }, [
        consts.CHUNKS,
        rows,
      ]),
      await step(
        ['team_workgroup', 'sample_record', 'sample_draw'],
        consts,
        { 0: block, 1: l, 2: best, 3: state, 4: out },
        [rows],
      ),
    ]);
    same(`draw ${JSON.stringify(settings)}`, await read(out, Uint32Array, rows), wants);
    const words = await read(state, Uint32Array, 32);
    same(
      `state ${JSON.stringify(settings)}`,
      [0, 1, 2, 3].map(r => words[8 * r + 1]),
      wants,
    );
  }
  // Nothing to draw from, and what is no number.
  for (const bad of [NaN, Infinity]) {
    const logits = floats(vocab);
    logits[700] = bad;
    const block = params({
      rows: [0],
      samples: [[bits(0.5), 0, bits(1), 0, bits(1), 0, 0, 1, 2, 3, 5, 1, P.P_PAGES, 0, 0, 0]],
    });
    const consts = { ...P, VOCAB: vocab, CHUNK: chunk, CHUNKS: 4, WG: 128 },
      best = buffer(64),
      state = upload(new Uint32Array(8).fill(9)),
      out = buffer(16),
      l = upload(logits);
    submit([
      await step(['team_workgroup', 'sample_record', 'sample_scan'], consts, { 0: block, 1: l, 2: best }, [4, 1]),
      await step(
        ['team_workgroup', 'sample_record', 'sample_draw'],
        consts,
        { 0: block, 1: l, 2: best, 3: state, 4: out },
        [1],
      ),
    ]);
    same(`a logit of ${bad}`, [(await read(out, Int32Array, 1))[0], (await read(state, Uint32Array, 8))[5]], [-1, 0]);
  }
}
