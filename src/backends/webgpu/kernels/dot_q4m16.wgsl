// Weights d * q + m, 6 bits each. Plane of quants as in dot_q4.wgsl; then, from vec4 number SCALES on, a word of two
// f16 (d, m) for every 16 weights.
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;  // planes.h
struct Group { q: vec4<u32>, low: vec2<f32>, high: vec2<f32> }
// of weights 16 k ...
fn w_scale(row: u32, k: u32) -> vec2<f32> {
  let i = row * ROW_SCALES + k;
  return unpack2x16float(weights[SCALES + i / 4u][i & 3u]);
}
fn w_group(row: u32, k: u32) -> Group {
  let i = row * G + k;
  return Group(weights[i], w_scale(row, 2u * k), w_scale(row, 2u * k + 1u));
}
fn sum16(v: vec4<u32>) -> f32 {
  return f32(dot16(v, vec4<u32>(0x01010101u)));
}
fn w_dot(w: Group, lo: vec4<u32>, hi: vec4<u32>, x: vec2<f32>) -> f32 {
  let a = w.q & vec4<u32>(0x0f0f0f0fu); let b = (w.q >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu);
  let m = dot16(a, lo);
  let n = dot16(b, hi);
  return x.x * (w.low.x * f32(m) + w.low.y * sum16(lo) + w.high.x * f32(n) + w.high.y * sum16(hi));
}
fn w_four(row: u32, e: u32) -> vec4<f32> {
  let i = row * G + e / 8u; let d = w_scale(row, e / 4u);
  let v = (weights[i][e & 3u] >> select(0u, 4u, (e & 4u) != 0u)) & 0x0f0f0f0fu;
  return d.x * vec4<f32>(unpack4xU8(v)) + d.y;
}
// For tiles (gemm_dot.wgsl): the codes of a group, what they are scaled by, and the product of one group. The sums of
// 16 activations are in no block; compilers take them out of a tile's loop over rows.
fn w_lo(w: Group) -> vec4<u32> { return w.q & vec4<u32>(0x0f0f0f0fu); }
fn w_hi(w: Group) -> vec4<u32> { return (w.q >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu); }
alias Factor = vec4<f32>;
fn as_factor(v: vec2<f32>) -> Factor { return v.xyxy; }
fn w_factor(w: Group) -> Factor { return vec4<f32>(w.low, w.high); }
fn w_product(lo: vec4<u32>, hi: vec4<u32>, d: Factor, x_lo: vec4<u32>, x_hi: vec4<u32>, x: vec2<f32>) -> f32 {
  let low = d.x * as_float(dot16_onto(kAsFloat, lo, x_lo)) + d.y * sum16(x_lo);
  return x.x * (low + d.z * as_float(dot16_onto(kAsFloat, hi, x_hi)) + d.w * sum16(x_hi));
}
// For tiles on matrices (half.wgsl): an f16 that is 1024 + (code ^ HALF_FLIP) is HALF_BASE + its value; the scale and
// minimum of either half of a group.
const HALF_BASE = 1024.0;
const HALF_FLIP = 0u;
fn w_affine(w: Group) -> vec4<f32> { return vec4<f32>(w.low, w.high); }
