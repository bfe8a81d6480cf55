// kv_write with rope: keys are turned by the token's position.
@group(0) @binding(5) var<storage, read> freqs: array<f32>;
fn key(row: u32, col: u32, position: u32) -> f32 { return turned(row, col, position); }
