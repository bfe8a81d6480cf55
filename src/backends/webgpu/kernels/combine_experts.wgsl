// out[t, :] = sum over j < TOP of weights[t, j] * y[t * TOP + j, :]. A workgroup per token and 64 columns.
@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let col = group.x * 64u + thread;
  let t = group.y;
  if (col >= COLS) { return; }
  var sum = 0.0;
  for (var j = 0u; j < TOP; j++) {
    sum += weights[t * W_STRIDE + W_COL0 + j] * y[(t * TOP + j) * Y_STRIDE + Y_COL0 + col];
  }
  out[t * OUT_STRIDE + OUT_COL0 + col] = sum;
}
