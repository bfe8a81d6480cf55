// x is had as int8 blocks of h * gain with partial sums of h^2: 1 / rms(h) is one factor of the whole product,
// applied after it, so that the norm costs no dispatch and no pass of its own. EPS as in RMSNorm.
@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>;  // [T] blocks of G groups
var<workgroup> factors: array<f32, NT>;
// A team takes a token; in every team the factors of all cost as much as a quarter of the product of 8 tokens.
fn load_x(base: u32, t: u32) {
  for (var begin = 0u; begin < NT; begin += WG / lanes) {
    let n = min(begin + t / lanes, NT - 1u);
    let first = token_of(base + n) * q8_stride(G) + q8_squares(G);
    var s = 0.0;
    for (var i = lane; i < G; i += lanes) { s += bitcast<f32>(x[first + i / 4u][i & 3u]); }
    let sum = team_sum(s, t);
    if (lane == 0u) { factors[n] = inverseSqrt(sum / f32(G * 32u) + EPS); }
  }
}
fn x_factor(n: u32) -> f32 { return factors[n]; }
fn x_lo(token: u32, k: u32) -> vec4<u32> { return x[token * q8_stride(G) + k]; }
fn x_hi(token: u32, k: u32) -> vec4<u32> { return x[token * q8_stride(G) + G + k]; }
fn x_scale(token: u32, k: u32) -> vec2<f32> {
  let v = x[token * q8_stride(G) + q8_scales(G) + k / 2u];
  return bitcast<vec2<f32>>(select(v.xy, v.zw, (k & 1u) == 1u));
}
