// Dims 8 * d8 .. 8 * d8 + 7 of a head, as f32.
@group(0) @binding(4) var<storage, read_write> out: array<vec4<f32>>;  // [T] rows OUT_STRIDE apart, from OUT_COL0 on
fn put8(token: u32, head: u32, d8: u32, a: vec4<f32>, b: vec4<f32>) {
  let at = (token * OUT_STRIDE + OUT_COL0 + head * HD) / 4u + 2u * d8;
  out[at] = a; out[at + 1u] = b;
}
