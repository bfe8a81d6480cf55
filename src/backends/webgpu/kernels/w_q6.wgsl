// Weights of the family q6: value = scale * (code - 32), a scale (f16) per GROUP weights (16).
@group(0) @binding(0) var<storage, read> w: array<vec4<u32>>;  // planes.h: codes, then scales from vec4 SCALES on

fn scale_of(group: u32) -> f32 {
  let pair = unpack2x16float(w[SCALES + group / 8u][group / 2u % 4u]);
  return select(pair.x, pair.y, group % 2u == 1u);
}

// Weights [n, k .. k + 8), k a multiple of 8.
fn weights8(n: u32, k: u32) -> mat2x4<f32> {
  let groups = PADDED / 32u;
  let row = n * (groups + (groups + 1u) / 2u);
  let codes = w[row + k / 32u];
  let word = k / 8u % 2u * 2u;
  let half = k / 16u % 2u;
  let low = (vec2<u32>(codes[word], codes[word + 1u]) >> vec2<u32>(half * 4u)) & vec2<u32>(0x0f0f0f0fu);
  let bits = w[row + groups + k / 64u][k / 32u % 2u * 2u + half];
  let high = (vec2<u32>(bits) >> vec2<u32>(2u * word, 2u * word + 2u)) & vec2<u32>(0x03030303u);
  let q = low | (high << vec2<u32>(4u));
  let d = scale_of(n * ROW_SCALES + k / GROUP);
  return mat2x4<f32>(d * (unsigned_bytes(q.x) - 32.0), d * (unsigned_bytes(q.y) - 32.0));
}
