// out[m, n] = epilogue(sum over k of x[m, k] * W[n, k]) for few rows m, any family of weights, float activations.
// A workgroup computes 4 rows n of up to TILE rows m: 32 invocations a row, each of which takes 8 neighbouring weights
// at a time and uses them for all m. Bytes read a weight: the weight's own and 4 * TILE of x, which stays in cache.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> params: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

var<workgroup> partial: array<f32, 128 * TILE>;

fn x4(m: u32, k: u32) -> vec4<f32> {
  let at = m * X_STRIDE + X_COL0 + k;
  return vec4<f32>(x[at], select(0.0, x[at + 1u], k + 1u < COLS), select(0.0, x[at + 2u], k + 2u < COLS),
                   select(0.0, x[at + 3u], k + 3u < COLS));
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let n_rows = params[ROWS_SYMBOL] * ROWS_MULTIPLE;
  let n = min(group.x * 4u + thread / 32u, N - 1u);  // rows beyond the last repeat it and are not stored
  let m0 = group.y * TILE;
  $for i TILE
  var sum_$i$ = 0.0;
  let m_$i$ = min(m0 + $i$u, n_rows - 1u);
  $end
  for (var k = thread % 32u * 8u; k < COLS; k += 256u) {
    let weights = weights8(n, k);
    $for i TILE
    sum_$i$ += dot(weights[0], x4(m_$i$, k));
    if (k + 4u < COLS) { sum_$i$ += dot(weights[1], x4(m_$i$, k + 4u)); }
    $end
  }
  $for i TILE
  partial[$i$u * 128u + thread] = sum_$i$;
  $end
  workgroupBarrier();
  for (var half = 16u; half > 0u; half >>= 1u) {
    if (thread % 32u < half) {
      $for i TILE
      partial[$i$u * 128u + thread] += partial[$i$u * 128u + thread + half];
      $end
    }
    workgroupBarrier();
  }
  if (thread >= 4u * TILE) { return; }
  let m = m0 + thread / 4u;
  let row = group.x * 4u + thread % 4u;
  if (m >= n_rows || row >= N) { return; }
  let value = epilogue(m, row, partial[thread / 4u * 128u + thread % 4u * 32u]);
  out[m * OUT_STRIDE + OUT_COL0 + row] = value;
}
