// Weights of the family q8: value = scale * code, a scale (f16) per GROUP weights (32).
@group(0) @binding(0) var<storage, read> w: array<vec4<u32>>;  // planes.h: codes, then scales from vec4 SCALES on

fn scale_of(group: u32) -> f32 {
  let pair = unpack2x16float(w[SCALES + group / 8u][group / 2u % 4u]);
  return select(pair.x, pair.y, group % 2u == 1u);
}

// Weights [n, k .. k + 8), k a multiple of 8.
fn weights8(n: u32, k: u32) -> mat2x4<f32> {
  let codes = w[n * (PADDED / 16u) + k / 16u];
  let word = k / 8u % 2u * 2u;
  let d = scale_of(n * ROW_SCALES + k / GROUP);
  return mat2x4<f32>(d * signed_bytes(codes[word]), d * signed_bytes(codes[word + 1u]));
}
