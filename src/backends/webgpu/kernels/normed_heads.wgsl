// RMS norm of each head of q and of k. HD / 4 neighbouring threads hold a head.
@group(0) @binding(6) var<storage, read> q_gain: array<vec4<f32>>;  // [HD / 4]
@group(0) @binding(7) var<storage, read> k_gain: array<vec4<f32>>;
fn head_factor(squares: f32, t: u32) -> f32 {
  return inverseSqrt(sum_of(HD / 4u, squares, t) / f32(HD) + HEAD_EPS);
}
fn head_gain(head: u32, d: u32) -> vec4<f32> {
  if (head < HEADS) { return q_gain[d / 4u]; }
  return k_gain[d / 4u];
}
