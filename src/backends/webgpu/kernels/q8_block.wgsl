// A vector of K activations as int8 with a scale per group of 32, and what a norm needs; G = K / 32. In vec4<u32>:
//   [2][G]        elements 0..15 of every group, then elements 16..31, four to a word
//   [ceil(G / 2)] per group (d, d * sum(q)) as two f32: x = d * q
//   [ceil(G / 4)] per group the f32 sum of squares of what a norm divides by (only where the producer says so)
fn q8_stride(groups: u32) -> u32 { return 2u * groups + (groups + 1u) / 2u + (groups + 3u) / 4u; }
fn q8_scales(groups: u32) -> u32 { return 2u * groups; }
fn q8_squares(groups: u32) -> u32 { return 2u * groups + (groups + 1u) / 2u; }
// Index of the u32 that holds elements 4 * i .. 4 * i + 3.
fn q8_word(i: u32, groups: u32) -> u32 { return select(0u, groups * 4u, (i & 4u) != 0u) + (i / 8u) * 4u + (i & 3u); }
// For `r` = 127 / max of a group.
fn q8_round(v: f32, r: f32) -> i32 { return i32(round(v * r)); }
// The dot product of 16 packed int8; dot_*.wgsl build on it.
fn dot16(a: vec4<u32>, b: vec4<u32>) -> i32 {
  return dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w);
}
// The same added to n, and 32 of them as a float. Sums of 32 products of int8 stay far below 2^22, so that an integer
// becomes a float by being added to the bits of 1.5 * 2^23: a conversion costs four times as much.
const kAsFloat = 0x4b400000;
fn as_float(n: i32) -> f32 { return bitcast<f32>(n) - 12582912.0; }
fn dot16_onto(n: i32, a: vec4<u32>, b: vec4<u32>) -> i32 {
  return n + dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w);
}
fn dot32(a_lo: vec4<u32>, a_hi: vec4<u32>, b_lo: vec4<u32>, b_hi: vec4<u32>) -> f32 {
  return as_float(dot16_onto(dot16_onto(kAsFloat, a_lo, b_lo), a_hi, b_hi));
}
