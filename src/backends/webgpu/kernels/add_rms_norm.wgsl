// sum = x + y; out = sum / sqrt(mean(sum^2) + EPS) * gain, in groups of GROUP columns. A workgroup per row and group.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> gain: array<f32>;
@group(0) @binding(3) var<storage, read_write> total: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let col0 = group.x * GROUP;
  var squares = 0.0;
  for (var i = thread; i < GROUP; i += THREADS) {
    let a = x[group.y * X_STRIDE + X_COL0 + col0 + i] + y[group.y * Y_STRIDE + Y_COL0 + col0 + i];
    total[group.y * SUM_STRIDE + SUM_COL0 + col0 + i] = a;
    squares += a * a;
  }
  let factor = 1.0 / sqrt(reduce_sum(squares, thread) / f32(GROUP) + EPS);
  for (var i = thread; i < GROUP; i += THREADS) {  // each invocation reads what it wrote itself
    let a = total[group.y * SUM_STRIDE + SUM_COL0 + col0 + i];
    out[group.y * OUT_STRIDE + OUT_COL0 + col0 + i] = a * factor * gain[i];
  }
}
