// Attention of single tokens over the paged cache (cache_*.wgsl), split over KV: workgroup = (kv head, split, token),
// 256 threads, the GQ query heads of the kv head together, so that every byte of K and V is read once; blocks of 64
// positions, the next block's loads in flight while this one is worked on. Scores: thread = (quarter of the dims,
// position). Softmax: thread = (head, position). Values: thread = (position modulo 2048 / HD, 8 dims). HD is 32, 64,
// 128 or 256; PAGE 32 or a multiple of 64. LOADS = HD / 32: eights of K, and of V, that a thread reads a block; ROUNDS
// = ceil(GQ / 4). Writes unnormalised outputs and (maximum, sum) per split. Reads 4 bytes of an f16 cache per position,
// kv head and dim.
@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;             // [T][KV_HEADS * GQ][HD / 4]
@group(0) @binding(2) var<storage, read> params: array<u32>;
@group(0) @binding(4) var<storage, read_write> part_o: array<vec4<f32>>;  // [T][KV_HEADS * GQ][SPLITS][HD / 4]
@group(0) @binding(5) var<storage, read_write> part_ml: array<vec2<f32>>; // [T][KV_HEADS * GQ][SPLITS] (max, sum)
const PIECES = HD / 8u;           // threads that share a position's value
const HEADS = KV_HEADS * GQ;
var<workgroup> qs: array<vec4<f32>, GQ * HD / 4u>;
// [quarter][head][64] scores; [head][64] probabilities; the last sums
var<workgroup> p: array<f32, max(2048u, GQ * 256u)>;
var<workgroup> alphas: array<f32, GQ>;
// The pages of a block's first and second 32 positions.
fn pages_at(first_page: u32, last: u32, pos: u32) -> vec2<u32> {
  let a = min(pos, last) / PAGE; let b = min(pos + 32u, last) / PAGE;
  return vec2<u32>(params[P_PAGES + first_page + a], params[P_PAGES + first_page + b]);
}
// The eight dims 8 * d8 .. of position base + i.
fn key_of(pages: vec2<u32>, kv: u32, base: u32, i: u32, d8: u32) -> Eight {
  return key8(select(pages.x, pages.y, i >= 32u), (kv * PAGE + (base + i) % PAGE) * PIECES + d8);
}
fn value_of(pages: vec2<u32>, kv: u32, base: u32, i: u32, d8: u32) -> Eight {
  return value8(select(pages.x, pages.y, i >= 32u), (kv * PAGE + (base + i) % PAGE) * PIECES + d8);
}
fn kernel(wid: vec3<u32>, t: u32) {
  let kv = wid.x; let split = wid.y; let token = wid.z;
  let n = params[P_POSITIONS + token] + 1u; let first_page = params[P_SEQS + 4u * params[P_SEQUENCES + token] + 1u];
  let visible = kv_begin(n); let begin = kv_first(n) + split * kv_chunk(n);
  let end = min(n, begin + kv_chunk(n)); let steps = (max(end, begin) - begin + 63u) / 64u;
  if (steps == 0u) { return; }
  let part = t / 64u; let j = t % 64u; let g = t / PIECES; let c = t % PIECES;
  for (var i = t; i < GQ * HD / 4u; i += WG) { qs[i] = q[(token * HEADS + kv * GQ) * (HD / 4u) + i] * SCALE; }
$for r ROUNDS
  var m$r$ = -3.4e38; var l$r$ = 0.0;
$end
$for h GQ
  var a$h$ = vec4<f32>(); var b$h$ = vec4<f32>();
$end
  var pages = pages_at(first_page, n - 1u, begin);
$for d LOADS
  var k$d$ = key_of(pages, kv, begin, j, part * LOADS + $d$u);
  var v$d$ = value_of(pages, kv, begin, g + $d$u * (2048u / HD), c);
$end
  pages = pages_at(first_page, n - 1u, begin + 64u);
  for (var base = begin; base < end; base += 64u) {
    workgroupBarrier();
$for h GQ
    var s$h$ = vec4<f32>();
$for d LOADS
    s$h$ += low(k$d$) * qs[$h$u * (HD / 4u) + part * 2u * LOADS + 2u * $d$u] + high(k$d$) *
        qs[$h$u * (HD / 4u) + part * 2u * LOADS + 2u * $d$u + 1u];
$end
    p[part * GQ * 64u + $h$u * 64u + j] = s$h$.x + s$h$.y + s$h$.z + s$h$.w;
$end
    let next = base + 64u;
$for d LOADS
    k$d$ = key_of(pages, kv, next, j, part * LOADS + $d$u);
$end
    workgroupBarrier();
$for r ROUNDS
    let i$r$ = min(t + $r$u * 256u, GQ * 64u - 1u);
    var e$r$ = p[i$r$] + p[GQ * 64u + i$r$] + p[GQ * 128u + i$r$] + p[GQ * 192u + i$r$];
    if (SOFTCAP > 0.0) { e$r$ = SOFTCAP * tanh(clamp(e$r$ / max(SOFTCAP, 1e-30), -15.0, 15.0)); }
    if (base + j >= end || base + j < visible) { e$r$ = -3.4e38; }
    let top$r$ = max(m$r$, max_of(64u, e$r$, t)); let alpha$r$ = exp(m$r$ - top$r$);
    m$r$ = top$r$; e$r$ = select(0.0, exp(e$r$ - top$r$), base + j < end && base + j >= visible);
    l$r$ = l$r$ * alpha$r$ + sum_of(64u, e$r$, t);
$end
    workgroupBarrier();
$for r ROUNDS
    if (t + $r$u * 256u < GQ * 64u) { p[t + $r$u * 256u] = e$r$; if (j == 0u) { alphas[part + 4u * $r$u] = alpha$r$; } }
$end
    workgroupBarrier();
$for h GQ
    { let r = alphas[$h$]; a$h$ *= r; b$h$ *= r; }
$for d LOADS
    { let w = p[$h$u * 64u + $d$u * (2048u / HD) + g]; a$h$ += w * low(v$d$); b$h$ += w * high(v$d$); }
$end
$end
$for d LOADS
    v$d$ = value_of(pages, kv, next, g + $d$u * (2048u / HD), c);
$end
    pages = pages_at(first_page, n - 1u, next + 64u);
  }
$for h GQ
  workgroupBarrier();
  { let o = g * HD + 8u * c;
    p[o] = a$h$.x; p[o + 1u] = a$h$.y; p[o + 2u] = a$h$.z; p[o + 3u] = a$h$.w;
    p[o + 4u] = b$h$.x; p[o + 5u] = b$h$.y; p[o + 6u] = b$h$.z; p[o + 7u] = b$h$.w; }
  workgroupBarrier();
  if (t < HD / 4u) {
    var o = vec4<f32>();
    for (var i = 0u; i < 2048u; i += HD) { let s = i + 4u * t; o += vec4<f32>(p[s], p[s + 1u], p[s + 2u], p[s + 3u]); }
    part_o[((token * HEADS + kv * GQ + $h$u) * SPLITS + split) * (HD / 4u) + t] = o;
  }
$end
$for r ROUNDS
  if (j == 0u && part + 4u * $r$u < GQ) {
    part_ml[(token * HEADS + kv * GQ + part + 4u * $r$u) * SPLITS + split] = vec2<f32>(m$r$, l$r$);
  }
$end
}
