// out[m, n] = epilogue(sum over k of x[m, k] * W[n, k]) for many rows m, any family of weights, float activations.
// A workgroup of 16 x 16 invocations computes a tile of 64 rows m by 64 rows n, an invocation 4 x 4 of it, over steps
// of 16 k that lie in workgroup memory (8.5 KiB). A weight is decoded once per tile.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> params: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

// [k][row], a vec4 being 4 neighbouring rows; 17 vec4 a line spread the banks.
var<workgroup> x_tile: array<f32, 16 * 68>;
var<workgroup> w_tile: array<f32, 16 * 68>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let n_rows = params[ROWS_SYMBOL] * ROWS_MULTIPLE;
  let n0 = group.x * 64u;
  let m0 = group.y * 64u;
  let tile_n = thread % 16u * 4u;
  let tile_m = thread / 16u * 4u;
  $for i 4
  var sum_$i$ = vec4<f32>();
  $end
  for (var k0 = 0u; k0 < COLS; k0 += 16u) {
    if (thread < 128u) {
      let row = thread / 2u;
      let k = thread % 2u * 8u;
      var weights = mat2x4<f32>();
      if (n0 + row < N && k0 + k < COLS) { weights = weights8(n0 + row, k0 + k); }
      $for i 8
      w_tile[(k + $i$u) * 68u + row] = weights[$i$u / 4u][$i$u % 4u];
      $end
    }
    $for i 4
    {
      let row = thread / 16u + $i$u * 16u;
      let k = thread % 16u;
      var value = 0.0;
      if (m0 + row < n_rows && k0 + k < COLS) { value = x[(m0 + row) * X_STRIDE + X_COL0 + k0 + k]; }
      x_tile[k * 68u + row] = value;
    }
    $end
    workgroupBarrier();
    for (var k = 0u; k < 16u; k++) {
      let at = k * 68u + tile_n;
      let weights = vec4<f32>(w_tile[at], w_tile[at + 1u], w_tile[at + 2u], w_tile[at + 3u]);
      $for i 4
      sum_$i$ += x_tile[k * 68u + tile_m + $i$u] * weights;
      $end
    }
    workgroupBarrier();
  }
  $for i 4
  if (m0 + tile_m + $i$u < n_rows) {
    let m = m0 + tile_m + $i$u;
    $for j 4
    if (n0 + tile_n + $j$u < N) {
      out[m * OUT_STRIDE + OUT_COL0 + n0 + tile_n + $j$u] = epilogue(m, n0 + tile_n + $j$u, sum_$i$[$j$]);
    }
    $end
  }
  $end
}
