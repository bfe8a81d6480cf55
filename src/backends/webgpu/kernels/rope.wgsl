// out[t, :] = the heads of x[t, :], turned by the token's position. A workgroup per token and 64 columns.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> freqs: array<f32>;
@group(0) @binding(2) var<storage, read> params: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn fetch(row: u32, col: u32) -> f32 { return x[row * X_STRIDE + X_COL0 + col]; }

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let t = group.y;
  let col = group.x * 64u + thread;
  if (col >= COLS) { return; }
  out[t * OUT_STRIDE + OUT_COL0 + col] = turned(t, col, params[POSITIONS + t]);
}
