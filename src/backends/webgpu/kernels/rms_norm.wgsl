// out = x / sqrt(mean(x^2) + EPS) * gain, in groups of GROUP columns. A workgroup per row and group.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> gain: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let begin = group.y * X_STRIDE + X_COL0 + group.x * GROUP;
  let to = group.y * OUT_STRIDE + OUT_COL0 + group.x * GROUP;
  var sum = 0.0;
  for (var i = thread; i < GROUP; i += THREADS) { sum += x[begin + i] * x[begin + i]; }
  let factor = 1.0 / sqrt(reduce_sum(sum, thread) / f32(GROUP) + EPS);
  for (var i = thread; i < GROUP; i += THREADS) { out[to + i] = x[begin + i] * factor * gain[i]; }
}
