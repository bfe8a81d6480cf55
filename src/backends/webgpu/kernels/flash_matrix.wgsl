// The attention of flash.wgsl on subgroup matrices (matrices.wgsl): workgroup = (kv head, 64 / GQ tokens), 4 subgroups
// of 16 rows each, blocks of 64 positions. Matrices cannot be scaled row by row, hence two passes over the cache: the
// first finds maximum and sum of every row, the second adds exp(s - maximum) / sum * V. HD is 64 or 128, DS = HD / 16,
// P = HD + 8, F = 68; the probabilities in f16 take the place of the scores in f32. 26 or 34 KiB of workgroup memory.
// Measured on an H200: 60 TFLOP/s over a prompt of 2048, 38 over 512, the two causal products counted once.
@group(0) @binding(0) var<storage, read> q: array<vec4<u32>>;        // [T][KV_HEADS * GQ][HD / 8] of 8 f16
@group(0) @binding(2) var<storage, read> params: array<u32>;
const TOKENS = 64u / GQ;
const DG = HD / 8u;
const SCORES = 32u * P;  // in floats; before it 64 rows of q, keys or values
const NOTHING = -3.0e38;
var<private> last: i32;       // what this invocation's row sees: positions first ..= last
var<private> first: i32;
fn scores4(at: u32, position: u32, i: u32) -> vec4<f32> {
  var s = SCALE * get_floats(at + 4u * i);
  if (SOFTCAP > 0.0) { s = SOFTCAP * tanh(clamp(s / max(SOFTCAP, 1e-30), vec4<f32>(-15.0), vec4<f32>(15.0))); }
  let p = vec4<i32>(i32(position + 4u * i)) + vec4<i32>(0, 1, 2, 3);
  return select(vec4<f32>(NOTHING), s, (p <= vec4<i32>(last)) & (p >= vec4<i32>(first)));
}
fn packed(a: vec4<f32>, b: vec4<f32>) -> vec4<u32> {
  return vec4<u32>(pack2x16float(a.xy), pack2x16float(a.zw), pack2x16float(b.xy), pack2x16float(b.zw));
}
@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let t = index % 128u;  // says that t < 128, which lets the compiler drop bounds checks on workgroup memory
  let count = params[0]; let kv = wid.x;
  let base = ((count + TOKENS - 1u) / TOKENS - 1u - wid.y) * TOKENS; let end = min(base + TOKENS, count);
  if (wid.z > 0u) {
    var more = 0u;  // runs beyond the first
    for (var i = base + 1u; i < end; i++) {
      more += select(0u, 1u, params[P_SEQUENCES + i] != params[P_SEQUENCES + i - 1u]);
    }
    if (wid.z > more) { return; }
  }
  let sg = t / 32u; let row = t / 2u; let col = (t & 1u) * 32u;  // 2 invocations a row
  let token = base + row / GQ; let is_row = row < TOKENS * GQ && token < end;
  let position = i32(params[P_POSITIONS + min(token, count - 1u)]);
  let strip = SCORES + sg * 16u * F;      // this subgroup's scores
  let mine = SCORES + row * F + col;      // this invocation's
  let other = SCORES + row * F + 64u;     // two floats a row that no matrix uses
  for (var u = 0u; u < DS; u++) {
    let i = t + u * 128u; let r = i / DG; let asker = min(base + r / GQ, count - 1u);
    put_halves(r * P + i % DG * 8u, q[((asker * KV_HEADS + kv) * GQ + r % GQ) * DG + i % DG]);
  }
  workgroupBarrier();
$for d DS
  let q$d$ = left(sg * 16u * P + $d$u * 16u);
  var o$d$ = Sums();
$end
  var run = base; var is_mine = false;  // whether this invocation's row is of one of this workgroup's runs
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
    if (WINDOW > 0u) { begin = (max(lowest + 1u, WINDOW) - WINDOW) / 64u * 64u; }
    last = select(-1, position, is_row && token >= run && token < stop);
    is_mine = is_mine || last >= 0;
    first = select(0, last + 1 - i32(WINDOW), WINDOW > 0u);
    var m = NOTHING; var l = 0.0; var inverse = 0.0;
    for (var turn = 0u; turn < 2u; turn++) {
      for (var kb = begin; kb <= highest; kb += 64u) {
        workgroupBarrier();
        for (var u = 0u; u < DS; u++) {
          let i = t + u * 128u; let p = min(kb + i / DG, highest);
          let eight = key8(params[first_page + p / PAGE], (kv * PAGE + p % PAGE) * DG + i % DG);
          put_halves(i / DG * P + i % DG * 8u, as_halves(eight));
        }
        workgroupBarrier();
$for j 4
        { var s = Sums();
$for d DS
          s = multiplied(q$d$, right_across($j$u * 16u * P + $d$u * 16u), s);
$end
          put_sums(strip + $j$u * 16u, s); }
$end
        workgroupBarrier();
$for i 8
        var s$i$ = scores4(mine, kb + col, $i$u);
$end
        if (turn == 0u) {
          let top4 = max(max(max(s0, s1), max(s2, s3)), max(max(s4, s5), max(s6, s7)));
          let top = max(m, max(max(top4.x, top4.y), max(top4.z, top4.w)));
          var sum = vec4<f32>();
$for i 8
          sum += select(vec4<f32>(), exp(s$i$ - top), s$i$ > vec4<f32>(-1.0e38));
$end
          l = l * exp(m - top) + sum.x + sum.y + sum.z + sum.w; m = top;
          continue;
        }
$for i 8
        s$i$ = select(vec4<f32>(), exp(s$i$ - m) * inverse, s$i$ > vec4<f32>(-1.0e38));
$end
        workgroupBarrier();
        let probs = 2u * (SCORES + row * F) + col;
        put_halves(probs, packed(s0, s1)); put_halves(probs + 8u, packed(s2, s3));
        put_halves(probs + 16u, packed(s4, s5)); put_halves(probs + 24u, packed(s6, s7));
        for (var u = 0u; u < DS; u++) {
          let i = t + u * 128u; let p = min(kb + i / DG, highest);
          let eight = value8(params[first_page + p / PAGE], (kv * PAGE + p % PAGE) * DG + i % DG);
          put_halves(i / DG * P + i % DG * 8u, as_halves(eight));
        }
        workgroupBarrier();
$for j 4
        { let p = left_of_sums(2u * strip + $j$u * 16u);
$for d DS
          o$d$ = multiplied(p, right($j$u * 16u * P + $d$u * 16u), o$d$);
$end
        }
$end
      }
      if (turn == 0u) {  // the two invocations of a row agree
        workgroupBarrier();
        put_float(other + (t & 1u), m);
        workgroupBarrier();
        let top = max(m, get_float(other + 1u - (t & 1u)));
        l *= exp(m - top); m = top;
        workgroupBarrier();
        put_float(other + (t & 1u), l);
        workgroupBarrier();
        l += get_float(other + 1u - (t & 1u));
        inverse = select(0.0, 1.0 / l, l > 0.0);
      }
    }
    run = stop;
  }
$for d DS
  if ($d$u % 4u == 0u) { workgroupBarrier(); }
  put_sums(strip + ($d$u % 4u) * 16u, o$d$);
  if ($d$u % 4u == 3u) {
    workgroupBarrier();
    if (is_mine) {
      for (var i = 0u; i < 4u; i++) {
        let a = get_floats(mine + 8u * i); let b = get_floats(mine + 8u * i + 4u);
        put8(token, kv * GQ + row % GQ, ($d$u / 4u) * 8u + col / 8u + i, a, b);
      }
    }
  }
$end
}
