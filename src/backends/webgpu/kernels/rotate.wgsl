// Rotary embedding (Su et al. 2021): the value of column `col` of a row whose columns are those of heads side by side,
// after turning. fetch(row, col) is the caller's. Angles reach 10^5 and devices compute sines of small angles only:
// position * frequency is taken modulo 2 pi with its rounding error (Cody and Waite's reduction).
fn turned(row: u32, col: u32, position: u32) -> f32 {
  let i = col % HEAD_DIM;
  let value = fetch(row, col);
  if (i >= ROT_DIM) { return value; }
  var pair = i % (ROT_DIM / 2u);
  var other = col + ROT_DIM / 2u;
  var first = i < ROT_DIM / 2u;
  if (!first) { other = col - ROT_DIM / 2u; }
  if (INTERLEAVED == 1u) {
    pair = i / 2u;
    first = i % 2u == 0u;
    other = col ^ 1u;  // heads begin at even columns
  }
  let p = f32(position);
  let angle = p * freqs[pair];
  let turns = round(angle * 0.15915494);
  let near = fma(-turns, 6.2831855, angle);
  let theta = fma(turns, 1.7484556e-7, near) + fma(p, freqs[pair], -angle);
  let c = cos(theta) * MAGNITUDE;
  let s = sin(theta) * MAGNITUDE;
  let beside = fetch(row, other);
  return select(value * c + beside * s, value * c - beside * s, first);
}
