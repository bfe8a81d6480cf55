// What becomes of the results of gemm_matrix.wgsl: act(gate) * up in f16. Rows 0 .. N / 2 - 1 of the weight are gate,
// as many after them up; the tile takes them alternating, so that a pair is at hand. Undivided K; N a multiple of 4.
@group(0) @binding(3) var<storage, read_write> out: array<u32>;  // [T][N / 4] of two f16
const EACH = 4u;
fn weight_row(n: u32) -> u32 { return (n & 1u) * (N / 2u) + n / 2u; }
fn store(row: u32, m: u32, n: u32, at: u32) {
  let v = get_floats(at);
  let both = vec2<f32>(act(v.x) * v.y, act(v.z) * v.w);
  out[m * (N / 4u) + n / 4u] = pack2x16float(clamp(both, vec2<f32>(-65504.0), vec2<f32>(65504.0)));
}
