// Weights d * q + m, 5 bits each. Plane of quants as in dot_q4.wgsl; then, from vec4 number SCALES on, a word of two
// f16 (d, m) for every group.
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;  // planes.h
struct Group { q: vec4<u32>, d: vec2<f32> }
fn w_scale(row: u32, k: u32) -> vec2<f32> {
  let i = row * ROW_SCALES + k;
  return unpack2x16float(weights[SCALES + i / 4u][i & 3u]);
}
fn w_group(row: u32, k: u32) -> Group { let i = row * G + k; return Group(weights[i], w_scale(row, k)); }
fn w_dot(w: Group, lo: vec4<u32>, hi: vec4<u32>, x: vec2<f32>) -> f32 {
  let a = w.q & vec4<u32>(0x0f0f0f0fu); let b = (w.q >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu);
  let n = dot16(a, lo) + dot16(b, hi);
  return w.d.x * x.x * f32(n) + w.d.y * x.y;
}
fn w_four(row: u32, e: u32) -> vec4<f32> {
  let i = row * G + e / 8u; let d = w_scale(row, e / 8u);
  let v = (weights[i][e & 3u] >> select(0u, 4u, (e & 4u) != 0u)) & 0x0f0f0f0fu;
  return d.x * vec4<f32>(unpack4xU8(v)) + d.y;
}
// For tiles (gemm_dot.wgsl): the codes of a group, what they are scaled by, and the product of one group.
fn w_lo(w: Group) -> vec4<u32> { return w.q & vec4<u32>(0x0f0f0f0fu); }
fn w_hi(w: Group) -> vec4<u32> { return (w.q >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu); }
alias Factor = vec2<f32>;
fn as_factor(v: vec2<f32>) -> Factor { return v; }
fn w_factor(w: Group) -> Factor { return w.d; }
fn w_product(lo: vec4<u32>, hi: vec4<u32>, d: Factor, x_lo: vec4<u32>, x_hi: vec4<u32>, x: vec2<f32>) -> f32 {
  return d.x * (x.x * dot32(lo, hi, x_lo, x_hi)) + d.y * x.y;
}
// For tiles on matrices (half.wgsl): an f16 that is 1024 + (code ^ HALF_FLIP) is HALF_BASE + its value; the scale and
// minimum of either half of a group.
const HALF_BASE = 1024.0;
const HALF_FLIP = 0u;
fn w_affine(w: Group) -> vec4<f32> { return w.d.xyxy; }
