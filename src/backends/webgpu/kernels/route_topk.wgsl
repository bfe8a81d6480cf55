// The K largest of a token's E logits (of equals the lower index first) as ids, and their softmax as weights, over all
// logits or, with NORMALISE, over the chosen ones. An invocation per token.
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> params: array<u32>;
@group(0) @binding(2) var<storage, read_write> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> weights: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  let t = global.x;
  if (t >= params[ROWS_SYMBOL] * ROWS_MULTIPLE) { return; }
  let begin = t * X_STRIDE + X_COL0;
  var largest = -3.0e38;
  for (var e = 0u; e < E; e++) { largest = max(largest, logits[begin + e]); }
  var total = 0.0;
  for (var e = 0u; e < E; e++) { total += exp(logits[begin + e] - largest); }
  var chosen_total = 0.0;
  var last = 3.4e38;
  var last_id = 0u;
  for (var j = 0u; j < K; j++) {
    var best = -3.4e38;
    var best_id = 0u;
    for (var e = 0u; e < E; e++) {
      let x = logits[begin + e];
      let is_left = x < last || (x == last && e > last_id);
      if (is_left && x > best) {
        best = x;
        best_id = e;
      }
    }
    last = best;
    last_id = best_id;
    chosen_total += exp(best - largest);
    ids[t * IDS_STRIDE + IDS_COL0 + j] = best_id;
    weights[t * OUT_STRIDE + OUT_COL0 + j] = exp(best - largest);
  }
  let factor = 1.0 / select(total, chosen_total, NORMALISE == 1u);
  for (var j = 0u; j < K; j++) { weights[t * OUT_STRIDE + OUT_COL0 + j] *= factor; }
}
