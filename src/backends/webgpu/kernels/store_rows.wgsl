// What becomes of the results of gemm_matrix.wgsl: f32, through an epilogue_*.wgsl.
@group(0) @binding(3) var<storage, read_write> out: array<f32>;  // [KS][rows] OUT_STRIDE apart, from column OUT_COL0 on
const EACH = 1u;
fn weight_row(n: u32) -> u32 { return n; }
fn store(row: u32, m: u32, n: u32, at: u32) { out[row * OUT_STRIDE + OUT_COL0 + n] = epilogue(m, n, get_float(at)); }
