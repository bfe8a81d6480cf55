// Weights d * q, 8.5 bits each. Plane of quants: per group of 32 two vec4<u32>, four int8 to a word in order; then,
// from vec4 number SCALES on, f16 d of every group, two to a word.
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;  // planes.h
struct Group { lo: vec4<u32>, hi: vec4<u32>, d: f32 }
fn w_scale(row: u32, k: u32) -> f32 {
  let i = row * ROW_SCALES + k;
  let v = unpack2x16float(weights[SCALES + i / 8u][(i / 2u) & 3u]);
  return select(v.x, v.y, (i & 1u) == 1u);
}
fn w_group(row: u32, k: u32) -> Group {
  let i = row * G + k;
  return Group(weights[2u * i], weights[2u * i + 1u], w_scale(row, k));
}
fn w_dot(w: Group, lo: vec4<u32>, hi: vec4<u32>, x: vec2<f32>) -> f32 {
  let n = dot16(w.lo, lo) + dot16(w.hi, hi);
  return w.d * x.x * f32(n);
}
fn w_four(row: u32, e: u32) -> vec4<f32> {
  let i = row * G + e / 8u;
  return w_scale(row, e / 8u) * vec4<f32>(unpack4xI8(weights[2u * i + (e & 7u) / 4u][e & 3u]));
}
// For tiles (gemm_dot.wgsl): the codes of a group, what they are scaled by, and the product of one group.
fn w_lo(w: Group) -> vec4<u32> { return w.lo; }
fn w_hi(w: Group) -> vec4<u32> { return w.hi; }
alias Factor = vec2<f32>;
fn as_factor(v: vec2<f32>) -> Factor { return v; }
fn w_factor(w: Group) -> Factor { return vec2<f32>(w.d, 0.0); }
fn w_product(lo: vec4<u32>, hi: vec4<u32>, d: Factor, x_lo: vec4<u32>, x_hi: vec4<u32>, x: vec2<f32>) -> f32 {
  return d.x * (x.x * dot32(lo, hi, x_lo, x_hi));
}
// For tiles on matrices (half.wgsl): an f16 that is 1024 + (code ^ HALF_FLIP) is HALF_BASE + its value; the scale and
// minimum of either half of a group.
const HALF_BASE = 1152.0;
const HALF_FLIP = 0x80808080u;
fn w_affine(w: Group) -> vec4<f32> { return vec4<f32>(w.d, 0.0, w.d, 0.0); }
