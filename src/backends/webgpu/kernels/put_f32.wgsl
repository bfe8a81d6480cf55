// Elements 4 * i .. 4 * i + 3 of row `row` of what a product reads next, as f32; G groups of 32 a row.
@group(0) @binding(0) var<storage, read_write> out: array<vec4<f32>>;  // [rows][G * 8]
fn put4(row: u32, i: u32, v: vec4<f32>, live: bool, t: u32) {
  if (live) { out[row * G * 8u + i] = v; }
}
