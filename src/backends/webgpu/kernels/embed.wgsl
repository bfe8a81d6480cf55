// out[t, :] = FACTOR * W[token of t, :]. A workgroup per token; this dispatch serves the tokens whose rows lie in
// [ROW0, ROW0 + ROWS) of the table, the shard that W is. A negative token is -1 - word of the state.
@group(0) @binding(1) var<storage, read> params: array<u32>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let t = group.x;
  let id = bitcast<i32>(params[TOKENS + t]);
  var row = u32(id);
  if (id < 0) { row = state[u32(-1 - id)]; }
  if (row < ROW0 || row - ROW0 >= ROWS) { return; }
  for (var k = thread * 8u; k < COLS; k += 512u) {
    let x = weights8(row - ROW0, k);
    for (var i = 0u; i < 8u; i++) {
      if (k + i < COLS) { out[t * OUT_STRIDE + OUT_COL0 + k + i] = FACTOR * x[i / 4u][i % 4u]; }
    }
  }
}
