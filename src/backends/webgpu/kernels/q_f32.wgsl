@group(0) @binding(3) var<storage, read_write> q: array<vec4<f32>>;  // [T][HEADS][HD / 4]
fn put_q(at: u32, v: vec4<f32>) { q[at / 4u] = v; }
