// The RMS norm of what is added to the residual stream.
@group(0) @binding(5) var<storage, read> post: array<vec4<f32>>;  // [G * 8]
fn post_factor(squares: f32, t: u32) -> f32 {
  return inverseSqrt(sum_of(WG, squares, t) / f32(G * 32u) + POST_EPS);
}
fn post_gain(i: u32) -> vec4<f32> { return post[i]; }
