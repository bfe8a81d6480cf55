// Two neighbouring values of a page as store_q8_0.wgsl lays it out; at: even, within the page.
fn two_codes(word: u32, at: u32) -> vec2<f32> {
  let x = word >> (at % 4u * 8u);
  return vec2<f32>(vec2<i32>(vec2<u32>(x << 24u, x << 16u)) >> vec2<u32>(24u));
}
fn load_key(page: u32, at: u32) -> vec2<f32> {
  let base = page * (PAGE_VALUES / 4u + PAGE_VALUES / 64u);
  let scales = unpack2x16float(keys[base + PAGE_VALUES / 4u + at / 64u]);
  return select(scales.x, scales.y, at / 32u % 2u == 1u) * two_codes(keys[base + at / 4u], at);
}
fn load_value(page: u32, at: u32) -> vec2<f32> {
  let base = page * (PAGE_VALUES / 4u + PAGE_VALUES / 64u);
  let scales = unpack2x16float(values[base + PAGE_VALUES / 4u + at / 64u]);
  return select(scales.x, scales.y, at / 32u % 2u == 1u) * two_codes(values[base + at / 4u], at);
}
