// out[t * TOP + j, n] = sum over k of x[row, k] * W[expert * N + n, k], where expert = ids[t, j] and row is the token
// or, with ROW_PER_EXPERT, t * TOP + j. This dispatch serves the experts [EXPERT0, EXPERT0 + EXPERTS), the shard that W
// is. A workgroup computes 4 rows n of one row of out, 32 invocations each.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

var<workgroup> partial: array<f32, 128>;
var<workgroup> chosen: u32;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let m = group.y;
  if (thread == 0u) { chosen = ids[m / TOP * IDS_STRIDE + IDS_COL0 + m % TOP]; }
  let expert = workgroupUniformLoad(&chosen);
  if (expert < EXPERT0 || expert - EXPERT0 >= EXPERTS) { return; }
  let n = group.x * 4u + thread / 32u;
  let row = (expert - EXPERT0) * N + min(n, N - 1u);
  let begin = select(m / TOP, m, ROW_PER_EXPERT == 1u) * X_STRIDE + X_COL0;
  var sum = 0.0;
  for (var k = thread % 32u * 8u; k < COLS; k += 256u) {
    let weights = weights8(row, k);
    for (var i = 0u; i < 8u; i++) {
      if (k + i < COLS) { sum += weights[i / 4u][i % 4u] * x[begin + k + i]; }
    }
  }
  partial[thread] = sum;
  workgroupBarrier();
  for (var half = 16u; half > 0u; half >>= 1u) {
    if (thread % 32u < half) { partial[thread] += partial[thread + half]; }
    workgroupBarrier();
  }
  if (thread % 32u == 0u && n < N) { out[m * OUT_STRIDE + OUT_COL0 + n] = partial[thread]; }
}
