// Rotates q and k, writes k and v to the f16 cache. Rows of the weight: N / HD of the HEADS heads of q, KV_HEADS of k
// and as many of v, from FIRST_HEAD on. A thread owns two pairs: dims 4j .. 4j + 3 where pairs are neighbours
// (INTERLEAVED = 1), else 2j, 2j + 1 and the same HD / 2 higher, so that it writes whole words. OUT a multiple of 4;
// all of HD turns.
@group(0) @binding(3) var<storage, read_write> q: array<f32>;        // [T][HEADS][HD]
@group(0) @binding(4) var<storage, read_write> k_cache: array<u32>;  // two f16 to a word
@group(0) @binding(5) var<storage, read_write> v_cache: array<u32>;
@group(0) @binding(6) var<storage, read> rope: array<vec2<f32>>;     // [T][HD / 2] (cos, sin)
fn dim_of(j: u32, e: u32) -> u32 {
  return select(2u * j + (e & 1u) + (e / 2u) * (HD / 2u), 4u * j + e, INTERLEAVED == 1u);
}
fn row_of(wg: u32, i: u32) -> u32 {
  let quad = min(wg * OUT + i, N - 1u) / 4u;
  return quad / (HD / 4u) * HD + dim_of(quad % (HD / 4u), i & 3u);
}
fn prepare(wg: u32, base: u32, t: u32) {}
fn turn(a: f32, b: f32, cs: vec2<f32>) -> vec2<f32> { return vec2<f32>(a * cs.x - b * cs.y, a * cs.y + b * cs.x); }
fn finish(wg: u32, base: u32, t: u32) {
  for (var i = t; i < NT * OUT / 4u; i += WG) {
    let n = i / (OUT / 4u); let token = base + n; let quad = (wg * OUT) / 4u + i % (OUT / 4u);
    if (token >= token_count() || quad >= N / 4u) { continue; }
    let head = FIRST_HEAD + quad / (HD / 4u); let j = quad % (HD / 4u); let y0 = 4u * (i % (OUT / 4u));
    let d0 = dim_of(j, 0u); let d2 = dim_of(j, 2u); let row = quad / (HD / 4u) * HD;
    var v = vec4<f32>(result(n, y0) + bias_of(row + d0), result(n, y0 + 1u) + bias_of(row + d0 + 1u),
                      result(n, y0 + 2u) + bias_of(row + d2), result(n, y0 + 3u) + bias_of(row + d2 + 1u));
    if (head < HEADS + KV_HEADS) {
      let c0 = rope[token * (HD / 2u) + 2u * j]; let c1 = rope[token * (HD / 2u) + 2u * j + 1u];
      if (INTERLEAVED == 1u) { v = vec4<f32>(turn(v.x, v.y, c0), turn(v.z, v.w, c1)); }
      else { let a = turn(v.x, v.z, c0); let b = turn(v.y, v.w, c1); v = vec4<f32>(a.x, b.x, a.y, b.y); }
    }
    if (head < HEADS) {
      let at = (token * HEADS + head) * HD;
      q[at + d0] = v.x; q[at + d0 + 1u] = v.y; q[at + d2] = v.z; q[at + d2 + 1u] = v.w;
      continue;
    }
    let pos = params[P_POSITIONS + token]; let page = page_of(params[P_SEQUENCES + token], pos);
    let is_v = head >= HEADS + KV_HEADS; let kv = head - HEADS - select(0u, KV_HEADS, is_v);
    let at = ((page * KV_HEADS + kv) * PAGE + pos % PAGE) * HD;
    let a = pack2x16float(v.xy); let b = pack2x16float(v.zw);
    if (is_v) { v_cache[(at + d0) / 2u] = a; v_cache[(at + d2) / 2u] = b; }
    else { k_cache[(at + d0) / 2u] = a; k_cache[(at + d2) / 2u] = b; }
  }
}
