// Weights in f16, two to a word.
@group(0) @binding(0) var<storage, read> w: array<vec4<u32>>;

// Weights [n, k .. k + 8), k a multiple of 8.
fn weights8(n: u32, k: u32) -> mat2x4<f32> {
  let x = w[n * (PADDED / 8u) + k / 8u];
  return mat2x4<f32>(vec4<f32>(unpack2x16float(x.x), unpack2x16float(x.y)),
                     vec4<f32>(unpack2x16float(x.z), unpack2x16float(x.w)));
}
