// Weights d * (q - 32), 7 bits each. A row: quants' low four bits as in dot_q4.wgsl, then their high two, two words per
// group of 32 (planes.h); from vec4 number SCALES on, a word of two f16 for every group: d of either half.
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;  // planes.h
const ROW_VECTORS = G + (G + 1u) / 2u;
struct Group { q: vec4<u32>, high: vec2<u32>, d: vec2<f32> }
fn w_scale(row: u32, k: u32) -> vec2<f32> {
  let i = row * (ROW_SCALES / 2u) + k;
  return unpack2x16float(weights[SCALES + i / 4u][i & 3u]);
}
fn w_high(row: u32, k: u32) -> vec2<u32> {
  let v = weights[row * ROW_VECTORS + G + k / 2u];
  return select(v.xy, v.zw, (k & 1u) == 1u);
}
fn w_group(row: u32, k: u32) -> Group {
  return Group(weights[row * ROW_VECTORS + k], w_high(row, k), w_scale(row, k));
}
// 16 codes as int8: a nibble, two bits above it, less 32 (adding 0x60 to at most 63 carries nowhere).
fn w_codes(low: vec4<u32>, high: u32) -> vec4<u32> {
  let two = vec4<u32>(high << 4u, high << 2u, high, high >> 2u) & vec4<u32>(0x30303030u);
  return ((low | two) + vec4<u32>(0x60606060u)) ^ vec4<u32>(0x80808080u);
}
fn w_lo(w: Group) -> vec4<u32> { return w_codes(w.q & vec4<u32>(0x0f0f0f0fu), w.high.x); }
fn w_hi(w: Group) -> vec4<u32> { return w_codes((w.q >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu), w.high.y); }
fn w_dot(w: Group, lo: vec4<u32>, hi: vec4<u32>, x: vec2<f32>) -> f32 {
  return x.x * (w.d.x * f32(dot16(w_lo(w), lo)) + w.d.y * f32(dot16(w_hi(w), hi)));
}
fn w_four(row: u32, e: u32) -> vec4<f32> {
  let k = e / 8u; let d = w_scale(row, k); let is_high = (e & 4u) != 0u;
  let low = (weights[row * ROW_VECTORS + k][e & 3u] >> select(0u, 4u, is_high)) & 0x0f0f0f0fu;
  let high = (select(w_high(row, k).x, w_high(row, k).y, is_high) >> (2u * (e & 3u))) & 0x03030303u;
  return select(d.x, d.y, is_high) * (vec4<f32>(unpack4xU8(low | (high << 4u))) - 32.0);
}
// For tiles (gemm_dot.wgsl): what the codes of a group are scaled by, and the product of one group.
alias Factor = vec2<f32>;
fn as_factor(v: vec2<f32>) -> Factor { return v; }
fn w_factor(w: Group) -> Factor { return w.d; }
fn w_product(lo: vec4<u32>, hi: vec4<u32>, d: Factor, x_lo: vec4<u32>, x_hi: vec4<u32>, x: vec2<f32>) -> f32 {
  return x.x * (d.x * as_float(dot16_onto(kAsFloat, lo, x_lo)) + d.y * as_float(dot16_onto(kAsFloat, hi, x_hi)));
}
// For tiles on matrices (half.wgsl): an f16 that is 1024 + (code ^ HALF_FLIP) is HALF_BASE + its value; the scale and
// minimum of either half of a group.
const HALF_BASE = 1152.0;
const HALF_FLIP = 0x80808080u;
fn w_affine(w: Group) -> vec4<f32> { return vec4<f32>(w.d.x, 0.0, w.d.y, 0.0); }
