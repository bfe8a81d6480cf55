@group(0) @binding(3) var<storage, read_write> q: array<u32>;  // [T][HEADS][HD / 2] of two f16
fn put_q(at: u32, d0: u32, d2: u32, v: vec4<f32>) {
  q[(at + d0) / 2u] = pack2x16float(v.xy); q[(at + d2) / 2u] = pack2x16float(v.zw);
}
