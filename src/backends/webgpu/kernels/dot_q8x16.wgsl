// As dot_q8.wgsl with a scale per 16 weights: from vec4 number SCALES on, a word of two f16 for every group of 32.
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;  // planes.h
struct Group { lo: vec4<u32>, hi: vec4<u32>, d: vec2<f32> }
fn w_scale(row: u32, k: u32) -> vec2<f32> {
  let i = row * (ROW_SCALES / 2u) + k;
  return unpack2x16float(weights[SCALES + i / 4u][i & 3u]);
}
fn w_group(row: u32, k: u32) -> Group {
  let i = row * G + k;
  return Group(weights[2u * i], weights[2u * i + 1u], w_scale(row, k));
}
fn w_dot(w: Group, lo: vec4<u32>, hi: vec4<u32>, x: vec2<f32>) -> f32 {
  let a = dot16(w.lo, lo);
  let b = dot16(w.hi, hi);
  return x.x * (w.d.x * f32(a) + w.d.y * f32(b));
}
fn w_four(row: u32, e: u32) -> vec4<f32> {
  let i = row * G + e / 8u; let d = w_scale(row, e / 8u);
  return select(d.x, d.y, (e & 4u) != 0u) * vec4<f32>(unpack4xI8(weights[2u * i + (e & 7u) / 4u][e & 3u]));
}
// For tiles (gemm_dot.wgsl): the codes of a group, what they are scaled by, and the product of one group.
fn w_lo(w: Group) -> vec4<u32> { return w.lo; }
fn w_hi(w: Group) -> vec4<u32> { return w.hi; }
fn w_factor(w: Group) -> vec2<f32> { return w.d; }
fn w_product(lo: vec4<u32>, hi: vec4<u32>, d: vec2<f32>, x_lo: vec4<u32>, x_hi: vec4<u32>, x: vec2<f32>) -> f32 {
  return x.x * (d.x * as_float(dot16_onto(kAsFloat, lo, x_lo)) + d.y * as_float(dot16_onto(kAsFloat, hi, x_hi)));
}
// For tiles on matrices (half.wgsl): an f16 that is 1024 + (code ^ HALF_FLIP) is HALF_BASE + its value; the scale and
// minimum of either half of a group.
const HALF_BASE = 1152.0;
const HALF_FLIP = 0x80808080u;
fn w_affine(w: Group) -> vec4<f32> { return vec4<f32>(w.d.x, 0.0, w.d.y, 0.0); }
