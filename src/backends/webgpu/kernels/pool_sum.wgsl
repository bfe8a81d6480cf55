// out[p, :] = gain * (sum of hidden(t) * scale[t] over the tokens t of pool p). A workgroup per pool and 64 columns.
@group(0) @binding(3) var<storage, read> scale: array<f32>;  // [T]
@group(0) @binding(4) var<storage, read> gain: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let col = group.x * 64u + thread;
  if (col >= COLS) { return; }
  let first = params[POOLS + 2u * group.y];
  let end = first + params[POOLS + 2u * group.y + 1u];
  var sum = 0.0;
  for (var t = first; t < end; t++) { sum += hidden(t, col) * scale[t]; }
  out[group.y * OUT_STRIDE + OUT_COL0 + col] = sum * gain[col];
}
