// act(gate) * up as the next product reads it: workgroup = (4 * WG columns, token). Columns 0 .. 32 G - 1 of y are
// gate, as many after them up; y is a sum of KS matrices of T rows. Composed with act_*.wgsl and put_*.wgsl.
@group(0) @binding(1) var<storage, read> y: array<vec4<f32>>;  // [KS][T][2][G * 8]
@group(0) @binding(2) var<storage, read> params: array<u32>;
fn kernel(wid: vec3<u32>, t: u32) {
  let i = wid.x * WG + t; let j = min(i, G * 8u - 1u);
  var gate = vec4<f32>(); var up = vec4<f32>();
  for (var p = 0u; p < KS; p++) {
    let at = (p * params[0] + wid.y) * G * 16u + j;
    gate += y[at]; up += y[at + G * 8u];
  }
  put4(wid.y, i, vec4<f32>(act(gate.x), act(gate.y), act(gate.z), act(gate.w)) * up, i < G * 8u, t);
}
