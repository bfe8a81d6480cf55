// out[t, head] = softmax(softcap(q K^T * SCALE)) V over the positions that the token sees, paged keys and values. A
// workgroup per token and head walks 64 positions at a time: an invocation has the score of one position, then, after
// the running maximum is known (Milakov and Gimelshein 2018), sums pairs of columns over the 64.
@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> params: array<u32>;
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read> values: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

var<workgroup> query: array<f32, HEAD_DIM>;
var<workgroup> weights: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let t = group.y;
  let head = group.x;
  for (var i = thread; i < HEAD_DIM; i += 64u) { query[i] = q[t * Q_STRIDE + Q_COL0 + head * HEAD_DIM + i]; }
  let first_page = PAGES + params[SEQS + params[SEQUENCES + t] * 4u + 1u];
  let last = params[POSITIONS + t];
  var first = 0u;
  if (WINDOW > 0u && last >= WINDOW) { first = last - WINDOW + 1u; }
  let row0 = head / GROUP_HEADS * PAGE_TOKENS;
  let n_blocks = (last - first) / 64u + 1u;

  var largest = -3.0e38;
  var total = 0.0;
  $for i PAIRS
  var sum_$i$ = vec2<f32>();
  $end
  workgroupBarrier();
  for (var block = 0u; block < n_blocks; block++) {
    let position = first + block * 64u + thread;
    var score = -3.0e38;
    if (position <= last) {
      let page = params[first_page + position / PAGE_TOKENS];
      let at = (row0 + position % PAGE_TOKENS) * HEAD_DIM;
      var products = 0.0;
      for (var i = 0u; i < HEAD_DIM; i += 2u) {
        products += dot(vec2<f32>(query[i], query[i + 1u]), load_key(page, at + i));
      }
      score = cap(products * SCALE);
    }
    let next = max(largest, reduce_max(score, thread));
    let weight = select(0.0, exp(score - next), position <= last);
    weights[thread] = weight;
    let shrink = exp(largest - next);
    total = total * shrink + reduce_sum(weight, thread);
    largest = next;
    $for i PAIRS
    sum_$i$ *= shrink;
    $end
    let count = min(64u, last + 1u - (first + block * 64u));
    for (var p = 0u; p < count; p++) {
      let seen = first + block * 64u + p;
      let page = params[first_page + seen / PAGE_TOKENS];
      let at = (row0 + seen % PAGE_TOKENS) * HEAD_DIM;
      let w = weights[p];
      $for i PAIRS
      if ($i$u * 128u + thread * 2u < HEAD_DIM) { sum_$i$ += w * load_value(page, at + $i$u * 128u + thread * 2u); }
      $end
    }
    workgroupBarrier();
  }
  $for i PAIRS
  {
    let col = $i$u * 128u + thread * 2u;
    if (col < HEAD_DIM) {
      let to = t * OUT_STRIDE + OUT_COL0 + head * HEAD_DIM + col;
      out[to] = sum_$i$.x / total;
      out[to + 1u] = sum_$i$.y / total;
    }
  }
  $end
}
