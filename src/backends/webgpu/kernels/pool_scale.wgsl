// scale[t] = 1 / sqrt(mean(hidden(t)^2) + EPS) of the tokens of all pools. A workgroup per token of the step, in x, and
// pool, in y: it has work if the pool has so many tokens.
@group(0) @binding(3) var<storage, read_write> scale: array<f32>;  // [T]

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  if (group.x >= params[POOLS + 2u * group.y + 1u]) { return; }
  let token = params[POOLS + 2u * group.y] + group.x;
  var sum = 0.0;
  for (var i = thread; i < COLS; i += THREADS) {
    let v = hidden(token, i);
    sum += v * v;
  }
  let mean = reduce_sum(sum, thread) / f32(COLS);
  if (thread == 0u) { scale[token] = 1.0 / sqrt(mean + EPS); }
}
