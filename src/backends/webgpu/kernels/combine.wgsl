// Elements 4 * i .. 4 * i + 3 of a token's attention output, from the parts that attention_split.wgsl left of n
// positions.
fn combine(token: u32, i: u32, n: u32) -> vec4<f32> {
  let first = (token * HEADS + i / (HD / 4u)) * SPLITS; let used = splits_used(n); let d = i % (HD / 4u);
  var m = -3.4e38;
  for (var s = 0u; s < used; s++) { m = max(m, part_ml[first + s].x); }
  var l = 0.0; var o = vec4<f32>();
  for (var s = 0u; s < used; s++) {
    let ml = part_ml[first + s]; let e = exp(ml.x - m);
    l += e * ml.y; o += e * part_o[(first + s) * (HD / 4u) + d];
  }
  return o / l;
}
