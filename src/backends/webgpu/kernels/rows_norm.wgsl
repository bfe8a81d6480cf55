// The residual stream takes up a product, and its norm is what the next product reads: h += y, out = h / rms(h) * gain.
// Workgroup = one of the tokens that tokens_*.wgsl names; y are KS rows for each token, which parts_*.wgsl finds (KS =
// 0: nothing is added). TURNS = ceil(8 G / WG). Composed with put_*.wgsl and with post_none.wgsl, or, where what is
// added is normed itself, post_norm.wgsl.
@group(0) @binding(1) var<storage, read_write> h: array<vec4<f32>>;  // [T][G * 8]
@group(0) @binding(2) var<storage, read> params: array<u32>;
@group(0) @binding(3) var<storage, read> gain: array<vec4<f32>>;     // [G * 8]
@group(0) @binding(4) var<storage, read> y: array<vec4<f32>>;        // [KS * T][G * 8]
fn kernel(wid: vec3<u32>, t: u32) {
  let token = token_of(wid.x); let row = token * G * 8u;
  var post_squares = 0.0; var squares = 0.0;
$for j TURNS
  let i$j$ = min($j$u * WG + t, G * 8u - 1u); let is$j$ = $j$u * WG + t < G * 8u;
  var v$j$ = h[row + i$j$]; var y$j$ = vec4<f32>();
  for (var p = 0u; p < KS; p++) { y$j$ += part_factor(token, p) * y[part_row(token, p) * G * 8u + i$j$]; }
  if (is$j$) { post_squares += dot(y$j$, y$j$); }
$end
  let by = post_factor(post_squares, t);
$for j TURNS
  v$j$ += y$j$ * by * post_gain(i$j$);
  if (is$j$) { squares += dot(v$j$, v$j$); }
$end
  let factor = inverseSqrt(sum_of(WG, squares, t) / f32(G * 32u) + EPS);
$for j TURNS
  if (KS > 0u && is$j$) { h[row + i$j$] = v$j$; }
  put4(wid.x, i$j$, v$j$ * factor * gain[i$j$], is$j$, t);
$end
}
