// logits[token][ROW0 + row] = result, softcapped where SOFTCAP > 0. N rows here, VOCAB in all; OUT <= 32.
@group(0) @binding(3) var<storage, read_write> out: array<f32>;  // [R][VOCAB]
fn row_of(wg: u32, i: u32) -> u32 { return min(wg * OUT + i, N - 1u); }
fn prepare(wg: u32, base: u32, t: u32) {}
fn finish(wg: u32, base: u32, t: u32) {
  for (var j = t; j < NT * OUT; j += WG) {
    let n = j / OUT; let row = wg * OUT + j % OUT;
    if (base + n < token_count() && row < N) {
      var v = result(n, j % OUT);
      if (SOFTCAP > 0.0) { v = SOFTCAP * tanh(v / max(SOFTCAP, 1e-30)); }
      out[(base + n) * VOCAB + ROW0 + row] = v;
    }
  }
}
