// x is had as int8 blocks.
@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>;  // [T] blocks of G groups
fn load_x(base: u32, t: u32) {}
fn x_factor(n: u32) -> f32 { return 1.0; }
fn x_lo(token: u32, k: u32) -> vec4<u32> { return x[token * q8_stride(G) + k]; }
fn x_hi(token: u32, k: u32) -> vec4<u32> { return x[token * q8_stride(G) + G + k]; }
fn x_scale(token: u32, k: u32) -> vec2<f32> {
  let v = x[token * q8_stride(G) + q8_scales(G) + k / 2u];
  return bitcast<vec2<f32>>(select(v.xy, v.zw, (k & 1u) == 1u));
}
