// out[t, head] = softmax(softcap(q K^T * SCALE)) V over the positions that a token sees, for many tokens and a paged
// cache (cache_*.wgsl): online softmax (Milakov and Gimelshein 2018; FlashAttention, Dao et al. 2022). Workgroup = (kv
// head, TOKENS = 64 / GQ tokens, z), 128 invocations, so that a tile has 64 rows: every token's GQ query heads, which
// share the loads of keys and values. Blocks of 32 positions, which lie in one page (PAGE is a multiple of 32). Scores:
// an invocation has 4 rows x 4 positions, 32 of HD dims lying in workgroup memory at a time (14.5 KiB in all). Softmax:
// 4 rows x 4 other positions. Values: 4 QUADS rows x 8 dims, straight from the cache. HD is 32, 64, 128 or 256; QUADS =
// max(HD / 64, 1). Tokens of one sequence that follow each other are a run, with a cache of its own; workgroup z of
// RUNS takes every RUNS-th run of the tile. The last tiles, which see most, begin first. Composed with attended_*.wgsl,
// which stores. Measured on an H200: 23 TFLOP/s over a prompt of 2048, 11 over 512.
@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;        // [T] rows Q_STRIDE apart, from column Q_COL0 on
@group(0) @binding(2) var<storage, read> params: array<u32>;
const TOKENS = 64u / GQ;
const DG = HD / 8u;
const NOTHING = -3.0e38;
var<workgroup> tile: array<vec4<f32>, 520>;    // [8 quads of dims][65] rows of q; then [32 positions][16] quads of rows
var<workgroup> k_tile: array<vec4<f32>, 264>;  // [8 quads of dims][33] positions
var<workgroup> tops: array<vec4<f32>, 128>;
var<workgroup> shrinks: array<vec4<f32>, 16>;
@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let t = index & 127u;
  let count = params[0]; let kv = wid.x;
  let base = ((count + TOKENS - 1u) / TOKENS - 1u - wid.y) * TOKENS; let end = min(base + TOKENS, count);
  if (wid.z > 0u) {
    var more = 0u;  // runs beyond the first
    for (var i = base + 1u; i < end; i++) {
      more += select(0u, 1u, params[P_SEQUENCES + i] != params[P_SEQUENCES + i - 1u]);
    }
    if (wid.z > more) { return; }
  }
  let rows = t / 8u; let c = t % 8u;                 // scores: rows 4 * rows ..., positions c + 8 j
  let quad = t % 16u; let four = t / 16u;            // softmax: rows 4 * quad ..., positions 4 * four ...
  let d8 = t % DG; let strip = t / DG * QUADS;       // values: dims 8 * d8 ..., rows 4 * strip ...
  let is_summing = strip < 16u;
$for a 4
  let token$a$ = base + (4u * rows + $a$u) / GQ; let position$a$ = i32(params[P_POSITIONS + min(token$a$, count - 1u)]);
$end
$for u 4
  let q_token$u$ = min(base + (t / 8u + $u$u * 16u) / GQ, count - 1u);
  let q_at$u$ = (q_token$u$ * Q_STRIDE + Q_COL0 + (kv * GQ + (t / 8u + $u$u * 16u) % GQ) * HD) / 4u + c;
$end
  var m = vec4<f32>(NOTHING); var l = vec4<f32>();
$for u QUADS
$for a 4
  var o$u$_$a$ = vec4<f32>(); var p$u$_$a$ = vec4<f32>();
$end
$end
  var run = base;
  for (var n = 0u; run < end; n++) {
    let seq = params[P_SEQUENCES + run]; let first_page = P_PAGES + params[P_SEQS + 4u * seq + 1u];
    var stop = run + 1u;
    while (stop < end) {
      if (params[P_SEQUENCES + stop] != seq) { break; }
      stop++;
    }
    if (n % RUNS != wid.z) {
      run = stop;
      continue;
    }
    let lowest = params[P_POSITIONS + run]; let highest = params[P_POSITIONS + stop - 1u];
    var begin = 0u;
    if (WINDOW > 0u) { begin = (max(lowest + 1u, WINDOW) - WINDOW) / 32u * 32u; }
$for a 4
    let last$a$ = select(-1, position$a$, token$a$ >= run && token$a$ < stop && 4u * rows + $a$u < TOKENS * GQ);
$end
    for (var kb = begin; kb <= highest; kb += 32u) {
      let page = params[first_page + kb / PAGE]; let block = (kv * PAGE + kb % PAGE) * DG;
      let most = highest - kb;
      let k_at = block + min(t / 4u, most) * DG + t % 4u;
$for j 4
      var s$j$ = vec4<f32>();
$end
      for (var d = 0u; d < HD / 32u; d++) {
        workgroupBarrier();
$for u 4
        tile[c * 65u + t / 8u + $u$u * 16u] = SCALE * q[q_at$u$ + d * 8u];
$end
        let k = key8(page, k_at + d * 4u);
        k_tile[t % 4u * 66u + t / 4u] = low(k); k_tile[t % 4u * 66u + 33u + t / 4u] = high(k);
        workgroupBarrier();
        for (var i = 0u; i < 8u; i++) {
$for a 4
          let q$a$ = tile[i * 65u + 4u * rows + $a$u];
$end
$for j 4
          { let x = k_tile[i * 33u + c + $j$u * 8u];
          s$j$ += vec4<f32>(dot(q0, x), dot(q1, x), dot(q2, x), dot(q3, x)); }
$end
        }
      }
      workgroupBarrier();
$for j 4
      {
        if (SOFTCAP > 0.0) {
          s$j$ = SOFTCAP * tanh(clamp(s$j$ / max(SOFTCAP, 1e-30), vec4<f32>(-15.0), vec4<f32>(15.0)));
        }
        let at = vec4<i32>(i32(kb + c + $j$u * 8u)); let last = vec4<i32>(last0, last1, last2, last3);
        let is_old = at + vec4<i32>(i32(WINDOW)) <= last;
        s$j$ = select(s$j$, vec4<f32>(NOTHING), at > last);
        if (WINDOW > 0u) { s$j$ = select(s$j$, vec4<f32>(NOTHING), is_old); }
        tile[(c + $j$u * 8u) * 16u + rows] = s$j$;
      }
$end
      workgroupBarrier();
$for i 4
      let x$i$ = tile[(4u * four + $i$u) * 16u + quad];
$end
      tops[t] = max(max(x0, x1), max(x2, x3));
      workgroupBarrier();
      var top = m;
$for i 8
      top = max(top, tops[$i$u * 16u + quad]);
$end
      let shrink = exp(m - top); m = top; l *= shrink;
      if (four == 0u) { shrinks[quad] = shrink; }
$for i 4
      {
        let e = select(exp(x$i$ - top), vec4<f32>(), x$i$ < vec4<f32>(-1.0e38));
        l += e; tile[(4u * four + $i$u) * 16u + quad] = e;
      }
$end
      workgroupBarrier();
      if (is_summing) {
$for u QUADS
        { let by = shrinks[strip + $u$u];
$for a 4
          o$u$_$a$ *= by[$a$]; p$u$_$a$ *= by[$a$];
$end
        }
$end
        for (var i = 0u; i < 32u; i++) {
          let v = value8(page, block + min(i, most) * DG + d8); let v0 = low(v); let v1 = high(v);
$for u QUADS
          { let w = tile[i * 16u + strip + $u$u];
$for a 4
            o$u$_$a$ += w[$a$] * v0; p$u$_$a$ += w[$a$] * v1;
$end
          }
$end
        }
      }
    }
    run = stop;
  }
  tops[t] = l;
  workgroupBarrier();
  if (is_summing) {
$for u QUADS
    { var sum = vec4<f32>();
$for i 8
      sum += tops[$i$u * 16u + strip + $u$u];
$end
$for a 4
      {
        let row = 4u * (strip + $u$u) + $a$u; let token = base + row / GQ;
        if (sum[$a$] > 0.0) {  // a row of this workgroup's runs
          put8(token, kv * GQ + row % GQ, d8, o$u$_$a$ / sum[$a$], p$u$_$a$ / sum[$a$]);
        }
      }
$end
    }
$end
  }
}
