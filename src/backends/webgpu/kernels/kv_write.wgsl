// Writes the step's keys and values into the pages of their sequences. An invocation per token and UNIT neighbouring
// columns of a head (2; 64 in a q8_0 cache, whose scales lie two to a word), which `store` puts into a cache.
@group(0) @binding(0) var<storage, read> k: array<f32>;
@group(0) @binding(1) var<storage, read> v: array<f32>;
@group(0) @binding(2) var<storage, read> params: array<u32>;
@group(0) @binding(3) var<storage, read_write> keys: array<u32>;
@group(0) @binding(4) var<storage, read_write> values: array<u32>;

fn fetch(row: u32, col: u32) -> f32 { return k[row * K_STRIDE + K_COL0 + col]; }

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let t = group.y;
  let col = (group.x * 64u + thread) * UNIT;
  if (col >= KV_HEADS * HEAD_DIM) { return; }
  let position = params[POSITIONS + t];
  let first_page = params[SEQS + params[SEQUENCES + t] * 4u + 1u];
  let page = params[PAGES + first_page + position / PAGE_TOKENS];
  store(page, (col / HEAD_DIM * PAGE_TOKENS + position % PAGE_TOKENS) * HEAD_DIM + col % HEAD_DIM, t, col, position);
}
