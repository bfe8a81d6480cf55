@group(0) @binding(3) var<storage, read_write> q: array<f32>;  // [T][HEADS][HD]
fn put_q(at: u32, d0: u32, d2: u32, v: vec4<f32>) {
  q[at + d0] = v.x; q[at + d0 + 1u] = v.y; q[at + d2] = v.z; q[at + d2 + 1u] = v.w;
}
