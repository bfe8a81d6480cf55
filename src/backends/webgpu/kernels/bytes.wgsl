// Four bytes of a word as numbers, the low byte first.
fn unsigned_bytes(x: u32) -> vec4<f32> {
  return vec4<f32>(vec4<u32>(x, x >> 8u, x >> 16u, x >> 24u) & vec4<u32>(255u));
}
fn signed_bytes(x: u32) -> vec4<f32> {
  return vec4<f32>(vec4<i32>(vec4<u32>(x << 24u, x << 16u, x << 8u, x)) >> vec4<u32>(24u));
}
