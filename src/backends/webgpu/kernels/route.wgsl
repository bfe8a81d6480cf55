// The TOP largest of a token's E router logits, of equals the lower index first, as experts 0 .. TOP - 1, and their
// softmax, over all logits or, with NORMALISE, over the chosen ones. Every workgroup does this for itself, which costs
// less than a dispatch: an expert's rank is the number of experts before it. E_QUADS = ceil(E / 4). Uniform control
// flow only.
var<workgroup> scores: array<vec4<f32>, E_QUADS>;
var<workgroup> experts: array<u32, TOP>;
var<workgroup> shares: array<f32, TOP>;
fn score_of(token: u32, e: u32) -> f32 { return select(-3.4e38, router[token * E + min(e, E - 1u)], e < E); }
fn before(e: u32, i: u32, own: f32, s: vec4<f32>) -> u32 {  // how many of experts 4 i ... come before e
  let ids = 4u * i + vec4<u32>(0u, 1u, 2u, 3u);
  let n = select(vec4<u32>(), vec4<u32>(1u), (s > vec4<f32>(own)) | ((s == vec4<f32>(own)) & (ids < vec4<u32>(e))));
  return n.x + n.y + n.z + n.w;
}
fn route(token: u32, t: u32) {
  for (var i = t; i < E_QUADS; i += WG) {
    scores[i] = vec4<f32>(score_of(token, 4u * i), score_of(token, 4u * i + 1u), score_of(token, 4u * i + 2u),
                          score_of(token, 4u * i + 3u));
  }
  workgroupBarrier();
  for (var e = t; e < E; e += WG) {
    let own = scores[e / 4u][e & 3u];
    var rank = 0u;
    for (var i = 0u; i < E_QUADS; i++) { rank += before(e, i, own, scores[i]); }
    if (rank < TOP) { experts[rank] = e; shares[rank] = own; }
  }
  workgroupBarrier();
}
// After route(): the share of the expert in a slot.
fn share_of(slot: u32) -> f32 {
  let top = shares[0]; var total = 0.0;
  if (NORMALISE == 1u) {
    for (var j = 0u; j < TOP; j++) { total += exp(shares[j] - top); }
  } else {
    for (var i = 0u; i < E_QUADS; i++) { total += dot(exp(scores[i] - top), vec4<f32>(1.0)); }
  }
  return exp(shares[slot] - top) / total;
}
