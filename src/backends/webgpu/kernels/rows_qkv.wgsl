// Takes heads of q, k and v apart: adds the bias, norms q and k, turns them by their position, writes k and v to the
// cache (put_head.wgsl). The product has N / HD of the heads, from FIRST_HEAD on. A thread owns four dims of a head;
// workgroup = (WG of them, token); y is a sum of KS matrices of T rows. Composed with team_*, bias_of_rows or bias_none
// and normed_heads or plain_heads.
@group(0) @binding(0) var<storage, read> y: array<vec4<f32>>;     // [KS][T][N / 4]
@group(0) @binding(1) var<storage, read> rope: array<vec2<f32>>;  // [T][HD / 2] (cos, sin)
@group(0) @binding(2) var<storage, read> params: array<u32>;
fn four(token: u32, row: u32) -> vec4<f32> {
  var v = vec4<f32>(bias_of(row), bias_of(row + 1u), bias_of(row + 2u), bias_of(row + 3u));
  for (var p = 0u; p < KS; p++) { v += y[((p * params[0] + token) * N + row) / 4u]; }
  return v;
}
fn kernel(wid: vec3<u32>, t: u32) {
  let i = wid.x * WG + t; let token = wid.y; let live = i < N / 4u;
  let row = 4u * min(i, N / 4u - 1u); let head = FIRST_HEAD + row / HD; let d = row % HD;
  var v = four(token, row);
  let factor = head_factor(dot(v, v), t);
  if (is_turned(head)) {
    let w = four(token, row - d + beside(d));
    v = turned(token, d, v * factor * head_gain(head, d), w * factor * head_gain(head, beside(d)));
  }
  put_head(token, head, d, v, live, t);
}
