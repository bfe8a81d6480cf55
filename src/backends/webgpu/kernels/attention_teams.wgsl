// attention_split.wgsl for subgroups of one known size: workgroup = (kv head, split, token), 256 threads, the GQ query
// heads of the kv head together. A subgroup has RUN positions of every block of 64 to itself, with a maximum and sums
// of its own in registers, and they meet only to have q in workgroup memory and to add up what each has at the end.
// Scores: lane = (position, quarter of its eights of dims). Softmax: lane = (position, head modulo 4). Values: lane =
// (position modulo ABREAST, eight of dims). The next block's loads are in flight while this one is worked on. HD is 32,
// 64, 128 or 256; PAGE 32 or a multiple of 64. LOADS = HD / 32: eights of K, and of V, that a lane reads a block,
// PLACES of SETS; ROUNDS = ceil(GQ / 4); SHARES = log2(RUN); FOLDS = log2(ABREAST); PASS: heads that are added up at a
// time. Reads 4 bytes of an f16 cache per position, kv head and dim. Indices into workgroup memory are sums of
// remainders and constants, so that bounds checks need no clamps (docs/webgpu.md).
@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;             // [T][KV_HEADS * GQ][HD / 4]
@group(0) @binding(2) var<storage, read> params: array<u32>;
@group(0) @binding(4) var<storage, read_write> part_o: array<vec4<f32>>;  // [T][KV_HEADS * GQ][SPLITS][HD / 4]
@group(0) @binding(5) var<storage, read_write> part_ml: array<vec2<f32>>; // [T][KV_HEADS * GQ][SPLITS] (max, sum)
const LANES = SG_MIN;
const TEAMS = WG / LANES;
const RUN = LANES / 4u;              // positions of a subgroup in a block
const PIECES = HD / 8u;              // lanes that share a position's value, if there are so many
const ABREAST = max(1u, LANES / PIECES);
const FOURS = HD / 4u;               // vec4<f32> of a head
const HEADS = KV_HEADS * GQ;
const MOST_BLOCKS = 1u << 26u;       // of 64 positions
var<workgroup> qs: array<vec4<f32>, 4u * ROUNDS * FOURS>;
var<workgroup> sums: array<vec4<f32>, TEAMS * PASS * FOURS>;  // [team][head of a pass][dims]
var<workgroup> mls: array<vec2<f32>, TEAMS * ROUNDS * 4u>;    // [team][head] (max, sum)
fn page_at(first_page: u32, last: u32, pos: u32) -> u32 { return params[P_PAGES + first_page + min(pos, last) / PAGE]; }
fn kernel(wid: vec3<u32>, t: u32) {
  let token = wid.z; let n = params[P_POSITIONS + token] + 1u;
  let begin = kv_first(n) + wid.y * kv_chunk(n); let end = min(n, begin + kv_chunk(n));
  if (begin >= end) { return; }
  let first_page = params[P_SEQS + 4u * params[P_SEQUENCES + token] + 1u];
  attend(wid, t, n, first_page, begin, end, (end - begin + 63u) / 64u);
}
// The four lanes of a position have parts of the scores of four heads: lane i gets the whole of the i-th.
fn gather4(v: vec4<f32>, i: u32) -> f32 {
  let is_odd = (i & 1u) == 1u; let is_high = (i & 2u) == 2u;
  let a = select(v.x, v.y, is_odd) + subgroupShuffleXor(select(v.y, v.x, is_odd), 1u);
  let b = select(v.z, v.w, is_odd) + subgroupShuffleXor(select(v.w, v.z, is_odd), 1u);
  return select(a, b, is_high) + subgroupShuffleXor(select(b, a, is_high), 2u);
}
fn attend(wid: vec3<u32>, t: u32, n: u32, first_page: u32, begin: u32, end: u32, blocks: u32) {
  let kv = wid.x; let split = wid.y; let token = wid.z; let visible = kv_begin(n);
  let part = t % 4u; let place = t % LANES / 4u; let c = t % LANES % PIECES; let g = t % LANES / PIECES;
  let team = t % WG / LANES; let first = begin + team * RUN;
  let key_at = place * PIECES + part; let value_at = g * PIECES + c;
$for r ROUNDS
  var m$r$ = -3.4e38; var l$r$ = 0.0;
$for x 4
$for s SETS
  var a$r$_$x$_$s$ = vec4<f32>(); var b$r$_$x$_$s$ = vec4<f32>();
$end
$end
$end
  var page = page_at(first_page, n - 1u, first);
  var base = (kv * PAGE + first % PAGE) * PIECES;
$for d LOADS
  var k$d$ = key8(page, base + key_at + 4u * $d$u);
$end
$for p PLACES
$for s SETS
  var v$p$_$s$ = value8(page, base + value_at + $p$u * ABREAST * PIECES + $s$u * LANES);
$end
$end
  page = page_at(first_page, n - 1u, first + 64u);
  for (var turn = 0u; turn < (GQ * FOURS + WG - 1u) / WG; turn++) {
    let at = turn * WG + t % WG;
    if (at < GQ * FOURS) { qs[at % (4u * ROUNDS * FOURS)] = q[(token * HEADS + kv * GQ) * FOURS + at] * SCALE; }
  }
  workgroupBarrier();
  for (var block = 0u; block < MOST_BLOCKS; block++) {
    if (block == blocks) { break; }
    let pos = first + 64u * block + place; let is_live = pos < end && pos >= visible;
    base = (kv * PAGE + (first + 64u * block + 64u) % PAGE) * PIECES;
$for r ROUNDS
$for x 4
    var s$r$_$x$ = vec4<f32>();
    if (4u * $r$u + $x$u < GQ) {
$for d LOADS
      s$r$_$x$ += low(k$d$) * qs[(4u * $r$u + $x$u) * FOURS + 2u * part + 8u * $d$u] +
          high(k$d$) * qs[(4u * $r$u + $x$u) * FOURS + 2u * part + 8u * $d$u + 1u];
$end
    }
    let t$r$_$x$ = s$r$_$x$.x + s$r$_$x$.y + s$r$_$x$.z + s$r$_$x$.w;
$end
    var e$r$ = gather4(vec4<f32>(t$r$_0, t$r$_1, t$r$_2, t$r$_3), part);
$end
    if (block + 1u < blocks) {
$for d LOADS
      k$d$ = key8(page, base + key_at + 4u * $d$u);
$end
    }
$for r ROUNDS
    if (SOFTCAP > 0.0) { e$r$ = SOFTCAP * tanh(clamp(e$r$ / max(SOFTCAP, 1e-30), -15.0, 15.0)); }
    var top$r$ = select(-3.4e38, e$r$, is_live);
$for i SHARES
    top$r$ = max(top$r$, subgroupShuffleXor(top$r$, 4u << $i$u));
$end
    top$r$ = max(top$r$, m$r$); let alpha$r$ = exp(m$r$ - top$r$); m$r$ = top$r$;
    e$r$ = select(0.0, exp(e$r$ - top$r$), is_live); l$r$ = l$r$ * alpha$r$ + e$r$;
$for x 4
    if (4u * $r$u + $x$u < GQ) {
      let old = subgroupBroadcast(alpha$r$, $x$u);
$for s SETS
      a$r$_$x$_$s$ *= old; b$r$_$x$_$s$ *= old;
$end
$for p PLACES
      let w$p$ = subgroupShuffle(e$r$, 4u * ($p$u * ABREAST + g) + $x$u);
$for s SETS
      a$r$_$x$_$s$ += w$p$ * low(v$p$_$s$); b$r$_$x$_$s$ += w$p$ * high(v$p$_$s$);
$end
$end
    }
$end
$end
    if (block + 1u < blocks) {
$for p PLACES
$for s SETS
      v$p$_$s$ = value8(page, base + value_at + $p$u * ABREAST * PIECES + $s$u * LANES);
$end
$end
      page = page_at(first_page, n - 1u, first + 64u * block + 128u);
    }
  }
  let head = (token * HEADS + kv * GQ) * SPLITS + split;  // of q's heads here the first
$for r ROUNDS
$for i SHARES
  l$r$ += subgroupShuffleXor(l$r$, 4u << $i$u);
$end
  if (place == 0u) { mls[team * ROUNDS * 4u + 4u * $r$u + part] = vec2<f32>(m$r$, l$r$); }
$end
  workgroupBarrier();
$for r ROUNDS
  var all_m$r$ = -3.4e38; var all_l$r$ = 0.0;
  for (var i = 0u; i < TEAMS; i++) { all_m$r$ = max(all_m$r$, mls[i * ROUNDS * 4u + 4u * $r$u + part].x); }
  for (var i = 0u; i < TEAMS; i++) {
    let ml = mls[i * ROUNDS * 4u + 4u * $r$u + part]; all_l$r$ += exp(ml.x - all_m$r$) * ml.y;
  }
  if (team == 0u && place == 0u && 4u * $r$u + part < GQ) {
    part_ml[head + (4u * $r$u + part) * SPLITS] = vec2<f32>(all_m$r$, all_l$r$);
  }
  let own$r$ = exp(m$r$ - all_m$r$);
$for x 4
  if (4u * $r$u + $x$u < GQ) {
    let f = subgroupBroadcast(own$r$, $x$u);
    if (4u * $r$u + $x$u > 0u && (4u * $r$u + $x$u) % PASS == 0u) { workgroupBarrier(); }
$for s SETS
    var oa$s$ = a$r$_$x$_$s$ * f; var ob$s$ = b$r$_$x$_$s$ * f;
$for i FOLDS
    oa$s$ += subgroupShuffleXor(oa$s$, PIECES << $i$u); ob$s$ += subgroupShuffleXor(ob$s$, PIECES << $i$u);
$end
    if (g == 0u) {
      let at = (team * PASS + (4u * $r$u + $x$u) % PASS) * FOURS + 2u * c + 2u * $s$u * LANES;
      sums[at] = oa$s$; sums[at + 1u] = ob$s$;
    }
$end
    if ((4u * $r$u + $x$u) % PASS == PASS - 1u || 4u * $r$u + $x$u == GQ - 1u) {
      workgroupBarrier();
      put(head, (4u * $r$u + $x$u) / PASS * PASS, t);
    }
  }
$end
$end
}
// Adds up the teams' sums of the heads from `from` on.
fn put(head: u32, from_head: u32, t: u32) {
  for (var turn = 0u; turn < (PASS * FOURS + WG - 1u) / WG; turn++) {
    let at = turn * WG + t % WG; let h = from_head + at / FOURS;
    if (at < PASS * FOURS && h < GQ) {
      var o = vec4<f32>();
      for (var i = 0u; i < TEAMS; i++) { o += sums[i * PASS * FOURS + at % (PASS * FOURS)]; }
      part_o[(head + h * SPLITS) * FOURS + at % FOURS] = o;
    }
  }
}
