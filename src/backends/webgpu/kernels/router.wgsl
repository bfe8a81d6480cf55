// Logits of the experts, with float activations, since a rounded one may choose another expert: out[t, e] = sum over k
// of h[t, k] * gain[k] * W[e, k] / rms(h[t]). Workgroup = (4 experts, token), 32 threads an expert; each of them finds
// the rms for itself. Composed with any w_*.wgsl.
@group(0) @binding(1) var<storage, read> h: array<vec4<f32>>;     // [T][COLS / 4]
@group(0) @binding(2) var<storage, read> gain: array<vec4<f32>>;  // [COLS / 4]
@group(0) @binding(3) var<storage, read_write> out: array<f32>;   // [T][E]
var<workgroup> partial: array<vec2<f32>, 128>;
@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let e = wid.x * 4u + t / 32u; let row = wid.y * (COLS / 4u);
  var sum = vec2<f32>();  // of products, of squares
  for (var k = t % 32u * 8u; k < COLS; k += 256u) {
    let w = weights8(min(e, E - 1u), k); let i = k / 4u; let a = h[row + i]; let b = h[row + i + 1u];
    sum += vec2<f32>(dot(w[0], a * gain[i]) + dot(w[1], b * gain[i + 1u]), dot(a, a) + dot(b, b));
  }
  partial[t] = sum;
  workgroupBarrier();
  for (var half = 16u; half > 0u; half >>= 1u) {
    if (t % 32u < half) { partial[t] += partial[t + half]; }
    workgroupBarrier();
  }
  if (t % 32u == 0u && e < E) { out[wid.y * E + e] = partial[t].x * inverseSqrt(partial[t].y / f32(COLS) + EPS); }
}
