// Weights of the family q4z: value = scale * (code - zero), a pair of f16 per 32.
@group(0) @binding(0) var<storage, read> w: array<vec4<u32>>;  // planes.h: codes, then scales from vec4 SCALES on

// Weights [n, k .. k + 8), k a multiple of 8.
fn weights8(n: u32, k: u32) -> mat2x4<f32> {
  let codes = w[n * (PADDED / 32u) + k / 32u];
  let word = k / 8u % 2u * 2u;
  let shift = k / 16u % 2u * 4u;
  let group = n * ROW_SCALES + k / 32u;
  let dz = unpack2x16float(w[SCALES + group / 4u][group % 4u]);
  let low = unsigned_bytes((codes[word] >> shift) & 0x0f0f0f0fu);
  let high = unsigned_bytes((codes[word + 1u] >> shift) & 0x0f0f0f0fu);
  return mat2x4<f32>(dz.x * (low - dz.y), dz.x * (high - dz.y));
}
