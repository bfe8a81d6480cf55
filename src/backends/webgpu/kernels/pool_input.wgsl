// The hidden states that are summed up: x, to which PARTS matrices of T rows are still to be added (0: none).
@group(0) @binding(0) var<storage, read> params: array<u32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;  // [PARTS][T][COLS]

fn hidden(token: u32, col: u32) -> f32 {
  var v = x[token * X_STRIDE + X_COL0 + col];
  for (var p = 0u; p < PARTS; p++) { v += y[(p * params[0] + token) * COLS + col]; }
  return v;
}
