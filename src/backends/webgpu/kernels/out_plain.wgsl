// Columns [OUT_COL0, + N) of a matrix of f32. Composed with epilogue_*.wgsl.
@group(0) @binding(3) var<storage, read_write> out: array<f32>;  // [T or R] rows OUT_STRIDE apart
fn row_of(wg: u32, i: u32) -> u32 { return min(wg * OUT + i, N - 1u); }
fn prepare(wg: u32, base: u32, t: u32) {}
fn finish(wg: u32, base: u32, t: u32) {
  for (var j = t; j < NT * OUT; j += WG) {
    let n = j / OUT; let row = wg * OUT + j % OUT;
    if (base + n < token_count() && row < N) {
      out[(base + n) * OUT_STRIDE + OUT_COL0 + row] = epilogue(base + n, row, result(n, j % OUT));
    }
  }
}
