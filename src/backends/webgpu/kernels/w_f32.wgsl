// Weights in f32.
@group(0) @binding(0) var<storage, read> w: array<vec4<u32>>;

// Weights [n, k .. k + 8), k a multiple of 8.
fn weights8(n: u32, k: u32) -> mat2x4<f32> {
  let at = n * (PADDED / 4u) + k / 4u;
  return mat2x4<f32>(bitcast<vec4<f32>>(w[at]), bitcast<vec4<f32>>(w[at + 1u]));
}
