// Reads keys and values eight at a time: elements 8 * i .. 8 * i + 7 of a page [KV_HEADS][PAGE][HD] of f16.
@group(0) @binding(1) var<storage, read> k_cache: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> v_cache: array<vec4<u32>>;
alias Eight = vec4<u32>;
const PAGE_EIGHTS = KV_HEADS * PAGE * HD / 8u;
fn key8(page: u32, i: u32) -> Eight { return k_cache[page * PAGE_EIGHTS + i]; }
fn value8(page: u32, i: u32) -> Eight { return v_cache[page * PAGE_EIGHTS + i]; }
fn low(v: Eight) -> vec4<f32> { return vec4<f32>(unpack2x16float(v.x), unpack2x16float(v.y)); }
fn high(v: Eight) -> vec4<f32> { return vec4<f32>(unpack2x16float(v.z), unpack2x16float(v.w)); }
fn as_halves(v: Eight) -> vec4<u32> { return v; }
