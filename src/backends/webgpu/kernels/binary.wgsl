// out = f(x, y), element by element; f is another file. A workgroup per row and 64 columns.
// Y_STRIDE 0: one row for all.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let col = group.x * 64u + thread;
  if (col >= COLS) { return; }
  let a = x[group.y * X_STRIDE + X_COL0 + col];
  out[group.y * OUT_STRIDE + OUT_COL0 + col] = f(a, y[group.y * Y_STRIDE + Y_COL0 + col]);
}
