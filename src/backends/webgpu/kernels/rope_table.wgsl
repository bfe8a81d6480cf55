// Cosines and sines of every token's position, for layers that turn by other frequencies than the first: workgroup =
// token. Composed with cos_sin.wgsl.
@group(0) @binding(0) var<storage, read> params: array<u32>;
@group(0) @binding(1) var<storage, read> freqs: array<f32>;             // [ROT / 2]
@group(0) @binding(2) var<storage, read_write> rope: array<vec2<f32>>;  // [T][ROT / 2] (cos, sin) * MAGNITUDE
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let pos = params[P_POSITIONS + wid.x];
  for (var i = t; i < ROT / 2u; i += 64u) { rope[wid.x * (ROT / 2u) + i] = MAGNITUDE * cos_sin(pos, freqs[i]); }
}
