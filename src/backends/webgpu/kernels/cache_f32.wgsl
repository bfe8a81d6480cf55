// Reads keys and values eight at a time: elements 8 * i .. 8 * i + 7 of a page [KV_HEADS][PAGE][HD] of f32.
@group(0) @binding(1) var<storage, read> k_cache: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> v_cache: array<vec4<f32>>;
struct Eight { low: vec4<f32>, high: vec4<f32> }
const PAGE_EIGHTS = KV_HEADS * PAGE * HD / 8u;
fn key8(page: u32, i: u32) -> Eight {
  let at = 2u * (page * PAGE_EIGHTS + i);
  return Eight(k_cache[at], k_cache[at + 1u]);
}
fn value8(page: u32, i: u32) -> Eight {
  let at = 2u * (page * PAGE_EIGHTS + i);
  return Eight(v_cache[at], v_cache[at + 1u]);
}
fn low(v: Eight) -> vec4<f32> { return v.low; }
fn high(v: Eight) -> vec4<f32> { return v.high; }
fn as_halves(v: Eight) -> vec4<u32> {
  let a = clamp(v.low, vec4<f32>(-65504.0), vec4<f32>(65504.0));
  let b = clamp(v.high, vec4<f32>(-65504.0), vec4<f32>(65504.0));
  return vec4<u32>(pack2x16float(a.xy), pack2x16float(a.zw), pack2x16float(b.xy), pack2x16float(b.zw));
}
