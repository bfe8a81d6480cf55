// Reads keys and values eight at a time: elements 8 * i .. 8 * i + 7 of a page of int8 codes [KV_HEADS][PAGE][HD],
// after which the f16 scales of 32 values each lie, two to a word (store_q8_0.wgsl).
@group(0) @binding(1) var<storage, read> k_cache: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> v_cache: array<vec2<u32>>;
struct Eight { codes: vec2<u32>, scale: f32 }
const PAGE_EIGHTS = KV_HEADS * PAGE * HD / 8u;
const PAGE_PAIRS = PAGE_EIGHTS + PAGE_EIGHTS / 16u;  // words of a page, by two
fn scale_of(scales: vec2<u32>, i: u32) -> f32 {
  let two = unpack2x16float(select(scales.x, scales.y, (i & 8u) != 0u));
  return select(two.x, two.y, (i & 4u) != 0u);
}
fn key8(page: u32, i: u32) -> Eight {
  let base = page * PAGE_PAIRS;
  return Eight(k_cache[base + i], scale_of(k_cache[base + PAGE_EIGHTS + i / 16u], i));
}
fn value8(page: u32, i: u32) -> Eight {
  let base = page * PAGE_PAIRS;
  return Eight(v_cache[base + i], scale_of(v_cache[base + PAGE_EIGHTS + i / 16u], i));
}
fn low(v: Eight) -> vec4<f32> { return v.scale * vec4<f32>(unpack4xI8(v.codes.x)); }
fn high(v: Eight) -> vec4<f32> { return v.scale * vec4<f32>(unpack4xI8(v.codes.y)); }
fn as_halves(v: Eight) -> vec4<u32> {
  let a = low(v); let b = high(v);
  return vec4<u32>(pack2x16float(a.xy), pack2x16float(a.zw), pack2x16float(b.xy), pack2x16float(b.zw));
}
