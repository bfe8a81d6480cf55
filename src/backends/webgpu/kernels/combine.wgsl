// Elements 4 * i .. 4 * i + 3 of a token's attention output, from the parts that attention_split.wgsl left of n
// positions; four parts at a time, so that their loads are in flight together.
fn combine(token: u32, i: u32, n: u32) -> vec4<f32> {
  let first = (token * HEADS + i / (HD / 4u)) * SPLITS; let used = splits_used(n); let d = i % (HD / 4u);
  var m = -3.4e38; var l = 0.0; var o = vec4<f32>();
  for (var fours = 0u; fours < (SPLITS + 3u) / 4u; fours++) {
    if (4u * fours >= used) { break; }
$for j 4
    let s$j$ = first + min(4u * fours + $j$u, used - 1u); let ml$j$ = part_ml[s$j$];
    let o$j$ = part_o[s$j$ * (HD / 4u) + d];
$end
    let top = max(max(max(ml0.x, ml1.x), max(ml2.x, ml3.x)), m); let old = exp(m - top); m = top; l *= old; o *= old;
$for j 4
    let e$j$ = select(0.0, exp(ml$j$.x - m), 4u * fours + $j$u < used); l += e$j$ * ml$j$.y; o += e$j$ * o$j$;
$end
  }
  return o / l;
}
