// Elements 4 * e .. 4 * e + 3 of a row, for families that have a w_*.wgsl only: floats.
fn w_four(row: u32, e: u32) -> vec4<f32> {
  let w = weights8(row, e / 2u * 8u);
  return select(w[0], w[1], (e & 1u) == 1u);
}
