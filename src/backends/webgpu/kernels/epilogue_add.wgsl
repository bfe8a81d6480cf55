// Products plus residual[m, n].
@group(0) @binding(4) var<storage, read> residual: array<f32>;
fn epilogue(m: u32, n: u32, value: f32) -> f32 { return value + residual[m * R_STRIDE + R_COL0 + n]; }
