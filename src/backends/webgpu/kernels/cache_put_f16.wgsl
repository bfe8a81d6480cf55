// Writes values at .. at + 3 of a page [KV_HEADS][PAGE][HD] of f16, if `live`.
@group(0) @binding(4) var<storage, read_write> k_cache: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read_write> v_cache: array<vec2<u32>>;
fn put_kv(is_v: bool, page: u32, at: u32, v: vec4<f32>, live: bool, t: u32) {
  if (!live) { return; }
  let i = (page * KV_HEADS * PAGE * HD + at) / 4u; let halves = vec2<u32>(pack2x16float(v.xy), pack2x16float(v.zw));
  if (is_v) { v_cache[i] = halves; } else { k_cache[i] = halves; }
}
