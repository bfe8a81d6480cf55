// Second half: workgroup r draws row r's token as graph/step.h says. Thresholds of top-k and top-p are found in the
// order of keys, four bits a pass; draws are by inversion in order of ids, every thread owning SEGMENT neighbours.
@group(0) @binding(0) var<storage, read> params: array<u32>;
@group(0) @binding(1) var<storage, read> logits: array<u32>;       // [R][VOCAB] f32, penalised and masked
@group(0) @binding(2) var<storage, read> best: array<vec2<u32>>;   // [R][CHUNKS]
@group(0) @binding(3) var<storage, read_write> state: array<u32>;  // sampled tokens
@group(0) @binding(4) var<storage, read_write> out: array<u32>;    // [R]
var<workgroup> keys: array<u32, WG>;
var<workgroup> ids: array<u32, WG>;
var<workgroup> sums: array<f32, WG>;
var<workgroup> fours: array<vec4<f32>, WG>;
var<workgroup> digits: array<f32, 16>;
const SEGMENT = (VOCAB + WG - 1u) / WG;
// Multiplication of two words, high word: from 16-bit halves.
fn mul_high(a: u32, b: u32) -> u32 {
  let al = a & 0xffffu; let ah = a >> 16u; let bl = b & 0xffffu; let bh = b >> 16u;
  let m = ah * bl + ((al * bl) >> 16u); let n = al * bh + (m & 0xffffu);
  return ah * bh + (m >> 16u) + (n >> 16u);
}
// Philox4x32-10 (Salmon et al., SC 2011): the first two words for counter (position, 0, 0, 0).
fn philox(position: u32, low: u32, high: u32) -> vec2<u32> {
  var c = vec4<u32>(position, 0u, 0u, 0u); var k = vec2<u32>(low, high);
  for (var i = 0; i < 10; i++) {
    c = vec4<u32>(mul_high(0xCD9E8D57u, c.z) ^ c.y ^ k.x, 0xCD9E8D57u * c.z, mul_high(0xD2511F53u, c.x) ^ c.w ^ k.y,
        0xD2511F53u * c.x);
    k += vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
  }
  return c.xy;
}
fn sum_four(v: vec4<f32>, t: u32) -> vec4<f32> {
  workgroupBarrier(); fours[t] = v;
  for (var d = WG / 2u; d > 0u; d /= 2u) { workgroupBarrier(); if (t < d) { fours[t] += fours[t + d]; } }
  workgroupBarrier(); return fours[0];
}
fn logit(r: u32, i: u32) -> u32 { return logits[r * VOCAB + i]; }  // the bits: infinities may not be computed with
// What a logit counts: 1 for top-k, exp(l - max) for top-p.
fn mass(v: u32, top: f32, counting: bool) -> f32 { return select(exp(bitcast<f32>(v) - top), 1.0, counting); }
// Who is in: all above `key`, and of those at it the first ones up to id `last`.
struct Cut { key: u32, last: u32 }
fn inside(v: u32, i: u32, cut: Cut) -> bool {
  let k = key_of(v);
  return k > 0x007fffffu && (k > cut.key || (k == cut.key && i <= cut.last));
}
// The smallest set of largest logits of `within` whose mass reaches `wanted`.
fn cut_at(r: u32, t: u32, within: Cut, wanted: f32, top: f32, counting: bool) -> Cut {
  var prefix = 0u; var above = 0.0;  // mass of all keys above the range of `prefix`
  for (var shift = 28i; shift >= 0; shift -= 4) {
    let s = u32(shift);
    var m0 = vec4<f32>(); var m1 = vec4<f32>(); var m2 = vec4<f32>(); var m3 = vec4<f32>();  // by digit
    for (var i = t; i < VOCAB; i += WG) {
      let v = logit(r, i); let k = key_of(v);
      if (!inside(v, i, within) || (shift < 28 && (k >> (s + 4u)) != (prefix >> (s + 4u)))) { continue; }
      let w = vec4<f32>(mass(v, top, counting)); let digit = vec4<u32>((k >> s) & 15u);
      m0 += select(vec4<f32>(), w, digit == vec4<u32>(0u, 1u, 2u, 3u));
      m1 += select(vec4<f32>(), w, digit == vec4<u32>(4u, 5u, 6u, 7u));
      m2 += select(vec4<f32>(), w, digit == vec4<u32>(8u, 9u, 10u, 11u));
      m3 += select(vec4<f32>(), w, digit == vec4<u32>(12u, 13u, 14u, 15u));
    }
    for (var part = 0u; part < 4u; part++) {
      let total = sum_four(select(select(m0, m1, part == 1u), select(m2, m3, part == 3u), part > 1u), t);
      if (t < 4u) { digits[part * 4u + t] = total[t]; }
    }
    workgroupBarrier();
    var found = false; var digit = 0u; var here = 0.0;
    for (var d = 15i; d >= 0; d--) {
      let m = digits[d];
      if (found || m <= 0.0) { continue; }
      digit = u32(d); here = m;  // the last one with mass, when rounding leaves the sum below what is wanted
      if (above + m >= wanted) { found = true; } else { above += m; }
    }
    if (!found) { above -= here; }
    prefix |= digit << s;
    workgroupBarrier();
  }
  // `prefix` is the smallest logit's key; of its equals the first ones in order of ids are enough.
  let each = mass(bitcast<u32>(value_of(prefix)), top, counting);
  let need = u32(max(1.0, ceil((wanted - above) / max(each, 1e-38))));
  return Cut(prefix, nth_equal(r, t, prefix, within, need));
}
// Id of the need-th logit of `within` whose key is `key`, or the last one's.
fn nth_equal(r: u32, t: u32, key: u32, within: Cut, need: u32) -> u32 {
  var n = 0u;
  for (var i = t * SEGMENT; i < min((t + 1u) * SEGMENT, VOCAB); i++) {
    let v = logit(r, i);
    if (key_of(v) == key && inside(v, i, within)) { n++; }
  }
  workgroupBarrier(); ids[t] = n; if (t == 0u) { keys[0] = 0u; } workgroupBarrier();
  var before = 0u; for (var i = 0u; i < t; i++) { before += ids[i]; }
  var total = before; for (var i = t; i < WG; i++) { total += ids[i]; }
  let target_ = min(need, total);
  if (before < target_ && before + n >= target_) {
    for (var i = t * SEGMENT; i < min((t + 1u) * SEGMENT, VOCAB); i++) {
      let v = logit(r, i);
      if (key_of(v) == key && inside(v, i, within)) { before++; if (before == target_) { keys[0] = i; } }
    }
  }
  workgroupBarrier();
  let found = keys[0];
  workgroupBarrier();
  return found;
}
fn draw(r: u32, t: u32, cut: Cut, top: f32, floor_: f32, u: f32) -> u32 {
  let temperature = setting(r, 0u); var s = 0.0; let begin = t * SEGMENT; let end = min(begin + SEGMENT, VOCAB);
  for (var i = begin; i < end; i++) {
    let v = logit(r, i);
    if (inside(v, i, cut) && bitcast<f32>(v) >= floor_) { s += exp((bitcast<f32>(v) - top) / temperature); }
  }
  workgroupBarrier(); sums[t] = s; if (t == 0u) { keys[0] = 0xffffffffu; } workgroupBarrier();
  var below = 0.0; var total = 0.0; var last = 0u;
  for (var i = 0u; i < WG; i++) { if (i == t) { below = total; } total += sums[i]; if (sums[i] > 0.0) { last = i; } }
  let aim = u * total;
  if ((below <= aim && aim < below + s) || (t == last && aim >= below + s)) {
    var sum = below; var id = 0xffffffffu; var done = false;
    for (var i = begin; i < end && !done; i++) {
      let v = logit(r, i);
      if (!inside(v, i, cut) || bitcast<f32>(v) < floor_) { continue; }
      let w = exp((bitcast<f32>(v) - top) / temperature);
      if (w == 0.0) { continue; }
      id = i; sum += w; done = aim < sum;
    }
    keys[0] = id;
  }
  workgroupBarrier();
  return keys[0];
}
fn kernel(wid: vec3<u32>, t: u32) {
  let r = wid.x;
  var key = 0u; var id = 0xffffffffu;
  for (var turn = 0u; turn < (CHUNKS + WG - 1u) / WG; turn++) {
    let i = turn * WG + t;
    if (i >= CHUNKS) { break; }
    let b = best[r * CHUNKS + i];
    if (b.x > key || (b.x == key && b.y < id)) { key = b.x; id = b.y; }
  }
  keys[t] = key; ids[t] = id;
  for (var halves = 1u; halves < 9u; halves++) {  // WG = 256
    let d = WG >> halves;
    workgroupBarrier();
    if (t < d && (keys[t + d] > keys[t] || (keys[t + d] == keys[t] && ids[t + d] < ids[t]))) {
      keys[t] = keys[t + d];
      ids[t] = ids[t + d];
    }
  }
  workgroupBarrier();
  key = workgroupUniformLoad(&keys[0]); id = ids[0];
  let bad = key == 0xffffffffu || key <= 0x007fffffu;
  let settings = vec4<f32>(setting(r, 0u), f32(record(r, 1u)), setting(r, 2u), setting(r, 3u));
  if (sampled(r) && !bad && settings.x > 0.0) {
    let top = value_of(key); var cut = Cut(0u, 0xffffffffu);
    for (var turn = 0u; turn < 2u; turn++) {  // top-k, then top-p
      let counting = turn == 0u;
      let by_count = (settings.y > 0.0) && (record(r, 1u) < VOCAB); let by_mass = settings.z < 1.0;
      if (select(by_mass, by_count, counting)) {
        var s = 0.0;
        for (var i = t; i < VOCAB; i += WG) {
          let v = logit(r, i);
          if (inside(v, i, cut)) { s += exp(bitcast<f32>(v) - top); }
        }
        cut = cut_at(r, t, cut, select(settings.z * sum_four(vec4<f32>(s), t).x, settings.y, counting), top, counting);
      }
    }
    let bits = philox(record(r, 9u), record(r, 7u), record(r, 8u));
    id = draw(r, t, cut, top, select(-3.4e38, top + log(max(settings.w, 1e-38)), settings.w > 0.0), f32(bits.y >> 8u) *
        5.9604644775390625e-08);
  }
  if (t == 0u && sampled(r)) {
    out[r] = select(id, 0xffffffffu, bad); state[record(r, 10u)] = select(id, 0u, bad);
  }
}
