// Each aligned set of 32 threads holds a group of a vector; writes it to a block of `out` (q8_block.wgsl) that begins
// at word `at`, if `live`. Uniform control flow only.
fn quantise32(v: f32, t: u32, at: u32, group: u32, groups: u32, live: bool) {
  let m = max_of(32u, abs(v), t);
  let q = q8_round(v, select(0.0, 127.0 / m, m > 0.0));
  let n = sum_of(32u, f32(q), t);
  let w = four_bytes(q, t); let i = t % 32u;
  if (live && i % 4u == 0u) { out[at + q8_word(group * 8u + i / 4u, groups)] = w; }
  if (live && i == 0u) {
    let d = m / 127.0; let s = at + 4u * q8_scales(groups) + 2u * group;
    out[s] = bitcast<u32>(d); out[s + 1u] = bitcast<u32>(d * n);
  }
}
