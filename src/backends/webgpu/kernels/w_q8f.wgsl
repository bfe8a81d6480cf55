// Weights of the family q8f: value = scale * code, a scale (f32) per 32.
@group(0) @binding(0) var<storage, read> w: array<vec4<u32>>;  // planes.h: codes, then scales from vec4 SCALES on

// Weights [n, k .. k + 8), k a multiple of 8.
fn weights8(n: u32, k: u32) -> mat2x4<f32> {
  let codes = w[n * (PADDED / 16u) + k / 16u];
  let word = k / 8u % 2u * 2u;
  let group = n * ROW_SCALES + k / 32u;
  let d = bitcast<f32>(w[SCALES + group / 4u][group % 4u]);
  return mat2x4<f32>(d * signed_bytes(codes[word]), d * signed_bytes(codes[word + 1u]));
}
