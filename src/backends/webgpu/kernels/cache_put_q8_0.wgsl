// Writes values at .. at + 3 of a page as cache_q8_0.wgsl reads it, if `live`. 16 neighbouring threads hold 64 values,
// whose two scales share a word; HD is a multiple of 64. Uniform control flow only.
@group(0) @binding(4) var<storage, read_write> k_cache: array<u32>;
@group(0) @binding(5) var<storage, read_write> v_cache: array<u32>;
const PAGE_CODES = KV_HEADS * PAGE * HD / 4u;  // words
fn put_kv(is_v: bool, page: u32, at: u32, v: vec4<f32>, live: bool, t: u32) {
  let a = abs(v); let m = max_of(8u, max(max(a.x, a.y), max(a.z, a.w)), t); let r = select(0.0, 127.0 / m, m > 0.0);
  let second = sum_of(16u, select(0.0, m, at % 64u == 32u), t);
  if (!live) { return; }
  let word = page * (PAGE_CODES + PAGE_CODES / 16u);
  let codes = pack4xI8(vec4<i32>(round(clamp(v * r, vec4<f32>(-127.0), vec4<f32>(127.0)))));
  let scales = pack2x16float(vec2<f32>(m, second) / 127.0);
  if (is_v) { v_cache[word + at / 4u] = codes; } else { k_cache[word + at / 4u] = codes; }
  if (at % 64u == 0u) {
    let i = word + PAGE_CODES + at / 64u;
    if (is_v) { v_cache[i] = scales; } else { k_cache[i] = scales; }
  }
}
