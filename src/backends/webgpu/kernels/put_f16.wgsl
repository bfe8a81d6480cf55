// Elements 4 * i .. 4 * i + 3 of row `row` of what a product reads next, as f16; G groups of 32 a row. Beyond the range
// of f16 the largest number stands, not an infinity.
@group(0) @binding(0) var<storage, read_write> out: array<vec2<u32>>;  // [rows][G * 8]
fn put4(row: u32, i: u32, v: vec4<f32>, live: bool, t: u32) {
  if (!live) { return; }
  let c = clamp(v, vec4<f32>(-65504.0), vec4<f32>(65504.0));
  out[row * G * 8u + i] = vec2<u32>(pack2x16float(c.xy), pack2x16float(c.zw));
}
