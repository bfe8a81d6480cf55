// What becomes of dims d .. d + 3 of a head: q, k and v have HEADS, KV_HEADS and KV_HEADS of them, in this order. q and
// k are turned by `rope` [T][HD / 2] of (cos, sin), all of HD: pairs are neighbours (INTERLEAVED = 1), else HD / 2
// apart. k and v go to their page of the cache. Composed with page_of.wgsl, q_*.wgsl and cache_put_*.wgsl.
fn is_turned(head: u32) -> bool { return head < HEADS + KV_HEADS; }
// The first of the dims that stand in pairs with d .. d + 3, where pairs are no neighbours.
fn beside(d: u32) -> u32 { return (d + HD / 2u) % HD; }
fn turned(token: u32, d: u32, v: vec4<f32>, w: vec4<f32>) -> vec4<f32> {  // w: dims beside(d) ...
  let row = token * (HD / 2u);
  if (INTERLEAVED == 1u) {
    let a = rope[row + d / 2u]; let b = rope[row + d / 2u + 1u];
    return vec4<f32>(v.x * a.x - v.y * a.y, v.x * a.y + v.y * a.x, v.z * b.x - v.w * b.y, v.z * b.y + v.w * b.x);
  }
  let i = row + d % (HD / 2u); let a = rope[i]; let b = rope[i + 1u]; let c = rope[i + 2u]; let e = rope[i + 3u];
  let sines = vec4<f32>(a.y, b.y, c.y, e.y);
  return v * vec4<f32>(a.x, b.x, c.x, e.x) + select(-w, w, d >= HD / 2u) * sines;
}
// Uniform control flow only; stored where `live`.
fn put_head(token: u32, head: u32, d: u32, v: vec4<f32>, live: bool, t: u32) {
  let pos = params[P_POSITIONS + token]; let page = page_of(params[P_SEQUENCES + token], pos);
  let is_v = head >= HEADS + KV_HEADS; let kv = max(head, HEADS) - HEADS - select(0u, KV_HEADS, is_v);
  if (live && head < HEADS) { put_q((token * HEADS + head) * HD + d, v); }
  put_kv(is_v, page, (kv * PAGE + pos % PAGE) * HD + d, v, live && head >= HEADS, t);
}
