// Rows of the weight: N / HD of the heads of q, k and v, from FIRST_HEAD on; put_head.wgsl says what becomes of them. A
// workgroup owns OUT dims of a head, half of them HD / 2 above the others unless pairs are neighbours, so that it has
// both of every pair; a thread has four that follow each other. OUT a multiple of 8 that divides HD.
@group(0) @binding(6) var<storage, read> rope: array<vec2<f32>>;  // [T][HD / 2] (cos, sin)
fn row_of(wg: u32, i: u32) -> u32 {
  let first = wg * OUT;
  if (INTERLEAVED == 1u) { return first + i; }
  return first / HD * HD + first % HD / 2u + i % (OUT / 2u) + i / (OUT / 2u) * (HD / 2u);
}
fn prepare(wg: u32, base: u32, t: u32) {}
fn four(n: u32, wg: u32, i: u32) -> vec4<f32> {
  let row = row_of(wg, i);
  return vec4<f32>(result(n, i) + bias_of(row), result(n, i + 1u) + bias_of(row + 1u),
                   result(n, i + 2u) + bias_of(row + 2u), result(n, i + 3u) + bias_of(row + 3u));
}
fn finish(wg: u32, base: u32, t: u32) {
  for (var first = 0u; first < NT * OUT / 4u; first += WG) {
    let j = min(first + t, NT * OUT / 4u - 1u); let n = j / (OUT / 4u); let i = 4u * (j % (OUT / 4u));
    let token = token_of(base + n); let live = first + t < NT * OUT / 4u && base + n < token_count();
    let row = row_of(wg, i); let head = FIRST_HEAD + row / HD; let d = row % HD;
    var v = four(n, wg, i);
    if (is_turned(head)) { v = turned(token, d, v, four(n, wg, (i + OUT / 2u) % OUT)); }
    put_head(token, head, d, v, live, t);
  }
}
