// Writes values at .. at + 3 of a page [KV_HEADS][PAGE][HD] of f32, if `live`.
@group(0) @binding(4) var<storage, read_write> k_cache: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> v_cache: array<vec4<f32>>;
fn put_kv(is_v: bool, page: u32, at: u32, v: vec4<f32>, live: bool, t: u32) {
  if (!live) { return; }
  let i = (page * KV_HEADS * PAGE * HD + at) / 4u;
  if (is_v) { v_cache[i] = v; } else { k_cache[i] = v; }
}
