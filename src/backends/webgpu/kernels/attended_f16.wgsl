// Dims 8 * d8 .. 8 * d8 + 7 of a head, as f16.
@group(0) @binding(4) var<storage, read_write> out: array<vec4<u32>>;  // [T][KV_HEADS * GQ][HD / 8] of 8 f16
fn put8(token: u32, head: u32, d8: u32, a: vec4<f32>, b: vec4<f32>) {
  out[(token * KV_HEADS * GQ + head) * (HD / 8u) + d8] =
      vec4<u32>(pack2x16float(a.xy), pack2x16float(a.zw), pack2x16float(b.xy), pack2x16float(b.zw));
}
