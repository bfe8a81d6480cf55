// Takes heads of q, k and v apart: adds the bias, turns q and k by their position, writes k and v to the f16 cache. The
// product has N / HD of the HEADS + 2 * KV_HEADS heads, from FIRST_HEAD on. An invocation owns two pairs of a head:
// dims 4j .. 4j + 3 where pairs are neighbours (INTERLEAVED = 1), else 2j, 2j + 1 and the same HD / 2 higher, so that
// it writes whole words. Workgroup = (64 of them, token); y is a sum of KS matrices of T rows. Composed with
// bias_of_rows.wgsl or bias_none.wgsl, page_of.wgsl and q_*.wgsl.
@group(0) @binding(0) var<storage, read> y: array<f32>;              // [KS][T][N]
@group(0) @binding(1) var<storage, read> rope: array<vec2<f32>>;     // [T][HD / 2] (cos, sin)
@group(0) @binding(2) var<storage, read> params: array<u32>;
@group(0) @binding(4) var<storage, read_write> k_cache: array<u32>;  // two f16 to a word
@group(0) @binding(5) var<storage, read_write> v_cache: array<u32>;
fn turn(a: f32, b: f32, cs: vec2<f32>) -> vec2<f32> { return vec2<f32>(a * cs.x - b * cs.y, a * cs.y + b * cs.x); }
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let quad = wid.x * 64u + t; let token = wid.y;
  if (quad >= N / 4u) { return; }
  let head = FIRST_HEAD + quad / (HD / 4u); let j = quad % (HD / 4u); let row = quad / (HD / 4u) * HD;
  let d0 = select(2u * j, 4u * j, INTERLEAVED == 1u);                  // and d0 + 1
  let d2 = select(2u * j + HD / 2u, 4u * j + 2u, INTERLEAVED == 1u);  // and d2 + 1
  var v = vec4<f32>(bias_of(row + d0), bias_of(row + d0 + 1u), bias_of(row + d2), bias_of(row + d2 + 1u));
  for (var p = 0u; p < KS; p++) {
    let at = (p * params[0] + token) * N + row;
    v += vec4<f32>(y[at + d0], y[at + d0 + 1u], y[at + d2], y[at + d2 + 1u]);
  }
  if (head < HEADS + KV_HEADS) {
    let c0 = rope[token * (HD / 2u) + 2u * j]; let c1 = rope[token * (HD / 2u) + 2u * j + 1u];
    if (INTERLEAVED == 1u) { v = vec4<f32>(turn(v.x, v.y, c0), turn(v.z, v.w, c1)); }
    else { let a = turn(v.x, v.z, c0); let b = turn(v.y, v.w, c1); v = vec4<f32>(a.x, b.x, a.y, b.y); }
  }
  if (head < HEADS) { put_q((token * HEADS + head) * HD, d0, d2, v); return; }
  let pos = params[P_POSITIONS + token]; let page = page_of(params[P_SEQUENCES + token], pos);
  let is_v = head >= HEADS + KV_HEADS; let kv = head - HEADS - select(0u, KV_HEADS, is_v);
  let at = ((page * KV_HEADS + kv) * PAGE + pos % PAGE) * HD;
  let a = pack2x16float(v.xy); let b = pack2x16float(v.zw);
  if (is_v) { v_cache[(at + d0) / 2u] = a; v_cache[(at + d2) / 2u] = b; }
  else { k_cache[(at + d0) / 2u] = a; k_cache[(at + d2) / 2u] = b; }
}
