// Elements 4 * i .. 4 * i + 3 of row `row` of what a product reads next, as int8 blocks of G groups (q8_block.wgsl).
// Eight neighbouring invocations hold a group. Uniform control flow only; stored where `live`.
@group(0) @binding(0) var<storage, read_write> out: array<u32>;  // [rows] blocks
fn put4(row: u32, i: u32, v: vec4<f32>, live: bool, t: u32) {
  let block = row * 4u * q8_stride(G); let a = abs(v);
  let m = max_of(8u, max(max(a.x, a.y), max(a.z, a.w)), t); let r = select(0.0, 127.0 / m, m > 0.0);
  let w = vec4<i32>(q8_round(v.x, r), q8_round(v.y, r), q8_round(v.z, r), q8_round(v.w, r));
  let s = sum_of(8u, f32(w.x + w.y + w.z + w.w), t);
  if (!live) { return; }
  out[block + q8_word(i, G)] = pack4xI8(w);
  if (i % 8u == 0u) {
    let at = block + 4u * q8_scales(G) + i / 4u;
    out[at] = bitcast<u32>(m / 127.0); out[at + 1u] = bitcast<u32>(m / 127.0 * s);
  }
}
