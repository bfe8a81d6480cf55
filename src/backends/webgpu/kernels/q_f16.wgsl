@group(0) @binding(3) var<storage, read_write> q: array<vec2<u32>>;  // [T][HEADS][HD / 4] of four f16
fn put_q(at: u32, v: vec4<f32>) { q[at / 4u] = vec2<u32>(pack2x16float(v.xy), pack2x16float(v.zw)); }
